"""Lists and watches over HTTP, with what a bad connection and a bad API server may answer."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from fleet_telemetry.kube import kind_reflector, reflection
from fleet_telemetry.kube.client import ApiError, KubernetesClient
from fleet_telemetry.kube.kind_reflector import KindReflector, Nobody
from fleet_telemetry.kube.kinds import WORKLOAD_BY_KIND
from fleet_telemetry.kube.reflection import StreamingLists
from fleet_telemetry.kube.store import Store
from fleet_telemetry.kube.transport import Transport
from tests.support.streams import THING, bookmark, event, lines

Answer = Callable[["Server", web.Request], Awaitable[web.StreamResponse]]
END = bookmark(5, ends_list=True)


class Recorder(Nobody):
    """Records what the reflector reports."""

    def __init__(self) -> None:
        self.lists = 0
        self.reasons: list[str] = []
        self.seen = 0

    def saw(self, kind: str) -> None:
        assert kind in (THING.kind, "Rollout")
        self.seen += 1

    def listed_kind(self, kind: str) -> None:
        assert kind in (THING.kind, "Rollout")
        self.lists += 1

    def interrupted(self, kind: str, reason: str) -> None:
        assert kind in (THING.kind, "Rollout")
        self.reasons.append(str(reason))


class Server:
    """Answers each request by the next of the answers, and the last one again and again."""

    def __init__(self, *answers: Answer) -> None:
        self._answers = list(answers)
        self.asked: list[dict[str, str]] = []

    @property
    def shapes(self) -> list[str]:
        """What was asked for: ``stream``, ``page`` or ``watch``."""
        return [
            "stream" if "sendInitialEvents" in one else "watch" if "watch" in one else "page"
            for one in self.asked
        ]

    async def serve(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(dict(request.query))
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        return await answer(self, request)


def stream(*events: dict[str, Any], then: str = "stay") -> Answer:
    """A stream of events, which stays open, ends or breaks off then."""

    async def answer(_: Server, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(lines(*events))
        if then == "stay":
            await asyncio.sleep(60)
        if then == "break" and request.transport is not None:
            request.transport.abort()
        return response

    return answer


def page(*names: str, version: int = 5, more: str = "") -> Answer:
    items = [event("ADDED", name)["object"] for name in names]

    async def answer(_: Server, __: web.Request) -> web.StreamResponse:
        metadata = {"resourceVersion": str(version), "continue": more}
        return web.json_response({"metadata": metadata, "items": items})

    return answer


def refuse(status: int, **headers: str) -> Answer:
    async def answer(_: Server, __: web.Request) -> web.StreamResponse:
        return web.json_response(
            {"kind": "Status", "message": "no"}, status=status, headers=headers
        )

    return answer


@pytest.fixture(autouse=True)
def _no_long_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_FIRST_SECONDS", "_ABSENT_SECONDS", "_LONGEST_SECONDS"):
        monkeypatch.setattr(reflection, name, 0.01)


class Setup:
    """A reflector that runs against a server."""

    def __init__(self, server: Server, reflector: KindReflector, recorder: Recorder) -> None:
        self.server = server
        self.reflector = reflector
        self.recorder = recorder
        self.store: Store[str, str] = reflector._store  # type: ignore[assignment]

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not holds():  # noqa: ASYNC110  # no event
                await asyncio.sleep(0.005)


@asynccontextmanager
async def setup(*answers: Answer, kind: Any = THING) -> AsyncIterator[Setup]:
    server, recorder = Server(*answers), Recorder()
    async with served(server) as client:
        reflector = KindReflector(kind, store(), client, observer=recorder)
        task = asyncio.create_task(reflector.run())
        try:
            yield Setup(server, reflector, recorder)
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


def store() -> Store[str, str]:
    return Store(lambda key: key[1], lambda _, manifest: manifest["metadata"]["resourceVersion"])


@asynccontextmanager
async def served(server: Server) -> AsyncIterator[KubernetesClient]:
    app = web.Application()
    app.router.add_get("/{path:.*}", server.serve)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    client = KubernetesClient(Transport.to(url))
    try:
        yield client
    finally:
        await client.close()
        await asyncio.sleep(0.05)  # until its sockets are closed, too
        await runner.cleanup()


def run(main: Callable[[], Awaitable[None]]) -> None:
    async def whole() -> None:
        await main()

    asyncio.run(whole())


def test_a_list_and_its_watch_are_one_request() -> None:
    async def main() -> None:
        events = event("ADDED", "a", 3), END, event("ADDED", "b", 6), event("DELETED", "a", 7)
        async with setup(stream(*events)) as found:
            await found.until(lambda: dict(found.store) == {"b": "6"})
            assert found.reflector.current.is_set()
            assert found.server.shapes == ["stream"]
            assert (found.recorder.lists, found.recorder.reasons) == (1, [])
            assert found.recorder.seen >= 1

    run(main)


@pytest.mark.parametrize("then", ["end", "break"])
def test_a_watch_that_ends_is_resumed_where_it_was(then: str) -> None:
    async def main() -> None:
        first = stream(event("ADDED", "a", 3), END, event("MODIFIED", "a", 7), then=then)
        later = stream(event("DELETED", "a", 9), event("ADDED", "c", 10))
        async with setup(first, later) as found:
            await found.until(lambda: dict(found.store) == {"c": "10"})
            assert found.server.shapes == ["stream", "watch"]
            assert found.server.asked[1]["resourceVersion"] == "7"
            assert found.server.asked[1]["allowWatchBookmarks"] == "true"
            assert int(found.server.asked[1]["timeoutSeconds"]) >= 300

    run(main)


def test_a_stream_that_ends_before_its_list_is_a_failure_and_not_a_short_list() -> None:
    async def main() -> None:
        whole = stream(event("ADDED", "a"), event("ADDED", "b"), END, then="end")
        short = stream(event("ADDED", "a", 8), then="end")
        async with setup(whole, refuse(410), short, stream(END)) as found:
            await found.until(lambda: found.recorder.reasons == ["expired", "unreachable"])
            assert set(found.store) == {"a", "b"}
            await found.until(lambda: not found.store)

    run(main)


def not_a_stream(text: str) -> Answer:
    async def answer(_: Server, __: web.Request) -> web.StreamResponse:
        return web.Response(text=text)

    return answer


@pytest.mark.thorough
@pytest.mark.parametrize(
    "first",
    [
        *map(refuse, (400, 405, 415, 422)),
        not_a_stream("{}"),
        not_a_stream('{"kind":"PodList","items":[]}\n'),
        not_a_stream("<html>\n</html>"),
    ],
)
def test_an_api_server_without_streaming_lists_is_asked_for_pages(first: Answer) -> None:
    async def main() -> None:
        pages = page("a", "b", more="x"), page("c")
        async with setup(first, *pages, stream(event("ADDED", "d", 6))) as found:
            await found.until(lambda: set(found.store) == {"a", "b", "c", "d"})
            assert found.server.shapes == ["stream", "page", "page", "watch"]
            assert found.server.asked[2]["continue"] == "x"
            assert found.server.asked[3]["resourceVersion"] == "5"

    run(main)


def test_a_kind_whose_cache_fills_is_asked_for_pages_this_once() -> None:
    async def main() -> None:
        answers = refuse(429), page("a"), refuse(410), stream(event("ADDED", "b"), END)
        async with setup(*answers) as found:
            await found.until(lambda: set(found.store) == {"b"})
            assert found.server.shapes == ["stream", "page", "watch", "stream"]

    run(main)


@pytest.mark.thorough
@pytest.mark.parametrize("status", [401, 403, 500, 503])
def test_a_refusal_is_retried_and_logged_once(
    status: int, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        answers = [refuse(status, **{"Retry-After": "x"})] * 5, stream(event("ADDED", "a"), END)
        async with setup(*answers[0], answers[1]) as found:
            await found.until(lambda: "a" in found.store)
            assert found.server.shapes == ["stream"] * 6
            assert found.recorder.reasons == ["refused"] * 5

    with caplog.at_level(logging.WARNING):
        run(main)
    assert len(caplog.records) == 1
    assert "cannot" in caplog.text
    assert "things" in caplog.text


@pytest.mark.thorough
@pytest.mark.parametrize(
    "data",
    [
        b"<html>\n",
        b'{"type":"ADDED","object":{"metadata":{}}}\n',
        lines({"type": "ERROR", "object": {"code": 500, "message": "no"}}),
        lines({"type": "ERROR", "object": {"code": 410, "message": "too old"}}),
        lines(event("ADDED", "a", 1)),  # the past
    ],
)
def test_what_goes_wrong_within_a_watch_ends_it_and_loses_nothing(data: bytes) -> None:
    async def broken(_: Server, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(lines(event("ADDED", "a"), event("ADDED", "b"), END) + data)
        await asyncio.sleep(60)
        return response

    async def main() -> None:
        # What follows is the truth, whether it is asked for as a list or as a watch.
        events = event("ADDED", "a"), event("ADDED", "c", 6), bookmark(7, ends_list=True)
        deleted = event("DELETED", "b", 8)

        async def rest(server: Server, request: web.Request) -> web.StreamResponse:
            is_list = "sendInitialEvents" in request.query
            return await stream(*(events if is_list else (event("ADDED", "c", 6), deleted)))(
                server, request
            )

        async with setup(broken, rest) as found:
            await found.until(lambda: set(found.store) == {"a", "c"})
            assert len(found.recorder.reasons) == 1

    run(main)


def test_a_silent_watch_is_resumed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kind_reflector, "_WATCH_SILENCE_SECONDS", 0.2)

    async def main() -> None:
        async with setup(stream(END), stream(event("ADDED", "a", 9))) as found:
            await found.until(lambda: "a" in found.store)
            assert found.server.shapes[:2] == ["stream", "watch"]
            assert found.recorder.reasons[0] == "silent"
            assert found.recorder.lists == 1

    run(main)


def test_half_an_event_is_no_sign_of_life(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kind_reflector, "_WATCH_SILENCE_SECONDS", 0.3)

    async def drip(_: Server, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(lines(END))
        for _ in range(1_000):
            await response.write(b" ")
            await asyncio.sleep(0.05)
        return response

    async def main() -> None:
        async with setup(drip, stream(event("ADDED", "a", 9))) as found:
            await found.until(lambda: "a" in found.store)
            assert found.recorder.reasons[0] == "silent"

    run(main)


def test_a_list_that_stalls_is_begun_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kind_reflector, "_LIST_SILENCE_SECONDS", 0.2)

    async def stalled(_: Server, __: web.Request) -> web.StreamResponse:
        await asyncio.sleep(60)
        return web.Response()

    async def main() -> None:
        half = stream(event("ADDED", "a"))
        async with setup(stalled, half, stream(event("ADDED", "b"), END)) as found:
            await found.until(found.reflector.current.is_set)
            assert set(found.store) == {"b"}

    run(main)


def test_an_expired_kind_is_listed_at_once_and_its_watch_is_cut() -> None:
    async def main() -> None:
        first = stream(event("ADDED", "a"), END)
        async with setup(
            first, stream(event("ADDED", "b", 6), bookmark(7, ends_list=True))
        ) as found:
            await found.until(found.reflector.current.is_set)
            found.reflector.expire()
            found.reflector.expire()
            assert not found.reflector.current.is_set()
            assert set(found.store) == {"a"}, "it stays until then"
            await found.until(found.reflector.current.is_set)
            assert set(found.store) == {"b"}
            assert found.server.shapes == ["stream", "stream"]
            assert found.recorder.reasons == []

    run(main)


def test_an_optional_kind_may_come_and_go() -> None:
    rollouts = WORKLOAD_BY_KIND["Rollout"]
    one = event("ADDED", "a")
    one["object"]["metadata"]["namespace"] = "default"

    async def main() -> None:
        came = stream(one, END, then="end")
        async with setup(refuse(404), came, refuse(404), kind=rollouts) as found:
            await found.until(lambda: found.recorder.lists == 1)
            await found.until(lambda: not found.store)
            assert found.recorder.reasons == [], "an absent kind is no failure"
            assert found.reflector.current.is_set()

    run(main)


def test_one_list_without_a_watch() -> None:
    async def main() -> None:
        calls = Server(refuse(422), page("a", more="x"), page("b"))
        async with served(calls) as client:
            streaming = StreamingLists()
            found = store()
            await KindReflector(THING, found, client, streaming=streaming).list_once()
            assert set(found) == {"a", "b"}
            # The next kind, by the same flag.
            await KindReflector(THING, found, client, streaming=streaming).list_once()
            assert calls.shapes == ["stream", "page", "page", "page"]

    run(main)


@pytest.mark.parametrize("status", [401, 403, 404, 410, 500])
def test_one_list_that_fails_says_so(status: int) -> None:
    async def main() -> None:
        async with served(Server(refuse(status))) as client:
            with pytest.raises(ApiError) as caught:
                await KindReflector(THING, store(), client).list_once()
            assert caught.value.status == status

    run(main)


def test_a_refusal_that_is_not_utf_8_is_one_all_the_same() -> None:
    async def answer(_: Server, __: web.Request) -> web.StreamResponse:
        text = b'{"message":"Service momentan\xe9ment indisponible"}'
        return web.Response(body=text, status=503, content_type="application/json")

    async def main() -> None:
        async with served(Server(answer)) as client:
            with pytest.raises(ApiError) as caught:
                await KindReflector(THING, store(), client).list_once()
            assert caught.value.status == 503

    run(main)


def test_the_header_for_a_later_attempt_is_read() -> None:
    async def main() -> None:
        for text, seconds in (("7", 7), ("", 0), ("-1", 0), ("9" * 40, 0), ("Fri, 01", 0)):
            async with served(Server(refuse(503, **{"Retry-After": text}))) as client:
                with pytest.raises(ApiError) as caught:
                    await KindReflector(THING, store(), client).list_once()
                assert caught.value.retry_after == seconds

    run(main)
