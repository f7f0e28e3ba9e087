"""What reaches the allowlist for firewalls outside of the cluster, and who may write it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from ipaddress import ip_address, ip_network
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_telemetry.api.policy import ChannelName, PolicyHost, PolicyKind
from fleet_telemetry.egress.allowlist import AllowlistFormat, EntryAction, config_map, render
from fleet_telemetry.egress.allowlist_requests import (
    LARGEST,
    AllowlistRequest,
    render_requests,
    requests_in,
)
from fleet_telemetry.egress.facts import HostFacts
from fleet_telemetry.egress.host_use import HostRule, PolicyName, find_host_rules, find_uses
from fleet_telemetry.egress.perimeter import Allowlist, IncludedRequests, build_allowlist
from tests.support.allowlist_entries import entry
from tests.support.builders import SONARQUBE, policy
from tests.support.egress_inputs import SONAR_HOST, facts, situation

C2 = "c2.attacker.example"
CLUSTER = PolicyName(PolicyKind.CLUSTER, "", "opt-in")
OPT_OUT = PolicyName(PolicyKind.CLUSTER, "", "opt-out")
TENANT = PolicyName(PolicyKind.NAMESPACED, "team", "mine")


def rule(host: str = SONAR_HOST, **fields: Any) -> HostRule:
    given_ = {
        "product": "sonarqube",
        "channel": ChannelName.USAGE,
        "port": 443,
        "opens": True,
        "takes_ranges": False,
        "policy": CLUSTER,
        **fields,
    }
    return HostRule(host=host, **given_)


def listed(
    *rules: HostRule,
    hosts: Mapping[str, HostFacts] | None = None,
    included: IncludedRequests = IncludedRequests.NONE,
) -> Allowlist:
    found = {SONAR_HOST: facts("54.230.1.1"), C2: facts("198.18.7.7")} if hosts is None else hosts
    return build_allowlist(Counter(rules), found, included)


def plain(allowlist: Allowlist) -> set[str]:
    lines = render(allowlist.entries, AllowlistFormat.PLAIN).splitlines()
    return {line for line in lines if not line.startswith("#")}


def everywhere(allowlist: Allowlist) -> str:
    """All that a firewall may consume."""
    allowed = [one for one in allowlist.entries if one.action is EntryAction.ALLOW]
    return "".join(render(allowed, form) for form in AllowlistFormat)


def rules_of(*policies: Any, **more: Any) -> tuple[HostRule, ...]:
    found = situation(*policies, **more)
    return find_host_rules(find_uses(found.targets, found.effective), found.effective)


# Who writes it


def tenant_policy(**egress: Any) -> Any:
    return policy("mine", submission="Enabled", egress={"action": "Allow", **egress})


@pytest.mark.parametrize("product", ["sonarqube", "dependency-track"])
@pytest.mark.parametrize("host", [C2, SONAR_HOST, "pings.sourcegraph.com", "sourcegraph.com"])
def test_nothing_that_a_telemetry_policy_names_is_listed(product: str, host: str) -> None:
    asking = tenant_policy(hosts=[{"product": product, "host": host, "port": 8443}])
    rules = rules_of(asking, images=(SONARQUBE, "dependencytrack/apiserver:4.13.2"))

    found = listed(*rules, hosts={host: facts("198.18.7.7")})

    assert rules
    assert found.entries == ()
    (request,) = [one for one in found.requests if one.entry.port == 8443]
    assert request.policy == PolicyName(PolicyKind.NAMESPACED, "appsec", "mine")
    assert request.entry.host == host
    assert request.entry.addresses == (ip_address("198.18.7.7"),)


def test_a_cluster_policys_own_hosts_and_those_of_the_catalogue_are_listed() -> None:
    hosts = [{"product": "sonarqube", "host": "own.example.com", "port": 8443}]
    asking = policy(
        "opt-in", cluster=True, submission="Enabled", egress={"action": "Allow", "hosts": hosts}
    )

    found = listed(*rules_of(asking), hosts={"own.example.com": facts("54.230.7.7")})

    assert {(one.host, one.port) for one in found.entries} == {
        (SONAR_HOST, 443),
        ("own.example.com", 8443),
    }
    assert found.requests == ()


def test_a_telemetry_policy_adds_nothing_to_a_cluster_policy_of_the_same_channel() -> None:
    ruling = policy("opt-in", cluster=True, submission="Enabled", egress={"action": "Allow"})
    asking = tenant_policy(hosts=[{"product": "sonarqube", "host": C2, "port": 443}])

    found = listed(*rules_of(ruling, asking))

    assert {one.host for one in found.entries} == {SONAR_HOST}
    assert C2 not in everywhere(found)


def test_an_installation_may_include_what_telemetry_policies_ask_for() -> None:
    asked = (rule(policy=TENANT), rule(C2, policy=TENANT, in_catalogue=False))

    def hosts(included: IncludedRequests) -> set[str]:
        return {one.host for one in listed(*asked, included=included).entries}

    assert hosts(IncludedRequests.NONE) == set()
    assert hosts(IncludedRequests.CATALOGUE) == {SONAR_HOST}
    assert hosts(IncludedRequests.ALL) == {SONAR_HOST, C2}


@pytest.mark.parametrize(
    "host",
    [
        "C2.attacker.example",
        "c2.attacker.example.",
        "c2。attacker.example",  # a full stop that IDNA maps to a dot
        "münchen.example",
        " c2.attacker.example",
        "*.attacker.example",
        "c2.attacker.example:80",
        "192.0.2.1",
    ],
)
def test_a_host_has_one_form(host: str) -> None:
    """So two policies that name one host name it alike, and a denial finds what it denies."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"product": "sonarqube", "host": host}, PolicyHost)


