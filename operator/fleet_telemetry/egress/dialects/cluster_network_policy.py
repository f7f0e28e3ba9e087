"""ClusterNetworkPolicies of the network-policy-api, in its tier ``Admin``.

Read in kubernetes-sigs/network-policy-api@v0.2.0, ``apis/v1alpha2/clusternetworkpolicy_types.go``
and ``config/crd``:

- What a rule of the tier accepts or denies is final; no NetworkPolicy is asked any more. What it
  passes is left to them. So Isolate passes what it leaves: it takes away, and opens nothing that
  somebody else has shut.
- A rule has at most 25 peers and 25 protocols, a peer 25 networks, a policy 25 rules.
- ``domainNames`` and ``nodes`` are of the experimental channel only, so hosts are told by address.
- ``networks`` match traffic inside the cluster, too.
- A selected pod on the host's network is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from fleet_telemetry.api.policy import EgressAction
from fleet_telemetry.egress.dialects.common import CLUSTER_NETWORK_POLICY, Rendered, policy
from fleet_telemetry.egress.dialects.orders import (
    DNS_LABELS,
    DNS_NAMESPACE,
    DNS_PORT,
    NODE_LOCAL_DNS,
    allowed,
    batches,
    checked,
    denied,
    in_namespace,
    objection,
    reachable,
    selector,
    unique,
)
from fleet_telemetry.egress.model import Network, Order, Reachable

KINDS = (CLUSTER_NETWORK_POLICY,)
"""What is written."""

PRIORITIES = {EgressAction.DENY: 990, EgressAction.ALLOW: 991, EgressAction.ISOLATE: 992}
"""Of 0 to 1000, and the lower wins: an administrator's own policies, with any priority below 990,
win over all of ours. Among ours, for a pod that two workloads' selectors select, Deny comes before
Allow as it does among policies, and both before what Isolate shuts off. Policies of one priority
that contradict each other are not told apart, so there is one priority for each action."""

_MOST = 25
"""Rules in a policy, peers and protocols in a rule, networks in a peer."""


def cannot(order: Order) -> str | None:
    """Why this dialect cannot express the order, as a sentence; None where it can."""
    reason = objection(order)
    if reason is not None:
        return reason
    needed = len(_rules(order))
    if needed > _MOST:
        return f"A ClusterNetworkPolicy has at most {_MOST} rules, and this one needs {needed}."
    return None


def render(order: Order) -> Rendered | None:
    """The policy for an order, None where there is nothing to say.

    Raises ValueError where ``cannot`` has a reason.
    """
    checked(cannot(order))
    rules = _rules(order)
    if not rules:
        return None
    spec = {
        "tier": "Admin",
        "priority": PRIORITIES[order.action],
        "subject": {
            "pods": {
                "namespaceSelector": in_namespace(order.workload.namespace),
                "podSelector": selector(order.selector),
            }
        },
        "egress": rules,
    }
    return policy(CLUSTER_NETWORK_POLICY, order, spec)


def _rules(order: Order) -> list[Rendered]:
    if order.action is EgressAction.DENY:
        return _rule("telemetry-hosts", "Deny", _networks(denied(order)))
    action = "Pass" if order.action is EgressAction.ISOLATE else "Accept"
    rules = [
        rule
        for ports, networks in allowed(order)
        for rule in _rule(
            "telemetry-hosts", action, _networks(networks), [("TCP", port) for port in ports]
        )
    ]
    if order.action is EgressAction.ISOLATE:
        rules += _cluster_dns()
        rules += unique(rule for peer in reachable(order) for rule in _reachable(peer, order))
        # The ranges cover pods already; that they do is newer than some network plugins.
        everything: list[Rendered] = [{"namespaces": {}}, {"networks": ["0.0.0.0/0", "::/0"]}]
        rules += _rule("everything-else", "Deny", everything)
    return rules


def _cluster_dns() -> list[Rendered]:
    pods = {
        "namespaceSelector": in_namespace(DNS_NAMESPACE),
        "podSelector": {"matchLabels": dict(DNS_LABELS)},
    }
    peers: list[Rendered] = [{"pods": pods}, {"networks": [NODE_LOCAL_DNS]}]
    return _rule("cluster-dns", "Pass", peers, [("TCP", DNS_PORT), ("UDP", DNS_PORT)])


def _reachable(peer: Reachable, order: Order) -> list[Rendered]:
    if peer.cidr is not None:
        target: Rendered = {"networks": [str(peer.cidr)]}
    else:
        namespaces = (
            in_namespace(order.workload.namespace)
            if peer.namespace_selector is None
            else selector(peer.namespace_selector)
        )
        pods = selector(peer.pod_selector or {})
        target = {"pods": {"namespaceSelector": namespaces, "podSelector": pods}}
    return _rule("reachable", "Pass", [target], peer.ports)


def _networks(networks: Sequence[Network]) -> list[Rendered]:
    return [{"networks": [str(one) for one in some]} for some in batches(networks, _MOST)]


def _rule(
    name: str, action: str, peers: Sequence[Rendered], ports: Iterable[tuple[str, int]] = ()
) -> list[Rendered]:
    """One rule, or as many as it takes; none where there are no peers."""
    protocols = [_protocol(protocol, port) for protocol, port in sorted(set(ports))]
    return [
        {
            "name": name,
            "action": action,
            "to": list(some),
            **({"protocols": list(of_these)} if of_these else {}),
        }
        for some in batches(peers, _MOST)
        for of_these in (batches(protocols, _MOST) if protocols else [()])
    ]


def _protocol(protocol: str, port: int) -> Rendered:
    return {protocol.lower(): {"destinationPort": {"number": port}}}
