"""One line for each decision, with what it takes to find the object again."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from pythonjsonlogger.json import JsonFormatter

from fleet_telemetry.api.policy import Policy
from fleet_telemetry.api.workload_telemetry import WorkloadTelemetryStatus
from fleet_telemetry.decision import decide
from fleet_telemetry.reporting.decisions import log_admission, log_verdicts
from fleet_telemetry.reporting.workload_status import build_workload_status
from fleet_telemetry.switches.edits import Trigger
from tests.support.builders import (
    NOW,
    SONAR_SWITCH,
    SONARQUBE,
    claimed,
    container,
    manifest,
    pod_of,
    policy,
    under,
    workload,
)

OFF, ON = {SONAR_SWITCH: "false"}, {SONAR_SWITCH: "true"}


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """As they are written with --log-format=json."""
    formatter = JsonFormatter("%(asctime)s %(levelname)s %(name)s %(message)s")
    found = [json.loads(formatter.format(record)) for record in caplog.records]
    caplog.clear()
    return found


def record(env: dict[str, str], *policies: Policy) -> WorkloadTelemetryStatus:
    given = claimed(manifest(container(SONARQUBE, env=env)))
    pods = (pod_of(manifest(container(SONARQUBE, env=env))),)
    plan = decide(under(*policies).input(given, Trigger.RECONCILE, pods=pods))
    return build_workload_status(workload(given), plan, None, NOW)


IT = workload(manifest(container(SONARQUBE)))


@pytest.fixture(autouse=True)
def told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "fleet_telemetry.decisions")


def test_a_verdict_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    proven = record(OFF, policy(injection={"when": "Never"}))
    log_verdicts(IT, None, proven)
    usage, updates = lines(caplog)
    assert usage["message"] == f"verdict: {IT.ref}: sonarqube Usage: Compliant (RunningInEveryPod)"
    assert usage["name"] == "fleet_telemetry.decisions"
    assert usage["object_namespace"] == IT.ref.namespace
    assert usage["object_kind"] == "Deployment"
    assert usage["object_name"] == "it"
    assert usage["object_uid"] == IT.uid
    assert usage["product"] == "sonarqube"
    assert usage["version"] == "26.7.0.124771"
    assert usage["state"] == "Compliant"
    assert usage["reason"] == "RunningInEveryPod"
    assert usage["policy"] == "TelemetryPolicy opt-out"
    assert usage["before"] == ""
    assert updates["message"].endswith("UpdateCheck: under no policy")
    log_verdicts(IT, proven, proven)
    assert lines(caplog) == []


def test_what_changed_is_told_and_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    asking = policy(injection={"when": "Never"})
    log_verdicts(IT, record(OFF, asking), record(ON, asking))
    (line,) = lines(caplog)
    assert (line["channel"], line["before"], line["state"]) == (
        "Usage", "Compliant", "NonCompliant",
    )  # fmt: skip


def request(**more: Any) -> dict[str, Any]:
    return {
        "uid": "a-request",
        "operation": "CREATE",
        "namespace": "apps",
        "kind": {"kind": "Deployment"},
        "object": {"metadata": {"name": "it"}},
        **more,
    }


def test_an_admission_is_told_without_values(caplog: pytest.LogCaptureFixture) -> None:
    settings = [{"product": "sonarqube", "env": [{"name": "SONAR_NOTE", "value": "s3cret"}]}]
    asking = policy(injection={"settings": settings})
    given = manifest(container(SONARQUBE, env=ON))
    plan = decide(under(asking).input(given, Trigger.CREATE))
    log_admission(request(), plan.changes, 0.00312)
    (line,) = lines(caplog)
    assert line["message"] == (
        f"admission: CREATE apps/Deployment/it: Overridden {SONAR_SWITCH}, Setting SONAR_NOTE"
    )
    assert line["request_uid"] == "a-request"
    assert line["changes"] == [f"Overridden {SONAR_SWITCH}", "Setting SONAR_NOTE"]
    assert line["policies"] == [str(asking)]
    assert line["milliseconds"] == 3.12
    assert line["dry_run"] is False
    assert "s3cret" not in json.dumps(line)


def test_an_admission_that_changes_nothing_is_not_told(caplog: pytest.LogCaptureFixture) -> None:
    log_admission(request(), (), 0.001)
    assert lines(caplog) == []
