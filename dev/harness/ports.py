"""Ports of loopback for processes that tests and the demo start."""

from __future__ import annotations

import random
import socket

_PORTS = range(20_000, 32_768)
"""Below those that Linux gives to connections and to servers that ask for any. Otherwise another
process may have the port by the time it is used, and a client that connects again and again where
nobody listens yet may be connected to itself, and keep the port."""
_ATTEMPTS = 100


def free_port() -> int:
    """A TCP port that nobody has now. Raises OSError if none is found."""
    for port in random.sample(_PORTS, _ATTEMPTS):
        try:
            with socket.create_server(("127.0.0.1", port)):
                return port
        except OSError:
            continue
    raise OSError(f"no port of 127.0.0.1 in {_PORTS} is free")


def reserve_port(address: str) -> socket.socket:
    """A socket that keeps the system from giving its port to another until it is closed. It never
    listens. For CoreDNS, which sets SO_REUSEPORT, so two of them on one port would both respond.
    """
    reservation = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    reservation.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    reservation.bind((address, 0))
    return reservation
