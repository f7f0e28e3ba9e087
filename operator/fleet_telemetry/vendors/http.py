"""The HTTP client for products' APIs, with limits of time and size and no redirects."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import logging
import re
import ssl
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import httpx

from fleet_telemetry import __version__
from fleet_telemetry.api.reasons import Reason
from fleet_telemetry.http_faults import HttpFault, fault_of
from fleet_telemetry.vendors.bounded_network import (
    BoundedTransport,
    TooMuchReceivedError,
    allow,
)
from fleet_telemetry.vendors.service import Endpoint

CONNECT_SECONDS = 5.0
TOTAL_SECONDS = 15.0
"""For one request with its whole answer, however slowly it drips."""
LARGEST_ANSWER = 512 * 1024
"""Bytes. The largest that products give are a Sourcegraph's site configuration, a hundred events,
and the system information of a SonarQube cluster. JSON of this size is read within 25 ms, whatever
it is; the event loop waits for that."""
SMALL_ANSWER = 64 * 1024
"""Bytes, where a product answers a question for a version or a status."""
LARGEST_HEAD = 32 * 1024
"""Bytes in front of the answer: its headers, and interim answers."""
_MOST_RECEIVED = 2 * LARGEST_ANSWER
"""Bytes of an answer in pieces: each has a length of its own."""
LONGEST_PATIENCE_SECONDS = 3600.0
"""The upper limit of Retry-After. A shorter interval between checks is a lower limit."""
_LONGEST_RETRY_AFTER = 64
"""Characters."""
LONGEST_CA = 256 * 1024
"""Characters of ca.crt, more than all public CAs together have. It comes from whoever writes the
Secret, the event loop waits while it is read, and what is read takes ten times its size."""
_MOST_CLIENTS = 64
_MOST_CAS = 4 * LONGEST_CA
"""Characters of all CAs that are kept together."""

# httpx logs every request at level INFO, httpcore the headers of responses at level DEBUG.
_CHATTY_LOGGERS = ("httpx", "httpcore")


class VendorError(Exception):
    """A setting could not be read or written. The message contains no secret, and of the response's
    body only what the adapter knows to be harmless."""

    def __init__(self, reason: Reason, message: str, *, retry_after: float | None = None) -> None:
        self.reason = reason
        self.retry_after = retry_after
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete response."""

    status: int
    content_type: str = field(repr=False)
    body: bytes = field(repr=False)
    retry_after: tuple[str, ...] = field(repr=False)
    """Each Retry-After header."""
    what: str
    """The request in words, for messages."""

    def json(self, kind: type) -> Any:
        """The body as JSON of a kind (dict or list). Raises VendorError."""
        try:
            content = read_json(self.body)
        except ValueError:
            content = None
        if not isinstance(content, kind):
            raise self.unexpected(f"where a JSON {_KINDS.get(kind, kind.__name__)} was expected")
        return content

    def unexpected(self, why: str) -> VendorError:
        """The error for a response that the product would not send. ``why`` continues the
        sentence "... answered 200 with HTML of 93 bytes"."""
        # A closed set of words: the server could send our own credential back here.
        shown = _SHOWN_TYPES.get(self.content_type.partition(";")[0].strip().lower(), "something")
        size = f"{shown} of {len(self.body)} bytes" if self.body else "nothing"
        return VendorError(
            Reason.UNEXPECTED_ANSWER, f"{self.what} answered {self.status} with {size} {why}"
        )

    def check(self, *, now: datetime | None = None) -> Answer:
        """Itself if the status is below 300. Raises VendorError with what the status means."""
        if self.status < httpx.codes.MULTIPLE_CHOICES:
            return self
        reason = _REASON_BY_STATUS.get(self.status)
        if reason is None:
            reason = (
                Reason.VENDOR_ERROR
                if self.status >= httpx.codes.INTERNAL_SERVER_ERROR
                else Reason.UNEXPECTED_ANSWER
            )
        patience = _patience(self.retry_after, now or datetime.now(UTC))
        text = f"{self.what} answered {self.status}"
        if patience is not None:
            # Not for how long: a date would be another number, and another status, each time.
            text += " and asks to wait"
        raise VendorError(reason, text, retry_after=patience)


_DIGITS = re.compile(r"[0-9]+")
_KINDS: Mapping[type, str] = {dict: "object", list: "array"}
_SHOWN_TYPES = {
    "text/html": "HTML",
    "text/plain": "text",
    "application/json": "JSON",
    "application/problem+json": "JSON",
    "application/xml": "XML",
    "text/xml": "XML",
}
_REASON_BY_STATUS = {
    401: Reason.CREDENTIALS_REJECTED,
    403: Reason.PERMISSION_MISSING,
    404: Reason.API_NOT_FOUND,
    429: Reason.RATE_LIMITED,
    # A proxy in front of the product reports that the product does not respond.
    502: Reason.UNREACHABLE,
    503: Reason.UNREACHABLE,
    504: Reason.UNREACHABLE,
}