# A denial wins


@pytest.mark.parametrize("by", [OPT_OUT, TENANT])
def test_a_host_that_any_policy_denies_is_not_listed(by: PolicyName) -> None:
    found = listed(rule(), rule(opens=False, policy=by))

    assert SONAR_HOST not in everywhere(found)
    assert plain(found) == set()
    (withheld,) = [one for one in found.requests if one.entry.action is EntryAction.ALLOW]
    assert (withheld.policy, withheld.denied_by) == (CLUSTER, (by,))
    assert withheld.entry.addresses == (ip_address("54.230.1.1"),)


def test_a_host_is_denied_by_name_where_its_addresses_are_not() -> None:
    """Others share them, so no pod is denied them; a proxy knows the name."""
    hosts = {SONAR_HOST: facts("104.16.0.1", shared_by="Cloudflare")}
    found = listed(rule(), rule(opens=False, policy=OPT_OUT), hosts=hosts)
    assert SONAR_HOST not in everywhere(found)
    assert plain(found) == set()


@pytest.mark.parametrize(
    "fields", [{"port": 80}, {"product": "other"}, {"product": "a", "port": 1}]
)
def test_a_host_is_denied_on_every_port_and_for_every_product(fields: dict[str, Any]) -> None:
    found = listed(rule(**fields), rule(opens=False, policy=OPT_OUT))
    assert SONAR_HOST not in everywhere(found)


@pytest.mark.parametrize("by", [OPT_OUT, TENANT])
def test_an_address_that_any_policy_denies_is_not_listed_for_another_host(by: PolicyName) -> None:
    hosts = {
        "a.example.com": facts("54.230.1.1", "54.230.1.2", "2600:9000::1"),
        "b.example.com": facts("54.230.1.2", "2600:9000::1"),
    }
    found = listed(
        rule("a.example.com"), rule("b.example.com", opens=False, policy=by), hosts=hosts
    )

    assert plain(found) == {"54.230.1.1/32"}
    (withheld,) = [one for one in found.requests if one.entry.action is EntryAction.ALLOW]
    assert set(map(str, withheld.entry.addresses)) == {"54.230.1.2", "2600:9000::1"}
    assert withheld.denied_by == (by,)


def test_a_host_of_which_every_address_is_denied_is_in_no_format() -> None:
    hosts = {"a.example.com": facts("54.230.1.1"), "b.example.com": facts("54.230.1.1")}
    found = listed(
        rule("a.example.com"), rule("b.example.com", opens=False, policy=OPT_OUT), hosts=hosts
    )
    assert "a.example.com" not in everywhere(found)


def test_a_denied_address_is_taken_out_of_published_ranges() -> None:
    hosts = {
        "a.example.com": HostFacts(ranges=(ip_network("104.16.0.0/30"),)),
        "b.example.com": facts("104.16.0.1"),
    }
    found = listed(
        rule("a.example.com", takes_ranges=True),
        rule("b.example.com", opens=False, policy=OPT_OUT),
        hosts=hosts,
    )
    assert plain(found) == {"104.16.0.0/32", "104.16.0.2/31"}


