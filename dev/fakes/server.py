"""The base of all fakes: a real HTTPS server on loopback, and faults on demand."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import ssl
import zlib
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from typing import Self

import trustme
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

DRIP_SECONDS = 0.02
"""Seconds between two bytes of a slow response: no single read takes long."""
RETRY_AFTER_SECONDS = 7
HUGE_BYTES = 64 * 1024 * 1024
_CHUNK = 64 * 1024


class ApiFault(StrEnum):
    """A fault instead of the normal answer. ``FakeProduct.fail`` switches one on."""

    # Responses with a good status
    HTML_200 = "html_200"
    EMPTY_200 = "empty_200"
    WRONG_JSON_TYPE = "wrong_json_type"
    JSON_ERRORS_200 = "json_errors_200"
    JSON_CUT_SHORT = "json_cut_short"
    JSON_TOO_DEEP = "json_too_deep"
    NO_CONTENT_204 = "no_content_204"
    # Responses with an error status
    REDIRECT_301 = "redirect_301"
    BAD_REQUEST_400 = "bad_request_400"
    UNAUTHORIZED_401 = "unauthorized_401"
    FORBIDDEN_403 = "forbidden_403"
    NOT_FOUND_404 = "not_found_404"
    TOO_MANY_429 = "too_many_429"
    ERROR_500 = "error_500"
    UNAVAILABLE_503 = "unavailable_503"
    # Too much, too slow, too little
    HUGE = "huge"
    GZIP_BOMB = "gzip_bomb"
    SLOW_DRIP = "slow_drip"
    HANG = "hang"
    CUT_IN_THE_MIDDLE = "cut_in_the_middle"
    CUT_BEFORE_ANSWER = "cut_before_answer"
    NOT_HTTP = "not_http"
    # Good responses with a peculiarity
    UNTRUSTED_CERTIFICATE = "untrusted_certificate"
    WRONG_NAME_CERTIFICATE = "wrong_name_certificate"
    COOKIE = "cookie"
    """Every answer sets a cookie; a request that brings it back is answered 401, as SonarQube
    does."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One request."""

    method: str
    path: str
    """With its query."""
    headers: dict[str, str]
    """By name in lower case."""
    body: bytes


