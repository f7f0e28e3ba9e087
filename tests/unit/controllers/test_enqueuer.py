"""Which keys a change in the cache adds to the work queue."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from fleet_telemetry.api.policy import PolicyKind
from fleet_telemetry.app.controller import build_egress
from fleet_telemetry.app.options import EgressSettings
from fleet_telemetry.catalogue.catalogue import builtin
from fleet_telemetry.controllers.enqueuer import Enqueuer
from fleet_telemetry.controllers.keys import (
    PolicyStatusKey,
    ProductKey,
    ReconcileKey,
    WebhooksKey,
)
from fleet_telemetry.kube import kinds
from fleet_telemetry.kube.cache import ClusterCache
from fleet_telemetry.kube.client import KubernetesClient
from fleet_telemetry.kube.transport import Transport
from fleet_telemetry.kube.work_queue import WorkQueue
from fleet_telemetry.workloads.registry import WorkloadKind
from fleet_telemetry.workloads.workload import WorkloadRef
from tests.support.builders import SONARQUBE, Manifest, container, manifest

DEPLOYMENT = kinds.WORKLOAD_BY_KIND["Deployment"]
APPSEC, CODE = (WorkloadRef(name, WorkloadKind.DEPLOYMENT, "it") for name in ("appsec", "code"))
CLUSTER_KEY = (PolicyKind.CLUSTER, "", "all")
APPSEC_KEY = (PolicyKind.NAMESPACED, "appsec", "ours")


def deployment(namespace: str, name: str = "it") -> Manifest:
    given = manifest(container(SONARQUBE))
    given["metadata"] |= {"name": name, "namespace": namespace, "uid": f"{namespace}/{name}"}
    return given


def policy(name: str, namespace: str | None = None, **spec: Any) -> Manifest:
    where = {} if namespace is None else {"namespace": namespace}
    metadata = {"name": name, "uid": name, "generation": 1, **where}
    return {"metadata": metadata, "spec": {"submission": "Disabled", **spec}}


def keys_after(change: Callable[[ClusterCache, Enqueuer], None]) -> set[ReconcileKey]:
    """The keys that a change adds, in a cluster of one Deployment in each of two namespaces."""

    async def main() -> set[ReconcileKey]:
        cache = ClusterCache(builtin())
        client = KubernetesClient(Transport.to("http://127.0.0.1:9"))
        queue: WorkQueue[ReconcileKey] = WorkQueue()
        settings = EgressSettings(dns_servers=("127.0.0.1:9",), published_ranges="built-in")
        egress = build_egress(settings, cache, client, lambda: datetime.now(UTC), queue.add)
        enqueuer = Enqueuer(cache, queue, egress)
        cache.upsert(DEPLOYMENT, deployment("appsec"))
        cache.upsert(DEPLOYMENT, deployment("code"))
        cache.add_listener(enqueuer)
        queue.open()
        change(cache, enqueuer)
        found = {await queue.get() for _ in range(len(queue))}
        await client.close()
        return found

    return asyncio.run(main())


def test_a_workload() -> None:
    found = keys_after(lambda cache, _: cache.upsert(DEPLOYMENT, deployment("appsec", "new")))
    assert found == {WorkloadRef("appsec", WorkloadKind.DEPLOYMENT, "new")}


def test_a_deleted_workload() -> None:
    assert keys_after(lambda cache, _: cache.delete(DEPLOYMENT, deployment("code"))) == {CODE}


def test_a_cluster_policy_concerns_all_workloads() -> None:
    found = keys_after(lambda cache, _: cache.upsert(kinds.CLUSTER_POLICY, policy("all")))
    assert found == {PolicyStatusKey(CLUSTER_KEY), APPSEC, CODE}


def test_a_policy_concerns_the_workloads_of_its_namespace() -> None:
    found = keys_after(lambda cache, _: cache.upsert(kinds.POLICY, policy("ours", "appsec")))
    assert found == {PolicyStatusKey(APPSEC_KEY), APPSEC}


def test_a_status_of_a_policy_concerns_no_workload() -> None:
    def change(cache: ClusterCache, _: Enqueuer) -> None:
        given = policy("all")
        cache.upsert(kinds.CLUSTER_POLICY, given)

    def status(_: ClusterCache, enqueuer: Enqueuer) -> None:
        enqueuer.policy_status_changed(CLUSTER_KEY)

    assert keys_after(status) == {PolicyStatusKey(CLUSTER_KEY)}
    assert keys_after(change) > keys_after(status)


def test_a_namespace_concerns_its_workloads() -> None:
    labels = {"metadata": {"name": "code", "labels": {"team": "code"}}}
    assert keys_after(lambda cache, _: cache.upsert(kinds.NAMESPACE, labels)) == {CODE}


def test_a_network_policy_concerns_the_workloads_of_its_namespace() -> None:
    given = {
        "metadata": {"name": "deny", "namespace": "appsec", "uid": "1"},
        "spec": {"podSelector": {}, "policyTypes": ["Egress"]},
    }
    assert keys_after(lambda cache, _: cache.upsert(kinds.NETWORK_POLICY, given)) == {APPSEC}


def test_a_product_concerns_everything() -> None:
    def change(_: ClusterCache, enqueuer: Enqueuer) -> None:
        enqueuer.product_changed("mine")

    assert keys_after(change) == {APPSEC, CODE, ProductKey("mine"), WebhooksKey()}


def test_what_is_left_of_a_deleted_workload_is_a_key_of_a_new_leader() -> None:
    owner = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "name": "gone",
        "uid": "3",
        "controller": True,
    }
    left = {
        "metadata": {
            "name": "deployment-gone",
            "namespace": "code",
            "uid": "4",
            "ownerReferences": [owner],
        },
        "status": {"product": "sonarqube"},
    }

    def change(cache: ClusterCache, enqueuer: Enqueuer) -> None:
        cache.upsert(kinds.WORKLOAD_TELEMETRY, left)
        enqueuer.enqueue_all()

    assert WorkloadRef("code", WorkloadKind.DEPLOYMENT, "gone") in keys_after(change)
