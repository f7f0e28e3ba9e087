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
# What the object is comes between the uid and the operation, and the object itself after it.
_HEAD_BYTES = 4096
_KIND = re.compile(rb'"kind":"([0-9A-Za-z]{1,63})"')
_NAMESPACE = re.compile(rb'"namespace":"([0-9a-z-]{1,63})"')
_NAME = re.compile(rb'"name":"([0-9A-Za-z.-]{1,253})"')
_decoder = msgspec.json.Decoder()


class NotAReviewError(Exception):
    """The body is no AdmissionReview."""


class UnreadableError(Exception):
    """The body is an AdmissionReview that cannot be read; the message says why."""

    def __init__(self, body: bytes, why: str) -> None:
        super().__init__(why)
        self.uid = _uid(body)
        self.name = _name(body)
        """The object's kind, namespace and name, as far as they are known."""


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
        # The framework reads the type as mail does: 8 KiB of parameters take 100 ms.
        media_type = http.headers.get(hdrs.CONTENT_TYPE, "").partition(";")[0].strip().lower()
        if media_type != JSON or hdrs.CONTENT_ENCODING in http.headers:
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
        raise UnreadableError(body, f"it has more than {MOST_VALUES} objects and lists")
    try:
        request = dig(_decoder.decode(body), "request")
    except RecursionError:
        raise UnreadableError(body, "it is nested too deeply") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        request = None
    if not isinstance(request, dict):
        raise NotAReviewError
    return request


def _uid(body: bytes) -> str:
    """The uid of a request that cannot be read: without it the API server accepts no answer."""
    match = _UID.match(body)
    return match[1].decode() if match else ""


def _name(body: bytes) -> str:
    """What a request that cannot be read is about."""
    before, operation, _ = body[:_HEAD_BYTES].partition(b'"operation":')
    # The kind of the review itself comes before the uid.
    head = before.partition(b'"uid":')[2] if operation else b""
    kind, namespace, name = (
        found[1].decode() if found is not None else ""
        for found in (_KIND.search(head), _NAMESPACE.search(head), _NAME.search(head))
    )
    place = "/".join(filter(None, (namespace, name)))
    return " ".join(filter(None, (kind, place))) or "the object"
