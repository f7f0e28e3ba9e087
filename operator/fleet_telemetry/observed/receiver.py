"""Receives what name servers report, and gives the lookups to a sink.

Whoever reaches the port may send anything, and a name server may send more than can be read:

- Connections are admitted by their address, before TLS, and bounded for each address and in all.
- Bytes are read as they come. CoreDNS queues 10,000 reports and drops what comes beyond. That
  delays no answer, but it is not reported; so what must be dropped is dropped here, and counted.
- Frames are decoded in slices of milliseconds, within a share of the time. What cannot wait is
  passed over by its length, and `LookupSink.lost` says so.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import count
from typing import TYPE_CHECKING

from fleet_telemetry.observed.connection import DnstapConnection
from fleet_telemetry.observed.figures import Figures, RefusedConnection
from fleet_telemetry.observed.limits import ReceiverLimits
from fleet_telemetry.observed.lookup import LookupSink
from fleet_telemetry.observed.sockets import address_of, listening_socket, notice_death
from fleet_telemetry.observed.tls_channel import TlsChannel

if TYPE_CHECKING:
    from fleet_telemetry.observed.reader import Reader

OnRefusal = Callable[[str, RefusedConnection, str], None]
"""Called on the loop with the address, why, and a sentence. Anybody can cause it: keep it cheap."""

_BACKLOG = 64
_STANDSTILL_SECONDS = 0.5
_FULL = 1 << 17
"""Bytes at once. The system buffers about 128 KiB at first, and CoreDNS queues 10,000 reports."""


class Receiver:
    """A server for name servers. Everything happens on the event loop."""

    def __init__(
        self,
        sink: LookupSink,
        admits: Callable[[str], bool],
        *,
        on_refusal: OnRefusal = lambda _address, _why, _sentence: None,
        tls: Callable[[], ssl.SSLContext] | None = None,
        limits: ReceiverLimits = ReceiverLimits(),  # noqa: B008  # frozen
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``admits`` is given an IP address. ``tls`` returns a context, and does not block.
        ``clock`` returns seconds, and not those of the loop: uvloop's stand still in a callback."""
        self.figures = Figures()
        self._sink = sink
        self._admits = admits
        self._on_refusal = on_refusal
        self._tls = tls
        self._limits = limits
        self._clock = clock
        self._numbers = count(1)
        self._connections: dict[DnstapConnection, None] = {}
        self._reader: Reader | None = None

    @property
    def sources(self) -> frozenset[str]:
        """Those that are connected."""
        return frozenset(one.source for one in self._connections if one.is_reporting)

    @asynccontextmanager
    async def serve(self, host: str, port: int) -> AsyncIterator[int]:
        """Listen inside of the context, which is given the port; then close everything.

        ``host`` is an IP address; ``::`` takes IPv4 as well. Raises OSError if it cannot listen,
        and ValueError if the host is no IP address. It may be called again after that. What is
        raised inside comes in an ExceptionGroup.
        """
        if self._reader:
            raise RuntimeError("the receiver listens already")
        # Protobuf takes 6 MB, which only who receives needs.
        from fleet_telemetry.observed.reader import Reader  # noqa: PLC0415

        with listening_socket(host, port) as listener:
            async with asyncio.TaskGroup() as tasks:
                self._reader = Reader(self, self._sink, self.figures, self._limits, self._clock)
                work = tasks.create_task(self._reader.work())
                server = await asyncio.get_running_loop().create_server(
                    lambda: DnstapConnection(self), sock=listener, backlog=_BACKLOG
                )
                try:
                    yield listener.getsockname()[1]
                finally:
                    server.close()
                    work.cancel()
                    self._reader = None
                    for connection in list(self._connections):
                        self.end(connection)
                    await server.wait_closed()

    def recheck(self) -> None:
        """Ask again which addresses are admitted, and close the connections of the others."""
        for connection in list(self._connections):
            if not self._admits(connection.address):
                self.refuse(
                    connection, RefusedConnection.NOT_ADMITTED, "its address is no longer admitted"
                )

    # Events of connections.

    def arrived(self, connection: DnstapConnection) -> None:
        """See Owner."""
        transport = connection.transport
        address = address_of(transport.get_extra_info("peername"))
        if self._reader is None or address is None:
            transport.abort()  # we ended, or it did
            return
        connection.address = address
        if not self._admits(address):
            self.refuse(
                connection, RefusedConnection.NOT_ADMITTED, "its address is no name server's"
            )
            return
        if len(self._connections) >= self._limits.connections:
            self.refuse(
                connection,
                RefusedConnection.TOO_MANY,
                f"{len(self._connections)} connections are open",
            )
            return
        self._make_room(address)
        connection.source = f"{address}#{next(self._numbers)}"
        connection.last_received = self._clock()
        self._connections[connection] = None
        notice_death(transport.get_extra_info("socket"))
        loop = asyncio.get_running_loop()
        connection.deadline = loop.call_later(
            self._limits.handshake_seconds, self._is_late, connection
        )
        if self._tls:
            connection.tls = TlsChannel(self._tls())

    def received(self, connection: DnstapConnection, data: bytes) -> None:
        """See Owner."""
        if self._reader and connection in self._connections:
            before, connection.last_received = connection.last_received, self._clock()
            stood_still = connection.last_received - before > _STANDSTILL_SECONDS
            if stood_still and len(data) >= _FULL and connection.is_reporting:
                # While nothing was read, buffers and then the name server's queue may have filled
                # up. What it drops then it does not report.
                self._sink.lost(connection.source, 1)
            try:
                data = connection.decrypt(data)
            except ssl.SSLError as error:
                self.refuse(connection, RefusedConnection.BAD_TLS, f"no TLS: {error.reason}")
                return
            connection.has_left = bool(connection.tls and connection.tls.is_over)
            connection.stream.append(data)
            self._reader.add(connection, len(data), self._connections)

    def left(self, connection: DnstapConnection) -> None:
        """See Owner."""
        connection.has_left = True
        if self._reader and connection in self._connections:
            # What it sent before is decoded yet.
            self._reader.add(connection, 0, self._connections)

    # Requests of the reader.

    def end(self, connection: DnstapConnection) -> None:
        """Close a connection once all is sent, and forget it, if that was not done before."""
        if connection not in self._connections:
            return
        del self._connections[connection]
        connection.close()
        if connection.is_reporting:
            self._sink.disconnected(connection.source)

    def refuse(self, connection: DnstapConnection, why: RefusedConnection, sentence: str) -> None:
        """Close a connection for a reason that is the peer's."""
        self.figures.refused[why] += 1
        self._on_refusal(connection.address, why, sentence)
        connection.shut()
        self.end(connection)

    def _make_room(self, address: str) -> None:
        """For a new connection, the one that was silent for longest ends: it may be dead."""
        same = [one for one in self._connections if one.address == address]
        if len(same) >= self._limits.connections_per_address:
            silent = min(same, key=lambda one: one.last_received)
            self.refuse(
                silent, RefusedConnection.TOO_MANY, "a new one from its address took its place"
            )

    def _is_late(self, connection: DnstapConnection) -> None:
        seconds = self._limits.handshake_seconds
        self.refuse(
            connection,
            RefusedConnection.NO_HANDSHAKE,
            f"no stream of dnstap began within {seconds:g} s",
        )
