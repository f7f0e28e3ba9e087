"""The parts of a desired policy, as every dialect needs them: sorted, and checked."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from fleet_telemetry.api.policy import EgressAction
from fleet_telemetry.egress.dialects.common import Rendered
from fleet_telemetry.egress.model import (
    DesiredNetworkPolicy,
    Destination,
    Network,
    Reachable,
    family_of,
)
from fleet_telemetry.egress.networks import outermost
from fleet_telemetry.objects.labels import NAMESPACE_NAME_LABEL
from fleet_telemetry.objects.manifest import Manifest

T = TypeVar("T")

DNS_NAMESPACE = "kube-system"
DNS_LABELS = {"k8s-app": "kube-dns"}
"""The pods of cluster DNS, also where it is CoreDNS (kubernetes/kubernetes@v1.36.3:
cluster/addons/dns/coredns/coredns.yaml.base)."""
NODE_LOCAL_DNS = "169.254.20.10/32"
"""The default address of NodeLocal DNSCache on every node
(kubernetes/kubernetes@v1.36.3: cluster/addons/dns/nodelocaldns/README.md)."""
DNS_PORT = 53


def objection(desired: DesiredNetworkPolicy) -> str | None:
    """Why no dialect renders a desired policy, as a sentence; None where it is well-formed.

    The planning never produces such a policy. Each would be an object with another effect than
    intended, which nobody would notice.
    """
    if not selector(desired.selector):
        return (
            f"The selector of the pods of {desired.workload} is empty and would select every pod "
            f"of the namespace."
        )
    for one in _selectors(desired):
        unknown = one.keys() - {"matchLabels", "matchExpressions"}
        if unknown:
            return f"A selector has no {min(unknown)}: it would be left out, and select more."
    whole = [d.host for d in desired.destinations if any(not n.prefixlen for n in d.networks)]
    if whole:
        return f"The addresses of {whole[0]} are a range of every address there is."
    for peer in reachable(desired):
        by_labels = peer.namespace_selector is not None or peer.pod_selector is not None
        if (peer.cidr is not None) == by_labels:
            return "Each entry of reachable names either a range or pods by labels."
        if peer.cidr is not None and not peer.cidr.prefixlen:
            return f"The reachable range {peer.cidr} is every address there is."
    return None


def _selectors(desired: DesiredNetworkPolicy) -> Iterator[Manifest]:
    yield desired.selector
    for peer in reachable(desired):
        for given in (peer.namespace_selector, peer.pod_selector):
            if given is not None:
                yield given


def checked(reason: str | None) -> None:
    """Raise ValueError where there is a reason not to render: the caller has to ask first."""
    if reason is not None:
        raise ValueError(reason)


# Selectors


def selector(given: Manifest) -> Rendered:
    """A LabelSelector as it is written: sorted, and without empty parts.

    The API server drops an empty part of a NetworkPolicy and keeps one in a custom resource.
    """
    labels = given.get("matchLabels") or {}
    # A list in a manifest, a tuple in what was converted from one of our own types.
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


def denied(desired: DesiredNetworkPolicy) -> tuple[Network, ...]:
    """Every network that a Deny denies, of both families: one that is left out is a leak."""
    return outermost(network for one in desired.destinations for network in one.networks)


def allowed(desired: DesiredNetworkPolicy) -> list[tuple[tuple[int, ...], tuple[Network, ...]]]:
    """The TCP ports and the networks of each rule of an Allow or Isolate; neither is ever empty.

    Hosts on the same ports share a rule, and so do ports of the same networks. Networks of a family
    that is not desired are left out: a network plug-in that knows only IPv4 may refuse a policy
    with IPv6 in it, and with it all egress.
    """
    by_port: dict[int, list[Network]] = {}
    for one in desired.destinations:
        by_port.setdefault(one.port, []).extend(
            network for network in one.networks if family_of(network) in desired.families
        )
    by_networks: dict[tuple[Network, ...], list[int]] = {}
    for port, networks in sorted(by_port.items()):
        if networks:
            by_networks.setdefault(outermost(networks), []).append(port)
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


def reachable(desired: DesiredNetworkPolicy) -> tuple[Reachable, ...]:
    """What else isolated pods may reach; without meaning for any other action."""
    return desired.reachable if desired.action is EgressAction.ISOLATE else ()


# Lists


def unique(items: Iterable[Rendered]) -> list[Rendered]:
    """Each item once, in an order that depends only on the items."""
    by_text = {json.dumps(item, sort_keys=True): item for item in items}
    return [by_text[text] for text in sorted(by_text)]


def batches(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """The items in batches of at most ``size``; no batch where there are no items."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
