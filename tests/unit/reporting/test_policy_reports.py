"""Reports for auditors, from plans."""

from __future__ import annotations

import copy
import dataclasses
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
    to_write,
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
    seconds = {result.key: 7 for result in results}
    report = report_manifest(kind, found, results, seconds)
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


def stored(found: Workload, plan: Plan, seconds: dict[str, int]) -> dict[str, Any]:
    return report_manifest(OPEN_REPORTS, found, build_results(found, plan), seconds)


def test_what_stands_there_already_is_not_written() -> None:
    found, plan = planned(SONARQUBE, OFF, policy())
    results = build_results(found, plan)
    first = to_write(results, None, 100)
    assert first == {results[0].key: 100}
    before = read_written(stored(found, plan, first))
    assert to_write(results, before, 200) is None


def test_what_changes_gets_a_new_time_and_the_rest_keeps_its_own() -> None:
    asking = policy(channels=["Usage", "UpdateCheck"])
    found, plan = planned(SONARQUBE, OFF, asking)
    usage, updates = (result.key for result in build_results(found, plan))
    before = read_written(stored(found, plan, {usage: 100, updates: 100}))
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
    assert to_write(build_results(found, changed), before, 200) == {usage: 200, updates: 100}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("result",), "pass"),
        (("message",), "All is well."),
        (("severity",), "low"),
        (("properties", "evidence"), "none"),
        (("properties", "remediation"), None),
    ],
)
def test_what_somebody_edited_is_written_anew(path: tuple[str, ...], value: str | None) -> None:
    found, plan = planned(SONARQUBE, ON, policy(injection={"when": "Never"}))
    results = build_results(found, plan)
    report = copy.deepcopy(stored(found, plan, {results[0].key: 100}))
    part = report["results"][0]
    for step in path[:-1]:
        part = part[step]
    if value is None:
        del part[path[-1]]
    else:
        part[path[-1]] = value
    assert to_write(results, read_written(report), 200) == {results[0].key: 200}


def test_a_result_too_many_or_too_few_is_noticed() -> None:
    found, plan = planned(SONARQUBE, OFF, policy(channels=["Usage", "UpdateCheck"]))
    results = build_results(found, plan)
    seconds = {result.key: 100 for result in results}
    report = stored(found, plan, seconds)
    report["results"].append(report["results"][0])
    assert to_write(results, read_written(report), 200) == seconds
    del report["results"][1:]
    assert to_write(results, read_written(report), 200) == {
        results[0].key: 100, results[1].key: 200,
    }  # fmt: skip
    assert to_write(results, read_written({"results": [{"result": "pass"}]}), 200) == {
        result.key: 200 for result in results
    }


def test_no_value_of_a_variable_is_told() -> None:
    env = {V4_SWITCH: "s3cret", "TOKEN": "s3cret"}
    found, plan = planned(DTRACK_4, env, policy())
    assert "s3cret" not in repr(stored(found, plan, {r.key: 1 for r in build_results(found, plan)}))
