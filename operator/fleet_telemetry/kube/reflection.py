"""What to ask the API server for, so that the store of a kind shows what the cluster has.

A list, and then a watch from where the list ended. Where the API server streams lists, both are one
request. No I/O, and no clock: the caller sends the requests, reports how they end, and waits.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from http import HTTPStatus

from fleet_telemetry.backoff import backoff_seconds
from fleet_telemetry.kube.event_stream import NO_STREAM, Bookmark, Event, Presence, StreamError
from fleet_telemetry.kube.raw_object import number_of
from fleet_telemetry.kube.raw_page import RawPage
from fleet_telemetry.kube.store import Listing, ReflectorStore

PAGE = 100
"""Objects in one page of a list. It is kept as bytes, and its objects are decoded one by one."""
_WATCH_SECONDS = 300
"""At least so long, and at most twice as long, the API server keeps a watch open. Then the watches
spread over API servers that were started meanwhile."""
_LASTING_SECONDS = 30.0
"""A watch that ends after such a time has worked."""
_ABSENT_SECONDS = 15.0
"""How often to look whether a kind is served by now."""
_FIRST_SECONDS = 0.2
_LONGEST_SECONDS = 30.0
_LONGEST_UNREACHABLE_SECONDS = 5.0
"""An API server that does not respond costs little to ask, and everybody waits for its return."""
_LONGEST_FORBIDDEN_SECONDS = 60.0
_LONGEST_RETRY_AFTER_SECONDS = 120.0
_PATIENCE = 3
"""So many failures in a row, and a watch is not resumed but the kind is listed."""
_BROKEN_LISTS = 2
"""So many streaming lists in a row that broke off, and the next one is in pages. The API server
ends a stream whose client reads too slowly."""


class Ask(StrEnum):
    """The request to send."""

    STREAM = "stream"
    """A streaming list, which goes on as a watch."""
    PAGE = "page"
    WATCH = "watch"


class Interruption(StrEnum):
    """Why a list or a watch ended other than by the API server's time limit."""

    ABSENT = "absent"
    """The API server does not serve the kind."""
    EXPIRED = "expired"
    """The resource version is too old to resume from."""
    GARBLED = "garbled"
    """The answer is none of an API server."""
    REFUSED = "refused"
    SILENT = "silent"
    """No event and no bookmark came for too long."""
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, slots=True)
class Request:
    """A request for a kind, in all namespaces."""

    ask: Ask
    query: dict[str, str]


@dataclass(frozen=True, slots=True)
class RequestFailure:
    """How a request failed."""

    interruption: Interruption
    status: int = 0
    """The HTTP status, or that of an event of the type ERROR; 0 without one."""
    retry_after: float = 0.0
    """Seconds that the API server asks to wait; 0 if it does not say."""
    is_rejection: bool = False
    """The API server does not accept the request as such, whoever makes it."""


@dataclass
class StreamingLists:
    """Whether the API server may have streaming lists: they came with Kubernetes 1.34, and need
    a recent etcd. Shared by all kinds."""

    served: bool = True


