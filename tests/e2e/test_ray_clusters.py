"""KubeRay's RayClusters. No KubeRay runs here: the test makes the pods that it would make."""

from __future__ import annotations

import re

import pytest

from tests.support.ray_clusters import define_ray_clusters, group, pod_of_ray, ray_cluster
from tests.support.world import Manifest, Space, World, eventually

pytestmark = pytest.mark.cluster

SWITCH = "RAY_USAGE_STATS_ENABLED"
VLLM = "vllm/vllm-openai:v0.10.2"
VLLM_SWITCH = "VLLM_NO_USAGE_STATS"


def _env(pod: Manifest) -> dict[str, str]:
    (found,) = pod["spec"]["containers"]
    return {one["name"]: one["value"] for one in found.get("env", ())}


def _lists(world: World) -> float:
    metrics = world.operator.metrics("webhook")
    found = re.search(r'_full_lists_total\{[^}]*"RayCluster"[^}]*\} ([0-9.]+)', metrics)
    return float(found[1]) if found else 0


def test_the_pods_of_a_ray_cluster_are_injected_and_judged(world: World, space: Space) -> None:
    define_ray_clusters(world.cluster)
    space.policy(products=["ray", "vllm"])
    given = ray_cluster(namespace=space.name, workers=[group("gpu", VLLM)])
    for key in ("uid", "generation", "creationTimestamp"):
        del given["metadata"][key]
    space.apply(given)
    stored = space.get("raycluster", "ray")
    assert stored["spec"] == given["spec"]
    space.telemetry("RayCluster", "ray", reason="NoPods")
    # Each process looks by itself every few seconds for kinds that were not there.
    eventually(lambda: _lists(world) >= 1, say="a list of RayClusters by the webhook")
    worker = pod_of_ray(stored, "ray-gpu", worker=0)
    container = worker["spec"]["containers"][0]
    container["command"], container["args"] = ["vllm", "serve"], ["a/b"]
    for pod in (pod_of_ray(stored), worker):
        del pod["status"], pod["metadata"]["uid"]
        space.create(pod)
    assert _env(space.get("pod", "ray-head")) == {SWITCH: "0"}
    assert _env(space.get("pod", "ray-gpu")) == {VLLM_SWITCH: "1"}

    def states() -> dict[str, str]:
        wanted = {"state": "Unknown", "reason": "CommandOverridden"}
        found = space.telemetry("RayCluster", "ray", **wanted)
        return {one["product"]: one["state"] for one in found["channels"]}

    # The pods are seen one after the other.
    expected = {"ray": "Unknown", "vllm": "Compliant"}
    eventually(lambda: states() == expected, say="the state of each pod's product")
    # Nothing of the RayCluster is edited, also when its own operator writes it.
    space.kubectl("annotate", "raycluster", "ray", "a=b")
    assert space.get("raycluster", "ray")["spec"] == given["spec"]
