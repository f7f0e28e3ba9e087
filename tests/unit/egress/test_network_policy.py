"""NetworkPolicies are read for what they do to egress, and never for less than they may allow."""

from __future__ import annotations

import sys
from copy import deepcopy
from ipaddress import ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_telemetry.api.selector import LabelRequirement, SelectorOperator
from fleet_telemetry.egress.address_set import EVERYWHERE, AddressSet
from fleet_telemetry.egress.network_policies import (
    EgressRule,
    NetworkPolicy,
    PortRange,
    Protocol,
    read_network_policy,
)
from tests.support.depth import examples
from tests.support.every import every
from tests.support.manifest_strategies import WILD_VALUES

TCP, UDP, SCTP = Protocol.TCP, Protocol.UDP, Protocol.SCTP
MAYBE_ANYTHING = EgressRule(certain=False)


def read(**spec: Any) -> NetworkPolicy:
    metadata = {"name": "web", "namespace": "appsec", "uid": "1-2-3"}
    return read_network_policy(
        {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy"}
        | {"metadata": metadata, "spec": spec}
    )


def rules(*egress: Any) -> tuple[EgressRule, ...]:
    found = read(podSelector={}, policyTypes=["Egress"], egress=list(egress))
    assert found.isolates
    assert found.certain
    return found.rules


def addresses(*texts: str) -> AddressSet:
    return AddressSet.of(ip_network(text) for text in texts)


def block(cidr: Any, *excepted: Any) -> dict[str, Any]:
    return {"ipBlock": {"cidr": cidr} | ({"except": list(excepted)} if excepted else {})}


def test_who_it_is() -> None:
    found = read_network_policy(
        {
            "metadata": {
                "name": "web",
                "namespace": "appsec",
                "uid": "1-2-3",
                "labels": {"app.kubernetes.io/managed-by": "fleet-telemetry", "a": "b"},
            },
            "spec": {"podSelector": {}},
        }
    )
    assert (found.namespace, found.name, found.uid) == ("appsec", "web", "1-2-3")
    assert found.ours
    assert str(found) == "appsec/web"


@pytest.mark.parametrize(
    "labels",
    [
        {},
        {"app.kubernetes.io/managed-by": "Helm"},
        {"app.kubernetes.io/managed-by": "Fleet-Telemetry"},
        {"managed-by": "fleet-telemetry"},
        None,
        "app.kubernetes.io/managed-by: fleet-telemetry",
    ],
)
def test_what_does_not_say_that_it_is_ours_is_not(labels: Any) -> None:
    assert not read_network_policy({"metadata": {"name": "web", "labels": labels}}).ours


def test_without_a_namespace_it_is_in_default() -> None:
    assert read_network_policy({"metadata": {"name": "a"}}).namespace == "default"


@pytest.mark.parametrize(
    ("spec", "isolates"),
    [
        # As SetDefaults_NetworkPolicy has it.
        ({}, False),
        ({"policyTypes": []}, False),
        ({"policyTypes": None}, False),
        ({"egress": []}, False),
        ({"egress": None}, False),
        ({"ingress": [{}]}, False),
        ({"egress": [{}]}, True),
        ({"policyTypes": [], "egress": [{}]}, True),
        ({"policyTypes": ["Ingress"]}, False),
        # What is listed counts, and not what is written below.
        ({"policyTypes": ["Ingress"], "egress": [{}]}, False),
        ({"policyTypes": ["Egress"]}, True),
        ({"policyTypes": ["Egress"], "egress": []}, True),
        ({"policyTypes": ["Ingress", "Egress"]}, True),
        ({"policyTypes": ["Egress", "Ingress"], "ingress": [{}]}, True),
    ],
)
def test_whether_it_isolates(spec: dict[str, Any], isolates: bool) -> None:
    found = read(podSelector={}, **spec)
    assert found.isolates is isolates
    assert found.certain
    assert found.rules == ((EgressRule(),) if isolates and spec.get("egress") else ())


def test_without_a_spec_it_does_nothing() -> None:
    for manifest in ({}, {"spec": None}, {"metadata": None}, {"spec": {}}):
        found = read_network_policy(manifest)
        assert (found.isolates, found.rules, found.certain) == (False, (), True)


@pytest.mark.parametrize(
    ("selector", "selected", "others"),
    [
        ({}, [{}, {"app": "web"}], []),
        (None, [{}, {"app": "web"}], []),
        ({"matchLabels": {}}, [{}], []),
        ({"matchLabels": None, "matchExpressions": None}, [{}], []),
        ({"matchLabels": {"app": "web"}}, [{"app": "web", "b": "c"}], [{}, {"app": "x"}]),
        # A label has to be there, also where it is wanted to be empty.
        ({"matchLabels": {"app": ""}}, [{"app": ""}], [{}, {"app": "x"}]),
        ({"matchLabels": {"app": None}}, [{"app": ""}], [{}]),
        (
            {"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["web"]}]},
            [{}, {"app": "x"}],
            [{"app": "web"}],
        ),
        (
            {
                "matchLabels": {"app": "web"},
                "matchExpressions": [
                    {"key": "tier", "operator": "In", "values": ["a", "b"]},
                    {"key": "gone", "operator": "DoesNotExist"},
                    {"key": "there", "operator": "Exists", "values": []},
                ],
            },
            [{"app": "web", "tier": "b", "there": ""}],
            [
                {"app": "web", "tier": "c", "there": ""},
                {"app": "web", "tier": "b"},
                {"app": "web", "tier": "b", "there": "", "gone": ""},
                {"tier": "b", "there": ""},
            ],
        ),
    ],
)
def test_whom_it_selects(
    selector: Any, selected: list[dict[str, str]], others: list[dict[str, str]]
) -> None:
    found = read(podSelector=selector, policyTypes=["Egress"])
    assert found.certain
    assert all(found.pod_selector.matches(labels) for labels in selected)
    assert not any(found.pod_selector.matches(labels) for labels in others)


def test_selectors_may_be_longer_than_ours() -> None:
    values = [f"{number:064}" for number in range(100)]
    found = read(
        podSelector={"matchExpressions": [{"key": "a", "operator": "In", "values": values}] * 100},
        policyTypes=["Egress"],
    )
    assert found.certain
    assert found.pod_selector.match_expressions == 100 * (
        LabelRequirement(key="a", operator=SelectorOperator.IN, values=tuple(values)),
    )


@every(
    ("peers", "expected"),
    [
        # types.go, NetworkPolicyEgressRule.To: "empty or missing, this rule matches all".
        ({}, EVERYWHERE),
        ({"to": None}, EVERYWHERE),
        ({"to": []}, EVERYWHERE),
        ({"to": [block("0.0.0.0/0")]}, addresses("0.0.0.0/0")),
        ({"to": [block("0.0.0.0/0"), block("::/0")]}, EVERYWHERE),
        ({"to": [block("10.0.0.0/8")]}, addresses("10.0.0.0/8")),
        ({"to": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": None}}]}, addresses("10.0.0.0/8")),
        ({"to": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": []}}]}, addresses("10.0.0.0/8")),
        # The API server lets host bits stand, and its clients cut them off.
        ({"to": [block("10.9.8.7/8")]}, addresses("10.0.0.0/8")),
        ({"to": [block("2001:db8::1/32")]}, addresses("2001:db8::/32")),
        ({"to": [block("1.2.3.4/32")]}, addresses("1.2.3.4/32")),
        ({"to": [block("10.0.0.0/30", "10.0.0.1/32")]}, addresses("10.0.0.0/32", "10.0.0.2/31")),
        ({"to": [block("10.0.0.0/30", "10.0.0.0/31", "10.0.0.2/31")]}, None),
        # An exception is from its own block only.
        (
            {"to": [block("10.0.0.0/30", "10.0.0.1/32"), block("10.0.0.1/32")]},
            addresses("10.0.0.0/30"),
        ),
        (
            {"to": [{"podSelector": {}}, block("10.0.0.0/8"), {"namespaceSelector": {}}]},
            addresses("10.0.0.0/8"),
        ),
        # Pods are never outside of the cluster.
        ({"to": [{"podSelector": {}}]}, None),
        ({"to": [{"namespaceSelector": {}}]}, None),
        ({"to": [{"podSelector": {"matchLabels": {"a": "b"}}, "namespaceSelector": {}}]}, None),
        ({"to": [{"podSelector": {}, "ipBlock": None}]}, None),
        ({"to": [{"podSelector": None, "namespaceSelector": None} | block("::/1")]}, "::/1"),
    ],
)
def test_whither_a_rule_leads(peers: dict[str, Any], expected: AddressSet | str | None) -> None:
    if isinstance(expected, str):
        expected = addresses(expected)
    assert rules(peers) == ((EgressRule(expected),) if expected else ())


@pytest.mark.parametrize(
    ("ports", "expected"),
    [
        ({}, None),
        ({"ports": None}, None),
        ({"ports": []}, None),
        ({"ports": [{"port": 443}]}, [PortRange(TCP, 443, 443)]),
        ({"ports": [{"port": 443, "protocol": None}]}, [PortRange(TCP, 443, 443)]),
        ({"ports": [{"port": 443, "protocol": "UDP"}]}, [PortRange(UDP, 443, 443)]),
        ({"ports": [{"port": 443, "protocol": "SCTP"}]}, [PortRange(SCTP, 443, 443)]),
        ({"ports": [{"port": 443, "endPort": 445}]}, [PortRange(TCP, 443, 445)]),
        ({"ports": [{"port": 443, "endPort": None}]}, [PortRange(TCP, 443, 443)]),
        ({"ports": [{"port": 1, "endPort": 65535}]}, [PortRange(TCP, 1, 65535)]),
        # Without a number: every port of the protocol, which is TCP unless said otherwise.
        ({"ports": [{}]}, [PortRange(TCP)]),
        ({"ports": [{"protocol": "UDP"}]}, [PortRange(UDP)]),
        # A name is one of a pod's own ports.
        ({"ports": [{"port": "https"}, {"port": 80}]}, [PortRange(TCP, 80, 80)]),
        (
            {"ports": [{"port": 443}, {"port": 53, "protocol": "UDP"}]},
            [PortRange(TCP, 443, 443), PortRange(UDP, 53, 53)],
        ),
    ],
)
def test_to_which_ports(ports: dict[str, Any], expected: list[PortRange] | None) -> None:
    assert rules(ports) == (EgressRule(ports=tuple(expected) if expected else None),)


def test_a_rule_for_named_ports_only_is_none() -> None:
    assert rules({"ports": [{"port": "https"}, {"port": "a-1"}]}) == ()
    assert rules({"ports": [{"port": "https"}]}, {"ports": [{"port": 80}]}) == (
        EgressRule(ports=(PortRange(TCP, 80, 80),)),
    )


@pytest.mark.parametrize(
    ("ports", "port", "protocol", "opened"),
    [
        (None, 443, "TCP", True),
        (None, 443, "SCTP", True),
        ((PortRange(TCP, 443, 443),), 443, "TCP", True),
        ((PortRange(TCP, 443, 443),), 443, "UDP", False),
        ((PortRange(TCP, 443, 443),), 442, "TCP", False),
        ((PortRange(TCP, 443, 443),), 444, "TCP", False),
        ((PortRange(UDP, 1, 9), PortRange(TCP, 440, 445)), 440, "TCP", True),
        ((PortRange(UDP, 1, 9), PortRange(TCP, 440, 445)), 445, "TCP", True),
        ((PortRange(UDP, 1, 9), PortRange(TCP, 440, 445)), 9, "TCP", False),
        ((PortRange(TCP),), 1, "TCP", True),
        ((PortRange(TCP),), 65535, "TCP", True),
        ((PortRange(TCP),), 443, "UDP", False),
    ],
)
def test_what_a_rule_opens(
    ports: tuple[PortRange, ...] | None, port: int, protocol: str, opened: bool
) -> None:
    assert EgressRule(ports=ports).opens(port, protocol) is opened


# What the API server refuses, so that it stands in files and nowhere else, or of what other
# readers may make something else.


@every(
    "spec",
    [
        "Egress",
        ["Egress"],
        {"policyTypes": "Egress"},
        {"policyTypes": ["egress"]},
        {"policyTypes": ["Egress", "Admin"]},
        {"policyTypes": [None]},
        {"policyTypes": [["Egress"]]},
        {"policyTypes": {"Egress": True}},
        {"egress": "all"},
        {"egress": {}},
        {"policyTypes": ["Egress"], "podSelector": "app=web"},
        {"policyTypes": ["Egress"], "podSelector": []},
        {"policyTypes": ["Egress"], "podSelector": {"matchLabels": "app=web"}},
        {"policyTypes": ["Egress"], "podSelector": {"matchLabels": ["app"]}},
        {"policyTypes": ["Egress"], "podSelector": {"matchLabels": {"app": 1}}},
        {"policyTypes": ["Egress"], "podSelector": {"matchLabels": {1: "app"}}},
        {"policyTypes": ["Egress"], "podSelector": {"matchExpressions": {}}},
        {"policyTypes": ["Egress"], "podSelector": {"matchExpressions": [None]}},
        *(
            {"policyTypes": ["Egress"], "podSelector": {"matchExpressions": [expression]}}
            for expression in (
                {"key": "a"},
                {"operator": "Exists"},
                {"key": "a", "operator": "exists"},
                {"key": "a", "operator": ["Exists"]},
                {"key": "a", "operator": "Gt", "values": ["1"]},
                {"key": "a", "operator": "In"},
                {"key": "a", "operator": "In", "values": []},
                {"key": "a", "operator": "NotIn", "values": None},
                {"key": "a", "operator": "In", "values": "b"},
                {"key": "a", "operator": "In", "values": [1]},
                {"key": "a", "operator": "Exists", "values": ["b"]},
                {"key": "a", "operator": "DoesNotExist", "values": ["b"]},
            )
        ),
    ],
)
def test_one_of_which_it_is_not_clear_whom_it_isolates_isolates_nobody_and_may_allow_all(
    spec: Any,
) -> None:
    found = read_network_policy({"metadata": {"name": "a"}, "spec": spec})
    assert not found.certain
    assert not found.isolates
    assert found.rules == (MAYBE_ANYTHING,)
    assert found.pod_selector.matches({"anything": "at all"})


def test_one_of_which_it_is_not_clear_whether_it_isolates_still_selects_its_own_pods_only() -> None:
    found = read(podSelector={"matchLabels": {"app": "web"}}, policyTypes=["egress"])
    assert not found.certain
    assert found.pod_selector.matches({"app": "web"})
    assert not found.pod_selector.matches({})


def test_one_that_is_surely_not_about_egress_does_nothing_whomever_it_selects() -> None:
    found = read(podSelector="app=web", policyTypes=["Ingress"], egress=[{}])
    assert (found.certain, found.isolates, found.rules) == (True, False, ())


@pytest.mark.parametrize(
    "rule", [None, "all", 7, [], {"to": "all"}, {"to": {}}, {"to": [None]}, {"to": [{}]}]
)
def test_a_rule_that_cannot_be_read_may_allow_all(rule: Any) -> None:
    assert rules(rule) == (MAYBE_ANYTHING,)
    assert rules(rule, {"to": [block("10.0.0.0/8")]}) == (
        MAYBE_ANYTHING,
        EgressRule(addresses("10.0.0.0/8")),
    )


def test_rules_that_are_no_list_may_allow_all() -> None:
    found = read(podSelector={}, policyTypes=["Egress"], egress={"to": []})
    assert found.isolates
    assert found.rules == (MAYBE_ANYTHING,)


BAD_CIDRS = [
    None,
    7,
    "",
    "everything",
    "10.0.0.0",
    "10.0.0.0/",
    "/8",
    "10.0.0.0/33",
    "10.0.0.0/-1",
    "10.0.0.0/8/8",
    "10.0.0/8",
    " 10.0.0.0/8",
    "10.0.0.0/8 ",
    "10.0.0.0/٨",
    "10.0.0.0/" + "9" * 5000,
    # Python would read these, Go does not.
    "10.0.0.0/255.0.0.0",
    "10.0.0.0/0.255.255.255",
    "fe80::1%eth0/64",
    # Old objects may hold these; 010 is ten to some and eight to others.
    "010.0.0.0/8",
    # One family to some and the other to others.
    "::ffff:10.0.0.0/104",
    "::ffff:0:0/96",
    ["10.0.0.0/8"],
]


@every("cidr", BAD_CIDRS)
def test_a_block_that_cannot_be_read_may_be_everything(cidr: Any) -> None:
    assert rules({"to": [block(cidr)]}) == (MAYBE_ANYTHING,)
    # What stands beside it is understood, and kept apart.
    assert rules({"to": [block("10.0.0.0/8"), block(cidr)]}) == (
        EgressRule(addresses("10.0.0.0/8")),
        MAYBE_ANYTHING,
    )


@every(
    "hole",
    [
        *BAD_CIDRS,
        # "must be a strict subset of `cidr`", and of its family.
        "10.0.0.0/8",
        "0.0.0.0/0",
        "11.0.0.0/16",
        "2001:db8::/32",
        "::/0",
        "::a00:0/120",
    ],
)
def test_an_exception_that_cannot_be_read_excepts_nothing(hole: Any) -> None:
    assert rules({"to": [block("10.0.0.0/8", hole)]}) == (
        EgressRule(addresses("10.0.0.0/8"), certain=False),
    )
    most = addresses("10.0.0.0/8").minus(addresses("10.1.0.0/16"))
    assert rules({"to": [block("10.0.0.0/8", hole, "10.1.0.0/16")]}) == (
        EgressRule(most, certain=False),
    )
    assert rules({"to": [block("10.0.0.0/8", hole), block("1.1.1.1/32")]}) == (
        EgressRule(addresses("1.1.1.1/32")),
        EgressRule(addresses("10.0.0.0/8", "1.1.1.1/32"), certain=False),
    )


def test_exceptions_that_are_no_list_except_nothing() -> None:
    for excepted in ("10.1.0.0/16", {"10.1.0.0/16": True}, 7):
        peer = {"ipBlock": {"cidr": "10.0.0.0/8", "except": excepted}}
        assert rules({"to": [peer]}) == (EgressRule(addresses("10.0.0.0/8"), certain=False),)


@pytest.mark.parametrize(
    "peer",
    [
        None,
        7,
        "10.0.0.0/8",
        {},
        {"podSelector": None},
        {"podSelector": "app=web"},
        {"ipBlock": "10.0.0.0/8"},
        {"ipBlock": {}},
        # "may not specify both ipBlock and another peer"
        block("10.0.0.0/8") | {"podSelector": {}},
        block("10.0.0.0/8") | {"namespaceSelector": {}},
        # What a later Kubernetes may have.
        {"fqdn": "telemetry.example"},
    ],
)
def test_a_peer_that_cannot_be_read_may_be_everything(peer: Any) -> None:
    assert rules({"to": [peer]}) == (MAYBE_ANYTHING,)
    assert rules({"to": [peer], "ports": [{"port": 443}]}) == (
        EgressRule(ports=(PortRange(TCP, 443, 443),), certain=False),
    )


@every(
    "port",
    [
        None,
        443,
        "443",
        {"port": "443"},
        {"port": ""},
        {"port": 0},
        {"port": -1},
        {"port": 65536},
        {"port": 443.0},
        {"port": True},
        {"port": [443]},
        {"port": 443, "protocol": "ICMP"},
        {"port": 443, "protocol": "tcp"},
        {"port": 443, "protocol": 6},
        {"port": 443, "protocol": ["TCP"]},
        {"port": 443, "endPort": 442},
        {"port": 443, "endPort": 65536},
        {"port": 443, "endPort": "444"},
        {"port": 443, "endPort": True},
        {"port": "https", "endPort": 444},
        {"endPort": 444},
    ],
)
def test_a_port_that_cannot_be_read_may_be_any(port: Any) -> None:
    to = {"to": [block("10.0.0.0/8")]}
    maybe = EgressRule(addresses("10.0.0.0/8"), certain=False)
    assert rules(to | {"ports": [port]}) == (maybe,)
    assert rules(to | {"ports": [{"port": 80}, port]}) == (
        EgressRule(addresses("10.0.0.0/8"), (PortRange(TCP, 80, 80),)),
        maybe,
    )


def test_ports_that_are_no_list_may_be_any() -> None:
    assert rules({"ports": {"port": 443}}) == (MAYBE_ANYTHING,)
    assert rules({"ports": 443}) == (MAYBE_ANYTHING,)


def test_a_rule_to_pods_leads_nowhere_outside_whatever_its_ports() -> None:
    assert rules({"to": [{"podSelector": {}}], "ports": ["?"]}) == ()


SPEC = {
    "podSelector": {"matchLabels": {"app": "web"}},
    "policyTypes": ["Egress"],
    "egress": [
        {
            "to": [block("0.0.0.0/0", "10.0.0.0/8"), {"podSelector": {}}],
            "ports": [{"port": 443, "endPort": 445}],
        },
        {"ports": [{"port": 53, "protocol": "UDP"}]},
    ],
}


def test_equal_when_they_do_the_same() -> None:
    one = read(**SPEC)
    assert one == read(**deepcopy(SPEC))
    # Two ways of saying the same to the network.
    other = deepcopy(SPEC)
    other["egress"][0]["to"].reverse()
    other["egress"][0]["to"].append(block("1.2.3.4/32"))
    assert one == read(**other)
    assert hash(one) == hash(read(**other))
    other["egress"][0]["to"][1]["ipBlock"]["except"] = ["10.0.0.0/9"]
    assert one != read(**other)
    assert one != read(**{**SPEC, "podSelector": {}})


def test_it_is_frozen() -> None:
    with pytest.raises(AttributeError):
        read(**SPEC).isolates = False  # type: ignore[misc]


def _size(thing: object, seen: set[int]) -> int:
    if id(thing) in seen or isinstance(thing, type):
        return 0
    seen.add(id(thing))
    parts: list[Any] = []
    if isinstance(thing, tuple):
        parts = list(thing)
    elif isinstance(thing, dict):
        parts = [*thing, *thing.values()]
    else:
        parts = [getattr(thing, name) for name in getattr(type(thing), "__slots__", ())]
        parts += [getattr(thing, name) for name in getattr(type(thing), "__struct_fields__", ())]
    return sys.getsizeof(thing) + sum(_size(part, seen) for part in parts)


def test_thousands_fit_into_little_memory() -> None:
    holes = [f"34.{number}.157.31/32" for number in range(64)]
    large = read(
        podSelector={"matchLabels": {"app": "web"}},
        policyTypes=["Egress"],
        egress=[{"to": [block("0.0.0.0/0", *holes), block("::/0"), {"namespaceSelector": {}}]}],
    )
    assert _size(large, set()) < 10_000
    assert _size(read(**SPEC), set()) < 2_000


# Fuzzing: nothing raises, and nothing misshapen makes less reachable than leaving it whole.

_PLACES = ("to", "ports", "ipBlock", "cidr", "except", "port", "endPort", "protocol", "egress")
_SELECTORS = ("podSelector", "namespaceSelector", "matchLabels", "matchExpressions", "key")
_KEYS = st.sampled_from((*_PLACES, *_SELECTORS, "operator", "values", "policyTypes"))
_WORDS = st.sampled_from(["Egress", "Ingress", "0.0.0.0/0", "::/0", "10.0.0.0/8", "TCP", "In"])
_LIKELY = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(0, 70000), _WORDS, st.text(max_size=3)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_KEYS, inner, max_size=4)),
    max_leaves=12,
)


@examples(500)
@given(st.one_of(WILD_VALUES, _LIKELY))
def test_nothing_raises(spec: Any) -> None:
    found = read_network_policy({"metadata": {"name": "a"}, "spec": spec})
    assert found == read_network_policy({"metadata": {"name": "a"}, "spec": deepcopy(spec)})
    assert not (found.isolates and not found.certain)


def _paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        inner = list(value.items())
    elif isinstance(value, list):
        inner = list(enumerate(value))
    return [path] * bool(path) + [
        found for key, part in inner for found in _paths(part, (*path, key))
    ]


_PATHS = [
    path
    for path in _paths(SPEC)
    # Other labels would be as well-formed, and select other pods.
    if path[:2] != ("podSelector", "matchLabels") or len(path) == 2
]


@every("path", _PATHS, ids=lambda path: ".".join(map(str, path)))
@every("junk", ["?", -7, [7], [["?"]], True])
def test_what_is_misshapen_in_one_place_may_allow_what_stood_there(
    path: tuple[Any, ...], junk: Any
) -> None:
    spec: Any = deepcopy(SPEC)
    at = spec
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = junk
    before, after = read(**SPEC), read(**spec)
    assert before != after
    assert after.pod_selector.matches({"app": "web"})
    for port, protocol in ((443, "TCP"), (445, "TCP"), (53, "UDP")):
        let, still = (
            AddressSet.union(rule.addresses for rule in one.rules if rule.opens(port, protocol))
            for one in (before, after)
        )
        assert let
        assert not let.minus(still)


def with_managers(*managers: tuple[str, str], **labels: str) -> dict[str, Any]:
    entries = [{"manager": name, "operation": operation} for name, operation in managers]
    return {"metadata": {"name": "a", "labels": labels, "managedFields": entries}}


def test_what_this_operator_applied_is_ours_whatever_somebody_made_of_its_labels() -> None:
    assert read_network_policy(
        with_managers(("kubectl", "Update"), ("fleet-telemetry", "Apply"))
    ).ours


@pytest.mark.parametrize(
    "managers", [[("kubectl", "Update")], [("fleet-telemetry", "Update")], [("me", "Apply")]]
)
def test_a_copy_of_one_of_ours_is_not_ours(managers: list[tuple[str, str]]) -> None:
    labels = {"app.kubernetes.io/managed-by": "fleet-telemetry"}
    assert not read_network_policy(with_managers(*managers, **labels)).ours


def restored(name: str = "fleet-telemetry-deny-deployment-web", **metadata: Any) -> NetworkPolicy:
    return read_network_policy(
        {
            "metadata": {
                "name": name,
                "namespace": "apps",
                "labels": {"app.kubernetes.io/managed-by": "fleet-telemetry"},
                "annotations": {"fleettelemetry.io/workload": "apps/Deployment/web"},
                "managedFields": [{"manager": "velero-server", "operation": "Update"}],
                **metadata,
            }
        }
    )


def test_what_came_out_of_a_backup_is_still_ours() -> None:
    # Taken for somebody else's, it would stay as it is for ever, and keep ours from being written.
    assert restored().ours


def test_what_was_copied_to_another_name_or_namespace_is_not() -> None:
    assert not restored("my-own").ours
    assert not restored(namespace="other").ours
    assert not restored(annotations={}).ours
    assert not restored(labels={}).ours
