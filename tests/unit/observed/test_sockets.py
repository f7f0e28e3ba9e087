from __future__ import annotations

import socket

import pytest

from fleet_telemetry.observed.sockets import address_of, listening_socket, notice_death


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        (("10.0.0.1", 5), "10.0.0.1"),
        (("::ffff:10.0.0.1", 5, 0, 0), "10.0.0.1"),
        (("::FFFF:0a00:1", 5, 0, 0), "10.0.0.1"),
        (("2001:DB8:0::1", 5, 0, 0), "2001:db8::1"),
        (("fe80::1%eth0", 5, 0, 2), "fe80::1"),
        (("fe80::1", 5, 0, 2), "fe80::1"),
        (None, None),
        ((), None),
        ("", None),
        (("",), None),
        (("a name", 5), None),
    ],
)
def test_who_a_peer_is(peer: object, address: str | None) -> None:
    assert address_of(peer) == address


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "::", "0.0.0.0"])
def test_where_to_listen(host: str) -> None:
    with listening_socket(host, 0) as listening:
        there = "::1" if host == "::1" else "127.0.0.1"  # `::` takes IPv4 as well
        with socket.create_connection((there, listening.getsockname()[1])) as connection:
            notice_death(connection)
            assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            seconds = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE)
    assert seconds == 30


@pytest.mark.parametrize("host", ["", "localhost", "10.0.0.0/8"])
def test_a_host_that_is_no_address(host: str) -> None:
    with pytest.raises(ValueError, match="does not appear to be an IPv4 or IPv6 address"):
        listening_socket(host, 0)
