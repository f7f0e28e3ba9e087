"""The reflector on a real API server: what a fleet has grows by lists and watches of its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from dev.cluster import Cluster
from dev.cluster.components import APISERVER
from dev.harness.fault_proxy import NONE, FaultProxy, Faults
from dev.harness.operator import redirect
from fleet_telemetry.catalogue.catalogue import builtin
from fleet_telemetry.kube import kinds
from fleet_telemetry.kube.cache import ClusterCache
from fleet_telemetry.kube.client import KubernetesClient
from fleet_telemetry.kube.kind_reflector import Nobody
from fleet_telemetry.kube.list_schedule import ListSchedule
from fleet_telemetry.kube.reflector import Reflector
from fleet_telemetry.workloads.registry import WorkloadKind
from fleet_telemetry.workloads.workload import WorkloadRef
from tests.support.builders import NGINX, SONARQUBE, container, manifest
from tests.support.rollout_crd import define_rollouts

pytestmark = pytest.mark.cluster

DEPLOYMENT = kinds.WORKLOAD_BY_KIND["Deployment"]
ROLLOUT = kinds.WORKLOAD_BY_KIND["Rollout"]
SECONDS = 60


def deployment(name: str = "it", image: str = SONARQUBE, kind: str = "Deployment") -> str:
    selector = {"matchLabels": {"app": "it"}}
    given = manifest(container(image), kind=kind, name=name, namespace="default", selector=selector)
    del given["metadata"]["uid"]
    if kind == "Rollout":
        given["apiVersion"] = ROLLOUT.api_version
    return json.dumps(given)


def ref(name: str = "it", kind: WorkloadKind = WorkloadKind.DEPLOYMENT) -> WorkloadRef:
    return WorkloadRef("default", kind, name)


class Watching(Nobody):
    """A reflector that runs, what it asked for, and how that ended."""

    def __init__(self, *watched: Any) -> None:
        self.cache = ClusterCache(builtin(), watched)
        self.calls: Counter[str] = Counter()
        self.lists: Counter[str] = Counter()
        self.reasons: Counter[tuple[str, str]] = Counter()

    def listed_kind(self, kind: str) -> None:
        self.lists[kind] += 1

    def interrupted(self, kind: str, reason: str) -> None:
        self.reasons[kind, str(reason)] += 1

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(SECONDS):
            while not holds():  # noqa: ASYNC110  # no event
                await asyncio.sleep(0.05)

    async def has(self, *refs: WorkloadRef) -> None:
        """Wait until these are the workloads."""
        await self.until(lambda: set(self.cache.fleet.workloads) == set(refs))


@asynccontextmanager
async def watching(kubeconfig: Path, *watched: Any) -> AsyncIterator[Watching]:
    found = Watching(*watched)

    def count(method: str, plural: str, status: int) -> None:
        assert method == "GET"
        found.calls[plural] += status == 200

    client = await KubernetesClient.connect(str(kubeconfig), count)
    schedule = ListSchedule(asyncio.get_running_loop().time)
    task = asyncio.create_task(Reflector(found.cache, client, schedule, observer=found).run())
    try:
        await asyncio.wait_for(found.cache.synced.wait(), SECONDS)
        yield found
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await client.close()
        await asyncio.sleep(0.1)  # until its sockets are closed, too


def run(main: Callable[[], Awaitable[None]]) -> None:
    async def whole() -> None:
        await main()

    asyncio.run(whole())


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with Cluster(tmp_path_factory.mktemp("watching"), controller_manager=False) as cluster:
        yield cluster


@pytest.fixture
def cluster(shared: Cluster) -> Iterator[Cluster]:
    yield shared
    shared.kubectl("delete", "deployments", "--all")


def apply(cluster: Cluster, text: str) -> None:
    cluster.kubectl("apply", "-f", "-", input=text)


async def off(function: Callable[..., Any], *arguments: Any) -> None:
    """Not on the loop, which goes on watching meanwhile."""
    await asyncio.to_thread(function, *arguments)


def test_there_is_one_request_for_each_kind(cluster: Cluster) -> None:
    for number in range(30):
        apply(cluster, deployment(f"d{number}", NGINX if number else SONARQUBE))

    async def main() -> None:
        async with watching(cluster.kubeconfig, *kinds.WORKLOADS, kinds.POD) as found:
            await found.has(ref("d0"))
            (seen,) = found.cache.seen_workloads()
            assert (seen.known, seen.others) == (1, 29)
            # Changes come by the same request.
            await off(apply, cluster, deployment("d1"))
            await found.has(ref("d0"), ref("d1"))
            await off(apply, cluster, deployment("d1", NGINX))
            await off(cluster.kubectl, "delete", "deployment", "d0")
            await found.has()
            (seen,) = found.cache.seen_workloads()
            assert (seen.known, seen.others) == (0, 29)
            served = {*kinds.WORKLOADS, kinds.POD} - kinds.OPTIONAL
            assert +found.calls == {kind.plural: 1 for kind in served}
            assert found.lists == {kind.kind: 1 for kind in served}
            assert not found.reasons

    run(main)


def test_a_catalogue_change_looks_at_what_was_dropped(cluster: Cluster) -> None:
    apply(cluster, deployment("own", "acme/in-house:1"))
    product = {
        "metadata": {"name": "in-house", "generation": 1},
        "spec": {
            "title": "In-house",
            "images": [{"pattern": "acme/in-house"}],
            "channels": [{"name": "ErrorReport", "rules": [{"default": "Off"}]}],
        },
    }

    async def main() -> None:
        async with watching(cluster.kubeconfig, DEPLOYMENT, kinds.POD) as found:
            await found.has()
            found.cache.upsert(kinds.PRODUCT, product)
            await found.has(ref("own"))
            found.cache.delete(kinds.PRODUCT, product)
            await found.has()
            assert found.cache.synced.is_set()
            assert found.calls == {"deployments": 3, "pods": 3}

    run(main)


def test_a_restarted_api_server_is_watched_again(cluster: Cluster) -> None:
    apply(cluster, deployment("before"))

    def restart() -> None:
        cluster.kill_component(APISERVER)
        cluster.start_component(APISERVER)
        apply(cluster, deployment("after"))
        cluster.kubectl("delete", "deployment", "before")

    async def main() -> None:
        async with watching(cluster.kubeconfig, DEPLOYMENT, kinds.POD) as found:
            await found.has(ref("before"))
            await off(restart)
            await found.has(ref("after"))
            assert found.reasons["Deployment", "unreachable"] > 0

    run(main)


def compact(cluster: Cluster) -> None:
    """Make etcd forget all but the newest revision of each object."""
    etcd = cluster._running.layout.etcd_url

    def call(path: str, body: dict[str, Any]) -> dict[str, Any]:
        request = urllib.request.Request(f"{etcd}/v3/{path}", json.dumps(body).encode())
        with urllib.request.urlopen(request) as response:
            found: dict[str, Any] = json.load(response)
            return found

    revision = call("kv/range", {"key": "AA=="})["header"]["revision"]
    call("kv/compaction", {"revision": revision})


def test_what_was_deleted_before_a_compaction_is_noticed(cluster: Cluster, tmp_path: Path) -> None:
    apply(cluster, deployment("gone"))
    apply(cluster, deployment("stays"))
    kubeconfig = tmp_path / "kubeconfig"

    def meanwhile() -> None:
        cluster.kubectl("delete", "deployment", "gone")
        apply(cluster, deployment("new"))
        compact(cluster)
        # Nothing is left in its memory either, from which a watch could be resumed.
        cluster.stop_component(APISERVER)
        cluster.start_component(APISERVER)

    async def main(proxy: FaultProxy) -> None:
        async with watching(kubeconfig, DEPLOYMENT, kinds.POD) as found:
            await found.has(ref("gone"), ref("stays"))
            proxy.faults = Faults(refused=1.0, status=503)
            await off(proxy.cut_watches)
            await off(meanwhile)
            assert ref("gone") in found.cache.fleet.workloads
            proxy.faults = NONE
            await found.has(ref("stays"), ref("new"))
            assert found.lists["Deployment"] == 2

    with FaultProxy(cluster.url, cluster.ca_path) as proxy:
        kubeconfig.write_bytes(cluster.kubeconfig.read_bytes())
        redirect(kubeconfig, proxy)
        run(lambda: main(proxy))


def test_all_watches_closed_again_and_again_lose_nothing(cluster: Cluster, tmp_path: Path) -> None:
    kubeconfig = tmp_path / "kubeconfig"

    async def main(proxy: FaultProxy) -> None:
        async with watching(kubeconfig, DEPLOYMENT, kinds.POD) as found:
            for number in range(6):
                await off(proxy.cut_watches)
                await off(apply, cluster, deployment(f"d{number}"))
                if number:
                    await off(cluster.kubectl, "delete", "deployment", f"d{number - 1}")
            await found.has(ref("d5"))
            assert found.lists["Deployment"] == 1, "each was resumed"

    with FaultProxy(cluster.url, cluster.ca_path) as proxy:
        kubeconfig.write_bytes(cluster.kubeconfig.read_bytes())
        redirect(kubeconfig, proxy)
        run(lambda: main(proxy))


def test_a_kind_that_the_cluster_does_not_serve_is_empty_until_its_crd_comes(
    cluster: Cluster,
) -> None:
    it = ref(kind=WorkloadKind.ROLLOUT)

    async def main() -> None:
        async with watching(cluster.kubeconfig, *kinds.WORKLOADS) as found:
            for _ in range(2):
                await off(define_rollouts, cluster)
                await off(apply, cluster, deployment(kind="Rollout"))
                await found.has(it)
                await off(cluster.kubectl, "delete", "crd", "rollouts.argoproj.io")
                await found.has()

    run(main)


def test_an_object_that_is_nested_deeply_hides_neither_itself_nor_others(cluster: Cluster) -> None:
    define_rollouts(cluster)
    deep = json.loads(deployment("deep", kind="Rollout"))
    text = json.dumps(deep).replace('"spec": {', f'"spec": {{"x": {"[" * 3_000}{"]" * 3_000}, ', 1)
    cluster.kubectl("create", "-f", "-", input=text)
    apply(cluster, deployment("it", kind="Rollout"))

    async def main() -> None:
        async with watching(cluster.kubeconfig, *kinds.WORKLOADS) as found:
            await found.has(*(ref(name, WorkloadKind.ROLLOUT) for name in ("deep", "it")))
            await off(cluster.kubectl, "delete", "crd", "rollouts.argoproj.io")
            await found.has()
            assert not found.reasons

    run(main)


def test_without_streaming_lists_there_are_pages_and_then_a_watch(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    directory = tmp_path_factory.mktemp("pages")
    args = ["--feature-gates=WatchList=false"]
    with Cluster(directory, controller_manager=False, extra_apiserver_args=args) as cluster:
        names = [f"d{number}" for number in range(130)]
        items = [json.loads(deployment(name)) for name in names]
        apply(cluster, json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))

        async def main() -> None:
            async with watching(cluster.kubeconfig, DEPLOYMENT, kinds.POD) as found:
                await found.has(*map(ref, names))
                await off(cluster.kubectl, "delete", "deployment", "d0")
                await found.has(*map(ref, names[1:]))
                # Two pages and a watch.
                assert found.calls["deployments"] == 3

        run(main)
