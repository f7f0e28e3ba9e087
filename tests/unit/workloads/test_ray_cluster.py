"""KubeRay's clusters: several templates, none of which is edited."""

from __future__ import annotations

from typing import Any

import pytest

from fleet_telemetry.kube import kinds
from fleet_telemetry.workloads.owner import Owner
from fleet_telemetry.workloads.reading import read_workload
from fleet_telemetry.workloads.registry import WorkloadKind, kind_of_owner
from fleet_telemetry.workloads.workload import Workload
from tests.support.ray_clusters import RAY, group, ray_cluster
from tests.support.vendor_manifests import owner


def _read(**given: Any) -> Workload:
    found = read_workload(ray_cluster(**given))
    assert found is not None
    return found


def test_a_cluster_may_not_serve_it_and_older_names_of_its_api_are_the_same() -> None:
    assert kinds.WORKLOAD_BY_KIND["RayCluster"] in kinds.OPTIONAL
    assert kind_of_owner(Owner("ray.io", "RayCluster", "a", "1")) is WorkloadKind.RAY_CLUSTER
    assert kind_of_owner(Owner("example.com", "RayCluster", "a", "1")) is None


def test_the_containers_of_the_head_and_of_all_workers_are_read() -> None:
    side = {"name": "log", "image": "log:1", "restartPolicy": "Always"}
    found = _read(
        workers=[
            group("small", "vllm/vllm-openai:v0.9.0"),
            group("large", "large:1", initContainers=[side]),
        ]
    )
    assert [(one.index, one.image) for one in found.template.containers] == [
        (0, RAY),
        (1, "vllm/vllm-openai:v0.9.0"),
        (2, "large:1"),
        (-1, "log:1"),
    ]


def test_what_any_template_has_the_whole_has() -> None:
    volumes = [{"name": "x", "emptyDir": {}}, {"name": "y", "hostPath": {"path": "/y"}}]
    found = _read(
        workers=[group("a", "a:1", volumes=volumes, hostNetwork=True, dnsPolicy="Default")]
    )
    assert {one.name for one in found.template.volumes} == {"x", "y"}
    assert found.template.host_network
    assert found.template.own_dns
    assert not _read().template.host_network


@pytest.mark.parametrize("given", [None, 7, "x", {}, [None], [{"template": 7}], [{}]])
def test_misshapen_groups_read_as_none(given: Any) -> None:
    manifest = ray_cluster()
    manifest["spec"]["workerGroupSpecs"] = given
    found = read_workload(manifest)
    assert found is not None
    assert [one.image for one in found.template.containers] == [RAY]
    del manifest["spec"]["headGroupSpec"]
    found = read_workload(manifest)
    assert found is not None
    assert found.template.containers == ()


def test_its_pods_are_injected_and_restart_by_nobodys_edit() -> None:
    found = _read()
    assert found.is_injected_by_pod
    assert found.restarts_no_pod
    assert not found.is_idle
    assert _read(suspend=True).is_idle
    assert found.pod_selector == {"matchLabels": {"ray.io/cluster": "ray"}}


def test_that_of_a_ray_service_is_a_workload_all_the_same() -> None:
    manifest = ray_cluster()
    manifest["metadata"]["ownerReferences"] = [
        owner("RayService", "serve", api_version="ray.io/v1")
    ]
    assert read_workload(manifest) is not None
