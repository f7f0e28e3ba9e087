"""A name server on loopback that answers canaries and reports what it is asked, as CoreDNS does."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from ipaddress import ip_address
from types import TracebackType
from typing import Any, Self

import dns.flags
import dns.message
import dns.rcode
import dns.rrset

from fleet_telemetry.egress.dns.name_servers import NameServer
from fleet_telemetry.observed.canary import CANARY_ADDRESS, CANARY_ZONE
from fleet_telemetry.observed.frame_streams import data_frame
from fleet_telemetry.observed.lookup import LookupStage
from tests.support.dnstap_reports import READY, START, answer, question, report

_RETRY_SECONDS = 0.05
_HANDSHAKE_SECONDS = 4.0
"""CoreDNS gives up then, too. Who ends just now may leave a connection without an answer."""


class TappedNameServer(asyncio.DatagramProtocol):
    """It listens by UDP, and connects to the receiver again and again."""

    def __init__(
        self,
        receiver: tuple[str, int],
        *,
        address: str = "127.0.0.1",
        autopath: bool = False,
        has_zone: bool = True,
        taps: bool = True,
    ) -> None:
        """``autopath``: names with a search domain are answered like those without. Without
        ``has_zone``, canaries do not exist, as without the printed Corefile. Without ``taps``,
        it is connected and reports nothing."""
        self._receiver = receiver
        self._address = address
        self._autopath = autopath
        self._has_zone = has_zone
        self.taps = taps
        self.asked: list[str] = []
        """What it was asked by UDP."""
        self.connections = 0
        """How often it connected and was accepted."""
        self.untapped: set[str] = set()
        """Names that it does not report."""
        self._writer: asyncio.StreamWriter | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._udp, _ = await loop.create_datagram_endpoint(
            lambda: self, local_addr=(self._address, 0)
        )
        port = self._udp.get_extra_info("sockname")[1]
        self.name_server = NameServer(self._address, ip_address(self._address), port)
        self._tasks.append(asyncio.create_task(self._report()))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for task in self._tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        self._udp.close()

    @property
    def is_connected(self) -> bool:
        """Whether it reports now."""
        return self._writer is not None

    def drop(self) -> None:
        """Cut the connection; a new one follows."""
        if self._writer is not None:
            self._writer.transport.abort()

    def endpoint_slice(self, service: str = "kube-dns", name: str = "kube-dns-1") -> dict[str, Any]:
        """The EndpointSlice of its Service."""
        ports = [
            {"name": "dns-tcp", "port": self.name_server.port, "protocol": "TCP"},
            {"name": "dns", "port": self.name_server.port, "protocol": "UDP"},
        ]
        return {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {
                "name": name,
                "namespace": "kube-system",
                "labels": {"kubernetes.io/service-name": service},
            },
            "addressType": "IPv4",
            "ports": ports,
            "endpoints": [{"addresses": [self._address], "conditions": {"ready": True}}],
        }

    def ask(self, client: str, name: str, *, refused: bool = False) -> None:
        """A pod asks it."""
        code = dns.rcode.NXDOMAIN if refused else dns.rcode.NOERROR
        now = datetime.now(UTC)
        self._send(report(LookupStage.QUESTION, question(name), client, now))
        self._send(report(LookupStage.ANSWER, answer(name, code), client, now))

    def datagram_received(self, data: bytes, addr: Any) -> None:
        """See asyncio.DatagramProtocol."""
        query = dns.message.from_wire(data)
        name = query.question[0].name.to_text(omit_final_dot=True).lower()
        self.asked.append(name)
        if name not in self.untapped:
            self._send(report(LookupStage.QUESTION, data, addr[0], datetime.now(UTC)))
        response = dns.message.make_response(query)
        is_canary = name.endswith(f".{CANARY_ZONE}")
        is_searched = self._autopath and f".{CANARY_ZONE}." in name
        if self._has_zone and (is_canary or is_searched):
            rrset = dns.rrset.from_text(query.question[0].name, 30, "IN", "A", CANARY_ADDRESS)
            response.answer.append(rrset)
        else:
            response.set_rcode(dns.rcode.NXDOMAIN)
        self._udp.sendto(response.to_wire(), addr)

    def _send(self, reported: bytes) -> None:
        if self._writer is not None and self.taps:
            self._writer.write(data_frame(reported))

    async def _report(self) -> None:
        while True:
            with suppress(OSError, asyncio.IncompleteReadError):
                await self._connect()
            await asyncio.sleep(_RETRY_SECONDS)

    async def _connect(self) -> None:
        local = (self._address, 0)
        async with asyncio.timeout(_HANDSHAKE_SECONDS) as handshake:
            reader, writer = await asyncio.open_connection(*self._receiver, local_addr=local)
            try:
                writer.write(READY)
                # ACCEPT begins with four zeros and its own length.
                size = int.from_bytes((await reader.readexactly(8))[4:], "big")
                await reader.readexactly(size)
                handshake.reschedule(None)
                writer.write(START)
                self._writer = writer
                self.connections += 1
                while await reader.read(1 << 10):
                    pass
            finally:
                self._writer = None
                writer.transport.abort()