def read_json(text: bytes | str) -> Any:
    """What JSON of a product says. Raises only ValueError, whatever the text is.

    The depth is limited by the interpreter's limit of recursion, the digits of a number by its
    limit of 4300.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("the JSON is nested too deeply") from None


def _patience(retry_after: Iterable[str], now: datetime) -> float | None:
    """The longest readable Retry-After in seconds, within the limit; None without one."""
    found = (_seconds(text, now) for text in retry_after)
    longest = max((seconds for seconds in found if seconds is not None), default=None)
    return None if longest is None else min(max(longest, 0.0), LONGEST_PATIENCE_SECONDS)


def _seconds(retry_after: str, now: datetime) -> float | None:
    """Retry-After in seconds: a number, or a date compared with now."""
    text = retry_after[:_LONGEST_RETRY_AFTER].strip()
    if _DIGITS.fullmatch(text):
        return float(text)
    # The parser of the library is not meant for hostile text.
    try:
        return (parsedate_to_datetime(text) - now).total_seconds()
    except (ValueError, TypeError, OverflowError, IndexError, AttributeError):
        return None


class VendorClient:
    """The shared HTTP client. One TLS context for each CA.

    Each request opens a new connection: a pooled one is identified by its address only, and could
    be used for a host name that its certificate was not verified for.
    """

    def __init__(
        self,
        *,
        connect_seconds: float = CONNECT_SECONDS,
        total_seconds: float = TOTAL_SECONDS,
        largest_answer: int = LARGEST_ANSWER,
    ) -> None:
        self._connect_seconds = connect_seconds
        self._total_seconds = total_seconds
        self._largest_answer = largest_answer
        self._clients: OrderedDict[str, httpx.AsyncClient] = OrderedDict()
        for name in _CHATTY_LOGGERS:
            logging.getLogger(name).setLevel(logging.WARNING)

    def api(self, endpoint: Endpoint, ca: str = "") -> VendorApi:
        """The API at an endpoint; ``ca`` are the certificates (PEM) to trust instead of the
        system's. Raises VendorError if ``ca`` has no certificate, or the address is not an IP
        address: with a name, DNS would decide where a credential is sent."""
        try:
            ipaddress.ip_address(endpoint.address)
        except ValueError:
            text = f"{endpoint} is not known by an IP address"
            raise VendorError(Reason.ENDPOINT_NOT_FOUND, text) from None
        client = self._clients.get(ca)
        if client is None:
            client = self._clients[ca] = self._client(_context(ca))
            while len(self._clients) > _MOST_CLIENTS or sum(map(len, self._clients)) > _MOST_CAS:
                # Requests under way keep it; there is no idle connection to close.
                self._clients.popitem(last=False)
        self._clients.move_to_end(ca)
        return VendorApi(client, endpoint, self._total_seconds, self._largest_answer)

    def _client(self, context: ssl.SSLContext) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            transport=BoundedTransport(context, LARGEST_HEAD),
            follow_redirects=False,
            trust_env=False,
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            timeout=httpx.Timeout(None, connect=self._connect_seconds),
            headers={
                "User-Agent": f"fleet-telemetry/{__version__}",
                "Accept": "application/json",
                # Unpacked, a compressed response could have any size.
                "Accept-Encoding": "identity",
                "Connection": "close",
            },
        )

    async def close(self) -> None:
        """Close the connections."""
        for client in self._clients.values():
            await client.aclose()
        self._clients.clear()


def _context(ca: str) -> ssl.SSLContext:
    if len(ca) > LONGEST_CA:
        text = f"ca.crt of the Secret is longer than {LONGEST_CA // 1024} KiB"
        raise VendorError(Reason.SECRET_INCOMPLETE, text)
    try:
        context = ssl.create_default_context(cadata=ca or None)
    except (ssl.SSLError, ValueError, TypeError):
        text = "ca.crt of the Secret holds no certificate (PEM)"
        raise VendorError(Reason.SECRET_INCOMPLETE, text) from None
    if ca:
        # The certificates of the Secret are trusted, also an intermediate CA or the server's own
        # certificate.
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


class VendorApi:
    """One instance's API."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        endpoint: Endpoint,
        total_seconds: float = TOTAL_SECONDS,
        largest_answer: int = LARGEST_ANSWER,
    ) -> None:
        self._client = client
        self.endpoint = endpoint
        self._total_seconds = total_seconds
        self._largest_answer = largest_answer

    async def request(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: Any = None,
        largest: int = LARGEST_ANSWER,
    ) -> Answer:
        """Send a request, with JSON content if any; the whole answer, of at most ``largest`` bytes.
        Raises VendorError.

        The path appears in messages: it must not contain a secret.
        """
        what = f"{method} {self.endpoint}{path}"
        try:
            async with asyncio.timeout(self._total_seconds):
                request = self._request(method, path, headers or {}, content)
                return await self._send(what, request, min(largest, self._largest_answer))
        except (TimeoutError, httpx.TimeoutException) as error:
            raise _timed_out(what, error, self._total_seconds) from None
        except TooMuchReceivedError:
            text = f"{what} answered with too many headers, or in too many pieces"
            raise VendorError(Reason.UNEXPECTED_ANSWER, text) from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            # The error's own text is never shown: it may quote a header.
            raise _failed(what, error) from None

    def _request(
        self, method: str, path: str, headers: Mapping[str, str], content: Any
    ) -> httpx.Request:
        end = self.endpoint
        return self._client.build_request(
            method,
            # Put together from parts, so that no part can turn into another.
            httpx.URL(
                scheme=end.scheme,
                host=end.address,
                port=end.port,
                raw_path=f"{_prefix(end)}{path}".encode(),
            ),
            headers={"Host": _authority(end), **headers},
            json=content,
            extensions={"sni_hostname": end.host},
        )

    async def _send(self, what: str, request: httpx.Request, largest: int) -> Answer:
        response = await self._client.send(request, stream=True)
        try:
            allow(response, _MOST_RECEIVED)
            body = bytearray()
            async for chunk in response.aiter_raw():
                body += chunk
                if len(body) > largest:
                    raise VendorError(
                        Reason.UNEXPECTED_ANSWER,
                        f"{what} answered with more than {largest // 1024} KiB",
                    )
        finally:
            await response.aclose()
        if response.is_redirect:
            raise VendorError(
                Reason.UNEXPECTED_ANSWER,
                f"{what} answered {response.status_code} with a redirect, which is not followed: a"
                f" credential goes to this Service only; set basePath or scheme of the endpoint",
            )
        return Answer(
            status=response.status_code,
            content_type=response.headers.get("content-type", ""),
            body=bytes(body),
            retry_after=tuple(response.headers.get_list("retry-after")),
            what=what,
        )


