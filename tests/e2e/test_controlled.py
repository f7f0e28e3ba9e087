"""Workloads that somebody else's controller owns: the template is left alone, pods are injected."""

from __future__ import annotations

import json

import pytest

from tests.support.world import (
    EMQX,
    Space,
    container,
    eventually,
    workload,
)

pytestmark = pytest.mark.cluster

SWITCH = "EMQX_TELEMETRY__ENABLE"


def _owned(space: Space, kind: str, name: str, replicas: int = 1) -> dict[str, object]:
    """A workload as a vendor's operator makes it, with a ConfigMap for its custom resource."""
    space.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "owner"}})
    uid = space.get("configmap", "owner")["metadata"]["uid"]
    manifest = workload(kind, name, container(EMQX, env={"A": "1"}), replicas=replicas)
    manifest["metadata"]["ownerReferences"] = [
        {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": uid, "controller": True}
    ]
    return manifest


@pytest.mark.parametrize("kind", ["StatefulSet", "ReplicaSet", "Deployment", "DaemonSet", "Job"])
def test_the_template_is_left_alone_and_its_pods_are_injected(space: Space, kind: str) -> None:
    space.policy()
    said = space.apply(_owned(space, kind, "emqx"))
    assert "Warning" not in said
    assert space.env(kind, "emqx") == {"A": "1"}
    eventually(
        lambda: space.pods_env("app=emqx") == [{"A": "1", SWITCH: "false"}], say="the pod's setting"
    )
    usage = space.telemetry(kind, "emqx", state="Compliant", reason="RunningInEveryPod")["usage"]
    assert (usage["declared"], usage["running"]) == ("Unset", "Disabled")
    generation = space.get(kind, "emqx")["metadata"]["generation"]
    assert generation == 1


def test_pods_that_came_before_the_policy_are_pending_until_they_are_replaced(space: Space) -> None:
    space.apply(_owned(space, "StatefulSet", "emqx", replicas=2))
    space.wait_for_pods("app=emqx", 2)
    space.policy(injection={"rollout": "Immediate"})
    space.telemetry("StatefulSet", "emqx", state="Pending", reason="PodsOutdated")
    assert space.env("statefulset", "emqx") == {"A": "1"}
    space.kubectl("delete", "pod", "emqx-0", "emqx-1")
    space.telemetry("StatefulSet", "emqx", state="Compliant")


def test_pods_of_an_ordinary_workload_are_not_injected_by_themselves(space: Space) -> None:
    space.apply(workload("Deployment", "emqx", container(EMQX)))
    space.wait_for_pods("app=emqx", 1)
    space.policy()
    space.kubectl("delete", "pod", "-l", "app=emqx")
    space.wait_for_pods("app=emqx", 1)
    assert space.pods_env("app=emqx") == [{}]


def test_an_exception_and_a_selector_speak_of_the_owner_and_not_of_the_pod(space: Space) -> None:
    space.policy(
        selector={"matchLabels": {"tier": "gold"}},
        exceptions=[{"workload": {"kind": "StatefulSet", "name": "lifted"}, "reason": "test"}],
    )
    for name, tier in {"gold": "gold", "iron": "iron", "lifted": "gold"}.items():
        manifest = _owned(space, "StatefulSet", name)
        manifest["metadata"]["labels"] = {"tier": tier}  # type: ignore[index]
        space.apply(manifest)
        space.wait_for_pods(f"app={name}", 1)
    assert space.pods_env("app=gold") == [{"A": "1", SWITCH: "false"}]
    assert space.pods_env("app=iron") == [{"A": "1"}]
    assert space.pods_env("app=lifted") == [{"A": "1"}]


def test_pods_are_injected_without_anything_left_on_them(space: Space) -> None:
    space.policy()
    space.apply(_owned(space, "StatefulSet", "emqx"))
    space.wait_for_pods("app=emqx", 1)
    pod = space.get("pod", "emqx-0")
    assert "annotations" not in pod["metadata"]
    assert "finalizers" not in pod["metadata"]
    assert SWITCH not in json.dumps(pod["metadata"]["managedFields"])
