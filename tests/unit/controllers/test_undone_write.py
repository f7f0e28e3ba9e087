"""A write that the API server accepts and somebody undoes: admission in the same request, without a
watch event, or a controller after it, with one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping
from copy import deepcopy
from typing import Any

import pytest
from aiohttp import web
from prometheus_client import CollectorRegistry

from dev.fakes import FakeProduct
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
WRITES = 3


class Api(FakeProduct):
    """A stand-in for an API server with one Deployment, of which every change is undone."""

    def __init__(self, cache: ClusterCache, *, by_a_controller: bool) -> None:
        super().__init__(tls=False)
        self.times: list[float] = []
        """When the controller changed the Deployment."""
        self.done = asyncio.Event()
        self.deployment = manifest(container(SONARQUBE))
        self._cache = cache
        self._by_a_controller = by_a_controller
        self._own: dict[str, dict[str, Any]] = {"opt-out": POLICY}
        self._next_version()
        cache.upsert(kinds.CLUSTER_POLICY, POLICY)
        cache.upsert(DEPLOYMENT, self.deployment)
        cache.synced.set()

    def routes(self) -> Iterable[web.RouteDef]:
        return (web.route("*", "/{path:.*}", self._answer),)

    async def _answer(self, request: web.Request) -> web.Response:
        if request.method == "GET":
            return web.json_response({"kind": "List", "metadata": {}, "items": []})
        sent = json.loads(await request.read() or b"{}")
        if "/deployments/" in request.path:
            return web.json_response(self._patched(sent))
        name = request.path.removesuffix("/status").rpartition("/")[2]
        before = self._own.get(name, {})
        metadata = {**before.get("metadata", {}), **sent.get("metadata", {})}
        self._own[name] = {**before, **sent, "metadata": metadata}
        return web.json_response(self._own[name])

    def _patched(self, operations: list[Mapping[str, Any]]) -> dict[str, Any]:
        adds = [one["value"] for one in operations if one["path"].endswith("/env")]
        if not adds:  # a no-op patch
            return self.deployment
        loop = asyncio.get_running_loop()
        self.times.append(loop.time())
        if len(self.times) == WRITES:
            self.done.set()
        if not self._by_a_controller:
            return self.deployment
        patched = deepcopy(self._next_version())
        patched["spec"]["template"]["spec"]["containers"][0]["env"] = adds[0]
        self.deployment = deepcopy(self.deployment)
        loop.call_later(0.05, self._cache.upsert, DEPLOYMENT, self._next_version())
        return patched

    def _next_version(self) -> dict[str, Any]:
        metadata = self.deployment["metadata"]
        metadata["resourceVersion"] = str(int(metadata.get("resourceVersion", "6")) + 1)
        metadata["generation"] += 1
        return self.deployment


@pytest.mark.thorough
@pytest.mark.parametrize("by_a_controller", [False, True])
def test_it_is_tried_again_and_not_at_once(*, by_a_controller: bool) -> None:
    async def main() -> list[float]:
        cache = ClusterCache(builtin())
        async with Api(cache, by_a_controller=by_a_controller) as api:
            client = KubernetesClient(Transport.to(f"http://{api.address}:{api.port}"))
            leading = asyncio.create_task(build(cache, client, CollectorRegistry()).run_as_leader())
            try:
                await asyncio.wait_for(api.done.wait(), 20)
            finally:
                leading.cancel()
                await asyncio.gather(leading, return_exceptions=True)
                await client.close()
        return api.times

    first, second, third = asyncio.run(main())
    # The delays are what is tested, not the speed.
    assert second - first > 0.9
    assert third - second > 1.8
