"""``doNotTrack``: a convention is set, and proves nothing."""

from __future__ import annotations

from typing import Any

import pytest

from fleet_telemetry.decision import decide
from fleet_telemetry.switches.edits import Trigger
from tests.support.builders import (
    DTRACK_4,
    FRONTEND,
    NGINX,
    SONAR_SWITCH,
    SONARQUBE,
    V4_SWITCH,
    container,
    manifest,
    policy,
    under,
)

NAME = "DO_NOT_TRACK"


def injected(image: str, *, env: Any = None, **injection: Any) -> dict[str, str | None]:
    submission = injection.pop("submission", "Disabled")
    asking = policy(submission=submission, injection={"doNotTrack": True, **injection})
    given = manifest(container(image, env=env or {}))
    plan = decide(under(asking).input(given, Trigger.CREATE))
    return {edit.name: edit.value for edit in plan.edits}


@pytest.mark.parametrize(("image", "switch"), [(SONARQUBE, SONAR_SWITCH), (DTRACK_4, V4_SWITCH)])
def test_it_is_set_beside_the_switch(image: str, switch: str) -> None:
    assert injected(image) == {switch: "false", NAME: "1"}
    assert injected(image, doNotTrack=False) == {switch: "false"}


def test_it_is_set_where_the_product_has_no_switch() -> None:
    assert injected(FRONTEND) == {NAME: "1"}


def test_nothing_else_and_no_opt_in_gets_it() -> None:
    assert injected(NGINX) == {}
    assert NAME not in injected(SONARQUBE, submission="Enabled")


def test_a_setting_of_the_policy_comes_first() -> None:
    own = [{"product": "sonarqube", "env": [{"name": NAME, "value": "true"}]}]
    assert injected(SONARQUBE, settings=own) == {SONAR_SWITCH: "false", NAME: "true"}


def test_a_value_of_the_user_is_treated_as_that_of_a_related_setting() -> None:
    assert injected(FRONTEND, env={NAME: "0"}) == {NAME: "1"}
    assert injected(FRONTEND, env={NAME: "0"}, onConflict="Keep") == {}


def test_it_is_no_evidence() -> None:
    asking = policy(injection={"doNotTrack": True})
    states = []
    for env in ({}, {NAME: "1"}):
        given = manifest(container(FRONTEND, env=env))
        plan = decide(under(asking).input(given, Trigger.RECONCILE))
        states.append([(one.state, one.reason) for one in plan.verdicts])
    assert states[0]
    assert states[0] == states[1]