def test_a_range_that_falls_into_too_many_pieces_is_left_out() -> None:
    scattered = [f"104.{16 + number % 8}.{number}.1" for number in range(200)]
    hosts = {
        "a.example.com": HostFacts(
            ranges=(ip_network("104.16.0.0/13"), ip_network("172.64.0.0/13"))
        ),
        "b.example.com": facts(*scattered),
    }
    found = listed(
        rule("a.example.com", takes_ranges=True),
        rule("b.example.com", opens=False, policy=TENANT),
        hosts=hosts,
    )
    assert plain(found) == {"172.64.0.0/13"}


def test_an_address_that_is_not_denied_in_the_cluster_is_not_denied_outside() -> None:
    hosts = {
        "a.example.com": facts("104.16.0.1"),
        "b.example.com": facts("104.16.0.1", shared_by="Cloudflare"),
    }
    refusing = rule("b.example.com", opens=False, policy=OPT_OUT)
    accepting = rule("b.example.com", opens=False, policy=OPT_OUT, takes_ranges=True)
    sparing = rule(
        "b.example.com",
        opens=False,
        policy=OPT_OUT,
        takes_ranges=True,
        spares=("a.example.com",),
    )

    assert plain(listed(rule("a.example.com"), refusing, hosts=hosts)) == {"104.16.0.1/32"}
    assert plain(listed(rule("a.example.com"), accepting, hosts=hosts)) == set()
    assert plain(listed(rule("a.example.com"), sparing, hosts=hosts)) == {"104.16.0.1/32"}


def test_a_denial_of_a_channel_spares_what_another_channel_needs() -> None:
    (denial,) = rules_of(policy("opt-out", cluster=True, egress={"action": "Deny"}))
    assert denial.host == SONAR_HOST
    assert set(denial.spares) >= {"update.sonarsource.org"}


@pytest.mark.parametrize("host", [SONAR_HOST, C2])
def test_no_host_that_a_tenant_names_is_spared_by_a_cluster_policys_denial(host: str) -> None:
    named = [{"product": "sonarqube", "host": host, "port": 443}]
    asking = policy(
        "mine",
        submission="Enabled",
        channels=["UpdateCheck"],
        egress={"action": "Allow", "hosts": named},
    )
    rules = rules_of(policy("opt-out", cluster=True, egress={"action": "Deny"}), asking)

    (denial,) = [one for one in rules if not one.opens]
    assert denial.host == SONAR_HOST
    assert host not in denial.spares
    # Its own denial is its own affair.
    rules = rules_of(policy("opt-out", egress={"action": "Deny"}), asking)
    assert [one.host for one in rules if not one.opens] == (
        [] if host == SONAR_HOST else [SONAR_HOST]
    )


def test_a_telemetry_policys_denial_is_no_entry() -> None:
    """Otherwise its addresses could make the list too large to be written."""
    found = listed(rule(opens=False, policy=TENANT), rule(C2, opens=False, policy=OPT_OUT))
    assert [one.host for one in found.entries] == [C2]
    assert [(one.policy, one.entry.host) for one in found.requests] == [(TENANT, SONAR_HOST)]


def test_workloads_are_counted() -> None:
    found = build_allowlist({rule(): 2, rule(spares=("x.example",)): 3}, {})
    assert [one.used_by for one in found.entries] == [5]


_HOSTS = [f"{letter}.example.com" for letter in "abcd"]
_ADDRESSES = [*(f"54.230.1.{last}" for last in range(4)), *(f"2600:9000::{n}" for n in range(4))]
_rules = st.builds(
    rule,
    host=st.sampled_from(_HOSTS),
    opens=st.booleans(),
    port=st.sampled_from([80, 443]),
    takes_ranges=st.booleans(),
    policy=st.sampled_from([CLUSTER, OPT_OUT, TENANT]),
    in_catalogue=st.booleans(),
)
_facts = st.builds(
    lambda addresses, ranges: HostFacts(
        allow=tuple(map(ip_network, addresses)),
        deny=tuple(map(ip_network, addresses)),
        ranges=tuple(map(ip_network, ranges)),
    ),
    st.sets(st.sampled_from(_ADDRESSES)),
    st.sets(st.sampled_from(["54.230.1.0/30", "54.230.0.0/16", "2600:9000::/126"])),
)


