"""CiliumNetworkPolicies, and CiliumCIDRGroups of the addresses that they deny.

Source: cilium/cilium@v1.20.2, in ``pkg/policy`` unless another path is given:

- A denial overrides everything that any kind of policy allows
  (``Documentation/security/policy/deny.rst``). It cannot name a host: ``EgressDenyRule`` has no
  ``toFQDNs`` (``api/egress.go``).
- Pods that only policies with ``enableDefaultDeny: {egress: false}`` select may reach everything
  else (``repository.go``). The field has an effect while the agent's hidden option
  ``enable-non-default-deny-policies`` is on, which is the default (``api/rule_validation.go``).
  Where it is off, a denial isolates the pods.
- A group that does not exist or is empty has no addresses, and a rule that refers to it has no
  effect (``k8s/cilium_cidr_group.go``). Egress rules may refer to groups since 1.16
  (cilium/cilium#30624).
- An address belongs to a host if Cilium's DNS proxy saw it in a response to the pod. The proxy sees
  what a DNS rule sends to it, on port 53 only (``api/rule_validation.go``). Without default deny, a
  DNS rule allows all names, whatever it lists (``l4.go``); beside a policy that isolates, it does
  not. It has to list ``*`` in any case: the proxy refuses other names, and a pod tries its search
  domains first, after which some resolvers give up.
- The proxy has to be on (``enable-l7-proxy``, the default). Otherwise the agent reports such a
  policy as invalid, in ``status.conditions``.
- Address ranges never match pods or nodes (``api/egress.go``, ``ToCIDR``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from fleet_telemetry.api.policy import EgressAction, EgressDialect
from fleet_telemetry.egress.dialects.common import (
    Rendered,
    group,
    group_name,
    is_our_group,
    policy,
    read_networks,
)
from fleet_telemetry.egress.dialects.dialect import Dialect
from fleet_telemetry.egress.dialects.foreign_kinds import ForeignKind
from fleet_telemetry.egress.dialects.parts import (
    DNS_LABELS,
    DNS_NAMESPACE,
    DNS_PORT,
    NODE_LOCAL_DNS,
    batches,
    checked,
    hosts_by_ports,
    objection,
    reachable,
    selector,
    unique,
)
from fleet_telemetry.egress.dialects.plugin import NetworkPlugin
from fleet_telemetry.egress.model import DesiredNetworkPolicy, Network, Reachable
from fleet_telemetry.egress.networks import outermost
from fleet_telemetry.objects.kind import Kind
from fleet_telemetry.objects.labels import NAMESPACE_NAME_LABEL
from fleet_telemetry.objects.manifest import Manifest, list_at

CILIUM_NETWORK_POLICY = Kind("cilium.io", "v2", "ciliumnetworkpolicies", "CiliumNetworkPolicy")
CILIUM_CIDR_GROUP = Kind("cilium.io", "v2", "ciliumcidrgroups", "CiliumCIDRGroup", namespaced=False)
"""v2 is the stored version, v2alpha1 is deprecated (cilium/cilium@v1.20.2:
pkg/k8s/apis/cilium.io/client/crds/v2/ciliumcidrgroups.yaml)."""
_CLUSTERWIDE = Kind(
    "cilium.io",
    "v2",
    "ciliumclusterwidenetworkpolicies",
    "CiliumClusterwideNetworkPolicy",
    namespaced=False,
)

_MOST_PORTS = 40
"""In one entry of ``toPorts`` (``api/rule_validation.go``)."""
_POD_NAMESPACE = "k8s:io.kubernetes.pod.namespace"
_NAMESPACE_LABELS = "k8s:io.cilium.k8s.namespace.labels."
_NODE_LOCAL_DNS_LABELS = {"k8s-app": "node-local-dns"}
"""The pods that a local redirect policy sends DNS to
(cilium/cilium@v1.20.2: Documentation/network/kubernetes/local-redirect-policy.rst)."""

# A label that is not part of a pod's identity never matches (cilium/cilium@v1.20.2:
# pkg/labelsfilter/filter.go, the default; an installation may have more). Cilium sets those of
# io.cilium and io.kubernetes itself, so a pod's own cannot be meant.
_LABELS_WITHOUT_IDENTITY = re.compile(
    r"io\.kubernetes|io\.cilium\.|kubernetes\.io|k8s\.io|topology\.kubernetes\.io"
    r"|.*beta\.kubernetes\.io"
    r"|statefulset\.kubernetes\.io/pod-name|apps\.kubernetes\.io/pod-index"
    r"|batch\.kubernetes\.io/(job-completion-index|controller-uid)"
    r"|pod-template-(generation|hash)|controller-(revision-hash|uid)|annotation|etcd_node"
)
_NAMESPACE_LABELS_WITHOUT_IDENTITY = re.compile(r".*beta\.kubernetes\.io")


CILIUM = NetworkPlugin(
    name="Cilium",
    api_group="cilium.io",
    # Tetragon has its kinds in the same group and works without Cilium
    # (cilium/tetragon@v1.4.0: pkg/k8s/apis/cilium.io/client/crds/v1alpha1).
    other_resources={
        "v1alpha1": frozenset(
            f"{plural}{part}"
            for plural in ("tracingpolicies", "tracingpoliciesnamespaced", "podinfo")
            for part in ("", "/status")
        )
    },
    # Also the agent of GKE Dataplane V2, which serves no CiliumNetworkPolicy.
    daemon_selector="k8s-app=cilium",
    needs="CiliumNetworkPolicy and CiliumCIDRGroup of cilium.io/v2: Cilium 1.18 or later",
)


class CiliumDialect(Dialect):
    """The dialect that Auto selects where Cilium's kinds are served."""

    name = EgressDialect.CILIUM
    policy_kind = CILIUM_NETWORK_POLICY
    required_kinds = (CILIUM_NETWORK_POLICY, CILIUM_CIDR_GROUP)
    group_kind = CILIUM_CIDR_GROUP
    auto_preference = 1
    plugin = CILIUM
    foreign_kinds = (ForeignKind(CILIUM_NETWORK_POLICY), ForeignKind(_CLUSTERWIDE))

    def cannot(self, desired: DesiredNetworkPolicy) -> str | None:
        """See Dialect."""
        reason = objection(desired)
        if reason is not None:
            return reason
        pods = [desired.selector, *(peer.pod_selector for peer in reachable(desired))]
        namespaces = [peer.namespace_selector for peer in reachable(desired)]
        unknown = [
            *_without_identity(pods, _LABELS_WITHOUT_IDENTITY),
            *_without_identity(namespaces, _NAMESPACE_LABELS_WITHOUT_IDENTITY),
        ]
        if unknown:
            return (
                f"A selector uses the label {unknown[0]}, by which Cilium does not distinguish "
                f"pods."
            )
        return None

    def render(self, desired: DesiredNetworkPolicy) -> Rendered | None:
        """See Dialect. Hosts are allowed by name, so neither their addresses nor the desired
        families make a difference."""
        checked(self.cannot(desired))
        isolates = desired.action is EgressAction.ISOLATE
        spec: Rendered = {
            "endpointSelector": selector(desired.selector),
            # Both directions are set, so that no field of another manager can remain.
            "enableDefaultDeny": {"egress": isolates, "ingress": False},
        }
        if desired.action is EgressAction.DENY:
            hosts = sorted({one.host for one in desired.destinations if one.networks})
            if not hosts:
                return None
            groups = [{"cidrGroupRef": group_name(host)} for host in hosts]
            spec["egressDeny"] = [{"toCIDRSet": groups}]
        else:
            hosts_rules = [
                {
                    "toFQDNs": [{"matchName": host} for host in hosts],
                    "toPorts": _ports(("TCP", port) for port in ports),
                }
                for ports, hosts in hosts_by_ports(desired.destinations)
            ]
            if not hosts_rules and not isolates:
                return None
            others = unique(_reachable(peer, desired) for peer in reachable(desired))
            spec["egress"] = [*hosts_rules, *_cluster_dns(seen=bool(hosts_rules)), *others]
        return policy(CILIUM_NETWORK_POLICY, desired, spec)

    def denied_networks(self, live: Manifest) -> tuple[Network, ...]:
        """See Dialect: the groups hold them, a policy does not."""
        return read_networks(list_at(live, "spec", "externalCIDRs"))

    def adds_up(self, action: EgressAction) -> bool:
        """What isolates is an allowlist, as a NetworkPolicy is; what denies is final."""
        return action is EgressAction.ISOLATE

    def overriding_kinds(self, action: EgressAction, others: Sequence[str]) -> Sequence[str]:
        """See Dialect."""
        return others if self.adds_up(action) else ()

    def groups(self, desired: DesiredNetworkPolicy) -> Mapping[str, tuple[Network, ...]]:
        """See Dialect."""
        if desired.action is not EgressAction.DENY:
            return {}
        networks: dict[str, set[Network]] = {}
        for one in desired.destinations:
            networks.setdefault(one.host, set()).update(one.networks)
        return {host: outermost(own) for host, own in networks.items()}

    def render_group(self, host: str, networks: Iterable[Network]) -> Rendered | None:
        """Raises ValueError for a range of every address."""
        listed = outermost(networks)
        if not listed:
            return None
        if any(not network.prefixlen for network in listed):
            checked(f"The addresses of {host} are a range of every address there is.")
        return group(CILIUM_CIDR_GROUP, host, {"externalCIDRs": [str(one) for one in listed]})

    def is_ours(self, manifest: Manifest) -> bool:
        """See Dialect."""
        return super().is_ours(manifest) or is_our_group(CILIUM_CIDR_GROUP, manifest)


