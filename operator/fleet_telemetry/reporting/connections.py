"""The limits of the connections to the servers of a process.

Whoever reaches a port may open connections. Slow and silent ones do no harm, because the one that
has been silent for longest makes room for a new one.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable

from aiohttp import web

MOST_CONNECTIONS = 128
"""To each port. An API server, a Prometheus and a kubelet keep a few open."""
_HANDSHAKE_SECONDS = 5.0
_BACKLOG = 128
_LINGERING_SECONDS = 1.0
"""For which what a refused client still sends is read, so that it sees the answer."""


def new_runner(app: web.Application, *, read_buffer_bytes: int) -> web.AppRunner:
    """What parses the requests of these connections, each with a buffer of this size."""
    return web.AppRunner(
        app,
        access_log=None,
        auto_decompress=False,  # unpacked, a compressed body could have any size
        read_bufsize=read_buffer_bytes,
        lingering_time=_LINGERING_SECONDS,
    )


class Connections:
    """Listens, and makes the protocol of each new connection."""

    def __init__(
        self,
        server: web.Server,
        *,
        most: int = MOST_CONNECTIONS,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self._server = server
        self._most = most
        self._clock = clock or asyncio.get_running_loop().time
        self._used: dict[object, float] = {}
        """When each connection last had a request."""

    async def listen(self, host: str, port: int, tls: ssl.SSLContext | None) -> asyncio.Server:
        """Listen. Raises OSError if the address is in use."""
        return await asyncio.get_running_loop().create_server(
            self._accept,
            host,
            port,
            ssl=tls,
            backlog=_BACKLOG,
            ssl_handshake_timeout=_HANDSHAKE_SECONDS if tls else None,
        )

    def used(self, http: web.BaseRequest) -> None:
        """A request arrived on its connection."""
        self._used[http.protocol] = self._clock()

    def _accept(self) -> asyncio.BaseProtocol:
        # Those whose handshake is done; the others end by its timeout.
        open_now = self._server.connections
        self._used = {one: self._used.get(one, 0.0) for one in open_now}
        if len(open_now) >= self._most:
            min(open_now, key=self._used.__getitem__).force_close()
        return self._server()
