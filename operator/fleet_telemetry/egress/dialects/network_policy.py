"""NetworkPolicies of ``networking.k8s.io/v1``.

A NetworkPolicy can only allow, and what several allow adds up. So ``Deny`` allows everything except
the denied addresses, which isolates the pods. It works only while no other policy allows those
addresses, and it does harm where another policy isolates the pods. ``Allow`` works only where
another policy isolates the pods. ``egress/conflicts.py`` decides whether that is so.

Whether an address range also matches nodes and pods depends on the network plug-in. Cilium's do not
(cilium/cilium@v1.20.2: pkg/policy/api/egress.go). So ``Deny`` allows all pods by a selector of its
own, and on Cilium it would cut the pods off from nodes and the API server.
"""

from __future__ import annotations

from fleet_telemetry.api.policy import EgressAction, EgressDialect
from fleet_telemetry.api.telemetry_host import AddressFamily
from fleet_telemetry.egress.dialects.common import Rendered, policy, read_networks
from fleet_telemetry.egress.dialects.dialect import Dialect, SideEffect
from fleet_telemetry.egress.dialects.parts import (
    DNS_LABELS,
    DNS_NAMESPACE,
    DNS_PORT,
    NODE_LOCAL_DNS,
    allowed,
    checked,
    denied,
    in_namespace,
    objection,
    reachable,
    selector,
    unique,
)
from fleet_telemetry.egress.model import DesiredNetworkPolicy, Network, Reachable, family_of
from fleet_telemetry.objects.kind import Kind
from fleet_telemetry.objects.manifest import Manifest, items_at, list_at

NETWORK_POLICY = Kind("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy")

_EVERYTHING = {AddressFamily.IPV4: "0.0.0.0/0", AddressFamily.IPV6: "::/0"}


class NetworkPolicyDialect(Dialect):
    """Is part of Kubernetes. The operator evaluates the NetworkPolicies of everybody."""

    name = EgressDialect.NETWORK_POLICY
    policy_kind = NETWORK_POLICY
    auto_preference = 0
    is_evaluated = True
    denial_is_final = False

    def cannot(self, desired: DesiredNetworkPolicy) -> str | None:
        """See Dialect."""
        return objection(desired)

    def render(self, desired: DesiredNetworkPolicy) -> Rendered | None:
        """See Dialect."""
        checked(self.cannot(desired))
        if desired.action is EgressAction.DENY:
            rules = _all_but_denied(desired)
        elif desired.action is EgressAction.ALLOW:
            rules = _hosts(desired)
        else:
            rules = [*_hosts(desired), _cluster_dns(), *unique(map(_reachable, reachable(desired)))]
        if not rules:
            return None
        spec = {
            "podSelector": selector(desired.selector),
            "policyTypes": ["Egress"],
            "egress": rules,
        }
        return policy(NETWORK_POLICY, desired, spec)

    def denied_networks(self, live: Manifest) -> tuple[Network, ...]:
        """See Dialect."""
        return read_networks(
            text
            for rule in items_at(live, "spec", "egress")
            for peer in items_at(rule, "to")
            for text in list_at(peer, "ipBlock", "except")
        )

    def side_effect(self, action: EgressAction) -> SideEffect | None:
        """See Dialect."""
        match action:
            case EgressAction.DENY:
                return SideEffect.WIDENS
            case EgressAction.ALLOW:
                return SideEffect.ISOLATES
        return None


def _all_but_denied(desired: DesiredNetworkPolicy) -> list[Rendered]:
    """One rule: all addresses except the denied ones, and all pods, on every port.

    A denied address is denied on every port, not only on the host's: exceptions have no ports, and
    a second rule for the other ports could undo the first.
    """
    networks = denied(desired)
    if not networks:
        return []
    blocks = []
    for family, everything in _EVERYTHING.items():
        block: Rendered = {"cidr": everything}
        exceptions = [str(network) for network in networks if family_of(network) is family]
        if exceptions:
            block["except"] = exceptions
        blocks.append({"ipBlock": block})
    return [{"to": [*blocks, {"namespaceSelector": {}}]}]


def _hosts(desired: DesiredNetworkPolicy) -> list[Rendered]:
    return [
        {
            "to": [{"ipBlock": {"cidr": str(network)}} for network in networks],
            "ports": [_port("TCP", port) for port in ports],
        }
        for ports, networks in allowed(desired)
    ]


def _cluster_dns() -> Rendered:
    return {
        "to": [
            {
                "namespaceSelector": in_namespace(DNS_NAMESPACE),
                "podSelector": {"matchLabels": dict(DNS_LABELS)},
            },
            {"ipBlock": {"cidr": NODE_LOCAL_DNS}},
        ],
        "ports": [_port("TCP", DNS_PORT), _port("UDP", DNS_PORT)],
    }


def _reachable(peer: Reachable) -> Rendered:
    rule: Rendered = {"to": [_peer(peer)]}
    if peer.ports:
        rule["ports"] = [_port(protocol, port) for protocol, port in sorted(set(peer.ports))]
    return rule


def _peer(peer: Reachable) -> Rendered:
    if peer.cidr is not None:
        return {"ipBlock": {"cidr": str(peer.cidr)}}
    written: Rendered = {}
    if peer.namespace_selector is not None:
        written["namespaceSelector"] = selector(peer.namespace_selector)
    if peer.pod_selector is not None:
        written["podSelector"] = selector(peer.pod_selector)
    return written


def _port(protocol: str, port: int) -> Rendered:
    return {"protocol": str(protocol), "port": port}
