"""A bad connection to the API server: a proxy that forwards requests, and on command refuses,
loses, delays or holds them.

    with FaultProxy(cluster.url, cluster.ca_path) as proxy:
        operator.start("controller", proxy=proxy)
        proxy.faults = Faults(refused=0.5, status=429)
        ...
        proxy.faults = NONE

It terminates TLS with a certificate of its own, so it sees requests and not only bytes. Clients
that do not use it, such as kubectl, and the API server's calls of the webhook are not affected.
"""

from __future__ import annotations

import asyncio
import json
import random
import ssl
import threading
from collections import Counter
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import aiohttp
import trustme
from aiohttp import hdrs, web

_LARGEST_BYTES = 64 * 2**20
_HOP_BY_HOP = frozenset({hdrs.HOST, hdrs.CONNECTION, hdrs.TRANSFER_ENCODING, hdrs.CONTENT_LENGTH})
_REASONS = {429: "TooManyRequests", 500: "InternalError", 503: "ServiceUnavailable"}
_READS = ("GET", "HEAD")
_STALLED_POLL_SECONDS = 0.02
_LEAVE_SECONDS = 0.5
"""TLS closes its connection to the API server."""


@dataclass(frozen=True, kw_only=True)
class Faults:
    """What happens to requests."""

    refused: float = 0.0
    """This share of them is not forwarded, and answered with ``status``."""
    status: int = 429
    lost: float = 0.0
    """This share of the writes is forwarded, and then the connection is reset: the write is done,
    and the client does not know.
    """
    delay: float = 0.0
    """Seconds before each is forwarded."""
    stalled: bool = False
    """Connections stay open and are accepted, but no byte arrives: no response, no watch event."""


NONE = Faults()


@dataclass(frozen=True)
class _Held:
    """The write after which no request is answered."""

    number: int
    passed_on: bool
    reached: threading.Event


