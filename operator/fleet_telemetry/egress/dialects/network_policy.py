"""NetworkPolicies of ``networking.k8s.io/v1``.

A NetworkPolicy can only let through, and what several let through adds up. So ``Deny`` lets through
everything but the denied addresses, which isolates the pods: it is of use only while nothing else
lets those addresses through, and harmful where something else isolates the pods. ``Allow`` is of
use only where something else isolates them. Whether that is so is decided before an order is given.

Whether a range of addresses also stands for nodes and pods is left to the network plugin, and
Cilium's say no (cilium/cilium@v1.20.2: pkg/policy/api/egress.go). So ``Deny`` lets all pods through
by a selector of their own, and on Cilium it cuts the pods off from nodes and the API server.
"""

from __future__ import annotations

from fleet_telemetry.api.policy import EgressAction
from fleet_telemetry.api.telemetry_host import AddressFamily
from fleet_telemetry.egress.dialects.common import NETWORK_POLICY, Rendered, policy
from fleet_telemetry.egress.dialects.orders import (
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
from fleet_telemetry.egress.model import Order, Reachable, family_of

KINDS = (NETWORK_POLICY,)
"""What is written."""

_EVERYTHING = {AddressFamily.IPV4: "0.0.0.0/0", AddressFamily.IPV6: "::/0"}


def cannot(order: Order) -> str | None:
    """Why this dialect cannot express the order, as a sentence; None where it can."""
    return objection(order)


def render(order: Order) -> Rendered | None:
    """The policy for an order, None where there is nothing to say.

    Raises ValueError where ``cannot`` has a reason.
    """
    checked(cannot(order))
    if order.action is EgressAction.DENY:
        rules = _all_but_denied(order)
    elif order.action is EgressAction.ALLOW:
        rules = _hosts(order)
    else:
        rules = [*_hosts(order), _cluster_dns(), *unique(map(_reachable, reachable(order)))]
    if not rules:
        return None
    spec = {
        "podSelector": selector(order.selector),
        "policyTypes": ["Egress"],
        "egress": rules,
    }
    return policy(NETWORK_POLICY, order, spec)


def _all_but_denied(order: Order) -> list[Rendered]:
    """One rule: all addresses but the denied, and all pods, on every port.

    A denied address is denied on every port, not just on the host's: exceptions have no ports, and
    a second rule for the other ports would be one more that could undo the first.
    """
    networks = denied(order)
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


def _hosts(order: Order) -> list[Rendered]:
    return [
        {
            "to": [{"ipBlock": {"cidr": str(network)}} for network in networks],
            "ports": [_port("TCP", port) for port in ports],
        }
        for ports, networks in allowed(order)
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
