"""TLS of one connection, as bytes in and bytes out.

So a connection is admitted before its handshake costs anything, and no buffers of 256 KiB each are
held, as asyncio and uvloop do.
"""

from __future__ import annotations

import ssl

_PIECE = 1 << 16


class TlsChannel:
    """The server's side. Each method may raise ssl.SSLError, after which nothing can follow."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._is_open = False
        self.is_over = False
        """The peer ended TLS, so nothing more comes."""

    def receive(self, data: bytes) -> bytes:
        """What the bytes that came are in clear."""
        self._incoming.write(data)
        pieces = []
        try:
            if not self._is_open:
                self._tls.do_handshake()
                self._is_open = True
            while piece := self._tls.read(_PIECE):
                pieces.append(piece)
            self.is_over = True
        except ssl.SSLWantReadError:
            pass
        return b"".join(pieces)

    def send(self, data: bytes) -> None:
        """Encrypt what is to be sent. The handshake is done."""
        self._tls.write(data)

    def take_output(self) -> bytes:
        """What is to be sent to the peer; each byte once."""
        return self._outgoing.read()
