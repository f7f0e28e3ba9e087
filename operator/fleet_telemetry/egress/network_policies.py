"""NetworkPolicies of ``networking.k8s.io/v1``, reduced to their effect on external egress.

Source, in Kubernetes v1.36.3: the fields in ``staging/src/k8s.io/api/networking/v1/types.go``, the
defaults in ``pkg/apis/networking/v1/defaults.go``, and what the API server refuses in
``pkg/apis/networking/validation/validation.go``.

Nothing here raises. A malformed part, or one of an unknown shape, never leads to the conclusion
that something is denied. It is read as a rule that *may* allow everything that it could mean
(``certain`` is False), beside what was understood of the same rule.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv6Network, ip_network
from typing import TypeGuard

from fleet_telemetry.api.resources import GROUP
from fleet_telemetry.api.selector import LabelRequirement, LabelSelector, SelectorOperator
from fleet_telemetry.egress.address_set import EVERYWHERE, AddressSet
from fleet_telemetry.egress.model import Network
from fleet_telemetry.objects.manifest import Manifest, items_at, mapping_at, text_at
from fleet_telemetry.workloads.workload import FIELD_MANAGER

MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
"""Carries ``fleet-telemetry`` on what this operator writes."""
WORKLOAD_ANNOTATION = f"{GROUP}/workload"
"""``<namespace>/<Kind>/<name>`` of the workload that such an object is for."""

_LAST_PORT = 65535


class Protocol(StrEnum):
    """The protocols that a NetworkPolicy can name."""

    TCP = "TCP"
    UDP = "UDP"
    SCTP = "SCTP"


@dataclass(frozen=True, slots=True)
class PortRange:
    """Ports of one protocol, both ends included."""

    protocol: Protocol
    first: int = 0
    last: int = _LAST_PORT


AnyPorts = tuple[PortRange, ...] | None
"""Ports; None: every port of every protocol."""


@dataclass(frozen=True, slots=True)
class EgressRule:
    """External addresses that a rule allows, on these ports."""

    addresses: AddressSet = EVERYWHERE
    ports: AnyPorts = None
    certain: bool = True
    """False: the rule may allow them; it could not be read."""

    def opens(self, port: int, protocol: str) -> bool:
        """Whether the rule is about a port."""
        return self.ports is None or any(
            range_.protocol == protocol and range_.first <= port <= range_.last
            for range_ in self.ports
        )


_UNREADABLE = EgressRule(certain=False)


@dataclass(frozen=True, slots=True)
class NetworkPolicy:
    """The effect of a NetworkPolicy on connections to addresses outside of the cluster."""

    namespace: str
    name: str
    uid: str = ""
    ours: bool = False
    """This operator applied it, or it came back out of a backup. Where no managed fields say who
    did, by its label ``app.kubernetes.io/managed-by``: a copy of one of ours has that, too."""
    pod_selector: LabelSelector = field(default_factory=LabelSelector, hash=False)
    """Selects pods of its namespace; all of them where it could not be read."""
    isolates: bool = False
    """The pods that it selects reach only what some policy allows. False where unreadable."""
    rules: tuple[EgressRule, ...] = ()
    """Without those that cannot be about an external address: for pods, or for named ports only."""
    certain: bool = True
    """False: it could not be read whom it selects, or whether it isolates."""

    @property
    def is_readable(self) -> bool:
        """Whether every part of it was understood."""
        return self.certain and all(rule.certain for rule in self.rules)

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


def read_network_policy(manifest: Manifest) -> NetworkPolicy:
    """A NetworkPolicy from its manifest; see the module for malformed parts."""
    metadata = mapping_at(manifest, "metadata")
    spec = manifest.get("spec")
    selector, isolates = _read_selector(spec), _read_isolates(spec)
    rules: tuple[EgressRule, ...] = ()
    # One that is not about egress does nothing here, whomever it selects.
    certain = isolates is False or (isolates is True and selector is not None)
    if not certain:
        rules = (_UNREADABLE,)
    elif isolates and isinstance(spec, Mapping):
        rules = _read_rules(spec.get("egress"))
    return NetworkPolicy(
        namespace=text_at(metadata, "namespace") or "default",
        name=text_at(metadata, "name"),
        uid=text_at(metadata, "uid"),
        ours=_is_ours(metadata),
        pod_selector=selector or LabelSelector(),
        isolates=certain and bool(isolates),
        rules=rules,
        certain=certain,
    )


def _is_ours(metadata: Manifest) -> bool:
    managed = items_at(metadata, "managedFields")
    is_labelled = text_at(metadata, "labels", MANAGED_BY_LABEL) == FIELD_MANAGER
    if not managed:
        return is_labelled
    if any(
        (entry.get("manager"), entry.get("operation")) == (FIELD_MANAGER, "Apply")
        for entry in managed
    ):
        return True
    # What else carries our label may be a copy, but then its name or its namespace does not fit.
    namespace, _, _ = text_at(metadata, "annotations", WORKLOAD_ANNOTATION).partition("/")
    return (
        is_labelled
        and namespace == (text_at(metadata, "namespace") or "default")
        and text_at(metadata, "name").startswith(f"{FIELD_MANAGER}-")
    )


def _read_isolates(spec: object) -> bool | None:
    """Whether it isolates for egress; None where that cannot be read."""
    if spec is None:
        return False
    if not isinstance(spec, Mapping):
        return None
    types = spec.get("policyTypes")
    if types is None or types == []:
        egress = spec.get("egress")
        return None if not isinstance(egress, list | None) else bool(egress)
    if not isinstance(types, list) or not all(kind in ("Ingress", "Egress") for kind in types):
        return None
    return "Egress" in types


def _read_selector(spec: object) -> LabelSelector | None:
    """The pod selector; absent it selects every pod; None where it cannot be read."""
    selector = spec.get("podSelector") if isinstance(spec, Mapping) else None
    if selector is None:
        return LabelSelector()
    if not isinstance(selector, Mapping):
        return None
    labels = selector.get("matchLabels")
    expressions = selector.get("matchExpressions")
    if not isinstance(labels, Mapping | None) or not isinstance(expressions, list | None):
        return None
    # A null in a map of strings is the empty string to the API server.
    wanted = {key: "" if value is None else value for key, value in (labels or {}).items()}
    if not all(isinstance(text, str) for pair in wanted.items() for text in pair):
        return None
    requirements = []
    for expression in expressions or ():
        requirement = _read_requirement(expression)
        if requirement is None:
            return None
        requirements.append(requirement)
    # Made without the limits that our own API sets: other people's selectors may be longer.
    return LabelSelector(match_labels=wanted, match_expressions=tuple(requirements))


def _read_requirement(expression: object) -> LabelRequirement | None:
    if not isinstance(expression, Mapping):
        return None
    key, operator = expression.get("key"), expression.get("operator")
    values = expression.get("values")
    values = [] if values is None else values
    if (
        not isinstance(key, str)
        or not isinstance(values, list)
        or not all(isinstance(value, str) for value in values)
        or not isinstance(operator, str)
        or operator not in SelectorOperator.__members__.values()
        or bool(values) != (operator in (SelectorOperator.IN, SelectorOperator.NOT_IN))
    ):
        return None
    return LabelRequirement(key=key, operator=SelectorOperator(operator), values=tuple(values))


def _read_rules(rules: object) -> tuple[EgressRule, ...]:
    if rules is None:
        return ()
    if not isinstance(rules, list):
        return (_UNREADABLE,)
    return tuple(dict.fromkeys(found for rule in rules for found in _read_rule(rule)))


def _read_rule(rule: object) -> Iterable[EgressRule]:
    """What a rule certainly allows, and what it may allow, where that differs."""
    if not isinstance(rule, Mapping):
        return (_UNREADABLE,)
    addresses, most_addresses = _read_peers(rule.get("to"))
    ports, most_ports = _read_ports(rule.get("ports"))
    readings = [EgressRule(addresses, ports)]
    if (addresses, ports) != (most_addresses, most_ports):
        readings.append(EgressRule(most_addresses, most_ports, certain=False))
    return (found for found in readings if found.addresses and found.ports != ())


def _read_peers(peers: object) -> tuple[AddressSet, AddressSet]:
    """The external addresses among the peers: certainly, and at most. No peers: everything."""
    if peers is None or peers == []:
        return EVERYWHERE, EVERYWHERE
    if not isinstance(peers, list):
        return AddressSet(), EVERYWHERE
    surely, most = zip(*map(_read_peer, peers), strict=True)
    return AddressSet.union(surely), AddressSet.union(most)


def _read_peer(peer: object) -> tuple[AddressSet, AddressSet]:
    unreadable = AddressSet(), EVERYWHERE
    if not isinstance(peer, Mapping):
        return unreadable
    selectors = [peer.get(key) for key in ("podSelector", "namespaceSelector")]
    block = peer.get("ipBlock")
    if block is None and any(isinstance(selector, Mapping) for selector in selectors):
        # Pods, whatever their labels: never an external address.
        return AddressSet(), AddressSet()
    if not isinstance(block, Mapping) or selectors != [None, None]:
        return unreadable
    network = _read_network(block.get("cidr"))
    if network is None:
        return unreadable
    whole = AddressSet.of([network])
    excepted = block.get("except")
    excepted = [] if excepted is None else excepted
    if not isinstance(excepted, list):
        return AddressSet(), whole
    holes = [_read_hole(hole, network) for hole in excepted]
    most = whole.minus(AddressSet.of(hole for hole in holes if hole is not None))
    return AddressSet() if None in holes else most, most


def _read_hole(text: object, network: Network) -> Network | None:
    """An exception from a network; None also where the API server would refuse it."""
    hole = _read_network(text)
    if hole is None or hole.prefixlen <= network.prefixlen:
        return None
    return hole if AddressSet.of([hole]).meets(AddressSet.of([network])) else None


_MAPPED = IPv6Network("::ffff:0:0/96")


def _read_network(text: object) -> Network | None:
    """A CIDR in a form that all read alike; host bits are cut off, as the API server does.

    Old objects may hold others: with leading zeros, which some read as octal, or IPv4 addresses
    mapped to IPv6, which some take for the one and some for the other.
    """
    if not isinstance(text, str) or "%" in text:
        return None
    length = text.partition("/")[2]
    # Python would read a netmask too, and an address alone.
    if not (length.isascii() and length.isdigit()):
        return None
    try:
        network = ip_network(text, strict=False)
    except ValueError:
        return None
    if isinstance(network, IPv6Network) and network.subnet_of(_MAPPED):
        return None
    return network


def _read_ports(ports: object) -> tuple[AnyPorts, AnyPorts]:
    """The ports by number: certainly, and at most. No ports: every port."""
    if ports is None or ports == []:
        return None, None
    if not isinstance(ports, list):
        return (), None
    read = [_read_port(port) for port in ports]
    surely = tuple(dict.fromkeys(range_ for found in read for range_ in found or ()))
    return surely, None if None in read else surely


def _read_port(port: object) -> tuple[PortRange, ...] | None:
    """Empty for a port by name: names are those of pods' ports. None where it cannot be read."""
    if not isinstance(port, Mapping):
        return None
    protocol = port.get("protocol")
    protocol = Protocol.TCP if protocol is None else protocol
    if protocol not in Protocol.__members__.values():
        return None
    first, last = port.get("port"), port.get("endPort")
    if first is None and last is None:
        return (PortRange(Protocol(protocol)),)
    if isinstance(first, str) and last is None and any(letter.isalpha() for letter in first):
        return ()
    last = first if last is None else last
    if not (_is_number(first) and _is_number(last) and 1 <= first <= last <= _LAST_PORT):
        return None
    return (PortRange(Protocol(protocol), first, last),)


def _is_number(value: object) -> TypeGuard[int]:
    # In Python, a bool is an int.
    return isinstance(value, int) and not isinstance(value, bool)
