"""Reads the body of an admission request: within limits, because anybody may send one."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
from aiohttp import hdrs, web

from fleet_telemetry.objects.manifest import Manifest, dig

LARGEST = 4 * 2**20
"""Bytes. An update has two objects. etcd stores at most 1.5 MiB of each, and JSON is longer than
what is stored."""
MOST_VALUES = 300_000
"""Objects and arrays of a request. In memory each takes up to 200 bytes, whatever its text is."""
IN_FLIGHT = 12 * 2**20
"""Bytes of all requests that are being read or answered."""
BODY_SECONDS = 2.0
"""The API server waits no longer for the answer."""
JSON = "application/json"

# The uid comes first in what the API server sends.
_UID = re.compile(rb'.{0,256}?"request":\{"uid":"([0-9A-Za-z-]{1,64})"', re.DOTALL)
_decoder = msgspec.json.Decoder()


class NotAReviewError(Exception):
    """The body is no AdmissionReview."""


class UnreadableError(Exception):
    """The body is an AdmissionReview that cannot be read; the message says why."""

    def __init__(self, uid: str, why: str) -> None:
        super().__init__(why)
        self.uid = uid


class BodyReader:
    """Reads bodies, and limits the bytes of all of them together."""

    def __init__(
        self, *, largest: int = LARGEST, in_flight: int = IN_FLIGHT, seconds: float = BODY_SECONDS
    ) -> None:
        self._largest = largest
        self._in_flight = in_flight
        self._seconds = seconds
        self._held = 0

    @asynccontextmanager
    async def reading(self, http: web.Request) -> AsyncIterator[bytes]:
        """The body, which counts until the context ends. Raises HTTPException."""
        if http.content_type != JSON or hdrs.CONTENT_ENCODING in http.headers:
            raise web.HTTPUnsupportedMediaType(text="expected application/json, not compressed\n")
        self._check((http.content_length or 0), 0)
        body = bytearray()
        try:
            try:
                async with asyncio.timeout(self._seconds):
                    while chunk := await http.content.readany():
                        self._check(len(body) + len(chunk), len(chunk))
                        self._held += len(chunk)
                        body += chunk
            except TimeoutError:
                raise web.HTTPRequestTimeout(text="the body did not arrive in time\n") from None
            yield bytes(body)
        finally:
            self._held -= len(body)

    def _check(self, size: int, more: int) -> None:
        if size > self._largest:
            raise web.HTTPRequestEntityTooLarge(
                self._largest, size, text=f"at most {self._largest} bytes are read\n"
            )
        if self._held + more > self._in_flight:
            raise web.HTTPServiceUnavailable(text="too many requests at once\n")


def read_request(body: bytes) -> Manifest:
    """The request of an AdmissionReview. Raises NotAReviewError, UnreadableError."""
    if body.count(b"{") + body.count(b"[") > MOST_VALUES:
        raise UnreadableError(_uid(body), f"it has more than {MOST_VALUES} objects and lists")
    try:
        request = dig(_decoder.decode(body), "request")
    except RecursionError:
        raise UnreadableError(_uid(body), "it is nested too deeply") from None
    except msgspec.DecodeError:
        request = None
    if not isinstance(request, dict):
        raise NotAReviewError
    return request


def _uid(body: bytes) -> str:
    """The uid of a request that cannot be read: without it the API server accepts no answer."""
    match = _UID.match(body)
    return match[1].decode() if match else ""
