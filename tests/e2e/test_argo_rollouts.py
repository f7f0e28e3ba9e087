"""Argo's Rollouts. No Argo runs here: the tests write what its controller would write."""

from __future__ import annotations

import json

import pytest

from tests.support.rollout_crd import define_rollouts
from tests.support.world import SONAR_SWITCH, SONARQUBE, Space, World, container, workload

pytestmark = pytest.mark.cluster

HASH = "5d4f8c7b9"


def _run(space: Space, name: str) -> None:
    """What Argo's controller does for a new Rollout: a ReplicaSet, and then the status."""
    rollout = space.get("rollout", name)
    metadata = rollout["metadata"]
    replica_set = workload("ReplicaSet", f"{name}-{HASH}")
    labels = {"app": name, "rollouts-pod-template-hash": HASH}
    replica_set["metadata"]["labels"] = labels
    replica_set["metadata"]["ownerReferences"] = [
        {
            "apiVersion": rollout["apiVersion"],
            "kind": "Rollout",
            "name": name,
            "uid": metadata["uid"],
            "controller": True,
        }
    ]
    replica_set["spec"]["selector"] = {"matchLabels": labels}
    template = {**rollout["spec"]["template"], "metadata": {"labels": labels}}
    replica_set["spec"]["template"] = template
    space.apply(replica_set)
    space.wait_for_pods(f"app={name}", 1)
    status = {
        "observedGeneration": str(metadata["generation"]),
        "updatedReplicas": 1,
        "availableReplicas": 1,
    }
    patch = json.dumps({"status": status})
    space.kubectl(
        "patch", "rollout", name, "--subresource=status", "--type=merge", f"--patch={patch}"
    )


def test_a_rollout_is_injected_and_listed_as_soon_as_its_crd_is_there(
    world: World, space: Space
) -> None:
    define_rollouts(world.cluster)
    space.policy()
    said = space.apply(workload("Rollout", "web", container(SONARQUBE, env={"A": "1"})))
    assert SONAR_SWITCH in said
    assert space.env("rollout", "web") == {"A": "1", SONAR_SWITCH: "false"}
    _run(space, "web")
    status = space.telemetry("Rollout", "web", state="Compliant", reason="RunningInEveryPod")
    assert status["workload"] == {"kind": "Rollout", "name": "web"}
    # The ReplicaSet is a part of the Rollout.
    assert space.find("workloadtelemetry", f"replicaset-web-{HASH}") is None


def test_a_rollout_whose_template_is_elsewhere_is_left_alone(world: World, space: Space) -> None:
    define_rollouts(world.cluster)
    space.policy()
    manifest = workload("Rollout", "web")
    del manifest["spec"]["template"]
    manifest["spec"]["workloadRef"] = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "name": "web",
    }
    said = space.apply(manifest, workload("Deployment", "web", container(SONARQUBE), replicas=0))
    assert SONAR_SWITCH in said
    assert space.env("deployment", "web") == {SONAR_SWITCH: "false"}
    space.telemetry("Deployment", "web", declared="Disabled")
    assert space.find("workloadtelemetry", "rollout-web") is None
