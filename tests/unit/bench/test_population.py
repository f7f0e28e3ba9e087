"""The fleet that the benchmark creates is one that the operator and the scheduler understand."""

from __future__ import annotations

from decimal import Decimal

import pytest
from kubernetes.utils.quantity import parse_quantity

from dev.bench.manifests import NO_PRODUCT, PRODUCTS, deployment
from dev.bench.population import Member, pod, replica_set, running
from dev.cluster.cluster import NODE_SIZE
from dev.cluster.slots import POD_ADDRESSES
from fleet_telemetry.catalogue.catalogue import builtin
from fleet_telemetry.kube import kinds
from fleet_telemetry.kube.cache import ClusterCache
from fleet_telemetry.workloads.registry import WorkloadKind
from fleet_telemetry.workloads.workload import WorkloadRef


def created(manifest: dict[str, object], uid: str) -> dict[str, object]:
    """As the API server would return it."""
    metadata = {**manifest["metadata"], "namespace": "n", "uid": uid}  # type: ignore[dict-item]
    return {**manifest, "metadata": metadata}


@pytest.mark.parametrize("image", PRODUCTS)
def test_a_pod_runs_for_its_deployment(image: str) -> None:
    cache = ClusterCache(builtin())
    owner = created(deployment(image, name="w"), "deployment-uid")
    member = Member("n", "w", image, "part-uid")
    running_pod = {**created(pod(member, "w-1"), "pod-uid"), **running(member, "127.21.0.1")}
    cache.upsert(kinds.WORKLOAD_BY_KIND["Deployment"], owner)
    cache.upsert(kinds.WORKLOAD_BY_KIND["ReplicaSet"], created(replica_set(owner), "part-uid"))
    cache.upsert(kinds.POD, running_pod)
    ref = WorkloadRef("n", WorkloadKind.DEPLOYMENT, "w")
    assert set(cache.fleet.workloads) == {ref}
    (found,) = cache.fleet.pods_of(ref)
    assert (found.name, found.address, found.ready) == ("w-1", "127.21.0.1", True)


def test_as_many_pods_fit_on_the_node_as_there_are_addresses() -> None:
    requests = pod(Member("n", "w", NO_PRODUCT, "uid"), "w-1")["spec"]["containers"][0]["resources"]
    for resource, amount in {**requests["requests"], "pods": "1"}.items():
        needed: Decimal = parse_quantity(amount) * POD_ADDRESSES
        assert parse_quantity(NODE_SIZE[resource]) >= needed, resource
