"""Fetches the ranges that a provider publishes, with limits of time and size and no redirects.

The request contains no data of the cluster: no credential, no cookie, no version.

Unlike the products' APIs (``vendors/http.py``), which get credentials and are inside the cluster,
this is public data on the internet, and a cluster may have no other way out than a proxy. So
``HTTPS_PROXY``, ``ALL_PROXY`` and ``NO_PROXY`` of the environment count here. The provider's
certificate is verified through the proxy all the same; one that breaks TLS open needs its CA in
``SSL_CERT_FILE``.
"""

from __future__ import annotations

import asyncio
import logging
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.request import getproxies

import httpx

from fleet_telemetry.egress.published_ranges import Provider, Ranges, RangesError, parse
from fleet_telemetry.http_faults import HttpFault, fault_of

CONNECT_SECONDS = 5.0
TOTAL_SECONDS = 15.0
"""For the request with its whole answer, however slowly it drips."""
LARGEST_DOCUMENT = 64 * 1024
"""Cloudflare's has less than 1 KiB; 64 ranges of the longest spelling have 4 KiB."""

# httpx logs every request at level INFO; httpcore logs headers at level DEBUG, also a proxy's.
_CHATTY_LOGGERS = ("httpx", "httpcore")
_VALIDATOR = re.compile(r'(W/)?"[!#-~]{0,256}"')
_HOST = re.compile(r"[A-Za-z0-9.:-]{1,253}")


@dataclass(frozen=True, slots=True)
class _Seen:
    """The last response, and the validator for a conditional request."""

    validator: str
    ranges: Ranges


class RangesClient:
    """Fetches documents, one connection each. Nothing to close."""

    def __init__(
        self,
        *,
        ca: str = "",
        connect_seconds: float = CONNECT_SECONDS,
        total_seconds: float = TOTAL_SECONDS,
        largest_document: int = LARGEST_DOCUMENT,
    ) -> None:
        """``ca`` are the certificates (PEM) to trust instead of the system's."""
        self._ca = ca
        self._connect_seconds = connect_seconds
        self._total_seconds = total_seconds
        self._largest_document = largest_document
        self._seen: dict[str, _Seen] = {}
        for name in _CHATTY_LOGGERS:
            logging.getLogger(name).setLevel(logging.WARNING)

    async def fetch(self, provider: Provider) -> Ranges:
        """The provider's ranges as it publishes them now. Raises RangesError.

        ``published_ranges.step_ranges`` decides whether they take effect. If the server responds
        that nothing has changed, they are the ranges of the last fetch.
        """
        if not provider.url.startswith("https://"):
            raise RangesError(provider.name, f"{provider.url} is no https URL")
        try:
            async with asyncio.timeout(self._total_seconds):
                return await self._fetch(provider)
        except (TimeoutError, httpx.TimeoutException) as error:
            raise RangesError(provider.name, self._late(provider, error)) from None
        # A wrong URL of a proxy, such as socks:// without a library for it, raises ValueError or
        # ImportError.
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError, ImportError) as error:
            # The error's own text is never shown: it may quote a proxy's password.
            raise RangesError(provider.name, _failed(provider, error)) from None

    async def _fetch(self, provider: Provider) -> Ranges:
        seen = self._seen.get(provider.url)
        asking = {"If-None-Match": seen.validator} if seen else {}
        async with (
            self._client() as client,
            client.stream("GET", provider.url, headers=asking) as response,
        ):
            if seen and response.status_code == httpx.codes.NOT_MODIFIED:
                return seen.ranges
            self._check(provider, response)
            body = await self._body(provider, response)
        ranges = parse(provider, body)
        validator = response.headers.get("etag", "")
        self._seen.pop(provider.url, None)
        if _VALIDATOR.fullmatch(validator):
            self._seen[provider.url] = _Seen(validator, ranges)
        return ranges

    def _client(self) -> httpx.AsyncClient:
        # A new client for each fetch, which is daily, so that renewed CAs are read.
        context = ssl.create_default_context(cadata=self._ca or None)
        return httpx.AsyncClient(
            verify=context,
            follow_redirects=False,
            trust_env=True,
            timeout=httpx.Timeout(None, connect=self._connect_seconds),
            headers={
                # Without a version, which others do not need to know.
                "User-Agent": "fleet-telemetry",
                "Accept": "application/json",
                # Unpacked, a compressed response could have any size.
                "Accept-Encoding": "identity",
                "Connection": "close",
            },
        )

    @staticmethod
    def _check(provider: Provider, response: httpx.Response) -> None:
        status = response.status_code
        what = f"{provider.url} answered {status}"
        if response.has_redirect_location:
            raise RangesError(
                provider.name,
                f"{what} with a redirect to {_target(response)}, which is not followed",
            )
        if status != httpx.codes.OK:
            raise RangesError(provider.name, what)

    async def _body(self, provider: Provider, response: httpx.Response) -> bytes:
        body = bytearray()
        async for chunk in response.aiter_raw():
            body += chunk
            if len(body) > self._largest_document:
                limit = self._largest_document // 1024
                text = f"{provider.url} answered with more than {limit} KiB"
                raise RangesError(provider.name, text)
        return bytes(body)

    def _late(self, provider: Provider, error: Exception) -> str:
        if isinstance(error, httpx.ConnectTimeout):
            return f"no connection to {provider.url} in time{_by_proxy()}"
        return f"{provider.url} did not answer within {self._total_seconds:g} s{_by_proxy()}"


def _target(response: httpx.Response) -> str:
    """The host of a redirect's target, for a message."""
    try:
        host = response.request.url.join(response.headers["location"]).host
    except (httpx.InvalidURL, ValueError):
        host = ""
    return host if _HOST.fullmatch(host) else "an invalid host"


def _by_proxy() -> str:
    """A hint for messages if a proxy is configured. Its URL is not shown: it may hold a
    password."""
    proxies = getproxies()
    used = next((f"{key.upper()}_PROXY" for key in ("https", "all") if proxies.get(key)), "")
    return f" (a proxy is set by {used})" if used else ""


_SAID: Mapping[HttpFault, str] = {
    HttpFault.WRONG_NAME: "{url}: the certificate is for another name",
    HttpFault.EXPIRED: "{url}: the certificate has expired",
    HttpFault.NOT_TRUSTED: "{url}: the certificate is not trusted",
    HttpFault.NO_CONNECTION: "no connection to {url}",
    HttpFault.NO_TLS: "{url}: the server does not speak TLS as expected",
    HttpFault.NO_HTTP: "{url}: the server does not speak HTTP as expected",
    HttpFault.CUT: "{url}: the connection was cut",
    HttpFault.PROXY: "the proxy refuses connections to {url}",
}


def _failed(provider: Provider, error: Exception) -> str:
    otherwise = f"{{url}} could not be fetched: {type(error).__name__}"
    said = _SAID.get(fault_of(error), otherwise)
    return said.format(url=provider.url) + _by_proxy()
