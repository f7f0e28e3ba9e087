"""Reports for auditors, from plans."""

from __future__ import annotations

import copy
import dataclasses
import json
from typing import Any

import pytest

from fleet_telemetry.api.policy import Policy
from fleet_telemetry.api.product.setting import Setting
from fleet_telemetry.decision import Plan, decide
from fleet_telemetry.evidence.verdict import Observation
from fleet_telemetry.reporting.policy_reports import (
    OPEN_REPORTS,
    POLICY_REPORTS,
    ReportOutcome,
    build_results,
    read_written,
    report_manifest,
    report_to_write,
)
from fleet_telemetry.switches.edits import Trigger
from fleet_telemetry.workloads.workload import Workload
from tests.support.builders import (
    DTRACK_4,
    NAMESPACE,
    SONAR_SWITCH,
    SONARQUBE,
    V4_SWITCH,
    WORKER_6,
    claimed,
    container,
    manifest,
    pod_of,
    policy,
    under,
    workload,
)

OFF, ON = {SONAR_SWITCH: "false"}, {SONAR_SWITCH: "true"}
EXEMPTED = {"workload": {"kind": "Deployment", "name": "it"}, "reason": "because"}


def planned(
    image: str = SONARQUBE,
    env: dict[str, Any] | None = None,
    *policies: Policy,
    pods: tuple[dict[str, Any], ...] | None = None,
) -> tuple[Workload, Plan]:
    given = claimed(manifest(container(image, env=env or {})))
    started = (env or {},) if pods is None else pods
    running = tuple(pod_of(manifest(container(image, env=pod))) for pod in started)
    return workload(given), decide(under(*policies).input(given, Trigger.RECONCILE, pods=running))


@pytest.mark.parametrize(
    ("outcome", "severity", "image", "env", "asking"),
    [
        (ReportOutcome.PASS, "info", SONARQUBE, OFF, policy()),
        (ReportOutcome.FAIL, "high", SONARQUBE, ON, policy(injection={"when": "Never"})),
        (ReportOutcome.FAIL, "high", WORKER_6, {}, policy()),
        (ReportOutcome.ERROR, "medium", "sonarqube:latest", OFF, policy()),
        (ReportOutcome.SKIP, "info", SONARQUBE, ON, policy(exceptions=[EXEMPTED])),
        # Who only looks does not fail anybody; what is not known stays not known.
        (ReportOutcome.WARN, "low", SONARQUBE, ON, policy(mode="Audit")),
        (ReportOutcome.PASS, "info", SONARQUBE, OFF, policy(mode="Audit")),
        (ReportOutcome.ERROR, "medium", "sonarqube:latest", OFF, policy(mode="Audit")),
    ],
)
def test_outcome(
    outcome: ReportOutcome, severity: str, image: str, env: dict[str, Any], asking: Policy
) -> None:
    (result,) = build_results(*planned(image, env, asking))
    assert (result.outcome, result.severity) == (outcome, severity)
    assert result.scored is (asking.spec.mode == "Enforce")


def test_what_is_on_its_way_is_a_warning() -> None:
    (result,) = build_results(*planned(SONARQUBE, OFF, policy(), pods=()))
    assert (result.outcome, result.severity) == (ReportOutcome.WARN, "low")


def test_a_result_says_who_what_and_why() -> None:
    found, plan = planned(SONARQUBE, ON, policy(injection={"when": "Never"}))
    (result,) = build_results(found, plan)
    said = result.manifest(1_700_000_000)
    assert said["policy"] == "opt-out"
    assert said["rule"] == "sonarqube.Usage"
    assert said["category"] == "Vendor telemetry"
    assert said["source"] == "fleet-telemetry"
    assert said["result"] == "fail"
    assert said["message"]
    assert said["timestamp"] == {"seconds": 1_700_000_000, "nanos": 0}
    properties = said["properties"]
    assert properties["evidence"] == (
        "declared=Enabled, running=Enabled, reported=Unknown, egress=Unknown"
    )
    assert properties["state"] == "NonCompliant"
    assert properties["policyKind"] == "TelemetryPolicy"
    assert properties["desired"] == "Disabled"
    assert properties["remediation"].endswith(".")
    assert properties["resultID"] == result.key
    assert all(isinstance(value, str) for value in properties.values())


def test_a_result_names_the_cluster_if_it_has_a_name() -> None:
    found, plan = planned(SONARQUBE, OFF, policy())
    (plain,) = build_results(found, plan)
    (named,) = build_results(found, plan, "prod-eu")
    assert dict(named.properties) == {**dict(plain.properties), "cluster": "prod-eu"}
    assert named.key == plain.key


def test_who_passes_is_told_to_do_nothing() -> None:
    (result,) = build_results(*planned(SONARQUBE, OFF, policy()))
    assert "remediation" not in dict(result.properties)


def test_nothing_is_said_where_no_policy_covers_anything() -> None:
    assert build_results(*planned(SONARQUBE, ON)) == ()


def test_channels_and_policies_have_results_of_their_own() -> None:
    both = policy(channels=["Usage", "UpdateCheck"])
    one, other = build_results(*planned(SONARQUBE, OFF, both))
    assert one.key != other.key
    again, _ = build_results(*planned(SONARQUBE, ON, both))
    # It is still the same question, with another answer.
    assert (again.key, again.outcome) == (one.key, ReportOutcome.FAIL)
    by_another, _ = build_results(
        *planned(SONARQUBE, OFF, policy("other", channels=["Usage", "UpdateCheck"]))
    )
    assert by_another.key != one.key


