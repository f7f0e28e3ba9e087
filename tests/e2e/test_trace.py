"""What the operator did to a workload can be read on the workload, and stays through every tool."""

from __future__ import annotations

import json
import time

import pytest

from tests.support.world import (
    DTRACK_4,
    DTRACK_5,
    SONAR_SWITCH,
    SONARQUBE,
    V4_SWITCH,
    V5_OFF,
    Space,
    container,
    eventually,
    workload,
)

pytestmark = pytest.mark.cluster


def notes(space: Space, reason: str) -> list[str]:
    text = space.kubectl(
        "get", "events.events.k8s.io", f"--field-selector=reason={reason}", "--output=json"
    ).stdout
    return [event["note"] for event in json.loads(text)["items"]]


def test_an_injection_and_a_rollout_can_be_found_by_describe(space: Space) -> None:
    space.apply(workload("Deployment", "old", container(SONARQUBE)))
    space.wait_for_pods("app=old", 1)
    time.sleep(1.1)
    space.policy(injection={"rollout": "Immediate"})
    new = workload("Deployment", "new", container(SONARQUBE))
    space.apply(new, flags=["--dry-run=server"])
    space.apply(new)
    eventually(lambda: notes(space, "TelemetryRollout"), say="the rollout")
    eventually(lambda: len(notes(space, "TelemetrySettingInjected")) == 2, say="both injections")
    who = f"TelemetryPolicy {space.name}/opt-out, spec.injection"
    said = space.kubectl("describe", "deployment", "old").stdout
    assert f"{who}.rollout: Immediate" in said
    assert "TelemetryRollout" in said
    said = space.kubectl("describe", "deployment", "new").stdout
    assert f'At admission: set {SONAR_SWITCH}="false" in container app ({who}.when' in said
    status = space.telemetry("Deployment", "old", state="Compliant")
    assert status["usage"]["policy"] == {
        "kind": "TelemetryPolicy",
        "namespace": space.name,
        "name": "opt-out",
    }


def test_a_rollback_does_not_make_an_injected_variable_somebody_elses(space: Space) -> None:
    space.policy(injection={"onConflict": "Keep"})
    space.apply(workload("Deployment", "d", container(DTRACK_4)))
    space.telemetry("Deployment", "d")
    image = "set", "image", "deployment/d", f"app={DTRACK_5}"
    space.kubectl(*image)
    eventually(lambda: space.env("deployment", "d") == V5_OFF, say="version 5")
    eventually(
        lambda: space.telemetry("Deployment", "d").get("injectedBefore"), say="the earlier one"
    )
    space.kubectl("rollout", "undo", "deployment/d")
    assert space.env("deployment", "d") == {V4_SWITCH: "false"}
    owners = json.dumps(space.get("deployment", "d")["metadata"]["managedFields"])
    assert V4_SWITCH in owners
    space.kubectl(*image)
    assert space.env("deployment", "d") == V5_OFF


def test_a_setting_stays_when_the_manifest_drops_it(space: Space) -> None:
    contrary = container(SONARQUBE, env={SONAR_SWITCH: "true"})
    space.apply(workload("Deployment", "s", contrary))
    time.sleep(1.1)
    space.policy()
    newer = SONARQUBE.replace("26.7.0.124771", "26.8.0.100000")
    space.apply(workload("Deployment", "s", {**contrary, "image": newer}))
    assert space.env("deployment", "s") == {SONAR_SWITCH: "false"}
    said = space.apply(workload("Deployment", "s", container(newer)))
    assert space.env("deployment", "s") == {SONAR_SWITCH: "false"}
    assert "again: the update drops it" in said
    said = space.replace(workload("Deployment", "s", container(newer, env={"B": "2"})))
    assert space.env("deployment", "s") == {"B": "2", SONAR_SWITCH: "false"}


def test_a_paused_deployment_is_left_until_somebody_asks(space: Space) -> None:
    space.apply(workload("Deployment", "s", container(SONARQUBE)))
    space.wait_for_pods("app=s", 1)
    space.kubectl("rollout", "pause", "deployment/s")
    time.sleep(1.1)
    space.policy()
    space.telemetry("Deployment", "s", state="NonCompliant", reason="AwaitingUpgrade")
    assert space.env("deployment", "s") == {}
    space.policy(injection={"rollout": "Immediate"})
    space.telemetry("Deployment", "s", state="Pending", reason="PodsOutdated")
    (told,) = eventually(lambda: notes(space, "TelemetryRollout"), say="the rollout")
    assert "when it is resumed" in told
    space.kubectl("rollout", "resume", "deployment/s")
    space.telemetry("Deployment", "s", state="Compliant")
