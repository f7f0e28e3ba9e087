"""What every dialect asks of an order: its parts, sorted, and whether it makes sense at all."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from fleet_telemetry.api.policy import EgressAction
from fleet_telemetry.egress.dialects.common import Rendered
from fleet_telemetry.egress.model import Destination, Network, Order, Reachable, family_of
from fleet_telemetry.objects.manifest import Manifest

T = TypeVar("T")

NAMESPACE_NAME_LABEL = "kubernetes.io/metadata.name"
"""The API server sets it on every namespace."""
DNS_NAMESPACE = "kube-system"
DNS_LABELS = {"k8s-app": "kube-dns"}
"""The pods of cluster DNS, also where it is CoreDNS (kubernetes/kubernetes@v1.36.3:
cluster/addons/dns/coredns/coredns.yaml.base)."""
NODE_LOCAL_DNS = "169.254.20.10/32"
"""Where NodeLocal DNSCache listens on every node, unless it was told otherwise
(kubernetes/kubernetes@v1.36.3: cluster/addons/dns/nodelocaldns/README.md)."""
DNS_PORT = 53


def objection(order: Order) -> str | None:
    """Why an order is rendered in no dialect, as a sentence; None where nothing is wrong with it.

    Such orders do not come about by themselves. Each would make a policy that does something else
    than it should, and nobody would notice.
    """
    if not selector(order.selector):
        return (
            f"The selector of the pods of {order.workload} is empty and would select every pod of "
            f"the namespace."
        )
    for one in _selectors(order):
        unknown = one.keys() - {"matchLabels", "matchExpressions"}
        if unknown:
            return f"A selector has no {min(unknown)}: it would be left out, and select more."
    whole = [d.host for d in order.destinations if any(not n.prefixlen for n in d.networks)]
    if whole:
        return f"The addresses of {whole[0]} are a range of every address there is."
    for peer in reachable(order):
        by_labels = peer.namespace_selector is not None or peer.pod_selector is not None
        if (peer.cidr is not None) == by_labels:
            return "Each entry of reachable names either a range or pods by labels."
        if peer.cidr is not None and not peer.cidr.prefixlen:
            return f"The reachable range {peer.cidr} is every address there is."
    return None


def _selectors(order: Order) -> Iterator[Manifest]:
    yield order.selector
    for peer in reachable(order):
        for given in (peer.namespace_selector, peer.pod_selector):
            if given is not None:
                yield given


def checked(reason: str | None) -> None:
    """Raise ValueError where there is a reason not to render: the caller should have asked."""
    if reason is not None:
        raise ValueError(reason)


# Selectors


def selector(given: Manifest) -> Rendered:
    """A LabelSelector as it is written: sorted, and without parts that say nothing.

    The API server leaves out an empty part of a NetworkPolicy, and keeps one in a custom resource.
    """
    labels = given.get("matchLabels") or {}
    # A list in a manifest, a tuple in what was one of our own types: not to be missed for that.
    expressions = [_expression(one) for one in given.get("matchExpressions") or ()]
    written: Rendered = {}
    if labels:
        written["matchLabels"] = {key: labels[key] for key in sorted(labels)}
    if expressions:
        written["matchExpressions"] = unique(expressions)
    return written


def _expression(given: Mapping[str, Any]) -> Rendered:
    written: Rendered = {"key": given["key"], "operator": str(given["operator"])}
    if given.get("values"):
        written["values"] = sorted(set(given["values"]))
    return written


def in_namespace(name: str) -> Rendered:
    """A LabelSelector of one namespace."""
    return {"matchLabels": {NAMESPACE_NAME_LABEL: name}}


# Networks


def minimal(networks: Iterable[Network]) -> tuple[Network, ...]:
    """Sorted, IPv4 first, none inside another. Neighbours are not joined: people read the list."""
    kept: list[Network] = []
    for network in sorted(networks, key=lambda n: (n.version, n.network_address, n.prefixlen)):
        # Whatever contains this one sorts before it, and nothing else stands between them.
        if not kept or not _is_within(network, kept[-1]):
            kept.append(network)
    return tuple(kept)


def _is_within(inner: Network, outer: Network) -> bool:
    return inner.version == outer.version and inner.subnet_of(outer)  # type: ignore[arg-type]


def denied(order: Order) -> tuple[Network, ...]:
    """Every network that a Deny is about, of both families: one that is left out leaks."""
    return minimal(network for one in order.destinations for network in one.networks)


def allowed(order: Order) -> list[tuple[tuple[int, ...], tuple[Network, ...]]]:
    """The TCP ports and the networks of each rule of an Allow or Isolate; neither is ever empty.

    Hosts on the same ports share a rule, ports of the same networks do, too. Networks of a family
    that is not wanted are left out: a network plugin that knows IPv4 only may refuse a policy that
    speaks of IPv6, and with it all egress.
    """
    by_port: dict[int, list[Network]] = {}
    for one in order.destinations:
        by_port.setdefault(one.port, []).extend(
            network for network in one.networks if family_of(network) in order.families
        )
    by_networks: dict[tuple[Network, ...], list[int]] = {}
    for port, networks in sorted(by_port.items()):
        if networks:
            by_networks.setdefault(minimal(networks), []).append(port)
    return sorted((tuple(ports), networks) for networks, ports in by_networks.items())


def hosts_by_ports(
    destinations: Iterable[Destination],
) -> list[tuple[tuple[int, ...], tuple[str, ...]]]:
    """The TCP ports and the hosts of each rule that names hosts; neither is ever empty."""
    ports: dict[str, set[int]] = {}
    for one in destinations:
        ports.setdefault(one.host, set()).add(one.port)
    hosts: dict[tuple[int, ...], list[str]] = {}
    for host, own in sorted(ports.items()):
        hosts.setdefault(tuple(sorted(own)), []).append(host)
    return sorted((own, tuple(names)) for own, names in hosts.items())


def reachable(order: Order) -> tuple[Reachable, ...]:
    """What else isolated pods may reach; of no meaning with any other action."""
    return order.reachable if order.action is EgressAction.ISOLATE else ()


# Lists


def unique(items: Iterable[Rendered]) -> list[Rendered]:
    """Each once, in an order that depends on nothing but what they are."""
    by_text = {json.dumps(item, sort_keys=True): item for item in items}
    return [by_text[text] for text in sorted(by_text)]


def batches(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """The items, at most so many at a time; nothing where there are none."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
