"""The name servers to query, from resolv.conf or from an option."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

from fleet_telemetry.egress.model import Address

_PORT = 53
_LAST_PORT = 65535
_DIGITS = re.compile(r"[0-9]{1,5}")
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
_FORMS = (
    "write [NAME=]ADDRESS[:PORT], such as 10.96.0.10, office=192.0.2.1:5353 or [2001:db8::1]:53"
)


@dataclass(frozen=True, slots=True)
class NameServer:
    """A name server. Two of them may give different addresses of the same host."""

    name: str
    """Its name in lookups and conditions; by default its address as it was written."""
    address: Address
    port: int = _PORT

    def __str__(self) -> str:
        host = f"[{self.address}]" if self.address.version == 6 else f"{self.address}"  # noqa: PLR2004  # IPv6
        where = f"{host}:{self.port}"
        return where if self.name in (where, str(self.address)) else f"{self.name} ({where})"


def read_name_servers(resolv_conf: str) -> tuple[NameServer, ...]:
    """The name servers of a resolv.conf, in its order, each once.

    The other options (``search``, ``ndots``, ...) apply to relative names only, and hosts are
    always fully qualified. Raises ValueError, naming the line.
    """
    name_servers: dict[Address, NameServer] = {}
    for number, line in enumerate(resolv_conf.splitlines(), 1):
        words = line.split()
        if not words or words[0] != "nameserver":
            continue
        text = words[1] if len(words) > 1 else ""
        try:
            address = _address(text)
        except ValueError as error:
            raise ValueError(f"resolv.conf, line {number}: {error}") from None
        name_servers.setdefault(address, NameServer(str(address), address))
    if not name_servers:
        raise ValueError("resolv.conf has no nameserver line: name the DNS servers to ask")
    return tuple(name_servers.values())


def parse_name_server(text: str) -> NameServer:
    """Read ``ADDRESS``, ``ADDRESS:PORT`` or ``[IPV6]:PORT``, with or without ``NAME=`` before it.

    Raises ValueError with a message for the user.
    """
    name, has_name, where = text.rpartition("=")
    try:
        if has_name and not _NAME.fullmatch(name):
            raise ValueError(  # noqa: TRY301  # the text is added in one place
                f"{name!r} is no name: at most 63 letters, digits, '-', '_' and '.',"
                " with a letter or a digit at both ends"
            )
        address, port = _address_and_port(where)
    except ValueError as error:
        raise ValueError(f"DNS server {text!r}: {error}; {_FORMS}") from None
    return NameServer(name if has_name else where, address, port)


def _address_and_port(text: str) -> tuple[Address, int]:
    if text.startswith("["):
        host, closed, rest = text[1:].partition("]")
        if not closed:
            raise ValueError("there is a '[' without a ']'")
        address = _address(host)
        if not isinstance(address, IPv6Address):
            raise ValueError("brackets are for IPv6 addresses")
        if rest and not rest.startswith(":"):
            raise ValueError(f"{rest!r} after the ']' is no port")
        return address, _port(rest[1:]) if rest else _PORT
    host, colon, rest = text.partition(":")
    if colon and ":" not in rest:
        return _address(host), _port(rest)
    return _address(text), _PORT


def _address(text: str) -> Address:
    try:
        address = ip_address(text)
    except ValueError:
        raise ValueError(f"{text!r} is no IP address") from None
    if address.is_unspecified or address.is_multicast:
        raise ValueError(f"{text} is the address of no server")
    return address


def _port(text: str) -> int:
    if not _DIGITS.fullmatch(text) or not 0 < int(text) <= _LAST_PORT:
        raise ValueError(f"{text!r} is no port")
    return int(text)
