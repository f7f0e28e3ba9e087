"""Sends one query to a name server and parses the response.

No other module uses dnspython. Queries go to the given server only: dnspython's own resolver, with
its search list, its cache and its choice of servers, is not used.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address
from typing import Generic, TypeVar

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype

from fleet_telemetry.api.telemetry_host import AddressFamily, LookupResult
from fleet_telemetry.egress.dns.name_servers import NameServer
from fleet_telemetry.egress.model import Address

LONGEST_TTL = 2**31 - 1
"""Seconds; RFC 2181, 8."""

NXDOMAIN = "NXDOMAIN"
NO_EDNS = ("FORMERR", "NOTIMP", "BADVERS")
"""Response codes of servers that do not support EDNS, or not its version."""

_NOERROR = "NOERROR"
_ANSWER, _AUTHORITY, _ADDITIONAL = "answer", "authority", "additional"
_ROOT = "."
# A packet of this size passes every network; a server truncates longer responses (RFC 9715).
_UDP_PAYLOAD = 1232
_LARGEST_ANSWER = 32 * 1024
# At most this many packets that do not answer the query are skipped.
_MOST_STRAYS = 64
# In all names of a response together. Parsing more would take too long.
_MOST_LABELS = 16_000
_KINDS = {AddressFamily.IPV4: dns.rdatatype.A, AddressFamily.IPV6: dns.rdatatype.AAAA}
_Value = TypeVar("_Value")


class NoAnswerError(Exception):
    """The lookup failed: the server did not respond, or its response is not usable."""

    def __init__(self, outcome: LookupResult, detail: str) -> None:
        super().__init__(detail)
        self.outcome = outcome
        self.detail = detail


@dataclass(slots=True)
class NameRecords(Generic[_Value]):
    """The records of one name in a response."""

    values: set[_Value] = field(default_factory=set)
    ttl: int = LONGEST_TTL
    """Seconds: the shortest TTL of the records."""


@dataclass(slots=True)
class DnsResponse:
    """The relevant part of a response. Names are in lower case, without the trailing dot."""

    rcode: str = ""
    """Such as ``NOERROR``."""
    aliases: dict[str, NameRecords[str]] = field(default_factory=dict)
    addresses: dict[str, NameRecords[Address]] = field(default_factory=dict)
    denials: dict[str, int] = field(default_factory=dict)
    """The negative TTL in seconds of each zone that the response has a SOA record of."""
    is_referral: bool = False
    """It names the servers of a zone. This counts only if the response contains nothing else."""

    @property
    def is_answer(self) -> bool:
        """Whether the response code is NOERROR or NXDOMAIN."""
        return self.rcode in (_NOERROR, NXDOMAIN)

    def denial(self, name: str) -> int | None:
        """The negative TTL of a name in seconds; None without a SOA record."""
        denials = self.denials.items()
        return min((ttl for zone, ttl in denials if _is_inside(name, zone)), default=None)


def _is_inside(name: str, zone: str) -> bool:
    return zone in (_ROOT, name) or name.endswith(f".{zone}")


async def send_query(
    name_server: NameServer, host: str, family: AddressFamily, *, seconds: float, edns: bool = True
) -> DnsResponse:
    """Query the addresses of a host: by UDP, and by TCP if the response is truncated.

    ``seconds`` is the timeout of each of the two. Raises only NoAnswerError, whatever is received.
    """
    query = dns.message.make_query(
        host, _KINDS[family], use_edns=0 if edns else False, payload=_UDP_PAYLOAD
    )
    response = await _ask_by_udp(name_server, query, seconds)
    return response if response is not None else await _ask_by_tcp(name_server, query, seconds)


def local_address(name_server: NameServer) -> str:
    """The address of this machine from which queries go to a name server. Nothing is sent.

    Raises OSError if there is no route.
    """
    with _new_socket(name_server, socket.SOCK_DGRAM) as connection:
        connection.connect(_socket_address(name_server))
        return str(connection.getsockname()[0])


async def _ask_by_udp(
    name_server: NameServer, query: dns.message.Message, seconds: float
) -> DnsResponse | None:
    """The response; None if it is truncated. Raises NoAnswerError."""
    wrong = ""
    try:
        with _new_socket(name_server, socket.SOCK_DGRAM) as connection:
            # On a connected socket the kernel drops packets of other senders, and reports
            # closed ports.
            connection.connect(_socket_address(name_server))
            connection.send(query.to_wire())
            async with asyncio.timeout(seconds):
                for _ in range(_MOST_STRAYS):
                    wire = await asyncio.get_running_loop().sock_recv(connection, _LARGEST_ANSWER)
                    try:
                        return _read_packet(wire, query)
                    except NoAnswerError as error:
                        # The packet may be forged, and the real response may follow.
                        wrong = error.detail
                    # Other tasks run in between, however fast packets arrive.
                    await asyncio.sleep(0)
    except TimeoutError:
        pass
    except OSError as error:
        raise NoAnswerError(LookupResult.TRANSIENT, _reason(error)) from None
    if wrong:
        raise NoAnswerError(LookupResult.FAULT, wrong)
    raise NoAnswerError(LookupResult.TRANSIENT, f"no answer within {seconds:g} s")


async def _ask_by_tcp(
    name_server: NameServer, query: dns.message.Message, seconds: float
) -> DnsResponse:
    """The response. Raises NoAnswerError."""
    loop = asyncio.get_running_loop()
    try:
        with _new_socket(name_server, socket.SOCK_STREAM) as connection:
            async with asyncio.timeout(seconds):
                await loop.sock_connect(connection, _socket_address(name_server))
                await loop.sock_sendall(connection, query.to_wire(prepend_length=True))
                size = int.from_bytes(await _receive(connection, 2), "big")
                if size > _LARGEST_ANSWER:
                    raise NoAnswerError(
                        LookupResult.FAULT, f"the response is too large: {size} bytes"
                    )
                wire = await _receive(connection, size)
    except TimeoutError:
        reason = f"truncated, and no answer by TCP within {seconds:g} s"
        raise NoAnswerError(LookupResult.TRANSIENT, reason) from None
    except EOFError:
        reason = "truncated, and the response by TCP ends too early"
        raise NoAnswerError(LookupResult.TRANSIENT, reason) from None
    except OSError as error:
        reason = f"truncated, and by TCP: {_reason(error)}"
        raise NoAnswerError(LookupResult.TRANSIENT, reason) from None
    if _is_truncated(wire):
        raise NoAnswerError(LookupResult.FAULT, "the response is truncated by TCP, too")
    return _read(wire, query)


async def _receive(connection: socket.socket, size: int) -> bytes:
    """Receive exactly ``size`` bytes. Raises EOFError, OSError."""
    loop = asyncio.get_running_loop()
    received = b""
    while len(received) < size:
        part = await loop.sock_recv(connection, size - len(received))
        if not part:
            raise EOFError
        received += part
    return received


def _new_socket(name_server: NameServer, kind: socket.SocketKind) -> socket.socket:
    is_ipv6 = isinstance(name_server.address, IPv6Address)
    created = socket.socket(socket.AF_INET6 if is_ipv6 else socket.AF_INET, kind)
    created.setblocking(False)  # noqa: FBT003  # takes no keyword
    return created


def _socket_address(name_server: NameServer) -> tuple[str, int] | tuple[str, int, int, int]:
    """The numeric address, so that no name is resolved. Raises OSError for an unknown interface."""
    scope = name_server.address.scope_id if isinstance(name_server.address, IPv6Address) else None
    if scope is None:
        return str(name_server.address), name_server.port
    number = int(scope) if scope.isdecimal() else socket.if_nametoindex(scope)
    return str(name_server.address).partition("%")[0], name_server.port, 0, number


def _reason(error: OSError) -> str:
    return os.strerror(error.errno).lower() if error.errno else str(error)


def _read_packet(wire: bytes, query: dns.message.Message) -> DnsResponse | None:
    """The response; None if it is truncated. Raises NoAnswerError."""
    # A truncated response may end anywhere, so it is not parsed.
    is_ours = int.from_bytes(wire[:2], "big") == query.id
    return None if is_ours and _is_truncated(wire) else _read(wire, query)


def _is_truncated(wire: bytes) -> bool:
    return bool(int.from_bytes(wire[2:4], "big") & dns.flags.TC)


def _read(wire: bytes, query: dns.message.Message) -> DnsResponse:
    """The response. Raises only NoAnswerError, whatever the bytes are."""
    try:
        response = _MessageReader(wire).read(query)
    except (dns.exception.DNSException, struct.error, ValueError):
        raise NoAnswerError(LookupResult.FAULT, "the response is malformed") from None
    if response is None:
        raise NoAnswerError(LookupResult.FAULT, "the packet does not answer the query")
    return response


class _MessageReader:
    """Parses a message.

    ``dns.message`` is not used, because it builds and compares all records: with names of 127
    labels
    a server can make that take half a minute.
    """

    def __init__(self, wire: bytes) -> None:
        self._wire = wire
        self._at = 0
        self._labels = 0
        self._response = DnsResponse()
        self._extended_flags = 0

    def read(self, query: dns.message.Message) -> DnsResponse | None:
        """The response; None if the message does not answer the query.

        Raises DNSException, struct.error, ValueError if the bytes are not a DNS message.
        """
        number, flags, *counts = self._numbers("!HHHHHH")
        if number != query.id or not flags & dns.flags.QR or dns.opcode.from_flags(flags):
            return None
        questions = [(self._name(), *self._numbers("!HH")) for _ in range(counts[0])]
        asked = query.question[0]
        for section, count in zip((_ANSWER, _AUTHORITY, _ADDITIONAL), counts[1:], strict=True):
            for _ in range(count):
                self._record(section, asked.rdtype)
        # Bytes after the last record are ignored, as glibc and Go ignore them.
        response = self._response
        response.rcode = dns.rcode.to_text(dns.rcode.from_flags(flags, self._extended_flags))
        if questions == [(_text(asked.name), asked.rdtype, asked.rdclass)]:
            return response
        # An error response may leave out the question.
        return None if questions or response.is_answer else response

    def _record(self, section: str, asked: int) -> None:
        response = self._response
        name = self._name()
        kind, rdclass, ttl, size = self._numbers("!HHIH")
        start, end = self._at, self._at + size
        if kind == dns.rdatatype.OPT:
            self._extended_flags = ttl
        if ttl > LONGEST_TTL:
            ttl = 0
        if rdclass != dns.rdataclass.IN:
            pass
        elif (section, kind) == (_ANSWER, dns.rdatatype.CNAME):
            _add(response.aliases, name, self._name(), ttl)
        elif (section, kind) == (_ANSWER, asked):
            _add(response.addresses, name, self._address(kind, size), ttl)
        elif (section, kind) == (_AUTHORITY, dns.rdatatype.SOA):
            response.denials[name] = min(ttl, self._minimum())
        elif (section, kind) == (_AUTHORITY, dns.rdatatype.NS):
            response.is_referral = True
        if self._at not in (start, end):
            raise ValueError
        self._at = end

    def _address(self, kind: int, size: int) -> Address:
        packed = self._wire[self._at : self._at + size]
        self._at += size
        return IPv4Address(packed) if kind == dns.rdatatype.A else IPv6Address(packed)

    def _minimum(self) -> int:
        """The last field of a SOA record: the negative TTL in seconds (RFC 2308)."""
        self._name()
        self._name()
        return self._numbers("!IIIII")[-1]

    def _numbers(self, layout: str) -> tuple[int, ...]:
        numbers = struct.unpack_from(layout, self._wire, self._at)
        self._at += struct.calcsize(layout)
        return numbers

    def _name(self) -> str:
        name, size = dns.name.from_wire(self._wire, self._at)
        self._at += size
        self._labels += len(name.labels)
        if self._labels > _MOST_LABELS:
            raise ValueError
        return _text(name)


def _add(table: dict[str, NameRecords[_Value]], name: str, value: _Value, ttl: int) -> None:
    records = table.setdefault(name, NameRecords())
    records.values.add(value)
    records.ttl = min(records.ttl, ttl)


def _text(name: dns.name.Name) -> str:
    return name.canonicalize().to_text(omit_final_dot=True)
