"""What happens to injected settings when their policy goes."""

from __future__ import annotations

import pytest

from tests.support.world import (
    DTRACK_4,
    SONAR_SWITCH,
    SONARQUBE,
    V4_SWITCH,
    Space,
    container,
    eventually,
    workload,
)

pytestmark = pytest.mark.cluster


def _drop_policy(space: Space, kind: str, name: str, policy: str = "opt-out") -> None:
    space.kubectl("delete", "telemetrypolicy", policy)

    def ungoverned() -> bool:
        return "policy" not in space.telemetry(kind, name)

    eventually(ungoverned, say="the workload without a policy")


def test_without_its_policy_a_setting_stays_until_the_template_changes(space: Space) -> None:
    space.policy()
    space.apply(workload("Deployment", "dtrack", container(DTRACK_4)))
    space.telemetry("Deployment", "dtrack", state="Compliant")
    before = space.get("deployment", "dtrack")

    _drop_policy(space, "Deployment", "dtrack")
    untouched = space.get("deployment", "dtrack")
    assert untouched["spec"] == before["spec"]
    assert untouched["metadata"]["generation"] == before["metadata"]["generation"]

    said = space.apply(workload("Deployment", "dtrack", container(DTRACK_4, env={"A": "1"})))
    assert f"removed {V4_SWITCH} in container app: no policy asks for it on this version" in said
    assert space.env("deployment", "dtrack") == {"A": "1"}


def test_a_users_own_value_is_not_taken_back(space: Space) -> None:
    space.policy()
    space.apply(workload("Deployment", "dtrack", container(DTRACK_4, env={V4_SWITCH: "false"})))
    space.telemetry("Deployment", "dtrack", state="Compliant")
    _drop_policy(space, "Deployment", "dtrack")
    space.kubectl("rollout", "restart", "deployment/dtrack")
    assert space.env("deployment", "dtrack") == {V4_SWITCH: "false"}


def test_an_overridden_value_comes_back_with_the_users_next_apply(space: Space) -> None:
    manifest = workload("Deployment", "s", container(SONARQUBE, env={SONAR_SWITCH: "true"}))
    space.policy()
    space.apply(manifest)
    space.telemetry("Deployment", "s", declared="Disabled")
    _drop_policy(space, "Deployment", "s")
    space.apply(manifest)
    assert space.env("deployment", "s") == {SONAR_SWITCH: "true"}


def test_related_settings_are_taken_back_too(space: Space) -> None:
    setting = {"name": "SONAR_LOG_LEVEL", "value": "INFO"}
    space.policy(injection={"settings": [{"product": "sonarqube", "env": [setting]}]})
    space.apply(workload("Deployment", "s", container(SONARQUBE)))
    injected = space.telemetry("Deployment", "s", state="Compliant")["injected"]
    assert [entry["name"] for entry in injected] == [SONAR_SWITCH, "SONAR_LOG_LEVEL"]
    _drop_policy(space, "Deployment", "s")
    space.kubectl("rollout", "restart", "deployment/s")
    assert space.env("deployment", "s") == {}


def test_where_no_pod_can_restart_it_is_taken_back_at_once(space: Space) -> None:
    space.policy()
    space.apply(workload("CronJob", "sonar", container(SONARQUBE)))
    space.telemetry("CronJob", "sonar", declared="Disabled")
    space.kubectl("delete", "telemetrypolicy", "opt-out")
    eventually(lambda: space.env("cronjob", "sonar") == {}, say="the variable's removal")


def test_an_exception_lifts_the_policy_and_the_next_change_takes_back(space: Space) -> None:
    space.policy()
    space.apply(workload("Deployment", "s", container(SONARQUBE)))
    space.telemetry("Deployment", "s", state="Compliant")
    exempted = {"kind": "Deployment", "name": "s"}
    space.policy(exceptions=[{"workload": exempted, "reason": "contract until spring"}])
    usage = space.telemetry("Deployment", "s", state="Exempt")["usage"]
    assert "contract until spring" in usage["message"]
    space.kubectl("rollout", "restart", "deployment/s")
    assert space.env("deployment", "s") == {}


def test_a_policy_that_turns_takes_its_own_value_along(space: Space) -> None:
    space.policy()
    space.apply(workload("Deployment", "s", container(SONARQUBE)))
    space.telemetry("Deployment", "s", state="Compliant")
    space.policy(submission="Enabled")
    space.kubectl("rollout", "restart", "deployment/s")
    assert space.env("deployment", "s") == {SONAR_SWITCH: "true"}
    space.telemetry("Deployment", "s", state="Compliant")
