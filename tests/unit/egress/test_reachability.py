"""What NetworkPolicies do together: held against cases, and against a naive reading of the API."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from random import Random
from typing import Any

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from fleet_telemetry.api.workload_telemetry import EgressVerdict
from fleet_telemetry.egress.model import Address, Destination, Network
from fleet_telemetry.egress.network_policies import NetworkPolicy, read_network_policy
from fleet_telemetry.egress.reachability import (
    AddressCoverage,
    Judgement,
    Reach,
    judge,
)
from tests.support.depth import examples
from tests.support.every import every
from tests.support.network_policies import (
    ADDRESSES,
    POD_LABELS,
    PORTS,
    SMALL_RANGE,
    Manifest,
    allow_all_except,
    allow_only,
    block,
    isolate,
    isolating,
    network_policy,
    singles,
    sonarqube_chart,
    wild_policies,
)
from tests.support.reach import isolators, reach

NONE, SOME, ALL = AddressCoverage
OPEN, ALLOWED, DENIED, UNKNOWN = (
    EgressVerdict.OPEN,
    EgressVerdict.ALLOWED,
    EgressVerdict.DENIED,
    EgressVerdict.UNKNOWN,
)
WEB = {"app": "web"}
HOST = "34.107.157.31/32"
HOST6 = "2606:4700::6810:7c/128"
OTHER = "8.8.8.8/32"
DENY_ALL = network_policy("deny-all")
ALLOW_ALL = network_policy("allow-all", {})
INGRESS_ONLY = network_policy("ingress", policyTypes=["Ingress"], egress=None, ingress=[])


def nets(*texts: str) -> list[Network]:
    return [ip_network(text) for text in texts]


def read(*manifests: Manifest) -> list[NetworkPolicy]:
    return [read_network_policy(manifest) for manifest in manifests]


def reached(
    *manifests: Manifest,
    to: Iterable[str] = (HOST,),
    labels: Mapping[str, str] = WEB,
    port: int = 443,
    protocol: str = "TCP",
) -> Reach:
    return reach(read(*manifests), labels, nets(*to), port, protocol)


def names(policies: Iterable[NetworkPolicy]) -> list[str]:
    return [str(policy) for policy in policies]


# Isolation


@pytest.mark.parametrize(
    ("policy", "isolated"),
    [
        (DENY_ALL, True),
        (ALLOW_ALL, True),
        (INGRESS_ONLY, False),
        (network_policy("a", policyTypes=None, egress=[]), False),
        (network_policy("a", {}, policyTypes=None), True),
        (network_policy("a", {}, policyTypes=["Ingress"]), False),
        (network_policy("a", pods={"matchLabels": {"app": "db"}}), False),
        (network_policy("a", pods={"matchLabels": WEB}), True),
    ],
)
def test_who_is_isolated(policy: Manifest, isolated: bool) -> None:
    found = reached(policy)
    assert found.isolated is isolated
    assert names(isolators(read(policy), WEB)) == [f"appsec/{policy['metadata']['name']}"] * (
        isolated
    )
    if not isolated:
        assert found == Reach(isolated=False, coverage=ALL, certain=ALL)


def test_nothing_isolates_without_policies() -> None:
    assert reached() == Reach(isolated=False, coverage=ALL, certain=ALL)
    assert isolators([], WEB) == ()


def test_isolators_come_by_namespace_and_name() -> None:
    policies = read(
        network_policy("b", namespace="one"),
        network_policy("a", namespace="two"),
        INGRESS_ONLY,
        network_policy("a", namespace="one"),
    )
    for order in (policies, policies[::-1]):
        assert names(isolators(order, WEB)) == ["one/a", "one/b", "two/a"]


# What is let through


@every(
    ("egress", "coverage"),
    [
        ([], NONE),
        ([{}], ALL),
        ([{"to": []}], ALL),
        ([{"ports": []}], ALL),
        ([{"to": [], "ports": []}], ALL),
        ([{"to": [block("0.0.0.0/0")]}], ALL),
        ([{"to": [block("::/0")]}], NONE),
        ([{"to": [block(HOST)]}], ALL),
        ([{"to": [block("34.107.157.31/0")]}], ALL),
        ([{"to": [block("34.107.157.30/32")]}], NONE),
        ([{"to": [block("0.0.0.0/0", HOST)]}], NONE),
        ([{"to": [block("0.0.0.0/0", "34.0.0.0/8")]}], NONE),
        ([{"to": [block("0.0.0.0/0", "34.107.157.30/32")]}], ALL),
        # Exceptions are the block's own: another block, rule or policy lets through.
        ([{"to": [block("0.0.0.0/0", HOST), block("34.0.0.0/8")]}], ALL),
        ([{"to": [block("0.0.0.0/0", HOST)]}, {"to": [block("34.0.0.0/8")]}], ALL),
        ([{"to": [block("0.0.0.0/0", HOST)]}, {"ports": [{"port": 443}]}], ALL),
        # Pods, wherever they are, are not outside.
        ([{"to": [{"podSelector": {}}]}], NONE),
        ([{"to": [{"namespaceSelector": {}}]}], NONE),
        ([{"to": [{"namespaceSelector": {}, "podSelector": {}}]}], NONE),
        ([{"to": [{"podSelector": {}}, block(HOST)]}], ALL),
    ],
)
def test_addresses_of_rules(egress: list[Manifest], coverage: AddressCoverage) -> None:
    found = reached(network_policy("a", *egress))
    assert found.isolated
    assert (found.coverage, found.certain) == (coverage, coverage)
    assert names(found.culprits) == (["appsec/a"] if coverage is ALL else [])


@pytest.mark.parametrize(
    ("ports", "opened"),
    [
        ([], True),
        ([{"port": 443}], True),
        ([{"port": 443, "protocol": "TCP"}], True),
        ([{"port": 443, "protocol": "UDP"}], False),
        ([{"port": 443, "protocol": "SCTP"}], False),
        ([{"port": 80}], False),
        ([{"port": 80}, {"port": 443}], True),
        ([{"protocol": "TCP"}], True),
        ([{"protocol": "UDP"}], False),
        ([{}], True),
        ([{"port": 400, "endPort": 442}], False),
        ([{"port": 400, "endPort": 443}], True),
        ([{"port": 443, "endPort": 443}], True),
        ([{"port": 443, "endPort": 500}], True),
        ([{"port": 444, "endPort": 500}], False),
        ([{"port": 1, "endPort": 65535, "protocol": "UDP"}], False),
        ([{"port": "https"}], False),
        ([{"port": "https"}, {"port": 443}], True),
    ],
)
def test_ports_of_rules(ports: list[Manifest], opened: bool) -> None:
    for to in ([], [block(HOST)]):
        found = reached(network_policy("a", {"to": to, "ports": ports}))
        assert found.coverage is (ALL if opened else NONE)


@pytest.mark.parametrize("protocol", ["TCP", "UDP", "SCTP"])
def test_protocols_are_told_apart(protocol: str) -> None:
    policy = network_policy("a", {"ports": [{"port": 443, "protocol": protocol}]})
    for asked in ("TCP", "UDP", "SCTP"):
        assert reached(policy, protocol=asked).coverage is (ALL if asked == protocol else NONE)


def test_policies_add_up_and_only_those_that_select_count() -> None:
    web, db = (
        network_policy(f"for-{app}", {"to": [block(HOST)]}, pods={"matchLabels": {"app": app}})
        for app in ("web", "db")
    )
    assert reached(DENY_ALL, web).coverage is ALL
    assert reached(DENY_ALL, db).coverage is NONE
    assert reached(DENY_ALL, db, labels={"app": "db"}).coverage is ALL
    assert reached(db) == Reach(isolated=False, coverage=ALL, certain=ALL)


def test_one_for_ingress_lets_nothing_through() -> None:
    wrong = network_policy("a", {}, policyTypes=["Ingress"])
    assert reached(DENY_ALL, wrong).coverage is NONE


# Ranges


@pytest.mark.parametrize(
    ("blocks", "coverage"),
    [
        ([], NONE),
        ([block("104.16.0.0/13")], ALL),
        ([block("104.0.0.0/8")], ALL),
        ([block("104.16.0.0/14"), block("104.20.0.0/14")], ALL),
        ([block("104.16.0.0/14")], SOME),
        ([block("104.20.1.1/32")], SOME),
        ([block("104.24.0.0/14"), block("104.15.255.255/32")], NONE),
        ([block("0.0.0.0/0", "104.16.0.0/13")], NONE),
        ([block("0.0.0.0/0", "104.16.0.0/12")], NONE),
        ([block("0.0.0.0/0", "104.16.0.0/14", "104.20.0.0/14")], NONE),
        ([block("0.0.0.0/0", "104.16.0.0/14")], SOME),
        ([block("0.0.0.0/0", "104.16.0.0/14"), block("104.16.0.0/15")], SOME),
        ([block("0.0.0.0/0", "104.16.0.0/14"), block("104.0.0.0/8", "104.20.0.0/14")], ALL),
        # All but one address, and just that address.
        ([block("104.16.0.0/13", "104.17.3.4/32")], SOME),
        ([block("104.16.0.0/13", "104.17.3.4/32"), block("104.17.3.4/32")], ALL),
        ([block("::/0")], NONE),
    ],
)
def test_ranges_are_exact(blocks: list[Manifest], coverage: AddressCoverage) -> None:
    to = ["104.16.0.0/13"]
    # It is all the same whether blocks stand in one rule, in several, or in several policies.
    one_rule = [network_policy("a", *([{"to": blocks}] if blocks else []))]
    rules = [network_policy("a", *({"to": [one]} for one in blocks))]
    apart = [network_policy(str(n), {"to": [one]}) for n, one in enumerate(blocks)]
    for policies in (one_rule, rules, [DENY_ALL, *apart], [*apart[::-1], DENY_ALL]):
        found = reached(*policies, to=to)
        assert (found.coverage, found.certain) == (coverage, coverage)
        assert found == reached(*policies, to=["104.20.0.0/14", "104.16.0.0/14", "104.17.0.1/32"])


def test_both_families_count() -> None:
    four = network_policy("four", {"to": [block("0.0.0.0/0")]})
    six = network_policy("six", {"to": [block("::/0")]})
    to = [HOST, HOST6]
    assert reached(four, to=to).coverage is SOME
    assert reached(six, to=to).coverage is SOME
    assert reached(four, six, to=to).coverage is ALL
    assert names(reached(four, six, to=[HOST6]).culprits) == ["appsec/six"]


def test_without_networks_every_address_is_asked_about() -> None:
    assert reached(DENY_ALL, to=[]).coverage is NONE
    assert reached(ALLOW_ALL, to=[]).coverage is ALL
    assert reached(sonarqube_chart(), to=[], labels={"app": "sonarqube"}).coverage is SOME
    assert reached(network_policy("a", {"to": [block("1.1.1.1/32")]}), to=[]).coverage is SOME
    assert reached(network_policy("a", {"ports": [{"port": 80}]}), to=[]).coverage is NONE


# Culprits


def test_culprits_are_those_that_let_any_of_it_through() -> None:
    ours = allow_all_except("ours", [HOST])
    policies = (
        network_policy("z", {"to": [block("34.0.0.0/8")]}),
        ours,
        network_policy("a", {"to": [block(HOST)], "ports": [{"port": 443}]}),
        network_policy("other-port", {"to": [block(HOST)], "ports": [{"port": 80}]}),
        network_policy("other-host", {"to": [block(OTHER)]}),
        network_policy("other-pods", {}, pods={"matchLabels": {"app": "db"}}),
        INGRESS_ONLY,
    )
    for order in (policies, policies[::-1]):
        assert names(reached(*order).culprits) == ["appsec/a", "appsec/z"]
    # Of a range that is denied in part, ours lets the rest through.
    assert names(reached(ours, to=["34.107.157.30/31"]).culprits) == ["appsec/ours"]


def test_one_that_adds_nothing_to_another_is_a_culprit_all_the_same() -> None:
    found = reached(ALLOW_ALL, network_policy("too", {"to": [block(HOST)]}))
    assert names(found.culprits) == ["appsec/allow-all", "appsec/too"]


def test_the_chart_of_sonarqube_undoes_a_denial() -> None:
    labels = {"app": "sonarqube", "release": "sonarqube"}
    deny = allow_all_except("ours", [HOST, HOST6])
    assert reached(deny, labels=labels, to=[HOST, HOST6]).coverage is NONE
    found = reached(deny, sonarqube_chart(), labels=labels, to=[HOST, HOST6])
    assert found.coverage is SOME
    assert names(found.culprits) == ["appsec/sonarqube-network-policy"]
    assert reached(sonarqube_chart(), deny, labels=labels, to=[HOST6]).coverage is NONE


def test_the_shapes_that_are_written_do_what_they_are_for() -> None:
    deny = allow_all_except("deny", [HOST, HOST6])
    assert reached(deny, to=[HOST, HOST6]).coverage is NONE
    assert reached(deny, to=[OTHER, "2001:db8::1/128"]).coverage is ALL
    # Exceptions have no ports.
    assert reached(deny, port=8443).coverage is NONE
    allow = allow_only("allow", [HOST])
    assert reached(allow, DENY_ALL).coverage is ALL
    assert reached(allow, to=[OTHER]).coverage is NONE
    assert reached(allow, port=80).coverage is NONE
    closed = isolate("isolate", [HOST])
    assert reached(closed).coverage is ALL
    assert reached(closed, to=[OTHER]).coverage is NONE
    assert reached(closed, port=53, protocol="UDP").coverage is NONE
    assert reached(isolate("isolate", []), to=[]).coverage is NONE


# What cannot be read


UNREADABLE = {
    "a rule": network_policy("bad", "everything"),  # type: ignore[arg-type]
    "peers": network_policy("bad", {"to": "everything"}),
    "a peer": network_policy("bad", {"to": [{"fqdn": "telemetry.example"}]}),
    "a block": network_policy("bad", {"to": [block("034.0.0.0/8")]}),
    "an exception": network_policy("bad", {"to": [block("34.0.0.0/8", "034.107.157.31/32")]}),
    "a port": network_policy("bad", {"to": [block(HOST)], "ports": [{"port": "443"}]}),
    "rules": network_policy("bad", egress="all"),
    "the pods": network_policy("bad", pods="app=web"),  # type: ignore[arg-type]
    "the types": network_policy("bad", policyTypes="Egress"),
    "the spec": {"metadata": {"name": "bad", "namespace": "appsec"}, "spec": "all"},
}


@pytest.mark.parametrize("bad", UNREADABLE.values(), ids=UNREADABLE)
def test_what_cannot_be_read_is_never_a_denial(bad: Manifest) -> None:
    found = reached(DENY_ALL, bad)
    assert found.isolated
    assert (found.coverage, found.certain) == (ALL, NONE)
    assert names(found.culprits) == ["appsec/bad"]
    judged = judge(read(DENY_ALL, bad), [WEB], [Destination("h", 443, tuple(nets(HOST)))])
    assert judged.verdict is UNKNOWN
    assert judged.coverage is NONE
    assert names(judged.culprits) == ["appsec/bad"]


@pytest.mark.parametrize("bad", UNREADABLE.values(), ids=UNREADABLE)
def test_what_cannot_be_read_does_not_hide_what_can(bad: Manifest) -> None:
    found = reached(network_policy("good", {"to": [block(HOST)]}), bad)
    assert (found.coverage, found.certain) == (ALL, ALL)
    assert judge(read(ALLOW_ALL, bad), [WEB], [DESTINATION]).verdict is ALLOWED
    for port, to in ((443, OTHER), (80, HOST)):
        assert reached(allow_only("good", [HOST]), bad, to=[to], port=port).certain is NONE


@pytest.mark.parametrize("part", ["the pods", "the types", "the spec"])
def test_one_that_may_isolate_leaves_it_open_whether_anything_does(part: str) -> None:
    found = reached(UNREADABLE[part])
    assert (found.isolated, found.coverage, found.certain) == (False, ALL, NONE)
    assert names(found.culprits) == ["appsec/bad"]
    assert judge(read(UNREADABLE[part]), [WEB], [DESTINATION]).verdict is UNKNOWN


def test_one_that_cannot_be_read_is_of_no_concern_to_pods_that_it_does_not_select() -> None:
    bad = network_policy("bad", pods={"matchLabels": {"app": "db"}}, policyTypes="Egress")
    assert reached(bad) == Reach(isolated=False, coverage=ALL, certain=ALL)
    assert reached(bad, DENY_ALL).coverage is NONE


# Judging


DESTINATION = Destination("telemetry.example", 443, tuple(nets(HOST)))
NOWHERE = Destination("unresolved.example", 443, ())


def judged(
    *manifests: Manifest,
    pods: Iterable[Mapping[str, str]] = (WEB,),
    to: Iterable[Destination] = (DESTINATION,),
) -> Judgement:
    return judge(read(*manifests), pods, to)


@pytest.mark.parametrize(
    ("policies", "verdict", "coverage"),
    [
        ([], OPEN, ALL),
        ([INGRESS_ONLY], OPEN, ALL),
        ([ALLOW_ALL], ALLOWED, ALL),
        ([DENY_ALL], DENIED, NONE),
        ([allow_all_except("a", [HOST])], DENIED, NONE),
        ([allow_all_except("a", [OTHER])], ALLOWED, ALL),
        ([isolate("a", [HOST])], ALLOWED, ALL),
        ([isolate("a", [OTHER])], DENIED, NONE),
        ([DENY_ALL, allow_only("a", [HOST])], ALLOWED, ALL),
    ],
)
def test_the_words(
    policies: list[Manifest], verdict: EgressVerdict, coverage: AddressCoverage
) -> None:
    found = judged(*policies)
    assert (found.verdict, found.coverage) == (verdict, coverage)


def test_one_address_that_is_let_through_is_allowed() -> None:
    several = Destination("telemetry.example", 443, tuple(nets(OTHER, HOST)))
    found = judged(allow_all_except("ours", [HOST]), to=[several])
    assert (found.verdict, found.coverage) == (ALLOWED, SOME)
    assert names(found.culprits) == ["appsec/ours"]
    assert judged(allow_all_except("ours", [HOST, OTHER]), to=[several]).verdict is DENIED


def test_the_port_is_the_destinations() -> None:
    policy = allow_only("a", [HOST])
    assert judged(policy, to=[Destination("h", 443, tuple(nets(HOST)))]).verdict is ALLOWED
    assert judged(policy, to=[Destination("h", 8443, tuple(nets(HOST)))]).verdict is DENIED


def test_of_several_pods_the_one_counts_that_reaches_most() -> None:
    deny = network_policy("deny", pods={"matchLabels": {"app": "web"}})
    allow = network_policy("allow", {}, pods={"matchLabels": {"app": "db"}})
    web, db, job = {"app": "web"}, {"app": "db"}, {"app": "job"}
    for pods, verdict, coverage in (
        ([web], DENIED, NONE),
        ([web, web], DENIED, NONE),
        ([web, db], ALLOWED, SOME),
        ([db, web], ALLOWED, SOME),
        ([web, db, job], OPEN, SOME),
        ([job, web], OPEN, SOME),
        ([db, job], OPEN, ALL),
    ):
        found = judged(deny, allow, pods=pods)
        assert (found.verdict, found.coverage) == (verdict, coverage)


def test_of_several_hosts_the_one_counts_that_is_reached_most() -> None:
    other = Destination("other.example", 443, tuple(nets(OTHER)))
    policy = allow_only("a", [HOST])
    for to, verdict, coverage in (
        ([other], DENIED, NONE),
        ([other, DESTINATION], ALLOWED, SOME),
        ([DESTINATION, other], ALLOWED, SOME),
        ([DESTINATION], ALLOWED, ALL),
        ([other, NOWHERE], UNKNOWN, NONE),
        ([NOWHERE, other, DESTINATION], ALLOWED, SOME),
    ):
        found = judged(policy, to=to)
        assert (found.verdict, found.coverage) == (verdict, coverage)


@pytest.mark.parametrize(
    ("policies", "verdict"),
    [
        ([], OPEN),
        # It holds for every address there is.
        ([DENY_ALL], DENIED),
        ([network_policy("a", {"to": [{"podSelector": {}}]})], DENIED),
        ([network_policy("a", {"ports": [{"port": 80}]})], DENIED),
        ([isolate("a", [])], DENIED),
        ([ALLOW_ALL], ALLOWED),
        ([network_policy("a", {"ports": [{"port": 443}]})], ALLOWED),
        ([network_policy("a", {"to": [block("0.0.0.0/0"), block("::/0")]})], ALLOWED),
        # It depends.
        ([network_policy("a", {"to": [block("0.0.0.0/0")]})], UNKNOWN),
        ([allow_all_except("a", [HOST])], UNKNOWN),
        ([allow_only("a", [HOST])], UNKNOWN),
        ([network_policy("a", {"to": [block("10.0.0.0/8")]})], UNKNOWN),
    ],
)
def test_of_a_host_without_addresses_only_what_holds_for_all_is_said(
    policies: list[Manifest], verdict: EgressVerdict
) -> None:
    assert judged(*policies, to=[NOWHERE]).verdict is verdict


def test_without_pods_or_hosts_nothing_is_known() -> None:
    nothing = Judgement(UNKNOWN, NONE)
    assert judged(DENY_ALL, pods=[]) == nothing
    assert judged(DENY_ALL, to=[]) == nothing
    assert judged(pods=[], to=[]) == nothing


def test_some_of_all_addresses_is_nothing_sure_of_a_host_without_any() -> None:
    found = judged(allow_only("a", [HOST]), to=[NOWHERE])
    assert found.coverage is NONE
    assert names(found.culprits) == ["appsec/a"]
    assert judged(ALLOW_ALL, to=[NOWHERE]).coverage is ALL
    assert judged(to=[NOWHERE]).coverage is ALL


def test_culprits_of_all_pods_and_hosts_each_once() -> None:
    found = judged(
        network_policy("z", {}, pods={"matchLabels": {"app": "db"}}),
        allow_only("a", [HOST]),
        network_policy("b", {"to": [block(OTHER)]}),
        pods=[{"app": "web"}, {"app": "db"}],
        to=[DESTINATION, Destination("other.example", 443, tuple(nets(OTHER)))],
    )
    assert names(found.culprits) == ["appsec/a", "appsec/b", "appsec/z"]


def test_iterators_may_be_used_up() -> None:
    policies = read(allow_only("a", [HOST]))
    pods = (labels for labels in [WEB, {"app": "db"}])
    found = judge(iter(policies), pods, iter([DESTINATION, NOWHERE]))
    assert found == judge(policies, [WEB, {"app": "db"}], [DESTINATION, NOWHERE])


# A naive reading of the API, address by address, written down a second time


def _lets(policy: Manifest, address: Address, port: int, protocol: str) -> bool:
    def inside(cidr: str) -> bool:
        return address in ip_network(cidr, strict=False)

    def goes_to(peer: Manifest) -> bool:
        if "ipBlock" not in peer:
            return False
        of = peer["ipBlock"]
        return inside(of["cidr"]) and not any(map(inside, of.get("except", [])))

    def is_for(one: Manifest) -> bool:
        if one.get("protocol", "TCP") != protocol:
            return False
        if "port" not in one:
            return True
        if isinstance(one["port"], str):
            return False
        return bool(one["port"] <= port <= one.get("endPort", one["port"]))

    return any(
        (not rule.get("to") or any(map(goes_to, rule["to"])))
        and (not rule.get("ports") or any(map(is_for, rule["ports"])))
        for rule in policy["spec"].get("egress", [])
    )


def _naive(
    policies: list[Manifest], labels: Mapping[str, str], address: Any, port: int, protocol: str
) -> tuple[bool, list[str]]:
    """Whether an address is reached, and by whose leave."""
    counting = isolating(policies, labels)
    letting = [policy for policy in counting if _lets(policy, address, port, protocol)]
    return not counting or bool(letting), sorted(one["metadata"]["name"] for one in letting)


@examples(400)
@given(st.integers(0, 2**32), st.sampled_from(POD_LABELS), st.sampled_from(PORTS))
def test_it_says_what_a_naive_reading_says(
    seed: int, labels: dict[str, str], port: tuple[int, str]
) -> None:
    manifests = wild_policies(Random(seed))
    policies = read(*manifests)
    expected = sorted(one["metadata"]["name"] for one in isolating(manifests, labels))
    assert [policy.name for policy in isolators(policies, labels)] == expected
    for address in ADDRESSES:
        is_reached, letting = _naive(manifests, labels, address, *port)
        found = reach(policies, labels, singles([address]), *port)
        event(f"{found.isolated} {found.coverage}")
        assert found.coverage is found.certain
        assert found.coverage is (ALL if is_reached else NONE)
        assert [policy.name for policy in found.culprits] == letting
    for several in (list(SMALL_RANGE), *(ADDRESSES[start::5] for start in range(5))):
        each = [_naive(manifests, labels, address, *port) for address in several]
        expected = {ALL if is_reached else NONE for is_reached, _ in each}
        networks = [SMALL_RANGE] if list(SMALL_RANGE) == several else singles(several)
        found = reach(policies, labels, networks, *port)
        assert found.coverage is (expected.pop() if len(expected) == 1 else SOME)
        assert [policy.name for policy in found.culprits] == sorted(
            {name for _, letting in each for name in letting}
        )


@examples(200)
@given(st.integers(0, 2**32), st.sampled_from(POD_LABELS))
def test_more_allowances_never_take_anything_away(seed: int, labels: dict[str, str]) -> None:
    random = Random(seed)
    policies = [*read(*wild_policies(random)), *read(DENY_ALL)]
    before = judge(policies, [labels], [DESTINATION, Destination("s", 443, (SMALL_RANGE,))])
    more = [*policies, *read(*wild_policies(random))]
    random.shuffle(more)
    after = judge(more, [labels], [DESTINATION, Destination("s", 443, (SMALL_RANGE,))])
    order = [NONE, SOME, ALL]
    assert order.index(after.coverage) >= order.index(before.coverage)
    if before.verdict is ALLOWED:
        assert after.verdict is ALLOWED


# Size


@pytest.mark.thorough
def test_a_large_namespace_has_an_answer() -> None:
    random = Random(5)
    manifests = [
        allow_all_except(
            f"p{number}",
            {f"104.{random.randrange(16, 32)}.{random.randrange(256)}.{k}/32" for k in range(60)},
        )
        for number in range(300)
    ]
    policies = read(*manifests)
    whole: tuple[Network, ...] = (IPv4Network("104.16.0.0/12"), IPv6Network("2606:4700::/32"))
    pods = [{"app": "web", "pod": str(number)} for number in range(300)]
    found = judge(policies, pods, [Destination("h", 443, whole)] * 4)
    assert (found.verdict, found.coverage) == (ALLOWED, ALL)
    assert len(found.culprits) == 300
    address = ip_address("104.16.0.0")
    assert reach(policies, WEB, singles([address]), 443).coverage is ALL
