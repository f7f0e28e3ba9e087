"""A write that the API server accepts and somebody's admission undoes in the same request."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Any

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
DEPLOYED = manifest(container(SONARQUBE))
DEPLOYED["metadata"]["resourceVersion"] = "7"


def test_it_is_tried_again_without_an_event_and_not_at_once() -> None:
    times: list[float] = []
    again = asyncio.Event()
    stored: dict[str, dict[str, Any]] = {"opt-out": POLICY}

    async def answer(request: web.Request) -> web.Response:
        if request.method == "PATCH" and "/deployments/" in request.path:
            operations = json.loads(await request.text())
            if len(operations) > 1:  # no no-op patch
                times.append(asyncio.get_running_loop().time())
                if len(times) == 3:
                    again.set()
            return web.json_response(DEPLOYED)
        if request.method == "GET":
            return web.json_response({"kind": "List", "metadata": {}, "items": []})
        if request.method == "PATCH":  # of the operator's own objects, and of their status
            name = request.path.removesuffix("/status").rpartition("/")[2]
            before, sent = stored.get(name, {}), json.loads(await request.text())
            metadata = {**before.get("metadata", {}), **sent["metadata"]}
            stored[name] = {**before, **sent, "metadata": metadata}
            return web.json_response(stored[name])
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
        cache.upsert(DEPLOYMENT, DEPLOYED)
        cache.synced.set()
        leading = asyncio.create_task(build(cache, client, CollectorRegistry()).run_as_leader())
        try:
            await asyncio.wait_for(again.wait(), 20)
        finally:
            leading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await leading
            await client.close()
            await runner.cleanup()

    asyncio.run(main())
    first, second, third = times
    assert second - first > 0.9  # seconds: the delay, not how fast it is
    assert third - second > 1.8
