"""Connections of which a little is read at a time, and only so much in all.

A server may send its answer in pieces of one byte, thousands of headers, or interim answers without
end. Each costs the event loop more than its size, and the HTTP library reads all pieces that have
arrived before anything else runs. So it gets few bytes at once, and other tasks run in between.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from typing import Any

import httpcore
import httpx

AT_ONCE = 4096
"""Bytes. Pieces of one byte, of which these are the most, are handled within 10 ms."""


class TooMuchReceivedError(Exception):
    """The server sent more than is read of a connection."""


class BoundedTransport(httpx.AsyncHTTPTransport):
    """Opens a connection for each request, directly, and reads at most ``most`` bytes of it until
    ``allow`` permits more."""

    def __init__(self, context: ssl.SSLContext, most: int) -> None:
        super().__init__(verify=context, trust_env=False)
        # The constructor takes no network. The client is pinned, and tests fail if this has no
        # effect.
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=context,
            max_connections=None,
            max_keepalive_connections=0,
            network_backend=_BoundedNetwork(most),
        )


def allow(response: httpx.Response, more: int) -> None:
    """Permit so many more bytes of the response's connection, if it is one of these."""
    stream = response.extensions.get("network_stream")
    if isinstance(stream, _BoundedStream):
        stream.left += more


class _BoundedNetwork(httpcore.AsyncNetworkBackend):
    def __init__(self, most: int) -> None:
        self._network = httpcore.AnyIOBackend()
        self._most = most

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  # the library's interface
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        stream = await self._network.connect_tcp(host, port, timeout, local_address, socket_options)
        return _BoundedStream(stream, self._most)

    async def sleep(self, seconds: float) -> None:
        await self._network.sleep(seconds)


class _BoundedStream(httpcore.AsyncNetworkStream):
    def __init__(self, stream: httpcore.AsyncNetworkStream, left: int) -> None:
        self._stream = stream
        self.left = left

    async def read(
        self,
        max_bytes: int,
        timeout: float | None = None,  # noqa: ASYNC109  # the library's interface
    ) -> bytes:
        received = await self._stream.read(min(max_bytes, AT_ONCE), timeout)
        self.left -= len(received)
        if self.left < 0:
            raise TooMuchReceivedError
        return received

    async def write(
        self,
        buffer: bytes,
        timeout: float | None = None,  # noqa: ASYNC109  # the library's interface
    ) -> None:
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109  # the library's interface
    ) -> httpcore.AsyncNetworkStream:
        stream = await self._stream.start_tls(ssl_context, server_hostname, timeout)
        return _BoundedStream(stream, self.left)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
