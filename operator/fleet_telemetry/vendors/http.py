"""The one way in which products are asked: bounded in time and size, and never led elsewhere."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from fleet_telemetry import __version__
from fleet_telemetry.model.reasons import Reason

CONNECT_SECONDS = 5.0
TOTAL_SECONDS = 15.0
"""For one request with its whole answer, however slowly it drips."""
LARGEST_ANSWER = 4 * 1024 * 1024


class VendorError(Exception):
    """The product did not tell, or did not take, a setting. The message holds no secret and nothing
    of the answer's body but what the adapter knows to be harmless."""

    def __init__(self, reason: Reason, message: str, *, retry_after: float | None = None) -> None:
        self.reason = reason
        self.retry_after = retry_after
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where one instance answers.

    The address is that of a Service or a pod, so that no name service can lead elsewhere; the host
    name is what the certificate has to be for.
    """

    scheme: str
    address: str
    port: int
    host: str
    base_path: str = ""

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}{self.base_path}"


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer."""

    status: int
    content_type: str
    body: bytes
    retry_after: str
    what: str
    """The request in words, for messages."""

    def json(self, kind: type) -> Any:
        """The body as JSON of a kind (dict or list). Raises VendorError."""
        try:
            content = json.loads(self.body)
        except ValueError:
            content = None
        if not isinstance(content, kind):
            shown = self.content_type.partition(";")[0] or "nothing"
            raise VendorError(
                Reason.UNEXPECTED_ANSWER,
                f"{self.what} answered {self.status} with {shown} of {len(self.body)} bytes where"
                f" JSON was expected",
            )
        return content

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
        raise VendorError(
            reason,
            f"{self.what} answered {self.status}",
            retry_after=_seconds(self.retry_after, now),
        )


_REASON_BY_STATUS = {
    401: Reason.CREDENTIALS_REJECTED,
    403: Reason.PERMISSION_MISSING,
    404: Reason.API_NOT_FOUND,
    429: Reason.RATE_LIMITED,
    503: Reason.UNREACHABLE,
}


def _seconds(retry_after: str, now: datetime | None) -> float | None:
    """Retry-After in seconds: a number, or a date compared with now."""
    if retry_after.isdecimal():
        return float(retry_after)
    try:
        when = parsedate_to_datetime(retry_after)
        return max(0.0, (when - now).total_seconds()) if now else None
    except (ValueError, TypeError):
        return None


class VendorClient:
    """The shared HTTP client. One TLS context for each CA."""

    def __init__(self) -> None:
        self._clients: dict[str, httpx.AsyncClient] = {}

    def api(self, endpoint: Endpoint, ca: str = "") -> VendorApi:
        """The API at an endpoint; ``ca`` are the certificates (PEM) to trust instead of the
        system's. Raises VendorError where they are none."""
        client = self._clients.get(ca)
        if client is None:
            try:
                context = ssl.create_default_context(cadata=ca or None)
            except (ssl.SSLError, ValueError) as error:
                raise VendorError(
                    Reason.SECRET_INCOMPLETE, "ca.crt of the Secret holds no certificate (PEM)"
                ) from error
            client = self._clients[ca] = httpx.AsyncClient(
                verify=context,
                follow_redirects=False,
                trust_env=False,
                timeout=httpx.Timeout(TOTAL_SECONDS, connect=CONNECT_SECONDS),
                limits=httpx.Limits(max_connections=200, max_keepalive_connections=50),
                headers={
                    "User-Agent": f"fleet-telemetry/{__version__}",
                    # What is unpacked could be of any size.
                    "Accept-Encoding": "identity",
                },
            )
        return VendorApi(client, endpoint)

    async def close(self) -> None:
        """Close the connections."""
        for client in self._clients.values():
            await client.aclose()
        self._clients.clear()


class VendorApi:
    """One instance's API."""

    def __init__(self, client: httpx.AsyncClient, endpoint: Endpoint) -> None:
        self._client = client
        self.endpoint = endpoint

    async def request(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: Any = None,
    ) -> Answer:
        """Send a request, with JSON content if any; the whole answer. Raises VendorError."""
        what = f"{method} {self.endpoint}{path}"
        try:
            async with asyncio.timeout(TOTAL_SECONDS):
                return await self._send(what, method, path, headers or {}, content)
        except TimeoutError as error:
            text = f"{what} did not answer within {TOTAL_SECONDS:.0f} s"
            raise VendorError(Reason.UNREACHABLE, text) from error
        except httpx.ConnectError as error:
            if isinstance(_root(error), ssl.SSLCertVerificationError):
                text = (
                    f"{what}: the certificate is not trusted; put its CA into ca.crt of the Secret"
                )
                raise VendorError(Reason.TLS_NOT_TRUSTED, text) from None
            raise VendorError(Reason.UNREACHABLE, f"{what}: no connection") from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            text = f"{what}: {type(error).__name__}"
            raise VendorError(Reason.UNREACHABLE, text) from None

    async def _send(
        self, what: str, method: str, path: str, headers: Mapping[str, str], content: Any
    ) -> Answer:
        end = self.endpoint
        address = f"[{end.address}]" if ":" in end.address else end.address
        request = self._client.build_request(
            method,
            f"{end.scheme}://{address}:{end.port}{end.base_path}{path}",
            headers={"Host": f"{end.host}:{end.port}", "Accept": "application/json", **headers},
            json=content,
            extensions={"sni_hostname": end.host},
        )
        self._client.cookies.clear()
        response = await self._client.send(request, stream=True)
        try:
            body = bytearray()
            async for chunk in response.aiter_raw():
                body += chunk
                if len(body) > LARGEST_ANSWER:
                    raise VendorError(
                        Reason.UNEXPECTED_ANSWER,
                        f"{what} answered with more than {LARGEST_ANSWER // 2**20} MiB",
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
            retry_after=response.headers.get("retry-after", ""),
            what=what,
        )


def _root(error: BaseException) -> BaseException:
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return error
