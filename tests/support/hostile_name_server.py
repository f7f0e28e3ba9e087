"""A name server on loopback that answers what a test wants, by UDP and TCP."""

from __future__ import annotations

import selectors
import socket
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from ipaddress import ip_address
from types import TracebackType
from typing import Self

import dns.flags
import dns.message
import dns.rcode
import dns.rrset

from fleet_telemetry.egress.dns.resolver import NameServer

Respond = Callable[[bytes], Iterable[bytes]]
"""From a question to the packets that are sent."""


def silent(_: bytes) -> Iterable[bytes]:
    return ()


class WildServer:
    """Runs in a thread of its own, so that it is not part of the loop under test.

    By TCP, what is answered is sent as it is, without a length, and the connection closed; with
    None nobody listens there.
    """

    def __init__(self, by_udp: Respond, by_tcp: Respond | None = silent) -> None:
        self._by_udp = by_udp
        self._by_tcp = by_tcp
        self._wake, self._woken = socket.socketpair()
        self._thread = threading.Thread(target=self._serve)
        self._udp, self._tcp = _bind()
        # Not by the thread: who counts what is open must not have to wait for it.
        self._selector = selectors.DefaultSelector()
        self.name_server = NameServer("wild", ip_address("127.0.0.1"), self._udp.getsockname()[1])
        self.asked: list[bytes] = []
        """The questions by UDP, in order."""

    def __enter__(self) -> Self:
        if self._by_tcp is not None:
            self._tcp.listen()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._wake.close()
        self._thread.join()
        for each in (self._selector, self._woken, self._udp, self._tcp):
            each.close()

    def _serve(self) -> None:
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._selector.register(self._udp, selectors.EVENT_READ)
        if self._by_tcp is not None:
            self._selector.register(self._tcp, selectors.EVENT_READ)
        while True:
            ready = {key.fileobj for key, _ in self._selector.select()}
            if self._woken in ready:
                return
            if self._udp in ready:
                self._answer_by_udp()
            if self._tcp in ready:
                self._answer_by_tcp()

    def _answer_by_udp(self) -> None:
        question, address = self._udp.recvfrom(65535)
        self.asked.append(question)
        for packet in self._by_udp(question):
            self._udp.sendto(packet, address)

    def _answer_by_tcp(self) -> None:
        assert self._by_tcp is not None
        connection, _ = self._tcp.accept()
        with connection, suppress(OSError):
            connection.settimeout(5)
            # Nothing comes where the question was called off.
            if question := connection.recv(65535):
                for part in self._by_tcp(question[2:]):
                    connection.sendall(part)


def _bind() -> tuple[socket.socket, socket.socket]:
    """The same port by UDP and TCP."""
    while True:
        tcp, udp = socket.socket(), socket.socket(type=socket.SOCK_DGRAM)
        try:
            tcp.bind(("127.0.0.1", 0))
            udp.bind(tcp.getsockname())
        except OSError:
            tcp.close()
            udp.close()
        else:
            return udp, tcp


def reply(
    question: bytes,
    answer: Iterable[str] = (),
    authority: Iterable[str] = (),
    rcode: dns.rcode.Rcode = dns.rcode.NOERROR,
) -> bytes:
    """A well-formed reply; records as in zone files, one each: ``name ttl IN type data``."""
    return message(question, answer, authority, rcode).to_wire(max_size=65535)


def message(
    question: bytes,
    answer: Iterable[str] = (),
    authority: Iterable[str] = (),
    rcode: dns.rcode.Rcode = dns.rcode.NOERROR,
) -> dns.message.Message:
    made = dns.message.make_response(dns.message.from_wire(question), recursion_available=True)
    made.answer = [_record(text) for text in answer]
    made.authority = [_record(text) for text in authority]
    made.set_rcode(rcode)
    return made


def _record(text: str) -> dns.rrset.RRset:
    name, ttl, rdclass, rdtype, data = text.split(maxsplit=4)
    return dns.rrset.from_text(name, int(ttl), rdclass, rdtype, data)


def truncated(question: bytes) -> bytes:
    made = message(question)
    made.flags |= dns.flags.TC
    return made.to_wire()


def framed(wire: bytes) -> bytes:
    """With its length, as by TCP."""
    return len(wire).to_bytes(2, "big") + wire
