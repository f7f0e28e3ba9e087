"""Streaming lists, from bytes in whatever chunks."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_telemetry.kube.streamed_list import Presence, StreamedList, StreamError

Event = dict[str, Any]
END: Event = {
    "type": "BOOKMARK",
    "object": {"metadata": {"annotations": {"k8s.io/initial-events-end": "true"}}},
}
PROGRESS: Event = {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "7"}}}


def event(kind: str, name: str) -> Event:
    return {"type": kind, "object": {"kind": "Pod", "metadata": {"name": name}}}


def lines(*events: Event) -> bytes:
    return b"".join(json.dumps(one).encode() + b"\n" for one in events)


def read(data: bytes, *, step: int = 1_000_000) -> tuple[StreamedList, list[tuple[Presence, str]]]:
    stream, found = StreamedList(), []
    for begin in range(0, len(data), step):
        for change, one in stream.feed(data[begin : begin + step]):
            found.append((change, one["metadata"]["name"]))
    return stream, found


@given(
    names=st.lists(st.text(), max_size=6),
    step=st.integers(1, 80),
    kinds=st.lists(st.sampled_from(["ADDED", "MODIFIED", "DELETED"]), min_size=6, max_size=6),
)
def test_chunks_make_no_difference(names: list[str], step: int, kinds: list[str]) -> None:
    events = [event(kind, name) for kind, name in zip(kinds, names, strict=False)]
    stream, found = read(lines(*events, PROGRESS, END), step=step)
    expected = [
        (Presence.DELETED if kind == "DELETED" else Presence.EXISTS, name)
        for kind, name in zip(kinds, names, strict=False)
    ]
    assert found == expected
    assert stream.is_complete


def test_only_the_bookmark_of_the_end_ends_it() -> None:
    stream, _ = read(lines(event("ADDED", "a"), PROGRESS))
    assert not stream.is_complete
    assert stream.has_begun


def test_what_follows_the_end_is_not_read() -> None:
    _, found = read(lines(event("ADDED", "a"), END, event("ADDED", "b")) + b"no json\n")
    assert found == [(Presence.EXISTS, "a")]


@pytest.mark.parametrize(
    "data",
    [
        b"<html>Sign in</html>\n",
        b'{"kind":"PodList","items":[]}\n',
        b"[1]\n",
        b"null\n",
        b'{"type":"ADDED"}\n',
        b'{"type":"ADDED","object":[]}\n',
        b'{"type":3,"object":{}}\n',
        b"[" * 200_000 + b"\n",
        b'"\xff"\n',
    ],
)
def test_what_is_no_stream_of_events_is_refused(data: bytes) -> None:
    stream = StreamedList()
    with pytest.raises(StreamError, match="not a stream"):
        list(stream.feed(data))
    assert not stream.has_begun


def test_an_error_of_the_api_server_keeps_its_status() -> None:
    status = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}
    with pytest.raises(StreamError, match="too old") as caught:
        list(StreamedList().feed(lines({"type": "ERROR", "object": status})))
    assert (caught.value.status, caught.value.reason) == (410, "Expired")


@pytest.mark.parametrize("status", [{}, {"code": "x", "message": 5, "reason": None}])
def test_an_error_without_a_status_is_one_too(status: Event) -> None:
    with pytest.raises(StreamError, match="ended the stream") as caught:
        list(StreamedList().feed(lines({"type": "ERROR", "object": status})))
    assert caught.value.status == 0


def test_a_line_without_an_end_is_refused_before_it_fills_the_memory() -> None:
    stream = StreamedList()

    def fill() -> None:
        for _ in range(40):
            list(stream.feed(b"x" * 1_000_000))

    with pytest.raises(StreamError, match="more than"):
        fill()
