"""Events for changes: one for each reason, with the policy and the field that asked for it."""

from __future__ import annotations

from typing import Any

import pytest

from fleet_telemetry.reporting.changes import change_notices, rollout_notice, shows
from fleet_telemetry.reporting.events import Notice
from fleet_telemetry.switches.edits import Edit, EditCause, SkippedEdit
from tests.support.builders import (
    DTRACK_4,
    DTRACK_5,
    NAMESPACE,
    SONAR_SWITCH,
    SONARQUBE,
    V4_SWITCH,
    V5_SWITCH,
    Manifest,
    claimed,
    container,
    manifest,
    policy,
    touched,
    under,
    with_image,
    without_variable,
    workload,
)

WHO = f"TelemetryPolicy {NAMESPACE}/opt-out"
IMMEDIATE = {"injection": {"rollout": "Immediate"}}


def sonar(env: dict[str, Any] | None = None, **more: Any) -> Manifest:
    return claimed(manifest(container(SONARQUBE, env=env), **more))


def test_an_injection_names_its_policy_and_field() -> None:
    written = under(policy()).create(sonar())
    assert [*change_notices(written.plan.changes, "At admission")] == [
        Notice(
            "TelemetrySettingInjected",
            f'At admission: set {SONAR_SWITCH}="false" in container app '
            f"({WHO}, spec.injection.when: FirstInstallOrUpgrade).",
            warning=False,
        )
    ]


def test_a_section_of_another_policy_names_that_policy() -> None:
    """The one that decides on the setting need not be the one that asks for the rollout."""
    cluster = under(policy("fleet", cluster=True), policy("tenant", **IMMEDIATE))
    plan = cluster.reconcile(sonar()).plan
    (injected,) = change_notices(plan.edits, "The controller")
    said = (
        "ClusterTelemetryPolicy fleet, spec.injection.rollout: Immediate of "
        f"TelemetryPolicy {NAMESPACE}/tenant"
    )
    assert said in injected.note
    rollout = rollout_notice(workload(sonar()), plan.edits)
    assert rollout is not None
    assert (rollout.reason, rollout.warning) == ("TelemetryRollout", False)
    assert rollout.note.endswith(f"Asked for by {said}.")


def test_what_is_overridden_removed_or_set_again_has_a_reason_of_its_own() -> None:
    overridden = under(policy()).create(sonar({SONAR_SWITCH: "true"})).plan.changes
    old = under(policy()).create(manifest(container(DTRACK_4))).manifest
    upgraded = under(policy()).update(old, with_image(old, DTRACK_5)).plan.changes
    live = sonar({SONAR_SWITCH: "false"})
    bare = touched(without_variable(live, SONAR_SWITCH))
    restored = under(policy()).update(live, bare).plan.changes
    never = under(policy(injection={"when": "Never"})).update(live, bare).plan.changes
    told = {
        notice.reason: notice
        for changes in (overridden, upgraded, restored, never)
        for notice in change_notices(changes, "At admission")
    }
    assert f"replaced the value of {SONAR_SWITCH}" in told["TelemetrySettingOverridden"].note
    assert f"removed {V4_SWITCH} in container app" in told["TelemetrySettingRemoved"].note
    assert "again" in told["TelemetrySettingInjected"].note
    assert told["TelemetrySettingDropped"].warning
    assert len(told) == 4


def test_changes_of_one_reason_are_one_event() -> None:
    several = manifest(container(SONARQUBE), container(DTRACK_5, name="dtrack"))
    (notice,) = change_notices(under(policy()).create(several).plan.changes, "At admission")
    assert SONAR_SWITCH in notice.note
    assert V5_SWITCH in notice.note


@pytest.mark.parametrize("cause", [EditCause.KEPT, EditCause.BY_REFERENCE])
def test_what_stays_as_it_is_is_no_event(cause: EditCause) -> None:
    assert [*change_notices([SkippedEdit("app", "NAME", cause, policy())], "At admission")] == []


def test_no_event_has_a_value_that_is_not_the_operators_own() -> None:
    settings = [{"product": "sonarqube", "env": [{"name": "NOTE", "value": "s3cret"}]}]
    cluster = under(policy(injection={"settings": settings}))
    written = cluster.create(sonar({SONAR_SWITCH: "mine", "NOTE": "theirs"}))
    notes = [notice.note for notice in change_notices(written.plan.changes, "At admission")]
    assert any("NOTE" in note for note in notes)
    assert not any(word in note for note in notes for word in ("s3cret", "mine", "theirs"))


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ({}, "the pods are replaced now"),
        ({"paused": True}, "the pods are replaced when it is resumed, because it is paused"),
        ({"replicas": 0}, None),
        ({"kind": "CronJob"}, None),
    ],
)
def test_a_rollout_is_told_where_pods_are_replaced(shape: dict[str, Any], said: str | None) -> None:
    given = sonar(**shape)
    edits = under(policy(**IMMEDIATE)).reconcile(given).plan.edits
    assert edits
    notice = rollout_notice(workload(given), edits)
    assert (notice and said in notice.note) if said else notice is None
    assert rollout_notice(workload(given), ()) is None


def test_an_urgent_removal_is_told_without_a_policy() -> None:
    given = claimed(manifest(container(DTRACK_5, env={V4_SWITCH: "false"})), but=[V4_SWITCH])
    edits = under().reconcile(given).plan.edits
    notice = rollout_notice(workload(given), edits)
    assert notice is not None
    assert "no policy: the product cannot start" in notice.note


@pytest.mark.parametrize(
    ("env", "value", "shown"),
    [
        ({"A": "1"}, "1", True),
        ({"A": "2"}, "1", False),
        ({}, "1", False),
        ({}, None, True),
        ({"A": "1"}, None, False),
        ({"A": ""}, None, False),
        ({"A": ""}, "", True),
    ],
)
def test_whether_a_template_is_as_edited(
    env: dict[str, str], value: str | None, shown: bool
) -> None:
    template = workload(sonar(env)).template
    assert shows(template, Edit(0, "app", "A", value, EditCause.INJECTED)) is shown
    assert not shows(template, Edit(0, "other", "A", value, EditCause.INJECTED))
