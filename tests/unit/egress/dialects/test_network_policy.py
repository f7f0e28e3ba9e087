"""NetworkPolicies: what they let through, and how they are written."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_telemetry.api.policy import EgressAction
from fleet_telemetry.api.telemetry_host import AddressFamily
from fleet_telemetry.egress.model import DesiredNetworkPolicy, Reachable, family_of
from tests.support.depth import steady
from tests.support.dialect_cases import (
    NETWORK_POLICY,
    allow,
    around,
    covered,
    deny,
    isolate,
    let_through,
    networks_of,
    rendered,
    to,
)
from tests.support.dialect_strategies import desired_policies

HOST = to("t.example.com", "192.0.2.1/32", "2001:db8::1/128")


def test_a_denial_lets_through_all_but_the_addresses_and_every_pod() -> None:
    order = deny(HOST, to("u.example.com", "198.51.100.0/24", "192.0.2.1/32", port=8443))
    assert rendered(NETWORK_POLICY, order)["spec"] == {
        "podSelector": {"matchLabels": {"app": "web"}},
        "policyTypes": ["Egress"],
        "egress": [
            {
                "to": [
                    {
                        "ipBlock": {
                            "cidr": "0.0.0.0/0",
                            "except": ["192.0.2.1/32", "198.51.100.0/24"],
                        }
                    },
                    {"ipBlock": {"cidr": "::/0", "except": ["2001:db8::1/128"]}},
                    {"namespaceSelector": {}},
                ]
            }
        ],
    }


@pytest.mark.parametrize("network", ["192.0.2.1/32", "2001:db8::1/128"])
def test_a_family_without_denied_addresses_is_let_through_whole(network: str) -> None:
    policy = rendered(NETWORK_POLICY, deny(to("t.example.com", network)))
    blocks = [peer["ipBlock"] for peer in policy["spec"]["egress"][0]["to"][:2]]
    other = ip_network("::/0" if "." in network else "0.0.0.0/0")
    assert {"cidr": str(other)} in blocks
    assert sum("except" in block for block in blocks) == 1


def test_a_denied_address_is_denied_on_every_port() -> None:
    policy = rendered(NETWORK_POLICY, deny(HOST))
    for port in (443, 80, 53):
        for protocol in ("TCP", "UDP"):
            assert not let_through(policy, "192.0.2.1", port, protocol)
            assert let_through(policy, "192.0.2.2", port, protocol)


def test_a_denial_is_about_both_families_even_if_one_is_not_wanted() -> None:
    policy = rendered(NETWORK_POLICY, deny(HOST, families=[AddressFamily.IPV4]))
    assert policy == rendered(NETWORK_POLICY, deny(HOST))


def test_hosts_are_allowed_on_their_ports() -> None:
    order = allow(
        HOST,
        to("u.example.com", "192.0.2.1/32", "2001:db8::1/128", port=80),
        to("v.example.com", "198.51.100.0/24", port=8443),
        to("w.example.com", port=9443),
    )
    assert rendered(NETWORK_POLICY, order)["spec"]["egress"] == [
        {
            "to": [
                {"ipBlock": {"cidr": "192.0.2.1/32"}},
                {"ipBlock": {"cidr": "2001:db8::1/128"}},
            ],
            "ports": [{"protocol": "TCP", "port": 80}, {"protocol": "TCP", "port": 443}],
        },
        {
            "to": [{"ipBlock": {"cidr": "198.51.100.0/24"}}],
            "ports": [{"protocol": "TCP", "port": 8443}],
        },
    ]


def test_a_family_that_is_not_wanted_is_left_out_of_what_is_allowed() -> None:
    only_v6 = to("v.example.com", "2001:db8::2/128", port=8443)
    for order in (allow, isolate):
        policy = rendered(NETWORK_POLICY, order(HOST, only_v6, families=[AddressFamily.IPV4]))
        first, *rest = policy["spec"]["egress"]
        assert first["to"] == [{"ipBlock": {"cidr": "192.0.2.1/32"}}]
        assert {"protocol": "TCP", "port": 8443} not in [
            port for rule in rest for port in rule["ports"]
        ]


def test_hosts_of_an_unwanted_family_alone_are_no_policy() -> None:
    order = allow(to("v.example.com", "2001:db8::2/128"), families=[AddressFamily.IPV4])
    assert NETWORK_POLICY.render(order) is None


DNS = {
    "to": [
        {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
            "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
        },
        {"ipBlock": {"cidr": "169.254.20.10/32"}},
    ],
    "ports": [{"protocol": "TCP", "port": 53}, {"protocol": "UDP", "port": 53}],
}


def test_an_isolation_from_everything_leaves_cluster_dns() -> None:
    assert rendered(NETWORK_POLICY, isolate())["spec"] == {
        "podSelector": {"matchLabels": {"app": "web"}},
        "policyTypes": ["Egress"],
        "egress": [DNS],
    }


def test_an_isolation_leaves_hosts_dns_and_what_is_reachable() -> None:
    order = isolate(
        to("t.example.com", "192.0.2.1/32"),
        reachable=[
            Reachable(
                namespace_selector={"matchLabels": {"team": "data"}},
                pod_selector={"matchLabels": {"app": "db"}},
                ports=(("TCP", 5432), ("TCP", 5432)),
            ),
            Reachable(ip_network("10.1.0.0/16"), ports=(("UDP", 514), ("TCP", 514))),
            Reachable(pod_selector={}),
            Reachable(namespace_selector={}),
            Reachable(pod_selector={}),
        ],
    )
    assert rendered(NETWORK_POLICY, order)["spec"]["egress"] == [
        {
            "to": [{"ipBlock": {"cidr": "192.0.2.1/32"}}],
            "ports": [{"protocol": "TCP", "port": 443}],
        },
        DNS,
        {
            "to": [{"ipBlock": {"cidr": "10.1.0.0/16"}}],
            "ports": [{"protocol": "TCP", "port": 514}, {"protocol": "UDP", "port": 514}],
        },
        {
            "to": [
                {
                    "namespaceSelector": {"matchLabels": {"team": "data"}},
                    "podSelector": {"matchLabels": {"app": "db"}},
                }
            ],
            "ports": [{"protocol": "TCP", "port": 5432}],
        },
        {"to": [{"namespaceSelector": {}}]},
        {"to": [{"podSelector": {}}]},
    ]


# Whatever comes


def policies(action: EgressAction) -> st.SearchStrategy[DesiredNetworkPolicy]:
    return desired_policies(action=st.just(action)).filter(
        lambda order: NETWORK_POLICY.render(order) is not None
    )


@steady
@given(policies(EgressAction.DENY))
def test_exactly_the_denied_addresses_are_not_let_through(order: DesiredNetworkPolicy) -> None:
    policy = rendered(NETWORK_POLICY, order)
    networks = networks_of(order)
    for address in (*around(networks), ip_address("203.0.113.9"), ip_address("2001:db8::9")):
        assert let_through(policy, address, 443) is not covered(networks, address)


@steady
@given(policies(EgressAction.DENY))
def test_exceptions_are_strictly_inside_their_block(order: DesiredNetworkPolicy) -> None:
    for peer in rendered(NETWORK_POLICY, order)["spec"]["egress"][0]["to"]:
        block = peer.get("ipBlock", {"cidr": "::/0"})
        outer = ip_network(block["cidr"])
        for inner in map(ip_network, block.get("except", ())):
            assert inner.version == outer.version
            assert inner != outer
            assert inner.subnet_of(outer)  # type: ignore[arg-type]


@steady
@given(policies(EgressAction.ALLOW))
def test_exactly_the_allowed_addresses_are_let_through_on_their_ports(
    order: DesiredNetworkPolicy,
) -> None:
    policy = rendered(NETWORK_POLICY, order)
    for destination in order.destinations:
        wanted = [
            (other.port, network)
            for other in order.destinations
            for network in other.networks
            if family_of(network) in order.families
        ]
        for address in around(destination.networks):
            for port in (destination.port, destination.port % 65535 + 1):
                expected = any(at == port and address in network for at, network in wanted)
                assert let_through(policy, address, port) is expected
            assert not let_through(policy, address, destination.port, "UDP")


@steady
@given(policies(EgressAction.ISOLATE))
def test_an_isolation_lets_through_nothing_that_was_not_listed(order: DesiredNetworkPolicy) -> None:
    policy = rendered(NETWORK_POLICY, order)
    listed = [*networks_of(order), *(one.cidr for one in order.reachable if one.cidr)]
    for rule in policy["spec"]["egress"]:
        for peer in rule["to"]:
            if "ipBlock" in peer:
                block = peer["ipBlock"]
                assert "except" not in block
                assert ip_network(block["cidr"]) in [*listed, ip_network("169.254.20.10/32")]
            else:
                assert peer.keys() <= {"namespaceSelector", "podSelector"}