class FakeProduct:
    """A server on loopback, as an async context manager. A subclass gives its routes and keeps its
    state in attributes that a test may read and change while it runs.

    ``async with DependencyTrack() as product:`` serves at ``product.address`` and
    ``product.port`` with a certificate for ``names``, signed by the CA of ``product.ca_pem``.
    """

    def __init__(
        self,
        *,
        address: str = "127.0.0.1",
        port: int = 0,
        names: Iterable[str] = ("localhost",),
        tls: bool = True,
    ) -> None:
        self.address = address
        self.port = port
        """0 until started: any that is free."""
        self.tls = tls
        self.names = tuple(names)
        self.seen: list[Seen] = []
        """Every request, with or without a fault, oldest first."""
        self.retry_after = str(RETRY_AFTER_SECONDS)
        """The header of a fault that asks to wait."""
        self.elsewhere = "/elsewhere"
        """The target of the redirect."""
        self._ca = trustme.CA()
        self._fault: ApiFault | None = None
        self._fault_path = ""
        self._runner: web.AppRunner | None = None
        self._context: ssl.SSLContext | None = None

    def routes(self) -> Iterable[web.RouteDef]:
        """The product's API: ``[web.get("/api/version", self._version), ...]``."""
        return ()

    @property
    def ca_pem(self) -> str:
        """The CA's certificate: the ``ca.crt`` of the Secret."""
        return self._ca.cert_pem.bytes().decode()

    @property
    def scheme(self) -> str:
        """The URL's first part."""
        return "https" if self.tls else "http"

    @property
    def url(self) -> str:
        """Where it serves."""
        return f"{self.scheme}://{self.address}:{self.port}"

    def fail(self, fault: ApiFault, *, path: str = "") -> None:
        """Answer requests whose path has this prefix with a fault."""
        self._fault, self._fault_path = fault, path

    def mend(self) -> None:
        """Turn off all faults."""
        self._fault = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen."""
        application = web.Application(middlewares=[self._around()], client_max_size=2**20)
        application.add_routes(self.routes())
        runner = self._runner = web.AppRunner(
            application, access_log=None, handler_cancellation=True, shutdown_timeout=0.05
        )
        self._context = self._tls() if self.tls else None
        await runner.setup()
        if self.address:
            await self.listen(self.address)
            self.port = runner.addresses[0][1]

    async def listen(self, address: str) -> None:
        """Listen at another address too. Raises OSError if it is in use."""
        assert self._runner is not None, "it is not started"
        await web.TCPSite(self._runner, address, self.port, ssl_context=self._context).start()

    async def stop(self) -> None:
        """Stop, and close every connection, also one that hangs."""
        if self._runner:
            await self._runner.cleanup()
            self._runner = None

    def _tls(self) -> ssl.SSLContext:
        names = tuple(filter(None, (*self.names, self.address)))
        good = _context(self._ca, *names)

        def choose(connection: ssl.SSLObject, _name: str, _old: ssl.SSLContext) -> None:
            # Made when they are needed: most tests do not, and they take most of a start.
            if self._fault is ApiFault.UNTRUSTED_CERTIFICATE:
                connection.context = _context(trustme.CA(), *names)
            elif self._fault is ApiFault.WRONG_NAME_CERTIFICATE:
                connection.context = _context(self._ca, "elsewhere.example")

        good.sni_callback = choose
        return good

    def _around(self) -> Middleware:
        @web.middleware
        async def around(request: web.Request, handler: Handler) -> web.StreamResponse:
            headers = {name.lower(): value for name, value in request.headers.items()}
            self.seen.append(Seen(request.method, request.path_qs, headers, await request.read()))
            fault = self._fault if request.path.startswith(self._fault_path) else None
            if fault is ApiFault.COOKIE and "cookie" in headers:
                return web.Response(status=HTTPStatus.UNAUTHORIZED)
            if fault in _FAULTS:
                with contextlib.suppress(ConnectionResetError):
                    return await _FAULTS[fault](self, request)
            answer = await handler(request)
            if fault is ApiFault.COOKIE:
                answer.set_cookie("JWT-SESSION", "remember-me", path="/")
            return answer

        return around


def _context(ca: trustme.CA, *names: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert(*names).configure_cert(context)
    return context


# Faults

_Failing = Callable[[FakeProduct, web.Request], Awaitable[web.StreamResponse]]
_HTML = "<html>\n<head><title>Log in</title></head>\n<body>Please log in.</body>\n</html>\n"


def _fixed(
    status: HTTPStatus, text: str = "", content_type: str = "application/json", **headers: str
) -> _Failing:
    async def fail(_fake: FakeProduct, _request: web.Request) -> web.StreamResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(status=status, text=text, content_type=content_type, headers=named)

    return fail


def _error(status: HTTPStatus, **headers: str) -> _Failing:
    return _fixed(status, _HTML, "text/html", **headers)


async def _redirect(fake: FakeProduct, _request: web.Request) -> web.StreamResponse:
    return web.Response(status=HTTPStatus.MOVED_PERMANENTLY, headers={"Location": fake.elsewhere})


async def _started(request: web.Request, **headers: str) -> web.StreamResponse:
    answer = web.StreamResponse(headers={"Content-Type": "application/json", **headers})
    await answer.prepare(request)
    return answer


async def _huge(_fake: FakeProduct, request: web.Request) -> web.StreamResponse:
    answer = await _started(request)
    await answer.write(b'["')
    for _ in range(HUGE_BYTES // _CHUNK):
        await answer.write(b"x" * _CHUNK)
    await answer.write(b'"]')
    return answer


async def _gzip_bomb(_fake: FakeProduct, request: web.Request) -> web.StreamResponse:
    answer = await _started(request, **{"Content-Encoding": "gzip"})
    await answer.write(_bomb())
    return answer


@functools.cache
def _bomb() -> bytes:
    # Packed as tightly as can be, so that the answer itself is small.
    packer = zlib.compressobj(level=9, wbits=31)
    spaces = b" " * _CHUNK
    packed = [packer.compress(spaces) for _ in range(HUGE_BYTES // 2 // _CHUNK)]
    return b"".join([*packed, packer.compress(b"{}"), packer.flush()])


async def _slow_drip(_fake: FakeProduct, request: web.Request) -> web.StreamResponse:
    answer = await _started(request)
    await answer.write(b'["')
    while True:
        await answer.write(b"x")
        await asyncio.sleep(DRIP_SECONDS)


async def _hang(_fake: FakeProduct, _request: web.Request) -> web.StreamResponse:
    await asyncio.Event().wait()
    raise AssertionError


async def _cut_in_the_middle(_fake: FakeProduct, request: web.Request) -> web.StreamResponse:
    answer = await _started(request, **{"Content-Length": "1000"})
    await answer.write(b'{"half": "a')
    return _cut(request, answer)


async def _cut_before_answer(_fake: FakeProduct, request: web.Request) -> web.StreamResponse:
    return _cut(request, web.Response())


async def _not_http(_fake: FakeProduct, request: web.Request) -> web.StreamResponse:
    assert request.transport
    request.transport.write(b"SSH-2.0-OpenSSH_9.9\r\n\r\n")
    request.transport.close()
    return web.Response()


def _cut(request: web.Request, answer: web.StreamResponse) -> web.StreamResponse:
    assert request.transport
    request.transport.close()
    return answer


async def _too_many(product: FakeProduct, _: web.Request) -> web.StreamResponse:
    headers = {"Retry-After": product.retry_after}
    return web.Response(status=HTTPStatus.TOO_MANY_REQUESTS, headers=headers)


_FAULTS: dict[ApiFault | None, _Failing] = {
    ApiFault.HTML_200: _error(HTTPStatus.OK),
    ApiFault.EMPTY_200: _fixed(HTTPStatus.OK),
    ApiFault.WRONG_JSON_TYPE: _fixed(HTTPStatus.OK, '"some text"'),
    ApiFault.JSON_ERRORS_200: _fixed(
        HTTPStatus.OK, '{"errors": [{"message": "internal error", "msg": "internal error"}]}'
    ),
    ApiFault.JSON_CUT_SHORT: _fixed(HTTPStatus.OK, '{"data": [{"na'),
    ApiFault.JSON_TOO_DEEP: _fixed(HTTPStatus.OK, "[" * 100_000),
    ApiFault.NO_CONTENT_204: _fixed(HTTPStatus.NO_CONTENT),
    ApiFault.REDIRECT_301: _redirect,
    ApiFault.BAD_REQUEST_400: _error(HTTPStatus.BAD_REQUEST),
    ApiFault.UNAUTHORIZED_401: _error(HTTPStatus.UNAUTHORIZED),
    ApiFault.FORBIDDEN_403: _error(HTTPStatus.FORBIDDEN),
    ApiFault.NOT_FOUND_404: _error(HTTPStatus.NOT_FOUND),
    ApiFault.TOO_MANY_429: _too_many,
    ApiFault.ERROR_500: _error(HTTPStatus.INTERNAL_SERVER_ERROR),
    ApiFault.UNAVAILABLE_503: _error(HTTPStatus.SERVICE_UNAVAILABLE),
    ApiFault.HUGE: _huge,
    ApiFault.GZIP_BOMB: _gzip_bomb,
    ApiFault.SLOW_DRIP: _slow_drip,
    ApiFault.HANG: _hang,
    ApiFault.CUT_IN_THE_MIDDLE: _cut_in_the_middle,
    ApiFault.CUT_BEFORE_ANSWER: _cut_before_answer,
    ApiFault.NOT_HTTP: _not_http,
}
