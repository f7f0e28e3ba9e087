"""Sockets: where to listen, who a peer is, and when it is dead."""

from __future__ import annotations

import socket
from ipaddress import IPv6Address, ip_address

_DEAD_AFTER = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3}
"""Seconds, seconds, probes: a peer that vanished is noticed within a minute."""


def listening_socket(host: str, port: int) -> socket.socket:
    """A socket that listens at an IP address; ``::`` takes IPv4 as well.

    Raises OSError if it cannot, and ValueError if the host is no IP address.
    """
    family = socket.AF_INET6 if isinstance(ip_address(host), IPv6Address) else socket.AF_INET
    both = host == "::" and socket.has_dualstack_ipv6()
    return socket.create_server((host, port), family=family, dualstack_ipv6=both)


def address_of(peer: object) -> str | None:
    """The IP address of a peer: without a zone, and IPv4 if it is mapped. None if it has none."""
    if not isinstance(peer, tuple) or not peer:
        return None
    try:
        address = ip_address(str(peer[0]).partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or address)


def notice_death(connection: socket.socket) -> None:
    """Let the system look whether the peer is alive, since nothing else may be sent for hours."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _DEAD_AFTER.items():
        # Not every system has each of them.
        if hasattr(socket, name):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
