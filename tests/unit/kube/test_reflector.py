"""When the cache counts as complete, and what is listed in which order."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from fleet_telemetry.catalogue.catalogue import builtin
from fleet_telemetry.kube import kinds, reflector
from fleet_telemetry.kube.cache import ClusterCache
from fleet_telemetry.kube.client import KubernetesClient
from fleet_telemetry.kube.list_schedule import ListSchedule
from fleet_telemetry.kube.reflector import Reflector
from fleet_telemetry.kube.transport import Transport
from tests.support.builders import container, manifest
from tests.support.streams import bookmark, lines

DEPLOYMENT = kinds.WORKLOAD_BY_KIND["Deployment"]
WATCHED = (kinds.PRODUCT, kinds.WORKLOAD_TELEMETRY, kinds.NETWORK_POLICY, DEPLOYMENT, kinds.POD)
OWN = {
    "metadata": {"name": "in-house", "generation": 1},
    "spec": {
        "title": "In-house",
        "images": [{"pattern": "acme/in-house"}],
        "channels": [{"name": "ErrorReport", "rules": [{"default": "Off"}]}],
    },
}


class Server:
    """Streams lists. The list of a kind that is held back does not end."""

    def __init__(self, *held_back: str) -> None:
        self.held_back = {plural: asyncio.Event() for plural in held_back}
        self.asked: list[str] = []

    async def serve(self, request: web.Request) -> web.StreamResponse:
        plural = request.path.rpartition("/")[2]
        self.asked.append(plural)
        response = web.StreamResponse()
        await response.prepare(request)
        if plural == DEPLOYMENT.plural:
            one = manifest(container("acme/in-house:1"))
            one["metadata"]["resourceVersion"] = "3"
            await response.write(lines({"type": "ADDED", "object": one}))
        if plural in self.held_back:
            await self.held_back[plural].wait()
        await response.write(lines(bookmark(5, ends_list=True)))
        await asyncio.sleep(60)
        return response


@asynccontextmanager
async def running(server: Server) -> AsyncIterator[ClusterCache]:
    app = web.Application()
    app.router.add_get("/{path:.*}", server.serve)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    client = KubernetesClient(Transport.to(f"http://127.0.0.1:{runner.addresses[0][1]}"))
    cache = ClusterCache(builtin(), WATCHED)
    schedule = ListSchedule(asyncio.get_running_loop().time)
    task = asyncio.create_task(Reflector(cache, client, schedule).run())
    try:
        yield cache
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await client.close()
        await asyncio.sleep(0.05)  # until its sockets are closed, too
        await runner.cleanup()


async def until(holds: Callable[[], Any]) -> None:
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110  # no event
            await asyncio.sleep(0.005)


def run(main: Callable[[], Awaitable[None]]) -> None:
    async def whole() -> None:
        await main()

    asyncio.run(whole())


@pytest.fixture(autouse=True)
def _no_long_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reflector, "_SETTLED_SECONDS", 0.01)


def test_workloads_come_after_what_decides_whether_they_are_kept() -> None:
    async def main() -> None:
        server = Server("telemetryproducts", "workloadtelemetries")
        async with running(server) as cache:
            await until(lambda: server.asked == ["telemetryproducts"])
            server.held_back["telemetryproducts"].set()
            await until(lambda: len(server.asked) == 3)
            assert set(server.asked[1:]) == {"workloadtelemetries", "networkpolicies"}
            server.held_back["workloadtelemetries"].set()
            await until(cache.synced.is_set)
            assert sorted(server.asked[3:]) == ["deployments", "pods"]

    run(main)


@pytest.mark.thorough
@pytest.mark.parametrize("plural", ["telemetryproducts", "networkpolicies", "deployments", "pods"])
def test_a_cache_without_one_of_the_lists_is_not_complete(plural: str) -> None:
    async def main() -> None:
        server = Server(plural)
        async with running(server) as cache:
            await until(lambda: plural in server.asked)
            await asyncio.sleep(0.1)
            assert not cache.synced.is_set()
            server.held_back[plural].set()
            await until(cache.synced.is_set)

    run(main)


def test_a_catalogue_that_changes_during_the_first_list_is_not_missed() -> None:
    async def main() -> None:
        server = Server("pods")
        async with running(server) as cache:
            await until(cache.seen_workloads)
            cache.upsert(kinds.PRODUCT, OWN)
            await until(lambda: server.asked.count("deployments") == 2)
            assert not cache.synced.is_set()
            server.held_back["pods"].set()
            await until(cache.synced.is_set)
            assert len(cache.fleet.workloads) == 1
            # That of the pods was completed first, and has begun before the change.
            assert server.asked.count("pods") == 2

    run(main)


def test_a_catalogue_change_lists_what_runs_products_and_nothing_else() -> None:
    async def main() -> None:
        server = Server()
        async with running(server) as cache:
            await until(cache.synced.is_set)
            assert not cache.fleet.workloads
            cache.upsert(kinds.PRODUCT, OWN)
            await until(lambda: cache.fleet.workloads)
            await until(lambda: server.asked.count("pods") == 2)
            assert cache.synced.is_set()
            cache.delete(kinds.PRODUCT, OWN)
            await until(lambda: not cache.fleet.workloads)
            counts = {plural: server.asked.count(plural) for plural in set(server.asked)}
            assert counts["deployments"] == 3
            assert (counts["networkpolicies"], counts["workloadtelemetries"]) == (1, 1)

    run(main)
