"""Reads a watch, or a streaming list: a watch that begins with every object, one by one.

See "Streaming lists" in the Kubernetes API concepts. A bookmark marks the end of the list. What
changes meanwhile may come before it, so an object may come twice, or come and be deleted.
Bytes in, events out: no I/O.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import msgspec

from fleet_telemetry.kube.raw_object import (
    END_OF_LIST,
    ObjectError,
    RawObject,
    decode,
    read_object,
    read_sketch,
)
from fleet_telemetry.objects.kind import Kind
from fleet_telemetry.objects.manifest import dig, number_at, text_at

LONGEST_EVENT = 16 * 1024 * 1024
"""Bytes. etcd stores at most 1.5 MB of an object by default, and no API server accepts 4 MB."""
NO_STREAM = "the answer is not a stream of events"


class StreamError(Exception):
    """The stream is none, or the API server ended it with an error."""

    def __init__(
        self, message: str, status: int = 0, reason: str = "", retry_after: float = 0.0
    ) -> None:
        """``status``, ``reason`` and ``retry_after`` (seconds) are the API server's; 0 and empty
        without one."""
        self.status = status
        self.reason = reason
        self.retry_after = retry_after
        super().__init__(message)


class Presence(StrEnum):
    """What an event says of an object."""

    EXISTS = "Exists"
    DELETED = "Deleted"


_PRESENCE = {
    "ADDED": Presence.EXISTS,
    "MODIFIED": Presence.EXISTS,
    "DELETED": Presence.DELETED,
}


@dataclass(frozen=True, slots=True)
class ObjectChange:
    """An object exists in this form, or was deleted."""

    presence: Presence
    found: RawObject

    @property
    def version(self) -> str:
        """From where a watch can be resumed; empty if the object does not say it."""
        return self.found.version_text


@dataclass(frozen=True, slots=True)
class Bookmark:
    """Everything up to this resource version has been reported."""

    version: str
    ends_list: bool


Event = ObjectChange | Bookmark


class _Line(msgspec.Struct):
    type: str
    object: msgspec.Raw


_lines = msgspec.json.Decoder(_Line)
_statuses = msgspec.json.Decoder(dict[str, Any])


class EventStream:
    """The events of one response, from its chunks."""

    def __init__(self, kind: Kind) -> None:
        self._kind = kind
        self._rest: list[bytes] = []
        self._rest_size = 0
        self._has_begun = False

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """The events that a chunk completes. Raises StreamError."""
        first, *others = chunk.split(b"\n")
        self._rest.append(first)
        self._rest_size += len(first)
        if self._rest_size > LONGEST_EVENT:
            raise StreamError(f"an event has more than {LONGEST_EVENT} bytes")
        if others:
            line = b"".join(self._rest)
            self._rest, self._rest_size = [others[-1]], len(others[-1])
            yield from self._read(line)
            for other in others[:-1]:
                yield from self._read(other)

    def _read(self, line: bytes) -> Iterator[Event]:
        if not line.strip():
            return
        try:
            event = self._event(decode(_lines.decode, line))
        except ObjectError as error:
            raise StreamError(f"{NO_STREAM}: {error}") from error
        self._has_begun = True
        yield event

    def end(self) -> None:
        """The response has ended. Raises StreamError if it was no stream."""
        if not self._has_begun and b"".join(self._rest).strip():
            raise StreamError(NO_STREAM)

    def _event(self, event: _Line) -> Event:
        if event.type == "ERROR":
            raise _error(decode(_statuses.decode, event.object))
        if event.type == "BOOKMARK":
            return _bookmark(event.object)
        presence = _PRESENCE.get(event.type)
        if presence is None:
            raise ObjectError("an event of an unknown type")
        return ObjectChange(presence, read_object(self._kind, event.object))


def _bookmark(raw: msgspec.Raw) -> Bookmark:
    try:
        sketch = read_sketch(raw)
    except msgspec.ValidationError as error:
        raise ObjectError(str(error)) from error
    annotations = dig(sketch, "metadata", "annotations")
    return Bookmark(
        text_at(sketch, "metadata", "resourceVersion"), dig(annotations, END_OF_LIST) == "true"
    )


def _error(status: dict[str, Any]) -> StreamError:
    return StreamError(
        text_at(status, "message") or "the API server ended the stream",
        number_at(status, "code"),
        text_at(status, "reason"),
        number_at(status, "details", "retryAfterSeconds"),
    )
