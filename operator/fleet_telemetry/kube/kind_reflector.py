"""Keeps the store of one kind like the cluster: sends what ``Reflection`` asks for.

Each request has a time limit, so a watch that is dead is found for each kind by itself.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from http import HTTPStatus
from typing import NoReturn, Protocol

from fleet_telemetry.kube.client import NOT_A_LIST, ApiError, KubernetesClient
from fleet_telemetry.kube.event_stream import EventStream, StreamError
from fleet_telemetry.kube.kinds import OPTIONAL
from fleet_telemetry.kube.raw_object import ObjectError
from fleet_telemetry.kube.raw_page import read_page
from fleet_telemetry.kube.reflection import (
    Ask,
    Interruption,
    Reflection,
    Request,
    RequestFailure,
    StreamingLists,
)
from fleet_telemetry.kube.store import ReflectorStore
from fleet_telemetry.objects.kind import Kind

_log = logging.getLogger(__name__)

_LIST_SILENCE_SECONDS = 15.0
_WATCH_SILENCE_SECONDS = 75.0
"""The API server sends a bookmark about once a minute to each watch that asks for them
(kubernetes/kubernetes@v1.36.3: staging/src/k8s.io/apiserver/pkg/storage/cacher/cacher.go,
defaultBookmarkFrequency). It promises none. Without one the watch is resumed, and nothing is lost.
"""
_LOG_AGAIN_SECONDS = 300.0
_SILENT = "Silent"


class WatchObserver(Protocol):
    """Counts what the lists and watches of each kind do."""

    def saw(self, kind: str) -> None:
        """A watch delivered an event or a bookmark for this kind."""

    def listed_kind(self, kind: str) -> None:
        """A kind was listed in full."""

    def interrupted(self, kind: str, reason: str) -> None:
        """A list or a watch ended, other than by the API server's time limit."""


class Nobody(WatchObserver):
    """Observes nothing."""

    def saw(self, kind: str) -> None:
        """See WatchObserver."""

    def listed_kind(self, kind: str) -> None:
        """See WatchObserver."""

    def interrupted(self, kind: str, reason: str) -> None:
        """See WatchObserver."""


@dataclass
class _Complaint:
    """What was logged last, so that one outage is not logged each second."""

    subject: tuple[int, str] | None = None
    at: float = 0.0


