"""CiliumNetworkPolicies, and CiliumCIDRGroups of the addresses that they deny.

Read in cilium/cilium@v1.20.2, in ``pkg/policy`` where nothing else is said:

- A denial wins over everything that is allowed, by whichever kind of policy
  (``Documentation/security/policy/deny.rst``). It can name no host: ``EgressDenyRule`` has no
  ``toFQDNs`` (``api/egress.go``).
- Pods that only policies with ``enableDefaultDeny: {egress: false}`` select are let through all the
  rest (``repository.go``). The agent's hidden option ``enable-non-default-deny-policies``, on by
  default, makes that field count (``api/rule_validation.go``); where it is off, a denial isolates.
- A group that does not exist or is empty has no addresses, and a rule that refers to it says
  nothing (``k8s/cilium_cidr_group.go``). Egress rules may refer to groups since 1.16
  (cilium/cilium#30624).
- An address is a host's where Cilium's DNS proxy saw it in an answer to the pod. The proxy sees
  what a DNS rule sends to it, on port 53 only (``api/rule_validation.go``). Without default deny, a
  DNS rule lets all names through, whatever it says (``l4.go``); beside a policy that isolates, it
  does not. It has to say ``*`` all the same: the proxy refuses other names, and a pod asks for its
  search domains first, with which some resolvers give up.
- The proxy has to be on (``enable-l7-proxy``, the default); else the agent calls such a policy
  invalid, in ``status.conditions``.
- Ranges of addresses never match pods or nodes (``api/egress.go``, ``ToCIDR``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from fleet_telemetry.api.policy import EgressAction
from fleet_telemetry.egress.dialects.common import (
    CILIUM_CIDR_GROUP,
    CILIUM_NETWORK_POLICY,
    Rendered,
    group,
    group_name,
    policy,
)
from fleet_telemetry.egress.dialects.orders import (
    DNS_LABELS,
    DNS_NAMESPACE,
    DNS_PORT,
    NAMESPACE_NAME_LABEL,
    NODE_LOCAL_DNS,
    batches,
    checked,
    hosts_by_ports,
    minimal,
    objection,
    reachable,
    selector,
    unique,
)
from fleet_telemetry.egress.model import Network, Order, Reachable
from fleet_telemetry.objects.manifest import Manifest

KINDS = (CILIUM_NETWORK_POLICY, CILIUM_CIDR_GROUP)
"""What is written."""

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


def cannot(order: Order) -> str | None:
    """Why this dialect cannot express the order, as a sentence; None where it can."""
    reason = objection(order)
    if reason is not None:
        return reason
    pods = [order.selector, *(peer.pod_selector for peer in reachable(order))]
    namespaces = [peer.namespace_selector for peer in reachable(order)]
    unknown = [
        *_without_identity(pods, _LABELS_WITHOUT_IDENTITY),
        *_without_identity(namespaces, _NAMESPACE_LABELS_WITHOUT_IDENTITY),
    ]
    if unknown:
        return f"Cilium does not tell pods apart by the label {unknown[0]}, which a selector names."
    return None


def render(order: Order) -> Rendered | None:
    """The policy for an order, None where there is nothing to say.

    A Deny refers to the groups of ``cidr_groups``, which are to be there first. Hosts are allowed
    by name, so neither their addresses nor the wanted families make a difference. Raises ValueError
    where ``cannot`` has a reason.
    """
    checked(cannot(order))
    isolates = order.action is EgressAction.ISOLATE
    spec: Rendered = {
        "endpointSelector": selector(order.selector),
        # Said of both directions, so that nobody else's field can be left over.
        "enableDefaultDeny": {"egress": isolates, "ingress": False},
    }
    if order.action is EgressAction.DENY:
        hosts = sorted({one.host for one in order.destinations if one.networks})
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
            for ports, hosts in hosts_by_ports(order.destinations)
        ]
        if not hosts_rules and not isolates:
            return None
        others = unique(_reachable(peer, order) for peer in reachable(order))
        spec["egress"] = [*hosts_rules, *_cluster_dns(seen=bool(hosts_rules)), *others]
    return policy(CILIUM_NETWORK_POLICY, order, spec)


def cidr_groups(orders: Iterable[Order]) -> list[Rendered]:
    """The groups that the policies of these orders refer to, one for each host."""
    networks: dict[str, set[Network]] = {}
    for order in orders:
        if order.action is EgressAction.DENY:
            for one in order.destinations:
                networks.setdefault(one.host, set()).update(one.networks)
    groups = (render_cidr_group(host, own) for host, own in sorted(networks.items()))
    return [one for one in groups if one is not None]


def render_cidr_group(host: str, networks: Iterable[Network]) -> Rendered | None:
    """The addresses of a denied host; None where there are none.

    Raises ValueError for a range of every address.
    """
    listed = minimal(networks)
    if not listed:
        return None
    if any(not network.prefixlen for network in listed):
        checked(f"The addresses of {host} are a range of every address there is.")
    return group(CILIUM_CIDR_GROUP, host, {"externalCIDRs": [str(one) for one in listed]})


def _cluster_dns(*, seen: bool) -> Iterator[Rendered]:
    """Cluster DNS, and what may stand before it on the node; ``seen`` by Cilium where it has to
    learn hosts' addresses."""
    labels = (DNS_LABELS, _NODE_LOCAL_DNS_LABELS)
    pods = [{"matchLabels": {_POD_NAMESPACE: DNS_NAMESPACE, **_of_pods(own)}} for own in labels]
    for peers in ({"toEndpoints": pods}, {"toCIDR": [NODE_LOCAL_DNS]}):
        ports = _ports([("ANY", DNS_PORT)])
        if seen:
            ports[0]["rules"] = {"dns": [{"matchPattern": "*"}]}
        yield {**peers, "toPorts": ports}


def _reachable(peer: Reachable, order: Order) -> Rendered:
    rule: Rendered = (
        {"toCIDR": [str(peer.cidr)]}
        if peer.cidr is not None
        else {"toEndpoints": [_endpoints(peer, order.workload.namespace)]}
    )
    if peer.ports:
        rule["toPorts"] = _ports(peer.ports)
    return rule


def _endpoints(peer: Reachable, namespace: str) -> Rendered:
    """Pods by their own labels and their namespace's, as one selector.

    It always asks for a namespace: what has none, such as the whole world outside, would match
    where labels are only forbidden. And where it asks for none by name, Cilium would add the
    policy's own (cilium/cilium@v1.20.2: pkg/k8s/apis/cilium.io/utils/utils.go).
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
