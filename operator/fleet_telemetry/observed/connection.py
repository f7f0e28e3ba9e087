"""One connection of a name server."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

from fleet_telemetry.observed.frame_streams import FrameStream
from fleet_telemetry.observed.pairing import Pairing
from fleet_telemetry.observed.tls_channel import TlsChannel


class ConnectionOwner(Protocol):
    """Receives the events of a connection."""

    def arrived(self, connection: DnstapConnection) -> None:
        """It was made."""

    def received(self, connection: DnstapConnection, data: bytes) -> None:
        """Bytes came."""

    def left(self, connection: DnstapConnection) -> None:
        """The peer closed it, or it broke."""


class DnstapConnection(asyncio.Protocol):
    """The state of a connection. What is done with it is its owner's."""

    def __init__(self, owner: ConnectionOwner) -> None:
        self._owner = owner
        self.transport: asyncio.Transport
        self.address = ""
        self.source = ""
        self.stream = FrameStream()
        self.pairing = Pairing()
        self.is_reporting = False
        """The stream began, and the sink knows its source."""
        self.is_queued = False
        """It waits for its turn to be decoded."""
        self.has_left = False
        self.last_received = 0.0
        """When bytes came last, by the receiver's clock."""
        self.deadline: asyncio.TimerHandle | None = None
        """Of the handshake."""
        self.tls: TlsChannel | None = None

    def connection_made(self, transport: Any) -> None:
        """See asyncio.Protocol."""
        self.transport = transport
        self._owner.arrived(self)

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        self._owner.received(self, data)

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        del exc
        self._owner.left(self)

    def send(self, data: bytes) -> None:
        """Send something in clear, or encrypted. Raises ssl.SSLError."""
        if self.tls:
            self.tls.send(data)
            data = self.tls.take_output()
        self.transport.write(data)

    def decrypt(self, data: bytes) -> bytes:
        """What came, in clear. Raises ssl.SSLError."""
        if not self.tls:
            return data
        try:
            return self.tls.receive(data)
        finally:
            # Also an alert, which says why there is no TLS.
            if output := self.tls.take_output():
                self.transport.write(output)

    def began(self) -> None:
        """The handshake is done."""
        if self.deadline:
            self.deadline.cancel()

    def close(self) -> None:
        """Close it once all is sent, and keep nothing."""
        self.began()
        self.stream.end()
        self.transport.close()

    def shut(self) -> None:
        """The same, at once."""
        self.close()
        self.transport.abort()
