"""Reads a streaming list: a watch that begins with every object, one by one.

See "Streaming lists" in the Kubernetes API concepts. A bookmark marks the end of the list. What
changes meanwhile may come before it, so an object may come twice, or come and be deleted.
Bytes in, objects out: no I/O.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from fleet_telemetry.objects.manifest import Manifest, dig, text_at

QUERY = {
    "watch": "true",
    "sendInitialEvents": "true",
    "resourceVersionMatch": "NotOlderThan",
    "allowWatchBookmarks": "true",
}
_LONGEST_LINE = 16 * 1024 * 1024
"""Bytes. etcd stores at most 1.5 MB of an object by default, and no API server accepts 4 MB."""
_NO_STREAM = "the answer is not a stream of events"
_END = "k8s.io/initial-events-end"


class StreamError(Exception):
    """The stream is none, or the API server ended it with an error."""

    def __init__(self, message: str, status: int = 0, reason: str = "") -> None:
        """``status`` and ``reason`` are the API server's; 0 and empty without one."""
        self.status = status
        self.reason = reason
        super().__init__(message)


class Presence(StrEnum):
    """What a stream says of an object."""

    EXISTS = "Exists"
    DELETED = "Deleted"


@dataclass
class StreamedList:
    """The stream of one list."""

    is_complete: bool = False
    """The end of the list has come. What follows is not read."""
    has_begun: bool = False
    """An event has come, so the API server has streaming lists."""
    _rest: bytearray = field(default_factory=bytearray)

    def feed(self, chunk: bytes) -> Iterator[tuple[Presence, dict[str, Any]]]:
        """The objects that a chunk of the response completes. Raises StreamError."""
        searched = len(self._rest)
        self._rest += chunk
        begin = 0
        while not self.is_complete:
            end = self._rest.find(b"\n", max(begin, searched))
            if end < 0:
                break
            line = bytes(self._rest[begin:end])
            begin = end + 1
            if line.strip():
                yield from self._read(line)
        del self._rest[:begin]
        if len(self._rest) > _LONGEST_LINE:
            raise StreamError(f"an event has more than {_LONGEST_LINE} bytes")

    def end(self) -> StreamError:
        """What it means that the response ended before the list did."""
        if self._rest.strip() and not self.has_begun:
            return StreamError(_NO_STREAM)
        return StreamError("the stream ended before the list did", reason="Unreachable")

    def _read(self, line: bytes) -> Iterator[tuple[Presence, dict[str, Any]]]:
        try:
            event = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise StreamError(_NO_STREAM) from error
        found = event.get("object") if isinstance(event, dict) else None
        if not isinstance(found, dict) or not isinstance(event.get("type"), str):
            raise StreamError(_NO_STREAM)
        if event["type"] == "ERROR":
            raise _error(found)
        self.has_begun = True
        if event["type"] == "BOOKMARK":
            annotations = dig(found, "metadata", "annotations")
            self.is_complete = isinstance(annotations, dict) and annotations.get(_END) == "true"
        elif event["type"] == "DELETED":
            yield Presence.DELETED, found
        else:
            yield Presence.EXISTS, found


def _error(status: Manifest) -> StreamError:
    code = status.get("code")
    message = text_at(status, "message") or "the API server ended the stream"
    return StreamError(message, code if isinstance(code, int) else 0, text_at(status, "reason"))
