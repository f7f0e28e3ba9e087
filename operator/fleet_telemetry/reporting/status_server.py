"""The plain HTTP server of each process: probes and metrics."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable, Iterator
from ipaddress import ip_address

from aiohttp import hdrs, web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from fleet_telemetry.reporting.connections import Connections, new_runner

Probe = Callable[[], str]
"""Returns the problem; the empty string if the probe succeeds."""
MetricsText = Callable[[], Iterator[str]]
"""Returns metrics in the Prometheus text format, in pieces."""

_MOST_SCRAPES = 4
"""At once: each holds all metrics in memory."""
_READ_BUFFER_BYTES = 16 * 1024
_GZIP = 16 + zlib.MAX_WBITS


class StatusServer:
    """Serves ``/healthz``, ``/readyz`` and ``/metrics``."""

    def __init__(
        self,
        registry: CollectorRegistry,
        *,
        alive: Probe,
        ready: Probe,
        metrics_for_all: bool = True,
    ) -> None:
        """With ``metrics_for_all`` false, only clients of the same pod get ``/metrics``, such as a
        proxy that authenticates its own clients."""
        self._metrics_for_all = metrics_for_all
        self._registry = registry
        self._more: list[MetricsText] = []
        self._alive = alive
        self._ready = ready
        self._runner: web.AppRunner | None = None
        self._connections: Connections | None = None
        self._server: asyncio.Server | None = None
        self._scrapes = 0

    def add_metrics(self, text: MetricsText) -> None:
        """Serve more metrics after those of the registry, which is too slow for many series."""
        self._more.append(text)

    async def start(self, host: str, port: int) -> None:
        """Start to listen. Raises OSError if the address is in use."""
        app = web.Application()
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/metrics", self._metrics)
        self._runner = new_runner(app, read_buffer_bytes=_READ_BUFFER_BYTES)
        await self._runner.setup()
        assert self._runner.server is not None
        self._connections = Connections(self._runner.server)
        self._server = await self._connections.listen(host, port, None)

    @property
    def port(self) -> int:
        """The port that it listens on, after start."""
        assert self._server is not None
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def stop(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()
        if self._runner is not None:
            await self._runner.cleanup()

    async def _healthz(self, request: web.Request) -> web.Response:
        self._used(request)
        return _probe_response(self._alive())

    async def _readyz(self, request: web.Request) -> web.Response:
        self._used(request)
        return _probe_response(self._ready())

    def _used(self, request: web.Request) -> None:
        assert self._connections is not None
        self._connections.used(request)

    async def _metrics(self, request: web.Request) -> web.Response:
        self._used(request)
        if not (self._metrics_for_all or _is_local(request)):
            raise web.HTTPForbidden(text="metrics are for clients of this pod only\n")
        if self._scrapes >= _MOST_SCRAPES:
            raise web.HTTPServiceUnavailable(text="too many scrapes at once\n")
        self._scrapes += 1
        try:
            return await self._scrape(request)
        finally:
            self._scrapes -= 1

    async def _scrape(self, request: web.Request) -> web.Response:
        headers = {hdrs.CONTENT_TYPE: CONTENT_TYPE_LATEST}
        # In a thread: with a large fleet, rendering would block the event loop for too long.
        if "gzip" in request.headers.get(hdrs.ACCEPT_ENCODING, ""):
            headers[hdrs.CONTENT_ENCODING] = "gzip"
            body = await asyncio.to_thread(lambda: b"".join(_compress(self._render())))
        else:
            body = await asyncio.to_thread(lambda: b"".join(self._render()))
        return web.Response(body=body, headers=headers)

    def _render(self) -> Iterator[bytes]:
        yield generate_latest(self._registry)
        for text in self._more:
            for piece in text():
                yield piece.encode()


def _is_local(request: web.Request) -> bool:
    """Whether the connection is from this network namespace. Headers count for nothing."""
    peer = request.transport.get_extra_info("peername") if request.transport else None
    try:
        address = ip_address(peer[0]) if peer else None
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return address is not None and (mapped or address).is_loopback


def _compress(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Gzip piece by piece, so that the whole text is never in memory."""
    gzip = zlib.compressobj(level=1, wbits=_GZIP)
    for piece in pieces:
        yield gzip.compress(piece)
    yield gzip.flush()


def _probe_response(problem: str) -> web.Response:
    return web.Response(text=f"{problem or 'ok'}\n", status=503 if problem else 200)
