"""HTTP to one API server: its address, its connections, and as whom requests are made.

It is aiohttp and nothing else. The official client would take 20 MB of each process and two thirds
of what a command installs, for the same requests: its models may not be used for foreign objects,
because they drop unknown fields.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterable, Mapping

import aiohttp
from multidict import CIMultiDict

from fleet_telemetry import __version__
from fleet_telemetry.workloads.workload import FIELD_MANAGER

_READ_BUFFER_BYTES = 2**16
"""Twice that of a response waits at most in memory until somebody reads it."""

Authorization = Callable[[], str]
"""Gives the header of that name for a request; empty for none."""


def _nobody() -> str:
    return ""


class Transport:
    """Sends requests to one API server, over connections that stay open. It belongs to one event
    loop."""

    def __init__(
        self,
        server: str,
        *,
        tls: ssl.SSLContext | None = None,
        server_name: str = "",
        proxy: str = "",
        authorization: Authorization = _nobody,
        headers: Iterable[tuple[str, str]] = (),
    ) -> None:
        """``server`` is a URL, which may have a path. ``server_name`` is what the certificate says
        if that is not the URL's host. ``headers`` go with each request."""
        self._server = server.rstrip("/")
        self._tls = tls
        self._server_name = server_name or None
        self._proxy = proxy or None
        self._authorization = authorization
        self._headers = CIMultiDict(
            [("User-Agent", f"{FIELD_MANAGER}/{__version__}"), ("Accept", "application/json")]
        )
        self._headers.extend(headers)
        self._session: aiohttp.ClientSession | None = None

    @property
    def server(self) -> str:
        """The URL, without a slash at its end."""
        return self._server

    async def request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: bytes | None,
        content_type: str,
        *,
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109  # aiohttp's own, for a call
    ) -> aiohttp.ClientResponse:
        """The response; its body has not been read. Raises aiohttp.ClientError, TimeoutError,
        OSError."""
        if self._session is None:
            self._session = self._open()
        headers = self._headers.copy()
        if body is not None:
            headers["Content-Type"] = content_type
        if authorization := self._authorization():
            headers["Authorization"] = authorization
        return await self._session.request(
            method,
            self._server + path,
            params=query,
            data=body,
            headers=headers,
            timeout=timeout,
            proxy=self._proxy,
            server_hostname=self._server_name,
        )

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _open(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            # True: aiohttp's own context, which plain HTTP does not use.
            connector=aiohttp.TCPConnector(ssl=self._tls or True),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=True,
            read_bufsize=_READ_BUFFER_BYTES,
        )