class FaultProxy:
    """An address on loopback that forwards to an API server. Raises OSError if none is free."""

    def __init__(self, server: str, ca: Path) -> None:
        """``server`` is the API server's URL, ``ca`` the file with its CA's certificate."""
        authority = trustme.CA()
        self.ca = authority.cert_pem.bytes()
        """The certificate that its clients must trust, PEM."""
        self.faults = NONE
        self.done: Counter[str] = Counter()
        """How many requests were ``passed``, ``refused`` or ``lost``, and watches ``cut``."""
        self._server = server
        self._trust = ssl.create_default_context(cafile=str(ca))
        self._tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert("127.0.0.1").configure_cert(self._tls)
        self._held: _Held | None = None
        self._writes = 0
        self._age = 0
        self._watches: list[web.Request] = []
        self._stopping = asyncio.Event()
        self._listening: Future[tuple[asyncio.AbstractEventLoop, int]] = Future()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self._thread.start()
        self._loop, self._port = self._listening.result()

    @property
    def url(self) -> str:
        """Its own URL."""
        return f"https://127.0.0.1:{self._port}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection, and stop listening."""
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()

    def cut_watches(self) -> int:
        """Reset every connection with a watch; return their number."""

        async def cut() -> int:
            found = len(self._watches)
            for request in self._watches:
                _reset(request)
            self.done["cut"] += found
            return found

        return asyncio.run_coroutine_threadsafe(cut(), self._loop).result()

    def swallow(self) -> None:
        """Let every request and watch under way go silent for good, as where a firewall forgets a
        connection: it stands, and no byte comes on it any more. New ones are served.
        """
        self._age += 1

    def hold(self, number: int, *, passed_on: bool) -> threading.Event:
        """From the so-many-th write on, counted from now, answer nobody any more; that one may be
        passed on all the same. Renewals of Leases do not count. The event says when it is there.
        """
        held = _Held(number, passed_on, threading.Event())
        self._writes, self._held = 0, held
        return held.reached

    def release(self) -> None:
        """Answer again."""
        self._held = None

    async def _run(self) -> None:
        app = web.Application(client_max_size=_LARGEST_BYTES)
        connector = aiohttp.TCPConnector(limit=0, ssl=self._trust)
        timeout = aiohttp.ClientTimeout(total=None)
        async with aiohttp.ClientSession(
            connector=connector, timeout=timeout, auto_decompress=False
        ) as self._session:
            app.router.add_route("*", "/{path:.*}", self._serve)
            runner = web.AppRunner(
                app, access_log=None, handler_cancellation=True, shutdown_timeout=0
            )
            try:
                await runner.setup()
                await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=self._tls).start()
            except OSError as error:
                self._listening.set_exception(error)
                return
            port: int = runner.addresses[0][1]
            self._listening.set_result((asyncio.get_running_loop(), port))
            await self._stopping.wait()
            for request in self._watches:
                _reset(request)
            await runner.cleanup()
        await asyncio.sleep(_LEAVE_SECONDS)

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        age = self._age
        body = await request.read()
        writes = request.method not in _READS
        await self._flow(age)
        faults = self.faults
        if writes and "/leases/" not in request.path:
            await self._hold_back(request, body)
        if faults.delay:
            await asyncio.sleep(faults.delay)
        if _happens(faults.refused):
            self.done["refused"] += 1
            return _refusal(faults.status)
        try:
            answer = await self._pass_on(request, body)
        except aiohttp.ClientConnectionError:
            return _reset(request)
        async with answer:
            if writes and _happens(faults.lost):
                await answer.read()
                self.done["lost"] += 1
                return _reset(request)
            self.done["passed"] += 1
            if "watch" in request.query:
                return await self._stream(request, answer, age)
            content = await answer.read()
            await self._flow(age)
            return web.Response(status=answer.status, headers=_own(answer.headers), body=content)

    async def _hold_back(self, request: web.Request, body: bytes) -> None:
        """Count a write; return unless it is the one at which, or after which, all is over."""
        self._writes += 1
        held = self._held
        if held is None or self._writes < held.number:
            return
        if self._writes == held.number:
            if held.passed_on:
                async with await self._pass_on(request, body) as answer:
                    await answer.read()
            held.reached.set()
        while self._held is held:  # noqa: ASYNC110  # another thread ends it
            await asyncio.sleep(_STALLED_POLL_SECONDS)

    async def _flow(self, age: int) -> None:
        """Return when bytes flow on a connection of this age."""
        while self.faults.stalled or age < self._age:  # noqa: ASYNC110  # another thread ends it
            await asyncio.sleep(_STALLED_POLL_SECONDS)

    async def _pass_on(self, request: web.Request, body: bytes) -> aiohttp.ClientResponse:
        return await self._session.request(
            request.method,
            self._server + request.raw_path,
            headers=_own(request.headers),
            data=body or None,
            allow_redirects=False,
        )

    async def _stream(
        self, request: web.Request, answer: aiohttp.ClientResponse, age: int
    ) -> web.StreamResponse:
        response = web.StreamResponse(status=answer.status, headers=_own(answer.headers))
        self._watches.append(request)
        try:
            await response.prepare(request)
            async for chunk in answer.content.iter_any():
                await self._flow(age)
                await response.write(chunk)
        except (aiohttp.ClientError, ConnectionError):
            _reset(request)
        finally:
            self._watches[:] = [one for one in self._watches if one is not request]
        return response


def _happens(share: float) -> bool:
    return random.random() < share  # noqa: S311  # no secret


def _own(headers: aiohttp.typedefs.LooseHeaders) -> dict[str, str]:
    """Those that are not about this one connection."""
    return {
        str(name): str(value)
        for name, value in dict(headers).items()
        if str(name).title() not in _HOP_BY_HOP
    }


def _refusal(status: int) -> web.Response:
    """As the API server says it."""
    text = json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Status",
            "status": "Failure",
            "message": "refused by the fault proxy",
            "reason": _REASONS[status],
            "code": status,
        }
    )
    headers = {hdrs.RETRY_AFTER: "1"} if status == 429 else {}  # noqa: PLR2004  # HTTP's own
    return web.Response(status=status, text=text, content_type="application/json", headers=headers)


def _reset(request: web.Request) -> web.Response:
    """End the connection in the middle; what is returned reaches nobody."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