@pytest.mark.parametrize("kind", [OPEN_REPORTS, POLICY_REPORTS])
def test_a_report_is_the_workloads_own(kind: Any) -> None:
    found, plan = planned(SONARQUBE, OFF, policy(channels=["Usage", "UpdateCheck"]))
    results = build_results(found, plan)
    report = report_manifest(kind, found, results, 7)
    assert (report["apiVersion"], report["kind"]) == (kind.api_version, kind.kind)
    assert report["metadata"]["name"] == found.uid
    assert report["metadata"]["namespace"] == NAMESPACE
    assert report["metadata"]["labels"] == {"app.kubernetes.io/managed-by": "fleet-telemetry"}
    (owner,) = report["metadata"]["ownerReferences"]
    assert report["scope"] == owner | {"namespace": NAMESPACE}
    assert (owner["apiVersion"], owner["uid"]) == ("apps/v1", found.uid)
    assert report["summary"] == {"pass": 1, "fail": 1, "warn": 0, "error": 0, "skip": 0}
    assert len(report["results"]) == 2
    # The older form has no such field, and the API server would complain.
    assert ("source" in report) is (kind is OPEN_REPORTS)


def stored(found: Workload, plan: Plan, seconds: int = 100) -> dict[str, Any]:
    return report_manifest(OPEN_REPORTS, found, build_results(found, plan), seconds)


def written(found: Workload, plan: Plan, before: Any) -> list[int] | None:
    """The times of the results, if the report is written at 200 in place of another one."""
    known = read_written(before) if before is not None else None
    results = build_results(found, plan)
    report = report_to_write(OPEN_REPORTS, found, results, known, 200)
    return report and [result["timestamp"]["seconds"] for result in report["results"]]


def test_what_stands_there_already_is_not_written() -> None:
    found, plan = planned(SONARQUBE, OFF, policy())
    assert written(found, plan, None) == [200]
    assert written(found, plan, stored(found, plan)) is None
    # As an API server returns it.
    assert written(found, plan, json.loads(json.dumps(stored(found, plan), sort_keys=True))) is None


def test_what_changes_gets_a_new_time_and_the_rest_keeps_its_own() -> None:
    asking = policy(channels=["Usage", "UpdateCheck"])
    found, plan = planned(SONARQUBE, OFF, asking)
    before = stored(found, plan)
    changed = dataclasses.replace(
        plan,
        verdicts=(
            dataclasses.replace(
                plan.verdicts[0],
                observations={
                    **plan.verdicts[0].observations,
                    "reported": Observation(Setting.DISABLED, Setting.DISABLED),
                },
            ),
            plan.verdicts[1],
        ),
    )
    assert written(found, changed, before) == [200, 100]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("result",), "pass"),
        (("message",), "All is well."),
        (("severity",), "low"),
        (("properties", "evidence"), "none"),
        (("properties", "remediation"), None),
        # Fields that only the definition knows.
        (("subjects",), [{"kind": "Pod", "name": "x"}]),
        (("resources",), [{"kind": "Pod"}, ["x"], None]),
        (("properties", "more"), {"a": [1, {"b": []}]}),
    ],
)
def test_what_somebody_edited_is_written_anew(path: tuple[str, ...], value: Any) -> None:
    found, plan = planned(SONARQUBE, ON, policy(injection={"when": "Never"}))
    report = copy.deepcopy(stored(found, plan))
    part = report["results"][0]
    for step in path[:-1]:
        part = part[step]
    if value is None:
        del part[path[-1]]
    else:
        part[path[-1]] = value
    assert written(found, plan, report) == [200]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("summary", {"pass": 1, "fail": 0, "warn": 0, "error": 0, "skip": 0}),
        ("summary", [1]),
        ("scope", {"kind": "Deployment", "name": "another"}),
        ("source", "somebody"),
        ("scope", None),
    ],
)
def test_what_a_report_says_besides_its_results_is_ours_too(name: str, value: Any) -> None:
    found, plan = planned(SONARQUBE, ON, policy(injection={"when": "Never"}))
    assert written(found, plan, {**stored(found, plan), name: value}) == [100]


@pytest.mark.parametrize("seconds", ["x", [1], {"a": 1}, None, 1.5])
def test_a_time_that_is_none_is_no_time(seconds: Any) -> None:
    found, plan = planned(SONARQUBE, OFF, policy())
    report = copy.deepcopy(stored(found, plan))
    report["results"][0]["timestamp"]["seconds"] = seconds
    assert read_written(report).results[report["results"][0]["properties"]["resultID"]][1] == 0


def test_a_result_too_many_or_too_few_is_noticed() -> None:
    found, plan = planned(SONARQUBE, OFF, policy(channels=["Usage", "UpdateCheck"]))
    report = stored(found, plan)
    report["results"].append(report["results"][0])
    assert written(found, plan, report) == [100, 100]
    del report["results"][1:]
    assert written(found, plan, report) == [100, 200]
    assert written(found, plan, {"results": [{"result": "pass"}]}) == [200, 200]


def test_no_value_of_a_variable_is_told() -> None:
    env = {V4_SWITCH: "s3cret", "TOKEN": "s3cret"}
    found, plan = planned(DTRACK_4, env, policy())
    assert "s3cret" not in repr(stored(found, plan))
