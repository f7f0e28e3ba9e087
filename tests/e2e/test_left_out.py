"""A workload with the label that leaves it out: never changed, always reported."""

from __future__ import annotations

import pytest

from tests.support.world import (
    SONAR_SWITCH,
    SONARQUBE,
    Manifest,
    Space,
    container,
    eventually,
    workload,
)

pytestmark = pytest.mark.cluster

LABEL = "fleettelemetry.io/inject"


def left_out(name: str) -> Manifest:
    found = workload("Deployment", name, container(SONARQUBE))
    found["metadata"].setdefault("labels", {})[LABEL] = "disabled"
    return found


def test_it_is_reported_and_changed_only_without_the_label(space: Space) -> None:
    space.policy(injection={"when": "Always", "rollout": "Immediate"})
    said = space.apply(left_out("sonar"))
    assert "Warning" not in said
    found = space.telemetry("deployment", "sonar", state="NonCompliant")
    assert found["usage"]["reason"] == "LeftOutByLabel"
    assert space.env("deployment", "sonar") == {}
    generation = space.get("deployment", "sonar")["metadata"]["generation"]
    # The API server asks the webhook about this update, because one of both objects has no label.
    space.kubectl("label", "deployment", "sonar", f"{LABEL}-")
    eventually(lambda: space.env("deployment", "sonar") == {SONAR_SWITCH: "false"})
    assert space.get("deployment", "sonar")["metadata"]["generation"] == generation + 1
