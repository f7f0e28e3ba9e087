"""Watches and streaming lists, from bytes in whatever chunks."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_telemetry.kube.event_stream import (
    Bookmark,
    EventStream,
    ObjectChange,
    Presence,
    StreamError,
)
from tests.support.streams import THING, bookmark, event, lines

NO_NAMES = st.text(min_size=1, alphabet=st.characters(exclude_categories=["Cs"]))


def read(data: bytes, *, step: int = 1_000_000) -> list[tuple[str, ...]]:
    stream, found = EventStream(THING), []
    for begin in range(0, len(data), step):
        for one in stream.feed(data[begin : begin + step]):
            if isinstance(one, Bookmark):
                found.append(("Bookmark", one.version, str(one.ends_list)))
            else:
                found.append((one.presence.value, one.version, one.found.key[1]))
    return found


@given(
    names=st.lists(NO_NAMES, max_size=6),
    step=st.integers(1, 80),
    kinds=st.lists(st.sampled_from(["ADDED", "MODIFIED", "DELETED"]), min_size=6, max_size=6),
)
def test_chunks_make_no_difference(names: list[str], step: int, kinds: list[str]) -> None:
    events = [event(kind, name, 5) for kind, name in zip(kinds, names, strict=False)]
    data = lines(*events, bookmark(7), bookmark(8, ends_list=True))
    assert read(data, step=step) == [
        *(
            (Presence.DELETED if kind == "DELETED" else Presence.EXISTS, "5", name)
            for kind, name in zip(kinds, names, strict=False)
        ),
        ("Bookmark", "7", "False"),
        ("Bookmark", "8", "True"),
    ]


def test_empty_lines_say_nothing() -> None:
    assert read(b"\n \r\n" + lines(bookmark(3)) + b"\n") == [("Bookmark", "3", "False")]


@pytest.mark.thorough
@pytest.mark.parametrize(
    "data",
    [
        b"<html>Sign in</html>",
        b'{"kind":"PodList","items":[]}',
        b"[1]",
        b"null",
        b"{",
        b'{"type":"ADDED"}',
        b'{"type":"ADDED","object":[]}',
        b'{"type":"ADDED","object":null}',
        b'{"type":"ADDED","object":{}}',
        b'{"type":"ADDED","object":{"metadata":null}}',
        b'{"type":"ADDED","object":{"metadata":[]}}',
        b'{"type":"ADDED","object":{"metadata":{"uid":"1"}}}',
        b'{"type":"ADDED","object":{"metadata":{"name":5}}}',
        b'{"type":"ADDED","object":{"metadata":{"name":"a","namespace":"not of this kind"}}}',
        b'{"type":"RENAMED","object":{"metadata":{"name":"a"}}}',
        b'{"type":"BOOKMARK","object":{"metadata":5}}',
        b'{"type":"ERROR","object":[]}',
        b'{"type":3,"object":{}}',
        b"[" * 200_000,
        b'{"a":' * 200_000,
        b'"\xff"',
        b'{"type":"ADDED","object":{"metadata":{"name":"\xe9"}}}',
        b'{"type":"ERROR","object":{"message":"\xe9"}}',
    ],
)
def test_what_is_no_stream_of_events_is_refused(data: bytes) -> None:
    stream = EventStream(THING)
    with pytest.raises(StreamError, match="not a stream"):
        list(stream.feed(data + b"\n"))


def test_an_answer_without_a_line_is_no_stream() -> None:
    stream = EventStream(THING)
    assert list(stream.feed(b'{"kind":"Status"}')) == []
    with pytest.raises(StreamError, match="not a stream"):
        stream.end()


def test_a_stream_may_break_off_anywhere() -> None:
    stream = EventStream(THING)
    assert len(list(stream.feed(lines(event("ADDED", "a")) + b'{"type":"AD'))) == 1
    stream.end()
    EventStream(THING).end()


def test_an_error_of_the_api_server_keeps_what_it_says() -> None:
    status = {
        "code": 410,
        "reason": "Expired",
        "message": "too old",
        "details": {"retryAfterSeconds": 3},
    }
    with pytest.raises(StreamError, match="too old") as caught:
        list(EventStream(THING).feed(lines({"type": "ERROR", "object": status})))
    assert (caught.value.status, caught.value.reason) == (410, "Expired")
    assert caught.value.retry_after == 3


@pytest.mark.parametrize("status", [{}, {"code": "x", "message": 5, "reason": None}])
def test_an_error_without_a_status_is_one_too(status: dict[str, Any]) -> None:
    with pytest.raises(StreamError, match="ended the stream") as caught:
        list(EventStream(THING).feed(lines({"type": "ERROR", "object": status})))
    assert caught.value.status == 0


@pytest.mark.parametrize("size", [1_000, 1_000_000, 20_000_000])
def test_a_line_without_an_end_is_refused_before_it_fills_the_memory(size: int) -> None:
    stream = EventStream(THING)

    def fill() -> None:
        for _ in range(40_000):
            list(stream.feed(b"x" * size))

    with pytest.raises(StreamError, match="more than"):
        fill()


def test_a_large_event_is_read() -> None:
    large = event("ADDED", "a", spec={"text": "x" * 4_000_000})
    assert read(lines(large), step=65_536) == [("Exists", "1", "a")]


def test_an_object_that_is_nested_deeply_is_read_without_its_depths() -> None:
    deep: dict[str, Any] = {}
    for _ in range(20):
        deep = {"a": deep, "image": "x"}
    data = lines(event("ADDED", "a", spec=deep)).replace(
        b'"a": {}', b'"a": ' + b"[" * 5_000 + b"]" * 5_000
    )
    (found,) = EventStream(THING).feed(data)
    assert isinstance(found, ObjectChange)
    assert found.found.key == ("", "a")
    whole = found.found.whole()
    assert whole["spec"]["image"] == "x"
    assert json.dumps(whole).count("[") == 100 - 22
