"""The benchmark's client, where the API server refuses it."""

from __future__ import annotations

import asyncio
import json

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from dev.bench import server as module
from dev.bench.errors import BenchError
from dev.bench.server import Server

EVENT = {"type": "ADDED", "object": {"metadata": {"name": "a"}}}


def watched(*statuses: int) -> tuple[list[tuple[str, object]], str, int]:
    """The events of a watch, why it ended, and how many requests there were; the API server
    answers with these statuses, and then with an event."""
    left, asked = list(statuses), 0

    async def answer(_: web.Request) -> web.Response:
        nonlocal asked
        asked += 1
        if left:
            return web.Response(status=left.pop(0), headers={"Retry-After": "0"})
        return web.Response(text=json.dumps(EVENT) + "\n")

    async def main() -> tuple[list[tuple[str, object]], str, int]:
        app = web.Application()
        app.router.add_get("/things", answer)
        found: list[tuple[str, object]] = []
        async with TestServer(app) as http, aiohttp.ClientSession() as session:
            server = Server(session, str(http.make_url("")).rstrip("/"))
            try:
                async for event, manifest in server.watch("/things"):
                    found.append((event, manifest))
            except BenchError as error:
                return found, str(error), asked
        raise AssertionError("a watch does not end without an error")

    return asyncio.run(main())


def test_a_watch_waits_until_the_kind_is_in_the_cache() -> None:
    found, why, asked = watched(429, 429)
    assert found == [("ADDED", EVENT["object"])]
    assert (why, asked) == ("watch /things: the API server ended it", 3)


def test_it_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BUSY_SECONDS", -1.0)
    assert watched(429) == ([], "watch /things: the API server said 429", 1)


def test_another_refusal_is_final() -> None:
    assert watched(403) == ([], "watch /things: the API server said 403", 1)
