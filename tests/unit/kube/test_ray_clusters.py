"""RayClusters in the cache, whose pods have no ReplicaSet between."""

from __future__ import annotations

import json

from fleet_telemetry.catalogue.catalogue import builtin
from fleet_telemetry.kube import kinds
from fleet_telemetry.kube.raw_object import read_object
from fleet_telemetry.kube.workload_store import Fleet
from fleet_telemetry.workloads.registry import WorkloadKind
from fleet_telemetry.workloads.workload import WorkloadRef
from tests.support.builders import NAMESPACE
from tests.support.ray_clusters import group, pod_of_ray, ray_cluster

REF = WorkloadRef(NAMESPACE, WorkloadKind.RAY_CLUSTER, "ray")
VLLM = group("gpu", "vllm/vllm-openai:v0.10.2")


def test_its_pods_are_its_own() -> None:
    fleet, of = Fleet(lambda _: None), ray_cluster(workers=[VLLM])
    fleet.upsert_pod(pod_of_ray(of), builtin())
    fleet.upsert_pod(pod_of_ray(of, "ray-gpu-1", worker=0), builtin())
    assert fleet.pods_of(REF) == ()
    assert fleet.upsert_workload(of, builtin())
    assert [pod.name for pod in fleet.pods_of(REF)] == ["ray-gpu-1", "ray-head"]
    # Another object of the same name has none of them.
    fleet.upsert_workload({**of, "metadata": {**of["metadata"], "uid": "another"}}, builtin())
    assert fleet.pods_of(REF) == ()


def test_it_is_kept_if_only_workers_run_a_product() -> None:
    fleet = Fleet(lambda _: None)
    assert fleet.upsert_workload(ray_cluster(image="own:1", workers=[VLLM]), builtin())
    assert REF in fleet.workloads
    assert not fleet.upsert_workload(ray_cluster(image="own:1"), builtin())
    assert REF not in fleet.workloads


def test_what_is_read_first_of_it_has_the_containers_of_all_templates() -> None:
    fleet = Fleet(lambda _: None)
    for of, kept in (
        (ray_cluster(), True),
        (ray_cluster(image="own:1", workers=[VLLM]), True),
        (ray_cluster(image="own:1", workers=[group("cpu", "own:2")]), False),
    ):
        found = read_object(kinds.WORKLOAD_BY_KIND[REF.kind], json.dumps(of).encode())
        assert fleet.keeps_workload(REF, found.sketch, builtin()) is kept