class KindReflector:
    """Lists and watches one kind."""

    def __init__(
        self,
        kind: Kind,
        store: ReflectorStore,
        client: KubernetesClient,
        *,
        streaming: StreamingLists | None = None,
        observer: WatchObserver | None = None,
    ) -> None:
        """``streaming`` is shared by all kinds."""
        self.kind = kind
        self.current = asyncio.Event()
        """Set while the last list began after the last call of ``expire``."""
        self._store = store
        self._client = client
        self._observer = observer or Nobody()
        self._reflection = Reflection(store, streaming or StreamingLists(), kind in OPTIONAL)
        self._lists = 0
        self._limit: asyncio.Timeout | None = None
        """The time limit of the stream that is being read."""
        self._has_event = False
        """The last chunk has completed an event."""
        self._complaint = _Complaint()

    def expire(self) -> None:
        """List the kind again now. What is cached stays until then."""
        self.current.clear()
        self._reflection.expire()
        limit, self._limit = self._limit, None
        if limit is not None and not limit.expired() and self._reflection.wants_list:
            limit.reschedule(asyncio.get_running_loop().time())

    async def run(self) -> NoReturn:
        """List and watch. Never ends."""
        while True:
            try:
                delay = await self._send(self._reflection.request())
            except ApiError as error:
                self._complain(error)
                failure = _failure(error)
                delay = self._reflection.failed(failure)
                if not self._is_absent(error):
                    self._observer.interrupted(self.kind.kind, failure.interruption)
                self._report_list()
            await asyncio.sleep(delay)

    async def list_once(self) -> None:
        """List the kind once, without a watch. Raises ApiError."""
        while not self._reflection.is_current:
            try:
                await self._send(self._reflection.request(), once=True)
            except ApiError as error:
                delay = self._reflection.failed(_failure(error))
                if delay and not self._reflection.is_current:
                    raise
        # Whatever watches the kind says no more than what it reports.
        self._store.follow(0)

    async def _send(self, request: Request, *, once: bool = False) -> float:
        """Send a request and take what comes. Returns how many seconds to wait after it. Raises
        ApiError."""
        reflection, loop = self._reflection, asyncio.get_running_loop()
        started = loop.time()
        try:
            if request.ask is Ask.PAGE:
                data = await self._client.read(self.kind, request.query)
                reflection.take_page(read_page(self.kind, data))
                self._report_list()
            elif not await self._read_stream(request, once=once):
                return 0.0
        except (StreamError, ObjectError) as error:
            raise self._api_error(error) from error
        return reflection.ended(loop.time() - started)

    async def _read_stream(self, request: Request, *, once: bool) -> bool:
        """Whether the stream has ended; False if it is not needed any more."""
        reflection, loop = self._reflection, asyncio.get_running_loop()
        stream = EventStream(self.kind)
        try:
            # Until the response begins, too.
            async with asyncio.timeout(_LIST_SILENCE_SECONDS) as limit:
                async with self._client.stream(self.kind, request.query) as chunks:
                    self._limit = limit
                    limit.reschedule(loop.time() + self._patience())
                    async for chunk in chunks:
                        goes_on = self._take(stream, chunk) and not reflection.wants_list
                        if not goes_on or (once and reflection.is_current):
                            return False
                        if self._has_event or reflection.is_listing:
                            limit.reschedule(loop.time() + self._patience())
                        # What has arrived is read at once; all else on the loop gets its turn.
                        await asyncio.sleep(0)
        except TimeoutError as error:
            if reflection.wants_list:
                return False
            path = self.kind.path()
            raise ApiError(0, _SILENT, f"GET {path}: nothing came for too long") from error
        finally:
            self._limit = None
        stream.end()
        if reflection.is_listing:
            path = self.kind.path()
            raise ApiError(0, "Unreachable", f"GET {path}: the stream ended before the list did")
        return True

    def _take(self, stream: EventStream, chunk: bytes) -> bool:
        """Whether to read on. Raises StreamError."""
        goes_on, self._has_event = True, False
        for event in stream.feed(chunk):
            self._has_event = True
            goes_on = self._reflection.take(event)
            if not goes_on:
                break
        if self._has_event:
            self._observer.saw(self.kind.kind)
            self._report_list()
        return goes_on

    def _patience(self) -> float:
        return _LIST_SILENCE_SECONDS if self._reflection.is_listing else _WATCH_SILENCE_SECONDS

    def _report_list(self) -> None:
        if self._reflection.lists != self._lists:
            self._lists = self._reflection.lists
            self._observer.listed_kind(self.kind.kind)
        if self._reflection.is_current:
            self.current.set()

    def _api_error(self, error: StreamError | ObjectError) -> ApiError:
        text = f"GET {self.kind.path()}: {error}"
        if isinstance(error, ObjectError):
            return ApiError(0, NOT_A_LIST, text)
        reason = error.reason if error.status else NOT_A_LIST
        return ApiError(error.status, reason, text, retry_after=error.retry_after)

    def _is_absent(self, error: ApiError) -> bool:
        """The cluster does not serve the kind, and need not."""
        return error.is_not_found and self.kind in OPTIONAL

    def _complain(self, error: ApiError) -> None:
        """Log a failure: the first of its sort, and once in a while."""
        if error.status == HTTPStatus.GONE or error.reason == _SILENT:
            return  # it belongs to the life of a watch
        now = asyncio.get_running_loop().time()
        before = self._complaint
        subject = error.status, error.reason
        if subject == before.subject and now - before.at < _LOG_AGAIN_SECONDS:
            return
        self._complaint = _Complaint(subject, now)
        if not self._is_absent(error):
            verb = "list" if self._reflection.is_listing else "watch"
            _log.warning("cannot %s %s, retrying: %s", verb, self.kind.plural, error)


def _failure(error: ApiError) -> RequestFailure:
    interruption = Interruption.REFUSED
    if error.is_not_found:
        interruption = Interruption.ABSENT
    elif error.status == HTTPStatus.GONE:
        interruption = Interruption.EXPIRED
    elif error.reason == NOT_A_LIST:
        interruption = Interruption.GARBLED
    elif error.reason == _SILENT:
        interruption = Interruption.SILENT
    elif not error.status:
        interruption = Interruption.UNREACHABLE
    return RequestFailure(interruption, error.status, error.retry_after, error.is_rejection)
