"""ClusterNetworkPolicies: first rule first, and never more than fits."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_telemetry.api.policy import EgressAction
from fleet_telemetry.api.telemetry_host import AddressFamily
from fleet_telemetry.egress.dialects.cluster_network_policy import PRIORITIES
from fleet_telemetry.egress.dialects.common import Rendered
from fleet_telemetry.egress.model import DesiredNetworkPolicy, Destination, Reachable, family_of
from tests.support import dialect_cases
from tests.support.depth import steady
from tests.support.dialect_cases import (
    CLUSTER_NETWORK_POLICY,
    around,
    covered,
    networks_of,
    rendered,
    to,
    verdict,
)
from tests.support.dialect_strategies import desired_policies

HOST = to("t.example.com", "192.0.2.1/32", "2001:db8::1/128")
HTTPS = {"tcp": {"destinationPort": {"number": 443}}}
DNS = {
    "name": "cluster-dns",
    "action": "Pass",
    "to": [
        {
            "pods": {
                "namespaceSelector": {
                    "matchLabels": {"kubernetes.io/metadata.name": "kube-system"}
                },
                "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
            }
        },
        {"networks": ["169.254.20.10/32"]},
    ],
    "protocols": [
        {"tcp": {"destinationPort": {"number": 53}}},
        {"udp": {"destinationPort": {"number": 53}}},
    ],
}
NOTHING_ELSE = {
    "name": "everything-else",
    "action": "Deny",
    "to": [{"namespaces": {}}, {"networks": ["0.0.0.0/0", "::/0"]}],
}


def addresses(count: int, port: int = 443) -> Destination:
    """A host with so many addresses that do not touch."""
    first = int(ip_address("11.0.0.0"))
    return Destination(
        "many.example.com",
        port,
        tuple(ip_network(first + 2 * number) for number in range(count)),
    )


def test_a_denial() -> None:
    assert rendered(
        CLUSTER_NETWORK_POLICY, dialect_cases.deny(HOST, families=[AddressFamily.IPV4])
    )["spec"] == {
        "tier": "Admin",
        "priority": 990,
        "subject": {
            "pods": {
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "shop"}},
                "podSelector": {"matchLabels": {"app": "web"}},
            }
        },
        "egress": [
            {
                "name": "telemetry-hosts",
                "action": "Deny",
                "to": [{"networks": ["192.0.2.1/32", "2001:db8::1/128"]}],
            }
        ],
    }


def test_hosts_are_allowed_by_address_on_their_ports() -> None:
    order = dialect_cases.allow(
        HOST,
        to("u.example.com", "198.51.100.0/24", port=80),
        to("v.example.com", "198.51.100.0/24", port=8080),
        families=[AddressFamily.IPV4],
    )
    assert rendered(CLUSTER_NETWORK_POLICY, order)["spec"]["egress"] == [
        {
            "name": "telemetry-hosts",
            "action": "Accept",
            "to": [{"networks": ["198.51.100.0/24"]}],
            "protocols": [
                {"tcp": {"destinationPort": {"number": 80}}},
                {"tcp": {"destinationPort": {"number": 8080}}},
            ],
        },
        {
            "name": "telemetry-hosts",
            "action": "Accept",
            "to": [{"networks": ["192.0.2.1/32"]}],
            "protocols": [HTTPS],
        },
    ]


def test_an_isolation_from_everything_leaves_cluster_dns() -> None:
    spec = rendered(CLUSTER_NETWORK_POLICY, dialect_cases.isolate())["spec"]
    assert spec["egress"] == [DNS, NOTHING_ELSE]
    assert (spec["tier"], spec["priority"]) == ("Admin", 992)


def test_an_isolation_leaves_hosts_dns_and_what_is_reachable() -> None:
    order = dialect_cases.isolate(
        HOST,
        reachable=[
            Reachable(ip_network("10.1.0.0/16"), ports=(("UDP", 514), ("SCTP", 9))),
            Reachable(pod_selector={"matchLabels": {"app": "db"}}),
            Reachable(namespace_selector={}),
        ],
    )
    assert rendered(CLUSTER_NETWORK_POLICY, order)["spec"]["egress"] == [
        {
            "name": "telemetry-hosts",
            "action": "Pass",
            "to": [{"networks": ["192.0.2.1/32", "2001:db8::1/128"]}],
            "protocols": [HTTPS],
        },
        DNS,
        {
            "name": "reachable",
            "action": "Pass",
            "to": [{"networks": ["10.1.0.0/16"]}],
            "protocols": [
                {"sctp": {"destinationPort": {"number": 9}}},
                {"udp": {"destinationPort": {"number": 514}}},
            ],
        },
        {
            "name": "reachable",
            "action": "Pass",
            "to": [
                {
                    "pods": {
                        "namespaceSelector": {
                            "matchLabels": {"kubernetes.io/metadata.name": "shop"}
                        },
                        "podSelector": {"matchLabels": {"app": "db"}},
                    }
                }
            ],
        },
        {
            "name": "reachable",
            "action": "Pass",
            "to": [{"pods": {"namespaceSelector": {}, "podSelector": {}}}],
        },
        NOTHING_ELSE,
    ]


def test_denials_come_first_and_isolation_last_and_administrators_before_all() -> None:
    deny, allow, isolate = (PRIORITIES[action] for action in EgressAction)
    assert 900 < deny < allow < isolate <= 1000


# Limits


def within_limits(policy: Rendered) -> Iterator[bool]:
    rules = policy["spec"]["egress"]
    yield 0 < len(rules) <= 25
    for rule in rules:
        yield 0 < len(rule["to"]) <= 25
        yield len(rule.get("name", "")) <= 100
        yield "protocols" not in rule or 0 < len(rule["protocols"]) <= 25
        for peer in rule["to"]:
            yield len(peer) == 1
            networks = peer.get("networks", ["one"])
            yield 0 < len(networks) <= 25
            yield len(networks) == len(set(networks))


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("count", "rules", "peers", "last"),
    [(25, 1, 1, 25), (26, 1, 2, 1), (625, 1, 25, 25), (626, 2, 1, 1), (15625, 25, 25, 25)],
)
def test_denied_addresses_are_spread(count: int, rules: int, peers: int, last: int) -> None:
    policy = rendered(CLUSTER_NETWORK_POLICY, dialect_cases.deny(addresses(count)))
    assert all(within_limits(policy))
    egress = policy["spec"]["egress"]
    assert (len(egress), len(egress[-1]["to"])) == (rules, peers)
    assert len(egress[-1]["to"][-1]["networks"]) == last
    found = [one for rule in egress for peer in rule["to"] for one in peer["networks"]]
    assert found == [str(network) for network in addresses(count).networks]


@pytest.mark.thorough
def test_more_than_fit_are_refused() -> None:
    order = dialect_cases.deny(addresses(15626))
    said = CLUSTER_NETWORK_POLICY.cannot(order)
    assert said == "A ClusterNetworkPolicy has at most 25 rules, and this one needs 26."
    with pytest.raises(ValueError, match="at most 25 rules"):
        CLUSTER_NETWORK_POLICY.render(order)


def test_all_rules_count_towards_the_limit() -> None:
    def hosts(count: int) -> list[Destination]:
        return [
            to(f"h{number}.example.com", f"192.0.2.{number}/32", port=1000 + number)
            for number in range(count)
        ]

    peer = Reachable(ip_network("10.1.0.0/16"))
    assert CLUSTER_NETWORK_POLICY.cannot(dialect_cases.allow(*hosts(25))) is None
    assert CLUSTER_NETWORK_POLICY.cannot(dialect_cases.allow(*hosts(26))) is not None
    # DNS, what is reachable, and the last rule.
    assert (
        CLUSTER_NETWORK_POLICY.cannot(dialect_cases.isolate(*hosts(22), reachable=[peer])) is None
    )
    assert (
        CLUSTER_NETWORK_POLICY.cannot(dialect_cases.isolate(*hosts(23), reachable=[peer]))
        is not None
    )


def test_more_ports_than_fit_are_spread() -> None:
    ports = tuple(("TCP", port) for port in range(1, 27))
    peer = Reachable(ip_network("10.1.0.0/16"), ports=ports)
    policy = rendered(CLUSTER_NETWORK_POLICY, dialect_cases.isolate(reachable=[peer]))
    assert all(within_limits(policy))
    for _, port in ports:
        assert verdict(policy, "10.1.2.3", port) == "Pass"
    assert verdict(policy, "10.1.2.3", 27) == "Deny"


# Whatever comes


def policies(action: EgressAction) -> st.SearchStrategy[DesiredNetworkPolicy]:
    return desired_policies(action=st.just(action)).filter(
        lambda order: CLUSTER_NETWORK_POLICY.render(order) is not None
    )


@steady
@given(desired_policies())
def test_limits_are_kept(order: DesiredNetworkPolicy) -> None:
    policy = CLUSTER_NETWORK_POLICY.render(order)
    if policy is not None:
        assert all(within_limits(policy))


@steady
@given(policies(EgressAction.DENY))
def test_exactly_the_denied_addresses_are_denied(order: DesiredNetworkPolicy) -> None:
    policy = rendered(CLUSTER_NETWORK_POLICY, order)
    networks = networks_of(order)
    for address in around(networks):
        denied = covered(networks, address)
        assert verdict(policy, address, 443) == ("Deny" if denied else "")
        assert verdict(policy, address, 9, "UDP") == ("Deny" if denied else "")


@steady
@given(policies(EgressAction.ALLOW))
def test_an_allowance_denies_nothing(order: DesiredNetworkPolicy) -> None:
    policy = rendered(CLUSTER_NETWORK_POLICY, order)
    for destination in order.destinations:
        wanted = [
            (other.port, network)
            for other in order.destinations
            for network in other.networks
            if family_of(network) in order.families
        ]
        for address in around(destination.networks):
            accepted = any(at == destination.port and address in network for at, network in wanted)
            assert verdict(policy, address, destination.port) == ("Accept" if accepted else "")


@steady
@given(policies(EgressAction.ISOLATE))
def test_an_isolation_denies_all_that_it_does_not_pass(order: DesiredNetworkPolicy) -> None:
    policy = rendered(CLUSTER_NETWORK_POLICY, order)
    assert [rule["action"] for rule in policy["spec"]["egress"]].index("Deny") == (
        len(policy["spec"]["egress"]) - 1
    )
    listed = [*networks_of(order), *(one.cidr for one in order.reachable if one.cidr)]
    for address in (*around(listed), ip_address("203.0.113.9"), ip_address("2001:db8::9")):
        for port in (443, *(one.port for one in order.destinations)):
            found = verdict(policy, address, port)
            # What is left to others, they may still deny: nothing that they shut is opened.
            assert found in ("Pass", "Deny")
            if found == "Pass":
                assert covered(listed, address)
