"""Whether the address in a pod's status can be the pod's alone."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address

from fleet_telemetry.egress.addresses import metadata_service_of
from fleet_telemetry.workloads.workload import Pod


def why_not_its_own(pod: Pod, *, loopback: bool = False) -> str:
    """Why something else may answer at a pod's address, to follow the pod's name in a sentence;
    empty if nothing speaks for that.

    The kubelet writes the address. Whoever else may write ``pods/status`` could name any; so what
    is never a pod's is refused. ``loopback`` allows loopback addresses, which pods have on a local
    cluster only.
    """
    if pod.template.host_network:
        return (
            "uses the network of its node (hostNetwork), where another process may answer; run it "
            "without"
        )
    try:
        address = ip_address(pod.address)
    except ValueError:
        return "has a status.podIP that is no IP address"
    if pod.address == pod.node_address:
        return "has the address of its node, where another process may answer"
    if isinstance(address, IPv6Address) and _leads_elsewhere(address):
        return f"has the address {address}, which leads elsewhere"
    kinds = (
        (address.is_loopback and not loopback, "a loopback address"),
        (address.is_link_local, "link-local"),
        (address.is_multicast, "multicast"),
        (address.is_unspecified or address in _NO_NETWORK, "of no network"),
        (address.is_reserved and not address.is_loopback, "reserved"),
        (bool(metadata_service_of(address)), metadata_service_of(address)),
    )
    word = next((word for holds, word in kinds if holds), None)
    return f"has the address {address}, which is no pod's: it is {word}" if word else ""


def _leads_elsewhere(address: IPv6Address) -> bool:
    """Whether something translates it, or it means nothing without an interface."""
    inside = address.ipv4_mapped or address.sixtofour or address.teredo
    is_isatap = (int(address) >> 32) & 0xFFFFFFFF in _ISATAP
    is_translated = any(address in network for network in _NAT64)
    return inside is not None or bool(address.scope_id) or is_isatap or is_translated


_NO_NETWORK = IPv4Network("0.0.0.0/8")
_NAT64 = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"))
_ISATAP = (0x00005EFE, 0x02005EFE)
"""The upper half of an interface identifier (RFC 5214, section 6.1)."""