@given(
    st.lists(_rules, max_size=6),
    st.dictionaries(st.sampled_from(_HOSTS), _facts),
    st.sampled_from(IncludedRequests),
)
def test_nothing_listed_is_denied_or_asked_for_by_a_tenant_alone(
    rules: list[HostRule], hosts: dict[str, HostFacts], included: IncludedRequests
) -> None:
    found = listed(*rules, hosts=hosts, included=included)
    denials = [one for one in rules if not one.opens]
    denied = [
        network
        for one in denials
        for network in (
            *hosts.get(one.host, HostFacts()).deny,
            *(hosts.get(one.host, HostFacts()).ranges if one.takes_ranges else ()),
        )
        # Without acceptance of ranges, an address inside of the host's own ranges is spared.
        if one.takes_ranges
        or not any(
            network.version == own.version and network.overlaps(own)
            for own in hosts.get(one.host, HostFacts()).ranges
        )
    ]
    allowed = [one for one in found.entries if one.action is EntryAction.ALLOW]
    trusted = {
        one.host
        for one in rules
        if one.opens
        and (
            not one.policy.is_tenant
            or included is IncludedRequests.ALL
            or (included is IncludedRequests.CATALOGUE and one.in_catalogue)
        )
    }
    for one in allowed:
        assert one.host in trusted
        assert one.host not in {denial.host for denial in denials}
        for network in one.networks:
            assert not any(
                other.version == network.version and other.overlaps(network) for other in denied
            )


# Requests


def request(namespace: str = "team", **fields: Any) -> AllowlistRequest:
    return AllowlistRequest(PolicyName(PolicyKind.NAMESPACED, namespace, "mine"), entry(**fields))


def manifest(*requests: AllowlistRequest) -> dict[str, Any]:
    return config_map([], "ns", "n", render_requests(requests))


def test_a_request_says_who_asks_and_who_denies() -> None:
    one = AllowlistRequest(TENANT, entry(C2, addresses=["192.0.2.9"]), (OPT_OUT,))
    assert json.loads(render_requests([one])) == {
        "version": 1,
        "omitted": 0,
        "requests": [
            {
                "policy": {"kind": "TelemetryPolicy", "namespace": "team", "name": "mine"},
                "action": "allow",
                "host": C2,
                "port": 443,
                "product": "sonarqube",
                "channel": "Usage",
                "workloads": 1,
                "addresses": ["192.0.2.9"],
                "ranges": [],
                "deniedBy": [{"kind": "ClusterTelemetryPolicy", "name": "opt-out"}],
            }
        ],
    }
    assert requests_in(manifest(one)) == (one,)
    assert requests_in(config_map([], "ns", "n")) == ()


@pytest.mark.thorough
def test_requests_are_bounded_and_no_namespace_displaces_another() -> None:
    addresses = [f"198.18.{number}.1" for number in range(64)]
    flood = [request("flood", host=f"h{n}.example", addresses=addresses) for n in range(10_000)]
    text = render_requests([*flood, request("zz", host="z.example")])

    found = json.loads(text)
    assert len(text) < LARGEST + 100
    assert "zz" in {one["policy"]["namespace"] for one in found["requests"]}
    assert found["omitted"] + len(found["requests"]) == 10_001
    assert len(requests_in(config_map([], "ns", "n", text))) == len(found["requests"])


def test_requests_never_keep_the_list_from_being_written() -> None:
    flood = [request(host=f"h{n}.example") for n in range(10_000)]
    found = config_map([entry()], "ns", "n", render_requests(flood))
    assert "allowlist.txt" in found["data"]
    assert sum(len(text.encode()) for text in found["data"].values()) < 1_000_000


def _shuffled(requests: Iterable[AllowlistRequest]) -> list[AllowlistRequest]:
    return sorted(requests, key=lambda one: hash((one.entry.host, 7)))


def test_no_order_makes_a_difference() -> None:
    some = [request(f"n{n % 3}", host=f"h{n}.example") for n in range(30)]
    assert render_requests(some) == render_requests(_shuffled(some) + some[:3])
