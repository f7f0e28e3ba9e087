"""The reflector on a real API server, while no watch reports anything."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Iterator

import pytest

from dev.cluster import Cluster
from fleet_telemetry.catalogue.catalogue import builtin
from fleet_telemetry.kube import kinds
from fleet_telemetry.kube.cache import ClusterCache
from fleet_telemetry.kube.client import KubernetesClient
from fleet_telemetry.kube.list_schedule import ListSchedule
from fleet_telemetry.kube.reflector import Reflector
from fleet_telemetry.workloads.registry import WorkloadKind
from fleet_telemetry.workloads.workload import WorkloadRef
from tests.support.builders import SONARQUBE, container, manifest
from tests.support.clusters import Clusters
from tests.support.rollout_crd import define_rollouts

pytestmark = pytest.mark.cluster

REF = WorkloadRef("default", WorkloadKind.DEPLOYMENT, "it")


@pytest.fixture
def cluster(clusters: Clusters) -> Iterator[Cluster]:
    with clusters.lend(controller_manager=False) as cluster:
        yield cluster


def test_what_was_deleted_while_no_watch_ran_is_noticed_when_one_starts(cluster: Cluster) -> None:
    given = manifest(
        container(SONARQUBE), namespace="default", selector={"matchLabels": {"app": "it"}}
    )
    cluster.kubectl("apply", "-f", "-", input=json.dumps(given))

    async def main() -> None:
        client = await KubernetesClient.connect(str(cluster.kubeconfig))
        cache = ClusterCache(builtin(), (kinds.WORKLOAD_BY_KIND["Deployment"],))
        schedule = ListSchedule(asyncio.get_running_loop().time)
        task = asyncio.create_task(Reflector(cache, client, schedule).run())
        try:
            await asyncio.wait_for(cache.synced.wait(), 30)
            assert REF in cache.fleet.workloads
            cluster.kubectl("delete", "deployment", "it")
            # No watch reports it. A new watch lists what exists, such as another Deployment.
            schedule.watch_listed(kinds.WORKLOAD_BY_KIND["Deployment"])
            async with asyncio.timeout(60):
                while REF in cache.fleet.workloads:  # noqa: ASYNC110  # no event
                    await asyncio.sleep(0.1)
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            await client.close()
            await asyncio.sleep(0.1)  # until its sockets are closed, too

    asyncio.run(main())


def test_a_kind_that_the_cluster_does_not_serve_is_empty_until_its_crd_comes(
    cluster: Cluster,
) -> None:
    rollouts = kinds.WORKLOAD_BY_KIND["Rollout"]
    ref = WorkloadRef("default", WorkloadKind.ROLLOUT, "it")
    given = manifest(container(SONARQUBE), kind="Rollout", namespace="default")
    given["apiVersion"] = rollouts.api_version

    async def main() -> None:
        client = await KubernetesClient.connect(str(cluster.kubeconfig))
        cache = ClusterCache(builtin(), kinds.WORKLOADS)
        schedule = ListSchedule(asyncio.get_running_loop().time)
        task = asyncio.create_task(Reflector(cache, client, schedule).run())
        try:
            await asyncio.wait_for(cache.synced.wait(), 30)
            define_rollouts(cluster)
            cluster.kubectl("apply", "-f", "-", input=json.dumps(given))
            schedule.watch_listed(rollouts)
            async with asyncio.timeout(60):
                while ref not in cache.fleet.workloads:  # noqa: ASYNC110  # no event
                    await asyncio.sleep(0.1)
            cluster.kubectl("delete", "crd", "rollouts.argoproj.io")
            schedule.watch_listed(rollouts)
            async with asyncio.timeout(60):
                while ref in cache.fleet.workloads:  # noqa: ASYNC110  # no event
                    await asyncio.sleep(0.1)
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            await client.close()
            await asyncio.sleep(0.1)  # until its sockets are closed, too

    asyncio.run(main())
