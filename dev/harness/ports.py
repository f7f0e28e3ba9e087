"""Ports of loopback for processes that tests and the demo start."""

from __future__ import annotations

import socket


def free_port() -> int:
    """A TCP port that nobody has now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def reserve_port(address: str) -> socket.socket:
    """A socket that keeps the system from giving its port to another until it is closed. It never
    listens. For CoreDNS, which sets SO_REUSEPORT, so two of them on one port would both respond.
    """
    reservation = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    reservation.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    reservation.bind((address, 0))
    return reservation