@dataclass
class Reflection:
    """The state of one kind's list and watch."""

    store: ReflectorStore
    streaming: StreamingLists = field(default_factory=StreamingLists)
    optional: bool = False
    """A cluster may not serve the kind. It has no objects then."""
    jitter: Callable[[float, float], float] = random.uniform
    is_listed: bool = False
    """The kind has been listed in full, or is known to be absent."""
    lists: int = 0
    """How many full lists were completed."""
    _is_outdated: bool = True
    _version: str = ""
    """From where the watch can be resumed. Empty: the kind has to be listed."""
    _listing: Listing | None = None
    _token: str = ""
    _asked: Ask = Ask.STREAM
    _by_pages: bool = False
    _has_event: bool = False
    """Something has come by the present request."""
    _failures: int = 0
    _broken_lists: int = 0
    _again: bool = False
    """To be listed again once the list that is being read is complete."""

    @property
    def is_current(self) -> bool:
        """The last list began after the last call of ``expire``."""
        return self.is_listed and not self._is_outdated

    @property
    def is_listing(self) -> bool:
        """A list is being read."""
        return self._listing is not None

    @property
    def wants_list(self) -> bool:
        """The kind has to be listed, and no list is being read. A watch under way is of no use."""
        return self._listing is None and not self._version

    def expire(self) -> None:
        """List the kind again: objects that were dropped may be wanted now. What is cached stays
        until then. A list that is being read is completed first, so calls in a row cannot keep it
        from ever ending."""
        self._is_outdated = True
        if self._listing is None:
            self._version = ""
        else:
            self._again = True

    def request(self) -> Request:
        """The next request."""
        self._has_event = False
        if self._version:
            self._asked = Ask.WATCH
            return Request(Ask.WATCH, {**self._watch(), "resourceVersion": self._version})
        if self._listing is None:
            self._listing = self.store.begin_list()
            self._again = False
        if self.streaming.served and not self._by_pages:
            self._asked = Ask.STREAM
            only_newest = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"}
            return Request(Ask.STREAM, {**self._watch(), **only_newest})
        self._asked = Ask.PAGE
        return Request(Ask.PAGE, {"limit": str(PAGE), "continue": self._token})

    def _watch(self) -> dict[str, str]:
        seconds = round(self.jitter(_WATCH_SECONDS, 2 * _WATCH_SECONDS))
        return {"watch": "true", "allowWatchBookmarks": "true", "timeoutSeconds": str(seconds)}

    def take(self, event: Event) -> bool:
        """An event of the stream. Whether to read on. Raises StreamError."""
        if self._listing is not None:
            self._has_event = True
            return self._take_listed(self._listing, event)
        if self.wants_list:
            return False
        self._follow(event.version)
        self._has_event = True
        if isinstance(event, Bookmark):
            return True
        if event.presence is Presence.DELETED:
            self.store.delete_raw(event.found)
        else:
            self.store.put_raw(event.found)
        return True

    def _take_listed(self, listing: Listing, event: Event) -> bool:
        if isinstance(event, Bookmark):
            if event.ends_list:
                self._end_list(event.version)
                return bool(self._version)
        elif event.presence is Presence.DELETED:
            listing.delete(event.found)
        else:
            listing.put(event.found)
        return True

    def _follow(self, version: str) -> None:
        """The watch has come to this resource version."""
        if not version:
            raise StreamError(f"{NO_STREAM}: an event without a resource version")
        if number_of(version) < number_of(self._version):
            # As after etcd was restored from a backup: what we have may never have been.
            message = f"the watch went back from {self._version} to {version}"
            raise StreamError(message, HTTPStatus.GONE, "Expired")
        self._version = version
        self.store.follow(number_of(version))

    def take_page(self, page: RawPage) -> None:
        """The page that was asked for."""
        listing = self._listing
        if listing is None:
            return
        self._has_event = True
        for found in page.found:
            listing.put(found)
        self._token = page.token
        if not page.token:
            self._end_list(page.version)

    def _end_list(self, version: str) -> None:
        if not version:
            raise StreamError(f"{NO_STREAM}: a list without a resource version")
        self.store.end_list(number_of(version))
        self._listing, self._token, self._by_pages = None, "", False
        self._version = "" if self._again else version
        self.store.follow(number_of(self._version))
        self._is_outdated = self._again
        self.is_listed = True
        self.lists += 1
        self._failures = self._broken_lists = 0

    def ended(self, seconds: float) -> float:
        """The response ended after so many seconds. Returns how many to wait before the next
        request."""
        if self._listing is not None and self._asked is Ask.STREAM:
            return self.failed(RequestFailure(Interruption.UNREACHABLE))
        if self._asked is Ask.PAGE or self._listing is not None or not self._version:
            return 0.0
        if not self._has_event and seconds < _LASTING_SECONDS:
            return self.failed(RequestFailure(Interruption.UNREACHABLE))
        self._failures = 0
        return self.jitter(_FIRST_SECONDS / 2, _FIRST_SECONDS)

    def failed(self, failure: RequestFailure) -> float:
        """The request failed. Returns how many seconds to wait before the next one."""
        was_listing = self._listing is not None
        if not (self._token and self._is_resumable(failure)):  # else that page is asked for again
            self.store.leave_list()
            self._listing, self._token = None, ""
        if was_listing and self._asked is Ask.STREAM and self._turns_to_pages(failure):
            return 0.0
        self._failures = 1 if self._has_event and not was_listing else self._failures + 1
        if failure.interruption is Interruption.ABSENT:
            self._version = ""
            if self.optional:
                self._empty()
                return self.jitter(_ABSENT_SECONDS / 2, _ABSENT_SECONDS)
        elif not self._is_resumable(failure):
            self._version = ""
        longest = _LONGEST_SECONDS
        if failure.interruption in (Interruption.UNREACHABLE, Interruption.SILENT):
            longest = _LONGEST_UNREACHABLE_SECONDS
        elif failure.status == HTTPStatus.FORBIDDEN:
            longest = _LONGEST_FORBIDDEN_SECONDS
        delay = backoff_seconds(self._failures, _FIRST_SECONDS, longest)
        # The jitter comes on top, so that not all return at the same moment.
        required = min(failure.retry_after, _LONGEST_RETRY_AFTER_SECONDS)
        return required + self.jitter(delay / 2, delay)

    def _turns_to_pages(self, failure: RequestFailure) -> bool:
        """Whether a streaming list that failed is to be followed by one in pages at once."""
        if self._has_event:
            self._broken_lists += 1
            self._by_pages = self._broken_lists >= _BROKEN_LISTS
            return False
        if failure.is_rejection or failure.interruption is Interruption.GARBLED:
            self.streaming.served = False
        elif failure.status == HTTPStatus.TOO_MANY_REQUESTS:
            # A kind that was just defined has no streaming list yet: its cache fills.
            self._by_pages = True
        else:
            return False
        return True

    def _is_resumable(self, failure: RequestFailure) -> bool:
        """Whether the list or the watch can be resumed from where it was."""
        if failure.interruption in (Interruption.UNREACHABLE, Interruption.SILENT):
            return True
        if failure.status in (
            HTTPStatus.UNAUTHORIZED,
            HTTPStatus.FORBIDDEN,
            HTTPStatus.TOO_MANY_REQUESTS,
        ):
            return True
        is_of_server = failure.status >= HTTPStatus.INTERNAL_SERVER_ERROR
        is_garbled = failure.interruption is Interruption.GARBLED
        return (is_of_server or is_garbled) and self._failures < _PATIENCE

    def _empty(self) -> None:
        """The cluster does not serve the kind, so it has no objects of it."""
        self.store.begin_list()
        self.store.end_list(0)
        self.is_listed = True
        self._is_outdated = False
        self._failures = 0
