"""A model of an API server that lists and watches one kind, without I/O."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from fleet_telemetry.kube.event_stream import EventStream, StreamError
from fleet_telemetry.kube.raw_page import read_page
from fleet_telemetry.kube.reflection import Ask, Interruption, Reflection, Request, RequestFailure
from tests.support.streams import THING, Event, bookmark, lines

PAGE = 2
Stored = dict[str, dict[str, Any]]


def thing(name: str, number: int, uid: str, version: int) -> dict[str, Any]:
    metadata = {"name": name, "uid": uid, "resourceVersion": str(version)}
    return {"kind": "Thing", "metadata": metadata, "spec": {"number": number}}


@dataclass
class WatchedServer:
    """Objects, and all events."""

    streams: bool = True
    """Whether it has streaming lists."""
    version: int = 10
    stored: Stored = field(default_factory=dict)
    log: list[tuple[int, Event]] = field(default_factory=list)
    compacted: int = 0
    """The oldest version from which a watch can begin."""
    _pages: dict[str, tuple[int, list[dict[str, Any]]]] = field(default_factory=dict)

    def put(self, name: str, number: int) -> dict[str, Any]:
        """Create or update an object; the answer is what it is then."""
        self.version += 1
        before = self.stored.get(name)
        uid = before["metadata"]["uid"] if before else f"uid-{self.version}"
        self.stored[name] = thing(name, number, uid, self.version)
        self._report("MODIFIED" if before else "ADDED", self.stored[name])
        return self.stored[name]

    def delete(self, name: str) -> None:
        """Delete an object, if it exists."""
        found = self.stored.pop(name, None)
        if found is not None:
            self.version += 1
            metadata = found["metadata"]
            gone = thing(name, found["spec"]["number"], metadata["uid"], self.version)
            self._report("DELETED", gone)

    def compact(self) -> None:
        """No new watch may begin before now, and lists in pages that are being read have expired.
        A watch under way goes on: it is served from the API server's memory."""
        self.version += 1  # another kind's
        self.compacted = self.version
        self._pages.clear()

    def page(self, query: dict[str, str]) -> dict[str, Any] | None:
        """A page of a list; None if its token has expired."""
        token = query["continue"]
        if token:
            found = self._pages.pop(token, None)
            if found is None:
                return None
            version, left = found
        else:
            version, left = self.version, list(self.stored.values())
        metadata = {"resourceVersion": str(version)}
        if len(left) > PAGE:
            metadata["continue"] = f"{version}-{len(left)}"
            self._pages[metadata["continue"]] = version, left[PAGE:]
        return {"metadata": metadata, "items": left[:PAGE]}

    def stream(self) -> Iterator[Event]:
        """A streaming list, which goes on as a watch; an event each time it is asked."""
        began = self.version
        yield from ({"type": "ADDED", "object": one} for one in list(self.stored.values()))
        reached = self.version
        for version, event in list(self.log):
            if began < version <= reached:
                yield event
        yield bookmark(reached, ends_list=True)
        yield from self.watch(reached)

    def watch(self, version: int) -> Iterator[Event]:
        """A watch. Where nothing has happened, a bookmark."""
        while True:
            later = [(number, event) for number, event in self.log if number > version]
            if later:
                version, event = later[0]
                yield event
            else:
                version = max(version, self.version)
                yield bookmark(version)

    def _report(self, kind: str, manifest: dict[str, Any]) -> None:
        self.log.append((self.version, {"type": kind, "object": manifest}))


class Connection:
    """Sends the requests of a reflection to a server, an event at a time."""

    def __init__(self, server: WatchedServer, reflection: Reflection) -> None:
        self.server = server
        self._reflection = reflection
        self._events: Iterator[Event] | None = None
        self._stream = EventStream(THING)
        self.asked: list[Ask] = []

    @property
    def is_open(self) -> bool:
        return self._events is not None

    def step(self) -> None:
        """Send the next request, or take the next event."""
        if self._events is None:
            self._open(self._reflection.request())
            return
        if self._reflection.wants_list:
            self._events = None
            self._reflection.ended(60)
            return
        self.take(lines(next(self._events)))

    def take(self, data: bytes) -> None:
        """Bytes arrive on the open stream."""
        try:
            for event in self._stream.feed(data):
                if not self._reflection.take(event):
                    self._events = None
                    self._reflection.ended(60)
                    return
        except StreamError as error:
            reason = Interruption.REFUSED if error.status else Interruption.GARBLED
            if error.status == 410:
                reason = Interruption.EXPIRED
            self.fail(RequestFailure(reason, error.status))

    def fail(self, failure: RequestFailure) -> None:
        """The request fails."""
        self._events = None
        assert self._reflection.failed(failure) >= 0

    def end(self, seconds: float) -> None:
        """The API server ends the stream after its time limit."""
        if self._events is not None:
            self._events = None
            assert self._reflection.ended(seconds) >= 0

    def _open(self, request: Request) -> None:
        server = self.server
        self.asked.append(request.ask)
        self._stream = EventStream(THING)
        if request.ask is Ask.PAGE:
            page = server.page(request.query)
            if page is None:
                self.fail(RequestFailure(Interruption.EXPIRED, 410))
            else:
                self._reflection.take_page(read_page(THING, lines(page)))
                assert self._reflection.ended(0) == 0
        elif request.ask is Ask.STREAM:
            if server.streams:
                self._events = server.stream()
            else:
                self.fail(RequestFailure(Interruption.REFUSED, 422, is_rejection=True))
        elif int(request.query["resourceVersion"]) < server.compacted:
            self.fail(RequestFailure(Interruption.EXPIRED, 410))
        else:
            self._events = server.watch(int(request.query["resourceVersion"]))
