"""The plain HTTP server of every process: probes and metrics."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable, Iterator

from aiohttp import hdrs, web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

Probe = Callable[[], str]
"""Why it fails, or the empty string."""
Text = Callable[[], Iterator[str]]
"""Metrics in Prometheus' text format, in pieces."""

_GZIP = 16 + zlib.MAX_WBITS


class StatusServer:
    """Serves ``/healthz``, ``/readyz`` and ``/metrics``."""

    def __init__(self, registry: CollectorRegistry, *, alive: Probe, ready: Probe) -> None:
        self._registry = registry
        self._more: list[Text] = []
        self._alive = alive
        self._ready = ready
        self._runner: web.AppRunner | None = None

    def add_metrics(self, text: Text) -> None:
        """Serve these, too: metrics that are too many for the registry."""
        self._more.append(text)

    async def start(self, host: str, port: int) -> None:
        """Listen. Raises OSError if the address is taken."""
        app = web.Application()
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/metrics", self._metrics)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()

    @property
    def port(self) -> int:
        """Where it listens."""
        assert self._runner is not None
        port: int = self._runner.addresses[0][1]
        return port

    async def stop(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _healthz(self, _: web.Request) -> web.Response:
        return _answer(self._alive())

    async def _readyz(self, _: web.Request) -> web.Response:
        return _answer(self._ready())

    async def _metrics(self, request: web.Request) -> web.Response:
        headers = {hdrs.CONTENT_TYPE: CONTENT_TYPE_LATEST}
        # In a thread: with a large fleet it takes long enough to be felt by whoever waits.
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


def _compress(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Piece by piece, so that the whole of it never stands in memory."""
    gzip = zlib.compressobj(level=1, wbits=_GZIP)
    for piece in pieces:
        yield gzip.compress(piece)
    yield gzip.flush()


def _answer(problem: str) -> web.Response:
    return web.Response(text=f"{problem or 'ok'}\n", status=503 if problem else 200)
