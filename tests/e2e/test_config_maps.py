"""Values in ConfigMaps, on the real API server: its managed fields, its times, its rights."""

from __future__ import annotations

import time

import pytest

from tests.support.world import SONAR_SWITCH, SONARQUBE, Manifest, Space, container, workload

pytestmark = pytest.mark.cluster

KEY = {SONAR_SWITCH: {"configMapKeyRef": {"name": "settings", "key": "sonar"}}}


def _config_map(value: str, **more: str) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "settings"},
        "data": {"sonar": value, **more},
    }


def test_a_value_in_a_config_map_is_proven_until_it_changes(space: Space) -> None:
    space.policy()
    space.apply(_config_map("false", other="1"))
    space.apply(workload("Deployment", "web", container(SONARQUBE, env=KEY)))
    space.wait_for_pods("app=web", 1)
    space.telemetry("Deployment", "web", state="Compliant", reason="RunningInEveryPod")
    assert space.env("deployment", "web") == {SONAR_SWITCH: None}

    # Somebody else's key leaves the value as old as it is.
    time.sleep(1.1)  # the API server's times are whole seconds
    space.kubectl(
        "patch", "configmap", "settings", '--patch={"data":{"other":"2"}}', "--field-manager=x"
    )
    space.kubectl("delete", "pod", "--selector=app=web", "--wait=false")
    space.wait_for_pods("app=web", 1)
    space.telemetry("Deployment", "web", state="Compliant", reason="RunningInEveryPod")


def test_a_value_that_changed_since_is_unknown_until_the_pods_restart(space: Space) -> None:
    space.policy()
    space.apply(_config_map("true"))
    space.apply(workload("Deployment", "web", container(SONARQUBE, env=KEY)))
    space.wait_for_pods("app=web", 1)
    found = space.telemetry("Deployment", "web", state="NonCompliant", reason="ConfigMapContrary")
    assert "key sonar of the ConfigMap settings" in found["usage"]["message"]
    time.sleep(1.1)  # the API server's times are whole seconds
    space.apply(_config_map("false"))
    # A new pod makes the operator read it again, as its own schedule would. It got the present
    # value for certain only if it was created in a later second than the value.
    time.sleep(1.1)
    space.kubectl("scale", "deployment", "web", "--replicas=2")
    space.wait_for_pods("app=web", 2)
    found = space.telemetry("Deployment", "web", state="Unknown", reason="ConfigMapChanged")
    assert "1 of 2 pods" in found["usage"]["message"]
    space.kubectl("rollout", "restart", "deployment", "web")
    space.telemetry("Deployment", "web", state="Compliant", reason="RunningInEveryPod")
