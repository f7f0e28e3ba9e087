"""ClusterNetworkPolicies of the network-policy-api, in its tier ``Admin``.

Source: kubernetes-sigs/network-policy-api@v0.2.0, ``apis/v1alpha2/clusternetworkpolicy_types.go``
and ``config/crd``:

- What a rule of the tier accepts or denies is final; NetworkPolicies no longer apply. What it
  passes is left to them. So Isolate passes what it does not deny: it never allows what another
  policy denies.
- A rule has at most 25 peers and 25 protocols, a peer 25 networks, a policy 25 rules.
- ``domainNames`` and ``nodes`` are in the experimental channel only, so hosts are written as
  addresses.
- ``networks`` also match traffic inside the cluster.
- A selected pod on the host's network is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from fleet_telemetry.api.policy import EgressAction, EgressDialect
from fleet_telemetry.egress.dialects.common import Rendered, policy, read_networks
from fleet_telemetry.egress.dialects.dialect import Dialect
from fleet_telemetry.egress.dialects.foreign_kinds import (
    ForeignKind,
    baseline_has_egress,
    is_baseline_tier,
)
from fleet_telemetry.egress.dialects.parts import (
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
from fleet_telemetry.egress.model import DesiredNetworkPolicy, Network, Reachable
from fleet_telemetry.objects.kind import Kind
from fleet_telemetry.objects.manifest import Manifest, items_at, list_at

_GROUP = "policy.networking.k8s.io"
CLUSTER_NETWORK_POLICY = Kind(
    _GROUP, "v1alpha2", "clusternetworkpolicies", "ClusterNetworkPolicy", namespaced=False
)
_ADMIN = Kind(_GROUP, "v1alpha1", "adminnetworkpolicies", "AdminNetworkPolicy", namespaced=False)
_BASELINE = Kind(
    _GROUP,
    "v1alpha1",
    "baselineadminnetworkpolicies",
    "BaselineAdminNetworkPolicy",
    namespaced=False,
)

PRIORITIES = {EgressAction.DENY: 990, EgressAction.ALLOW: 991, EgressAction.ISOLATE: 992}
"""From 0 to 1000, and the lower overrides the higher: an administrator's policies with a priority
below 990 override all of ours. Among ours, for a pod that the selectors of two workloads match,
Deny precedes Allow as it does among policies, and both precede the denials of Isolate. The order of
policies with one priority is undefined where they contradict each other, so there is one priority
for each action."""

_MOST = 25
"""Rules in a policy, peers and protocols in a rule, networks in a peer."""


class ClusterNetworkPolicyDialect(Dialect):
    """Is written only where a policy asks for it by name."""

    name = EgressDialect.CLUSTER_NETWORK_POLICY
    policy_kind = CLUSTER_NETWORK_POLICY
    required_kinds = (CLUSTER_NETWORK_POLICY,)
    # It overrides what the cluster's administrators deny, which users of a namespace must not.
    only_cluster_policies_open = True
    foreign_kinds = (
        ForeignKind(CLUSTER_NETWORK_POLICY, is_baseline_tier),
        ForeignKind(_ADMIN),
        ForeignKind(_BASELINE, baseline_has_egress, may_allow=False),
    )

    def cannot(self, desired: DesiredNetworkPolicy) -> str | None:
        """See Dialect."""
        reason = objection(desired)
        if reason is not None:
            return reason
        needed = len(_rules(desired))
        if needed > _MOST:
            return f"A ClusterNetworkPolicy has at most {_MOST} rules, and this one needs {needed}."
        return None

    def render(self, desired: DesiredNetworkPolicy) -> Rendered | None:
        """See Dialect."""
        checked(self.cannot(desired))
        rules = _rules(desired)
        if not rules:
            return None
        spec = {
            "tier": "Admin",
            "priority": PRIORITIES[desired.action],
            "subject": {
                "pods": {
                    "namespaceSelector": in_namespace(desired.workload.namespace),
                    "podSelector": selector(desired.selector),
                }
            },
            "egress": rules,
        }
        return policy(CLUSTER_NETWORK_POLICY, desired, spec)

    def denied_networks(self, live: Manifest) -> tuple[Network, ...]:
        """See Dialect."""
        return read_networks(
            text
            for rule in items_at(live, "spec", "egress")
            for peer in items_at(rule, "to")
            for text in list_at(peer, "networks")
        )

    def overriding_kinds(self, action: EgressAction, others: Sequence[str]) -> Sequence[str]:
        """Policies of administrators may precede ours; all other kinds apply after them."""
        preceding = {CLUSTER_NETWORK_POLICY.kind, _ADMIN.kind}
        return [kind for kind in others if kind in preceding]


def _rules(desired: DesiredNetworkPolicy) -> list[Rendered]:
    if desired.action is EgressAction.DENY:
        return _rule("telemetry-hosts", "Deny", _networks(denied(desired)))
    action = "Pass" if desired.action is EgressAction.ISOLATE else "Accept"
    rules = [
        rule
        for ports, networks in allowed(desired)
        for rule in _rule(
            "telemetry-hosts", action, _networks(networks), [("TCP", port) for port in ports]
        )
    ]
    if desired.action is EgressAction.ISOLATE:
        rules += _cluster_dns()
        rules += unique(rule for peer in reachable(desired) for rule in _reachable(peer, desired))
        # The ranges match pods already, but not in older versions of some network plug-ins.
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


def _reachable(peer: Reachable, desired: DesiredNetworkPolicy) -> list[Rendered]:
    if peer.cidr is not None:
        target: Rendered = {"networks": [str(peer.cidr)]}
    else:
        namespaces = (
            in_namespace(desired.workload.namespace)
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
    """One rule, or as many as the limits need; none where there are no peers."""
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
