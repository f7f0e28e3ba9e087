"""Where the name servers of the cluster's DNS are, read from the objects of its Service."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from ipaddress import ip_address

from fleet_telemetry.egress.addresses import unmapped
from fleet_telemetry.egress.dns.name_servers import NameServer
from fleet_telemetry.egress.model import Address
from fleet_telemetry.objects.manifest import Manifest, dig, items_at, list_at, mapping_at, text_at

PORT = 53
_PORT_NAME = "dns"
_LAST_PORT = 65535
_FINISHED = ("Succeeded", "Failed")


def read_slice(manifest: Manifest) -> Iterator[NameServer]:
    """The name servers of an EndpointSlice, whether they are ready or not: one that is not ready
    may answer all the same. There is none if it has no UDP port, or names instead of addresses."""
    port = _dns_port(items_at(manifest, "ports"))
    number = None if port is None else port.get("port", PORT)  # without a number it is any port
    if text_at(manifest, "addressType") not in ("IPv4", "IPv6") or not _is_port(number):
        return
    for endpoint in items_at(manifest, "endpoints"):
        for text in list_at(endpoint, "addresses"):
            yield from _name_server(text, number)


def read_pods(service: Manifest, pods: Iterable[Manifest]) -> Iterator[NameServer]:
    """The name servers that a Service selects, for a cluster that has no EndpointSlices of it.
    Pods that have finished are left out; those that end may still answer."""
    port = _dns_port(items_at(service, "spec", "ports"))
    if port is None or not selector_of(service):
        return
    for pod in pods:
        number = _target_port(port, pod)
        if text_at(pod, "status", "phase") in _FINISHED or not _is_port(number):
            continue
        listed = [text_at(one, "ip") for one in items_at(pod, "status", "podIPs")]
        for text in dict.fromkeys((text_at(pod, "status", "podIP"), *listed)):
            yield from _name_server(text, number)


def selector_of(service: Manifest) -> Mapping[str, str]:
    """The labels of the pods behind a Service; empty if it selects none by labels."""
    selector = mapping_at(service, "spec", "selector")
    return {str(key): str(value) for key, value in selector.items()}


def _dns_port(ports: Iterable[Manifest]) -> Manifest | None:
    """The port by which DNS is asked by UDP: the one that is called so, else the first."""
    udp = [port for port in ports if port.get("protocol") == "UDP"]
    named = (port for port in udp if port.get("name") == _PORT_NAME)
    return next(named, udp[0] if udp else None)


def _target_port(port: Manifest, pod: Manifest) -> object:
    """The number that a Service's port means in a pod; None if the pod declares no such name."""
    target = port.get("targetPort") or port.get("port")
    if not isinstance(target, str):
        return target
    declared = (
        one
        for container in items_at(pod, "spec", "containers")
        for one in items_at(container, "ports")
        if one.get("name") == target and one.get("protocol") == "UDP"
    )
    return dig(next(declared, {}), "containerPort")


def _is_port(number: object) -> bool:
    return isinstance(number, int) and not isinstance(number, bool) and 0 < number <= _LAST_PORT


def _name_server(text: object, number: object) -> Iterator[NameServer]:
    address = _address(text)
    if address is not None and isinstance(number, int):
        yield NameServer(str(address), address, number)


def _address(text: object) -> Address | None:
    try:
        address = unmapped(ip_address(str(text)))
    except ValueError:
        return None
    return None if address.is_unspecified or address.is_multicast else address