def _cluster_dns(*, seen: bool) -> Iterator[Rendered]:
    """Cluster DNS, and a DNS cache on the node. With ``seen``, Cilium's DNS proxy learns the hosts'
    addresses from the responses."""
    labels = (DNS_LABELS, _NODE_LOCAL_DNS_LABELS)
    pods = [{"matchLabels": {_POD_NAMESPACE: DNS_NAMESPACE, **_of_pods(own)}} for own in labels]
    for peers in ({"toEndpoints": pods}, {"toCIDR": [NODE_LOCAL_DNS]}):
        ports = _ports([("ANY", DNS_PORT)])
        if seen:
            ports[0]["rules"] = {"dns": [{"matchPattern": "*"}]}
        yield {**peers, "toPorts": ports}


def _reachable(peer: Reachable, desired: DesiredNetworkPolicy) -> Rendered:
    rule: Rendered = (
        {"toCIDR": [str(peer.cidr)]}
        if peer.cidr is not None
        else {"toEndpoints": [_endpoints(peer, desired.workload.namespace)]}
    )
    if peer.ports:
        rule["toPorts"] = _ports(peer.ports)
    return rule


def _endpoints(peer: Reachable, namespace: str) -> Rendered:
    """Pods by their own labels and their namespace's, as one selector.

    It always requires a namespace. Otherwise what has none, such as everything outside of the
    cluster, would match a selector that only excludes labels, and Cilium would add the policy's own
    namespace (cilium/cilium@v1.20.2: pkg/k8s/apis/cilium.io/utils/utils.go).
    """
    of_pods = selector(peer.pod_selector or {})
    labels = _of_pods(of_pods.get("matchLabels", {}))
    expressions = [
        {**one, "key": f"k8s:{one['key']}"} for one in of_pods.get("matchExpressions", ())
    ]
    if peer.namespace_selector is None:
        labels[_POD_NAMESPACE] = namespace
    else:
        of_namespaces = selector(peer.namespace_selector)
        for key, value in of_namespaces.get("matchLabels", {}).items():
            labels[_of_namespace(key)] = value
        expressions += [
            {**one, "key": _of_namespace(one["key"])}
            for one in of_namespaces.get("matchExpressions", ())
        ]
        if _POD_NAMESPACE not in labels:
            expressions.append({"key": _POD_NAMESPACE, "operator": "Exists"})
    return selector({"matchLabels": labels, "matchExpressions": expressions})


def _of_pods(labels: Manifest) -> Rendered:
    return {f"k8s:{key}": value for key, value in labels.items()}


def _of_namespace(key: str) -> str:
    return _POD_NAMESPACE if key == NAMESPACE_NAME_LABEL else f"{_NAMESPACE_LABELS}{key}"


def _ports(ports: Iterable[tuple[str, int]]) -> list[Rendered]:
    written = [
        {"port": str(port), "protocol": str(protocol)} for protocol, port in sorted(set(ports))
    ]
    return [{"ports": list(some)} for some in batches(written, _MOST_PORTS)]


def _without_identity(
    selectors: Iterable[Manifest | None], pattern: re.Pattern[str]
) -> Iterator[str]:
    for one in selectors:
        written = selector(one or {})
        expressions = written.get("matchExpressions", ())
        keys = (*written.get("matchLabels", ()), *(part["key"] for part in expressions))
        yield from (key for key in keys if pattern.match(key))
