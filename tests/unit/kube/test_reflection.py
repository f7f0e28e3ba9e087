"""A kind's list and watch, against a model of an API server."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_telemetry.kube.event_stream import EventStream, StreamError
from fleet_telemetry.kube.raw_page import read_page
from fleet_telemetry.kube.reflection import (
    Ask,
    Interruption,
    Reflection,
    RequestFailure,
    StreamingLists,
)
from fleet_telemetry.kube.store import ObjectKey, Store
from fleet_telemetry.objects.manifest import number_at
from tests.support.builders import Manifest
from tests.support.depth import examples
from tests.support.streams import THING, bookmark, event, lines
from tests.support.watched_server import Connection, WatchedServer

LOST = RequestFailure(Interruption.UNREACHABLE)
Things = Store[str, tuple[int, str]]


def things() -> Things:
    def decode(_: ObjectKey, manifest: Manifest) -> tuple[int, str]:
        return number_at(manifest, "spec", "number"), manifest["metadata"]["uid"]

    return Store(lambda key: key[1], decode)


def content(server: WatchedServer) -> dict[str, tuple[int, str]]:
    return {
        name: (one["spec"]["number"], one["metadata"]["uid"]) for name, one in server.stored.items()
    }


def settle(connection: Connection) -> None:
    for _ in range(60):
        connection.step()


NAMES = st.sampled_from("abcde")
FAILURES = st.sampled_from(
    [
        LOST,
        RequestFailure(Interruption.SILENT),
        RequestFailure(Interruption.EXPIRED, 410),
        RequestFailure(Interruption.GARBLED),
        *(RequestFailure(Interruption.REFUSED, status) for status in (401, 403, 429, 500, 504)),
        RequestFailure(Interruption.REFUSED, 400, is_rejection=True),
        RequestFailure(Interruption.ABSENT, 404),
        RequestFailure(Interruption.REFUSED, 429, retry_after=3),
    ]
)
BYTES = st.sampled_from(
    [
        b"<html>\n",
        b'{"type":"ADDED","object":{}}\n',
        lines({"type": "ERROR", "object": {"code": 410, "message": "too old"}}),
        lines({"type": "ERROR", "object": {"code": 500}}),
        lines({"type": "ERROR", "object": {}}),
        lines({"type": "BOOKMARK", "object": {"metadata": {}}}),
        b'{"type":"ADDED","obj',
    ]
)
STEP = st.one_of(
    st.tuples(st.just("step"), st.integers(1, 6)),
    st.tuples(st.just("put"), st.tuples(NAMES, st.integers(0, 3))),
    st.tuples(st.just("write"), st.tuples(NAMES, st.integers(0, 3))),
    st.tuples(st.just("respond"), st.integers(0, 3)),
    st.tuples(st.just("delete"), NAMES),
    st.tuples(st.just("fail"), FAILURES),
    st.tuples(st.just("bytes"), BYTES),
    st.tuples(st.just("end"), st.sampled_from([0.0, 300.0])),
    st.tuples(st.just("compact"), st.none()),
    st.tuples(st.just("expire"), st.none()),
    st.tuples(st.just("streams"), st.booleans()),
)


class Play:
    """One run of the steps."""

    def __init__(self, *, streams: bool) -> None:
        self.server = WatchedServer(streams)
        self.server.put("stays", 1)
        self.store = things()
        self.reflection = Reflection(self.store)
        self.connection = Connection(self.server, self.reflection)
        self._responses: list[dict[str, Any]] = []

    def step(self, number: int) -> None:
        for _ in range(number):
            self.connection.step()

    def put(self, given_: tuple[str, int]) -> None:
        self.server.put(*given_)

    def write(self, given_: tuple[str, int]) -> None:
        """By us; the response takes its time."""
        self._responses.append(self.server.put(*given_))

    def respond(self, first: int) -> None:
        for one in self._responses[first:]:
            self.store.upsert(one)
        del self._responses[first:]

    def delete(self, name: str) -> None:
        self.server.delete(name)

    def fail(self, failure: RequestFailure) -> None:
        self.connection.fail(failure)

    def bytes(self, data: bytes) -> None:
        if self.connection.is_open:
            self.connection.take(data)

    def end(self, seconds: float) -> None:
        self.connection.end(seconds)

    def compact(self, _: None) -> None:
        self.server.compact()

    def expire(self, _: None) -> None:
        self.reflection.expire()

    def streams(self, streams: bool) -> None:
        self.server.streams = streams


@examples(600)
@given(st.booleans(), st.lists(STEP, max_size=40))
def test_whatever_happens_the_store_is_like_the_server_in_the_end(
    streams: bool, steps: list[tuple[str, Any]]
) -> None:
    play = Play(streams=streams)
    for step, argument in steps:
        getattr(play, step)(argument)
        if play.reflection.is_listed:
            assert "stays" in play.store, "nothing that exists is ever taken for deleted"
    play.fail(LOST)
    play.respond(0)
    settle(play.connection)
    assert dict(play.store) == content(play.server)
    assert play.reflection.is_current


Listed = tuple[WatchedServer, Things, Reflection, Connection]


def listed(*names: str, streams: bool = True) -> Listed:
    server = WatchedServer(streams)
    for name in names:
        server.put(name, 1)
    store = things()
    reflection = Reflection(store)
    connection = Connection(server, reflection)
    for _ in range(len(names) + 3):
        connection.step()
    assert reflection.is_current
    return server, store, reflection, connection


def test_a_list_and_its_watch_are_one_request() -> None:
    server, store, _, connection = listed("a", "b", "c")
    server.put("d", 1)
    server.delete("a")
    settle(connection)
    assert connection.asked == [Ask.STREAM]
    assert dict(store) == content(server)


def test_a_closed_watch_is_resumed_and_nothing_is_listed() -> None:
    server, _, reflection, connection = listed("a", "b")
    for failure in (
        LOST,
        RequestFailure(Interruption.SILENT),
        RequestFailure(Interruption.REFUSED, 500),
    ):
        server.delete("a")
        server.put("a", 2)
        connection.fail(failure)
        settle(connection)
    connection.end(300)
    settle(connection)
    assert connection.asked == [Ask.STREAM, *[Ask.WATCH] * 4]
    assert reflection.lists == 1


def test_a_version_that_is_too_old_is_a_reason_to_list() -> None:
    server, store, _, connection = listed("a", "b")
    server.delete("a")
    server.compact()
    connection.fail(LOST)
    settle(connection)
    assert connection.asked == [Ask.STREAM, Ask.WATCH, Ask.STREAM]
    assert dict(store) == content(server)


def test_without_streaming_lists_there_are_pages_and_then_a_watch() -> None:
    server, _, reflection, connection = listed("a", "b", "c", streams=False)
    server.put("d", 1)
    settle(connection)
    assert connection.asked == [Ask.STREAM, Ask.PAGE, Ask.PAGE, Ask.WATCH]
    # The next kind does not try.
    other = Reflection(things(), reflection.streaming)
    assert other.request().ask is Ask.PAGE


def test_a_page_that_fails_is_asked_for_again() -> None:
    server = WatchedServer(streams=False)
    for name in "abcdef":
        server.put(name, 1)
    reflection = Reflection(things(), StreamingLists(served=False))
    connection = Connection(server, reflection)
    connection.step()
    reflection.request()
    connection.fail(RequestFailure(Interruption.REFUSED, 429, retry_after=1))
    settle(connection)
    assert connection.asked == [*[Ask.PAGE] * 3, Ask.WATCH]


def test_a_server_that_starts_gets_asked_for_pages_this_once() -> None:
    reflection = Reflection(things())
    reflection.request()
    assert reflection.failed(RequestFailure(Interruption.REFUSED, 429)) == 0
    assert reflection.request().ask is Ask.PAGE
    assert reflection.streaming.served
    reflection.take_page(read_page(THING, b'{"metadata":{"resourceVersion":"5"},"items":null}'))
    assert reflection.request().ask is Ask.WATCH
    reflection.expire()
    assert reflection.request().ask is Ask.STREAM


def test_streaming_lists_that_break_off_are_followed_by_pages() -> None:
    # The API server closes a stream that is read too slowly.
    reflection = Reflection(things())
    for _ in range(2):
        assert reflection.request().ask is Ask.STREAM
        take(reflection, event("ADDED", "a"))
        assert reflection.ended(3) > 0
    assert reflection.request().ask is Ask.PAGE


def take(reflection: Reflection, *events: dict[str, Any]) -> bool:
    goes_on = True
    for one in EventStream(THING).feed(lines(*events)):
        goes_on = reflection.take(one)
    return goes_on


def test_a_watch_that_goes_back_in_time_is_a_reason_to_list() -> None:
    # etcd was restored from a backup. What came after it has never been.
    reflection = Reflection(things())
    reflection.request()
    take(reflection, event("ADDED", "a", 7), bookmark(8, ends_list=True))
    with pytest.raises(StreamError, match="went back from 8 to 6") as caught:
        take(reflection, event("ADDED", "b", 6))
    assert caught.value.status == 410
    reflection.failed(RequestFailure(Interruption.EXPIRED, 410))
    assert reflection.request().ask is Ask.STREAM


def test_nothing_is_resumed_from_an_unknown_version() -> None:
    reflection = Reflection(things())
    reflection.request()
    with pytest.raises(StreamError, match="without a resource version"):
        take(
            reflection,
            {
                "type": "BOOKMARK",
                "object": bookmark(0, ends_list=True)["object"]
                | {"metadata": {"annotations": {"k8s.io/initial-events-end": "true"}}},
            },
        )
    assert not reflection.is_listed


def test_resource_versions_that_are_no_numbers_are_followed() -> None:
    reflection = Reflection(things())
    reflection.request()
    one = event("ADDED", "a", spec={"number": 1})
    one["object"]["metadata"]["resourceVersion"] = "x-1"
    end = bookmark(1, ends_list=True)
    end["object"]["metadata"]["resourceVersion"] = "x-2"
    assert take(reflection, one, end)
    reflection.failed(LOST)
    assert reflection.request().query["resourceVersion"] == "x-2"


@pytest.mark.parametrize("optional", [False, True])
def test_a_kind_that_is_not_served(optional: bool) -> None:
    store = things()
    reflection = Reflection(store, optional=optional)
    reflection.request()
    take(
        reflection,
        event("ADDED", "a", spec={"number": 1}),
        bookmark(5, ends_list=True),
    )
    reflection.ended(300)
    reflection.request()
    delay = reflection.failed(RequestFailure(Interruption.ABSENT, 404))
    # The CRD of an optional kind was removed. One of our own kinds is put back.
    assert ("a" in store) is not optional
    assert (delay > 5) is optional
    assert reflection.is_current
    assert reflection.request().ask is Ask.STREAM


def test_an_absent_optional_kind_is_known() -> None:
    reflection = Reflection(things(), optional=True)
    reflection.request()
    assert not reflection.is_current
    reflection.failed(RequestFailure(Interruption.ABSENT, 404))
    assert reflection.is_current


def test_a_catalogue_that_keeps_changing_does_not_keep_a_list_from_ending() -> None:
    server, store, reflection, connection = listed("a", "b", "c")
    reflection.expire()
    assert not reflection.is_current
    for _ in range(3):
        connection.step()
    reflection.expire()
    assert reflection.lists == 1
    for _ in range(3):
        connection.step()
    assert reflection.lists == 2
    assert not reflection.is_current, "it began before the last change"
    settle(connection)
    assert reflection.lists == 3
    assert reflection.is_current
    assert dict(store) == content(server)


def delays(failure: RequestFailure, number: int = 20) -> list[float]:
    reflection = Reflection(things(), jitter=lambda _, most: most)
    found = []
    for _ in range(number):
        reflection.request()
        found.append(reflection.failed(failure))
    return found


def test_waits_grow_to_a_limit() -> None:
    assert delays(LOST)[:5] == [0.2, 0.4, 0.8, 1.6, 3.2]
    assert max(delays(LOST)) == 5
    assert max(delays(RequestFailure(Interruption.REFUSED, 500))) == 30
    assert max(delays(RequestFailure(Interruption.REFUSED, 403))) == 60


def test_the_api_servers_wish_is_heard_within_reason() -> None:
    reflection = Reflection(things(), StreamingLists(served=False))
    for wish, least, most in ((7, 7, 8), (10_000, 120, 121)):
        reflection.request()
        failure = RequestFailure(Interruption.REFUSED, 429, retry_after=wish)
        assert least <= reflection.failed(failure) <= most


def test_a_watch_that_ends_at_once_again_and_again_is_not_asked_for_in_a_loop() -> None:
    _, _, reflection, connection = listed("a")
    connection.end(300)
    found = []
    for _ in range(9):
        assert reflection.request().ask is Ask.WATCH
        found.append(reflection.ended(0.01))
    assert found[-1] > 2
    reflection.request()
    assert reflection.ended(40) < 1


def test_a_watch_that_cannot_be_resumed_for_long_is_listed_anew() -> None:
    _, _, reflection, connection = listed("a")
    asked = []
    connection.end(300)
    for _ in range(4):
        asked.append(reflection.request().ask)
        reflection.failed(RequestFailure(Interruption.REFUSED, 500))
    assert asked == [Ask.WATCH, Ask.WATCH, Ask.WATCH, Ask.STREAM]


def test_a_late_response_does_not_hide_what_the_watch_reported() -> None:
    server, store, _, connection = listed("a")
    ours = server.put("a", 2)
    server.put("a", 3)
    settle(connection)
    store.upsert(ours)
    assert dict(store) == content(server)


def test_only_the_bookmark_of_the_end_ends_a_list() -> None:
    reflection = Reflection(things())
    reflection.request()
    assert take(reflection, event("ADDED", "a", 3), bookmark(4), event("ADDED", "b", 4))
    assert not reflection.is_listed
    assert take(reflection, bookmark(5, ends_list=True))
    assert reflection.is_listed


def test_nothing_more_is_taken_of_a_watch_that_has_expired() -> None:
    store = things()
    reflection = Reflection(store)
    reflection.request()
    take(reflection, bookmark(5, ends_list=True))
    reflection.expire()
    assert not take(reflection, event("ADDED", "a", 6))
    assert not store
    assert reflection.request().ask is Ask.STREAM


def test_a_list_that_failed_is_left() -> None:
    store = things()
    reflection = Reflection(store)
    reflection.request()
    take(reflection, event("ADDED", "a", 3))
    reflection.failed(LOST)
    store.end_list(9)
    assert set(store) == {"a"}
    reflection.request()
    take(reflection, event("ADDED", "b", 3))
    reflection.failed(LOST)
    # It would have removed what it lacks.
    store.end_list(9)
    assert set(store) == {"a", "b"}
