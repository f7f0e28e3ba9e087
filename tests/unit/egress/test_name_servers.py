"""Which name servers are asked."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_telemetry.egress.dns.resolver import NameServer, parse_name_server, read_name_servers
from tests.support.every import every


def view(name: str, address: str, port: int = 53) -> NameServer:
    return NameServer(name, ip_address(address), port)


def trouble(read: Callable[[str], object], text: str) -> str:
    """What is wrong with the text; empty for nothing."""
    try:
        read(text)
    except ValueError as error:
        return str(error)
    return ""


POD = """\
search apps.svc.cluster.local svc.cluster.local cluster.local
nameserver 10.96.0.10
options ndots:5
"""


def test_a_pod_has_one() -> None:
    assert read_name_servers(POD) == (view("10.96.0.10", "10.96.0.10"),)


def test_several_are_in_order_and_each_once() -> None:
    text = (
        "# nameserver 10.0.0.1\n; nameserver 10.0.0.2\n\n"
        "nameserver 192.0.2.2\n  nameserver\t2001:db8::1   # the other\n"
        "nameserver 192.0.2.2\r\nnameservers 10.0.0.3\nnameserver fe80::1%eth0"
    )
    assert read_name_servers(text) == (
        view("192.0.2.2", "192.0.2.2"),
        view("2001:db8::1", "2001:db8::1"),
        view("fe80::1%eth0", "fe80::1%eth0"),
    )


@pytest.mark.parametrize("text", ["", "search example.com\n", "#nameserver 10.0.0.1"])
def test_none_at_all_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"^resolv\.conf has no nameserver line: name the DNS"):
        read_name_servers(text)


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("nameserver dns.example.com", "'dns.example.com' is no IP address"),
        ("nameserver", "'' is no IP address"),
        ("nameserver 10.0.0.1:53", "'10.0.0.1:53' is no IP address"),
        ("nameserver 010.0.0.1", "'010.0.0.1' is no IP address"),
        ("nameserver 0.0.0.0", "0.0.0.0 is the address of no server"),
        ("nameserver ff02::1", "ff02::1 is the address of no server"),
    ],
)
def test_a_wrong_line_is_named(line: str, wrong: str) -> None:
    text = f"nameserver 10.0.0.1\n{line}\n"
    assert trouble(read_name_servers, text) == f"resolv.conf, line 2: {wrong}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10.96.0.10", view("10.96.0.10", "10.96.0.10")),
        ("10.96.0.10:5353", view("10.96.0.10:5353", "10.96.0.10", 5353)),
        ("2001:db8::1", view("2001:db8::1", "2001:db8::1")),
        ("[2001:db8::1]", view("[2001:db8::1]", "2001:db8::1")),
        ("[2001:db8::1]:5353", view("[2001:db8::1]:5353", "2001:db8::1", 5353)),
        ("office=192.0.2.1", view("office", "192.0.2.1")),
        ("office-2.a_b=192.0.2.1:54", view("office-2.a_b", "192.0.2.1", 54)),
        ("x=[fe80::1%eth0]:54", view("x", "fe80::1%eth0", 54)),
        ("x=::1", view("x", "::1")),
    ],
)
def test_an_option_is_read(text: str, expected: NameServer) -> None:
    assert parse_name_server(text) == expected


@every(
    ("text", "wrong"),
    [
        ("", "'' is no IP address"),
        ("dns.example.com", "'dns.example.com' is no IP address"),
        ("dns.example.com:53", "'dns.example.com' is no IP address"),
        ("10.0.0.1:", "'' is no port"),
        ("10.0.0.1:0", "'0' is no port"),
        ("10.0.0.1:65536", "'65536' is no port"),
        ("10.0.0.1:+53", "'+53' is no port"),
        ("10.0.0.1:5٣", "'5٣' is no port"),
        ("10.0.0.1/24", "'10.0.0.1/24' is no IP address"),
        ("[10.0.0.1]:53", "brackets are for IPv6 addresses"),
        ("[::1:53", "there is a '[' without a ']'"),
        ("[::1]53", "'53' after the ']' is no port"),
        ("[::1]:", "'' is no port"),
        ("::1]:53", "'::1]:53' is no IP address"),
        ("0.0.0.0", "0.0.0.0 is the address of no server"),
        ("[::]:53", ":: is the address of no server"),
        ("224.0.0.251:5353", "224.0.0.251 is the address of no server"),
        ("=10.0.0.1", "'' is no name"),
        ("-a=10.0.0.1", "'-a' is no name"),
        ("a b=10.0.0.1", "'a b' is no name"),
        ("a=b=10.0.0.1", "'a=b' is no name"),
        (f"{'a' * 64}=10.0.0.1", f"'{'a' * 64}' is no name"),
    ],
)
def test_a_wrong_option_says_what_is_wrong_and_how_to_write_it(text: str, wrong: str) -> None:
    said = trouble(parse_name_server, text)
    assert said.startswith(f"DNS server {text!r}: {wrong}")
    assert "write [NAME=]ADDRESS[:PORT], such as 10.96.0.10" in said


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("10.96.0.10", "10.96.0.10:53"),
        ("10.96.0.10:53", "10.96.0.10:53"),
        ("office=10.96.0.10", "office (10.96.0.10:53)"),
        ("office=::1", "office ([::1]:53)"),
        ("[::1]:5353", "[::1]:5353"),
    ],
)
def test_people_are_shown_name_and_place(text: str, shown: str) -> None:
    assert str(parse_name_server(text)) == shown


@given(st.text() | st.text("0123456789abcdef.:[]%=", max_size=30))
def test_whatever_is_written_is_read_or_refused_in_words(text: str) -> None:
    if said := trouble(parse_name_server, text):
        assert said.startswith(f"DNS server {text!r}: ")
    else:
        assert 0 < parse_name_server(text).port < 65536


@given(st.ip_addresses(), st.integers(1, 65535))
def test_every_address_can_be_written_with_a_port(address: object, port: int) -> None:
    parsed_address = ip_address(str(address))
    if parsed_address.is_unspecified or parsed_address.is_multicast:
        return
    host = f"[{address}]" if parsed_address.version == 6 else str(address)
    parsed = parse_name_server(f"x={host}:{port}")
    assert (parsed.address, parsed.port) == (parsed_address, port)


@given(st.text())
def test_whatever_is_in_a_resolv_conf_is_read_or_refused_in_words(text: str) -> None:
    said = trouble(read_name_servers, text)
    assert said.startswith("resolv.conf") or (not said and read_name_servers(text))