def _authority(endpoint: Endpoint) -> str:
    """Host and port of the Host header, without the scheme's default port."""
    host = f"[{endpoint.host}]" if ":" in endpoint.host else endpoint.host
    default = {"http": 80, "https": 443}.get(endpoint.scheme)
    return host if endpoint.shown_port == default else f"{host}:{endpoint.shown_port}"


def _prefix(endpoint: Endpoint) -> str:
    """The base path with a leading slash and no trailing one; empty for none."""
    path = endpoint.base_path.strip("/")
    return f"/{path}" if path else ""


def _timed_out(what: str, error: Exception, total_seconds: float) -> VendorError:
    if isinstance(error, httpx.ConnectTimeout):
        text = f"{what}: no connection in time"
    else:
        text = f"{what} did not answer within {total_seconds:g} s"
    return VendorError(Reason.UNREACHABLE, text)


_SAID: Mapping[HttpFault, tuple[Reason, str]] = {
    HttpFault.WRONG_NAME: (Reason.TLS_NOT_TRUSTED, "the certificate is for another name"),
    HttpFault.EXPIRED: (Reason.TLS_NOT_TRUSTED, "the certificate has expired"),
    HttpFault.NOT_TRUSTED: (
        Reason.TLS_NOT_TRUSTED,
        "the certificate is not trusted; put its CA into ca.crt of the Secret",
    ),
    HttpFault.NO_CONNECTION: (Reason.UNREACHABLE, "no connection"),
    HttpFault.NO_TLS: (
        Reason.UNEXPECTED_ANSWER,
        "the server does not speak TLS as expected; is it plain http?",
    ),
    HttpFault.NO_HTTP: (
        Reason.UNEXPECTED_ANSWER,
        "the server does not speak HTTP as expected; is it https?",
    ),
    HttpFault.CUT: (Reason.UNREACHABLE, "the connection was cut"),
}


def _failed(what: str, error: Exception) -> VendorError:
    otherwise = (Reason.UNREACHABLE, type(error).__name__)
    reason, why = _SAID.get(fault_of(error), otherwise)
    return VendorError(reason, f"{what}: {why}")
