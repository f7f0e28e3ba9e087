"""Full lists by the client: in one request where the API server streams them, else by pages."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import pytest
from aiohttp import web

from dev.cluster import Cluster
from fleet_telemetry.kube import kinds
from fleet_telemetry.kube.client import ApiError, KubernetesClient
from fleet_telemetry.kube.streamed_list import Presence
from fleet_telemetry.kube.transport import Transport
from tests.support.clusters import Clusters

pytestmark = pytest.mark.cluster
_Result = TypeVar("_Result")
COUNT = 45
"""Three pages."""


@pytest.fixture(scope="module")
def cluster(clusters: Clusters) -> Iterator[Cluster]:
    with clusters.lend(controller_manager=False) as cluster:
        maps = [
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": f"it-{number}", "namespace": "default"},
            }
            for number in range(COUNT)
        ]
        bundle = {"apiVersion": "v1", "kind": "List", "items": maps}
        cluster.kubectl("apply", "-f", "-", input=json.dumps(bundle))
        yield cluster


def test_all_objects_come_in_one_request(cluster: Cluster) -> None:
    calls: list[tuple[str, str, int]] = []

    async def main() -> list[str]:
        client = await KubernetesClient.connect(
            str(cluster.kubeconfig), lambda *call: calls.append(call)
        )
        try:
            return await _names(client)
        finally:
            await _close(client)

    found = asyncio.run(main())
    assert {f"it-{number}" for number in range(COUNT)} <= set(found)
    assert calls == [("GET", "configmaps", 200)]


def test_listed_objects_name_their_kind(cluster: Cluster) -> None:
    async def main() -> list[dict[str, Any]]:
        client = await KubernetesClient.connect(str(cluster.kubeconfig))
        try:
            return [found async for _, found in client.list_all(kinds.CONFIG_MAP)]
        finally:
            await _close(client)

    assert {(one["apiVersion"], one["kind"]) for one in asyncio.run(main())} == {
        ("v1", "ConfigMap")
    }


PAGES = {
    "": {"items": [{"metadata": {"name": "a"}}], "metadata": {"continue": "next"}},
    "next": {"items": [{"metadata": {"name": "b"}}], "metadata": {}},
}


@pytest.mark.parametrize("status", [400, 422, 200])
def test_an_api_server_without_streaming_lists_is_asked_for_pages(status: int) -> None:
    asked: list[bool] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        streams = "watch" in request.query
        asked.append(streams)
        if not streams:
            return web.json_response(PAGES[request.query.get("continue", "")])
        return web.json_response({"kind": "Status", "reason": "Invalid"}, status=status)

    async def ask(client: KubernetesClient) -> tuple[list[str], list[str]]:
        return await _names(client), await _names(client)

    # With 200 the answer is no stream of events: what is between us knows no watches.
    assert _with_server(answer, ask) == (["a", "b"], ["a", "b"])
    assert asked == [True, False, False, False, False]


def test_a_kind_whose_cache_fills_is_asked_for_pages_this_once() -> None:
    asked: list[bool] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        streams = "watch" in request.query
        asked.append(streams)
        if not streams:
            return web.json_response(PAGES[request.query.get("continue", "")])
        message = "storage is (re)initializing"
        return web.json_response({"kind": "Status", "message": message}, status=429)

    async def ask(client: KubernetesClient) -> None:
        assert await _names(client) == ["a", "b"]
        assert await _names(client) == ["a", "b"]

    _with_server(answer, ask)
    assert asked == [True, False, False] * 2


EVENT = {"type": "ADDED", "object": {"metadata": {"name": "a"}}}


def test_a_stream_that_ends_before_its_list_is_a_failure_and_not_a_short_list() -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(json.dumps(EVENT).encode() + b"\n")
        return response

    with pytest.raises(ApiError, match="ended before the list"):
        _with_server(answer, _names)


@pytest.mark.parametrize("status", [401, 403, 404, 410, 500, 503])
def test_a_refusal_is_no_reason_for_pages(status: int) -> None:
    asked = []

    async def answer(request: web.Request) -> web.StreamResponse:
        asked.append(request.query)
        return web.json_response({"kind": "Status", "message": "no"}, status=status)

    with pytest.raises(ApiError) as caught:
        _with_server(answer, _names)
    assert caught.value.status == status
    assert len(asked) == 1


def test_an_error_within_the_stream_is_a_failure() -> None:
    status = {"code": 410, "reason": "Expired", "message": "too old"}

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for event in (EVENT, {"type": "ERROR", "object": status}):
            await response.write(json.dumps(event).encode() + b"\n")
        return response

    with pytest.raises(ApiError, match="too old") as caught:
        _with_server(answer, _names)
    assert caught.value.status == 410


async def _names(client: KubernetesClient) -> list[str]:
    return [
        one["metadata"]["name"]
        async for change, one in client.list_all(kinds.CONFIG_MAP)
        if change is Presence.EXISTS
    ]


def _with_server(
    answer: Callable[[web.Request], Awaitable[web.StreamResponse]],
    use: Callable[[KubernetesClient], Awaitable[_Result]],
) -> _Result:
    async def main() -> _Result:
        async with _server(answer) as url:
            client = KubernetesClient(Transport.to(url))
            try:
                return await use(client)
            finally:
                await _close(client)

    return asyncio.run(main())


@asynccontextmanager
async def _server(
    answer: Callable[[web.Request], Awaitable[web.StreamResponse]],
) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def _close(client: KubernetesClient) -> None:
    await client.close()
    await asyncio.sleep(0.1)  # until its sockets are closed, too
