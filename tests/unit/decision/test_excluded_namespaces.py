"""Nothing is changed in an excluded namespace, whatever a policy asks for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from fleet_telemetry.decision import decide
from fleet_telemetry.switches.edits import Trigger
from tests.support.builders import (
    DTRACK_5,
    SONARQUBE,
    V4_SWITCH,
    Cluster,
    container,
    manifest,
    policy,
)
from tests.support.every import every


@every("trigger", Trigger)
@every("kind", ["Deployment", "StatefulSet", "CronJob"])
@every(
    "injection",
    [{"rollout": "Immediate"}, {"when": "Always"}, {"when": "Always", "rollout": "Immediate"}],
)
def test_no_policy_changes_a_workload(
    trigger: Trigger, kind: str, injection: dict[str, Any]
) -> None:
    cluster = Cluster((policy(injection=injection),))
    given = cluster.input(manifest(container(SONARQUBE), kind=kind), trigger)
    assert decide(replace(given, excluded=True)).edits == ()
    if trigger is Trigger.CREATE:
        assert decide(given).edits != ()


def test_not_even_a_variable_that_keeps_the_product_from_starting() -> None:
    # Elsewhere it is removed at once, because it was injected.
    cluster = Cluster((policy(injection={"rollout": "Immediate"}),))
    given = cluster.input(
        manifest(container(DTRACK_5, env={V4_SWITCH: "false"})), Trigger.RECONCILE
    )
    assert decide(given).edits != ()
    assert decide(replace(given, excluded=True)).edits == ()
