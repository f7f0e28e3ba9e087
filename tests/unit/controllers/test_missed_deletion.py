"""A workload that was deleted while no watch was up: the first write says so."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from aiohttp import web
from prometheus_client import CollectorRegistry

from fleet_telemetry.catalogue.catalogue import builtin
from fleet_telemetry.kube import kinds
from fleet_telemetry.kube.cache import ClusterCache
from fleet_telemetry.kube.client import KubernetesClient
from fleet_telemetry.kube.transport import Transport
from tests.support.builders import SONARQUBE, container, manifest
from tests.unit.controllers.test_leading import build

DEPLOYMENT = kinds.WORKLOAD_BY_KIND["Deployment"]
POLICY = {
    "apiVersion": "fleettelemetry.io/v1alpha1",
    "kind": "ClusterTelemetryPolicy",
    "metadata": {"name": "opt-out", "uid": "1", "generation": 1},
    "spec": {"submission": "Disabled", "injection": {"rollout": "Immediate"}},
}


@pytest.mark.thorough
def test_a_write_that_finds_nothing_ends_the_workload() -> None:
    asked: list[str] = []
    written = asyncio.Event()

    async def answer(request: web.Request) -> web.Response:
        asked.append(f"{request.method} {request.path}")
        if request.method == "PATCH":
            written.set()
        if request.method == "GET":
            return web.json_response({"kind": "List", "metadata": {}, "items": []})
        status = {"kind": "Status", "status": "Failure", "reason": "NotFound", "code": 404}
        return web.json_response({**status, "message": "not found"}, status=404)

    async def main() -> None:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", answer)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        client = KubernetesClient(Transport.to(f"http://{host}:{port}"))
        cache = ClusterCache(builtin())
        cache.upsert(kinds.CLUSTER_POLICY, POLICY)
        cache.upsert(DEPLOYMENT, manifest(container(SONARQUBE)))
        cache.synced.set()
        (ref,) = cache.fleet.workloads
        leading = asyncio.create_task(build(cache, client, CollectorRegistry()).run_as_leader())
        await asyncio.wait_for(written.wait(), 20)
        # What is retried is retried within this time.
        await asyncio.sleep(1.0)
        assert ref not in cache.fleet.workloads
        leading.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await leading
        await client.close()
        await runner.cleanup()

    asyncio.run(main())
    writes = [call for call in asked if call.startswith("PATCH") and "/deployments/" in call]
    assert len(writes) == 1
