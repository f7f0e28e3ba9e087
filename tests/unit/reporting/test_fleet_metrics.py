"""The fleet's metrics by the state of the fleet: counts, and single workloads."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from fleet_telemetry.api.conditions import Condition, ConditionStatus
from fleet_telemetry.api.policy import ChannelName, Policy, Submission
from fleet_telemetry.api.product.setting import Setting
from fleet_telemetry.api.reasons import EgressReason, Reason
from fleet_telemetry.api.workload_telemetry import EgressVerdict, State, WorkloadTelemetryStatus
from fleet_telemetry.decision import Plan, decide
from fleet_telemetry.evidence.egress import EgressFinding
from fleet_telemetry.evidence.verdict import Observation
from fleet_telemetry.reporting import workload_metrics
from fleet_telemetry.reporting.families import escape
from fleet_telemetry.reporting.fleet_metrics import FleetCollector, FleetSource, LastCheck
from fleet_telemetry.reporting.workload_metrics import render_workloads
from fleet_telemetry.switches.edits import Trigger
from fleet_telemetry.workloads.workload import WorkloadRef
from tests.support.builders import (
    DTRACK_4,
    DTRACK_OLD,
    EMQX_6,
    EMQX_SWITCH,
    FROM_SECRET,
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

Planned = tuple[WorkloadRef, Plan]


def planned(
    image: str,
    env: Mapping[str, Any] | None = None,
    *policies: Policy,
    pods: tuple[Mapping[str, Any], ...] = (),
    name: str = "it",
) -> Planned:
    given = claimed(manifest(container(image, env=env), name=name))
    running = tuple(pod_of(manifest(container(image, env=pod))) for pod in pods)
    asked = under(*policies).input(given, Trigger.RECONCILE, pods=running)
    return workload(given).ref, decide(asked)


Labels = dict[str, str]


def series(source: FleetSource, family: str) -> list[tuple[Labels, float]]:
    """What a scrape shows of a family, whichever way it is written."""
    registry = CollectorRegistry()
    registry.register(FleetCollector(source))
    text = generate_latest(registry).decode() + "".join(render_workloads(source))
    return [
        (dict(sample.labels), sample.value)
        for found in text_string_to_metric_families(text)
        for sample in found.samples
        if sample.name == f"fleet_telemetry_{family}"
    ]


def source_of(*plans: Planned, **more: Any) -> FleetSource:
    return FleetSource(plans=lambda: list(plans), **more)


def value(source: FleetSource, family: str, **labels: str) -> float | None:
    """The value of the one series with these labels among its own."""
    found = [number for given, number in series(source, family) if labels.items() <= given.items()]
    assert len(found) < 2
    return found[0] if found else None


def enabled(source: FleetSource, evidence: str, **labels: str) -> float | None:
    given = {
        "resource_namespace": NAMESPACE,
        "kind": "Deployment",
        "name": "it",
        "product": "sonarqube",
        "channel": "Usage",
        "evidence": evidence,
    }
    return value(source, "submission_enabled", **(given | labels))


OFF, ON = {SONAR_SWITCH: "false"}, {SONAR_SWITCH: "true"}


@pytest.mark.parametrize(
    ("env", "policies", "sends", "answer"),
    [
        (OFF, (), 0.0, "No"),
        (ON, (), 1.0, "Yes"),
        ({}, (policy(),), 1.0, "Yes"),
        ({SONAR_SWITCH: FROM_SECRET}, (policy(),), None, "Unknown"),
    ],
)
def test_what_sends_is_counted_with_and_without_a_policy(
    env: dict[str, Any], policies: tuple[Policy, ...], sends: float | None, answer: str
) -> None:
    source = source_of(planned(SONARQUBE, env, *policies, pods=(env,)))
    labels = {"product": "sonarqube", "channel": "Usage", "resource_namespace": NAMESPACE}
    assert value(source, "workload_sends", **labels, kind="Deployment", name="it") == sends
    for one in ("Yes", "No", "Unknown"):
        assert value(source, "workloads_sends", **labels, sends=one) == float(one == answer)


@pytest.mark.parametrize(
    ("image", "env", "pods", "declared", "running"),
    [
        (SONARQUBE, OFF, (OFF, OFF), 0.0, 0.0),
        (SONARQUBE, ON, (ON,), 1.0, 1.0),
        (SONARQUBE, OFF, (OFF, ON), 0.0, 1.0),
        # Nothing is set, and this version sends by default.
        (SONARQUBE, {}, ({},), 1.0, 1.0),
        (SONARQUBE, OFF, (), 0.0, None),
        (SONARQUBE, {SONAR_SWITCH: FROM_SECRET}, (OFF,), None, 0.0),
        (DTRACK_4, {V4_SWITCH: "false"}, ({V4_SWITCH: "true"},), 0.0, 1.0),
        # A seed that is unset says nothing of data that is there, the licence may say either.
        (DTRACK_4, {}, ({},), None, None),
        (EMQX_6, {}, ({},), None, None),
        (EMQX_6, {EMQX_SWITCH: "false"}, ({},), 0.0, None),
        (DTRACK_OLD, {}, ({},), 0.0, 0.0),
        (WORKER_6, {}, ({},), None, None),
        ("dependencytrack/apiserver:latest", {V4_SWITCH: "false"}, ({},), None, None),
    ],
)
def test_one_zero_or_absent(
    image: str,
    env: Mapping[str, Any],
    pods: tuple[Mapping[str, Any], ...],
    declared: float | None,
    running: float | None,
) -> None:
    ref, plan = planned(image, env, pods=pods)
    source = source_of((ref, plan))
    product = plan.targets[0].product.name
    assert enabled(source, "declared", product=product) == declared
    assert enabled(source, "running", product=product) == running


def workloads(source: FleetSource, product: str, channel: str = "Usage") -> dict[str, float]:
    return {
        labels["state"]: number
        for labels, number in series(source, "workloads")
        if (labels["product"], labels["channel"]) == (product, channel)
    }


NONE = {str(state): 0.0 for state in State}


def test_workloads_are_counted_by_state() -> None:
    exception = {"workload": {"kind": "Deployment", "name": "exempt"}, "reason": "because"}
    asking = policy(exceptions=[exception])
    source = source_of(
        planned(SONARQUBE, OFF, asking, pods=(OFF,), name="a"),
        planned(SONARQUBE, OFF, asking, pods=(OFF,), name="b"),
        planned(SONARQUBE, OFF, asking, name="asleep"),
        planned(SONARQUBE, ON, asking, pods=(ON,), name="old"),
        planned("sonarqube:latest", OFF, asking, name="blind"),
        planned(SONARQUBE, ON, asking, name="exempt"),
        planned(WORKER_6, {}, asking, name="worker"),
        # Under no policy: counted apart.
        planned(SONARQUBE, ON, name="free"),
    )
    assert workloads(source, "sonarqube") == NONE | {
        "Compliant": 2.0,
        "Pending": 1.0,
        "NonCompliant": 1.0,
        "Unknown": 1.0,
        "Exempt": 1.0,
    }
    assert workloads(source, "sourcegraph") == NONE | {"NotEnforceable": 1.0}
    # A channel that no policy speaks of is nobody's.
    assert workloads(source, "sonarqube", "UpdateCheck") == {}
    assert workloads(source, "emqx") == {}
    without = {"product": "sonarqube", "resource_namespace": NAMESPACE}
    assert value(source, "workloads_without_policy", channel="Usage", **without) == 1
    assert value(source, "workloads_without_policy", channel="UpdateCheck", **without) == 7


def test_counts_are_by_namespace_and_by_what_is_wished() -> None:
    ref, plan = planned(SONARQUBE, OFF, policy(), pods=(OFF,))
    elsewhere = dataclasses.replace(ref, namespace="elsewhere")
    _, opted_in = planned(SONARQUBE, ON, policy(submission="Enabled"), pods=(ON,))
    source = source_of((ref, plan), (elsewhere, plan), (elsewhere, opted_in))
    for namespace, desired in ((NAMESPACE, "Disabled"), ("elsewhere", "Disabled"),
                               ("elsewhere", "Enabled")):  # fmt: skip
        labels = {"resource_namespace": namespace, "desired": desired, "channel": "Usage"}
        assert value(source, "workloads", state="Compliant", **labels) == 1
        assert value(source, "workloads", state="NonCompliant", **labels) == 0
    assert len(series(source, "workloads")) == 3 * len(State)


def test_channels_have_series_of_their_own() -> None:
    both = policy(channels=["Usage", "UpdateCheck"])
    source = source_of(planned(SONARQUBE, OFF, both, pods=(OFF,)))
    assert enabled(source, "declared") == 0.0
    assert enabled(source, "declared", channel="UpdateCheck") == 1.0
    assert workloads(source, "sonarqube")["Compliant"] == 1.0
    assert workloads(source, "sonarqube", "UpdateCheck")["NonCompliant"] == 1.0


def test_a_workload_says_its_version_its_state_and_why() -> None:
    source = source_of(planned(SONARQUBE, OFF, policy(), pods=(OFF,)), planned(EMQX_6, name="free"))
    assert (
        {
            "resource_namespace": NAMESPACE,
            "kind": "Deployment",
            "name": "it",
            "product": "sonarqube",
            "channel": "Usage",
            "policy_kind": "TelemetryPolicy",
            "policy": "opt-out",
            "desired": "Disabled",
            "state": "Compliant",
            "reason": "RunningInEveryPod",
        },
        1.0,
    ) in series(source, "workload_state")
    # Under no policy there is no state.
    assert value(source, "workload_state", name="free") is None
    assert value(source, "workload_info", name="it", version="26.7.0.124771") == 1
    assert value(source, "workload_info", name="free", product="emqx") == 1


def reported(plan: Plan, meaning: Setting, last: datetime | None = None) -> Plan:
    return dataclasses.replace(
        plan,
        verdicts=tuple(
            dataclasses.replace(
                verdict,
                observations={
                    **verdict.observations,
                    "reported": Observation(meaning, meaning, last),
                },
            )
            for verdict in plan.verdicts
        ),
    )


def test_opted_out_workloads_that_submit_are_counted_by_evidence() -> None:
    exception = {"workload": {"kind": "Deployment", "name": "exempt"}, "reason": "because"}
    asking = policy(exceptions=[exception])
    ref, plan = planned(SONARQUBE, OFF, asking, pods=(ON,))
    exempt = planned(SONARQUBE, ON, asking, pods=(ON,), name="exempt")
    wished = planned(SONARQUBE, ON, policy(submission="Enabled"), pods=(ON,), name="wished")
    free = planned(SONARQUBE, ON, pods=(ON,), name="free")
    source = source_of((ref, reported(plan, Setting.ENABLED)), exempt, wished, free)
    counted = {
        labels["evidence"]: number
        for labels, number in series(source, "workloads_submitting")
        if labels["channel"] == "Usage"
    }
    assert counted == {"declared": 0, "running": 1, "reported": 1}


SINCE = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("last", "status", "late"),
    [
        (None, ConditionStatus.TRUE, 0),
        (SINCE - timedelta(days=1), ConditionStatus.TRUE, 0),
        # It was on its way.
        (SINCE + timedelta(minutes=5), ConditionStatus.TRUE, 0),
        (SINCE + timedelta(minutes=5, seconds=1), ConditionStatus.TRUE, 1),
        (SINCE + timedelta(days=1), ConditionStatus.FALSE, 0),
    ],
)
def test_a_submission_after_the_opt_out_is_counted(
    last: datetime | None, status: ConditionStatus, late: int
) -> None:
    ref, plan = planned(SONARQUBE, OFF, policy(), pods=(OFF,))
    record = WorkloadTelemetryStatus(
        conditions=(
            Condition(
                type="Compliant",
                status=status,
                reason="Reported",
                message="",
                last_transition_time=SINCE,
            ),
        )
    )
    source = source_of((ref, reported(plan, Setting.DISABLED, last)), status_of=lambda _: record)
    assert value(source, "workloads_submitted_late", channel="Usage") == late
    said = value(source, "last_submission_timestamp_seconds", channel="Usage")
    assert said == (last.timestamp() if last else None)
    since = value(source, "compliant_since_timestamp_seconds", name="it")
    assert since == (SINCE.timestamp() if status is ConditionStatus.TRUE else None)
    not_since = series(source, "not_compliant_since_timestamp_seconds")
    assert [(labels["status"], at) for labels, at in not_since] == (
        [] if status is ConditionStatus.TRUE else [("false", SINCE.timestamp())]
    )


@pytest.mark.parametrize(
    ("reason", "desired", "state", "counted"),
    [
        (Reason.OBSERVED_CONTACT, Submission.DISABLED, State.NON_COMPLIANT, 1),
        (Reason.OBSERVED_CONTACT, Submission.DISABLED, State.EXEMPT, 0),
        (Reason.OBSERVED_CONTACT, Submission.ENABLED, State.COMPLIANT, 0),
        (Reason.SWITCH_OVERRIDDEN, Submission.DISABLED, State.NON_COMPLIANT, 0),
    ],
)
def test_opted_out_workloads_that_asked_for_a_host_are_counted(
    reason: Reason, desired: Submission, state: State, counted: int
) -> None:
    ref, plan = planned(SONARQUBE, None, policy())
    verdicts = tuple(
        dataclasses.replace(one, reason=reason, desired=desired, state=state)
        for one in plan.verdicts
    )
    source = FleetSource(plans=lambda: [(ref, dataclasses.replace(plan, verdicts=verdicts))])
    assert value(source, "workloads_contacted", channel="Usage") == counted


def test_since_when_it_is_unknown_whether_a_workload_complies() -> None:
    condition = Condition(
        type="Compliant",
        status=ConditionStatus.UNKNOWN,
        reason="SeedNotProven",
        message="",
        last_transition_time=SINCE,
    )
    record = WorkloadTelemetryStatus(conditions=(condition,))
    source = source_of(planned(SONARQUBE, OFF, policy()), status_of=lambda _: record)
    assert series(source, "not_compliant_since_timestamp_seconds") == [
        (
            {
                "kind": "Deployment",
                "name": "it",
                "resource_namespace": NAMESPACE,
                "status": "unknown",
            },
            SINCE.timestamp(),
        )
    ]
    uncovered = source_of(planned(SONARQUBE, OFF))
    assert series(uncovered, "not_compliant_since_timestamp_seconds") == []


def test_a_wish_to_submit_makes_nothing_late() -> None:
    ref, plan = planned(SONARQUBE, ON, policy(submission="Enabled"), pods=(ON,))
    late = reported(plan, Setting.ENABLED, SINCE + timedelta(days=1))
    record = WorkloadTelemetryStatus(
        conditions=(
            Condition(
                type="Compliant",
                status=ConditionStatus.TRUE,
                reason="Reported",
                message="",
                last_transition_time=SINCE,
            ),
        )
    )
    source = source_of((ref, late), status_of=lambda _: record)
    assert value(source, "workloads_submitted_late", channel="Usage") == 0


def test_what_came_of_asking_products() -> None:
    ref, plan = planned(SONARQUBE, OFF, policy(), pods=(OFF,))
    other = dataclasses.replace(ref, name="other")
    checks = [
        LastCheck(ref, "sonarqube", "ok", SINCE),
        LastCheck(other, "sonarqube", "CredentialsRejected", SINCE),
    ]
    source = source_of((ref, plan), checks=lambda: checks)
    counted = {labels["result"]: n for labels, n in series(source, "vendor_checked_workloads")}
    assert counted == {"ok": 1, "CredentialsRejected": 1}
    asked = value(
        source, "vendor_last_check_timestamp_seconds", name="other", result="CredentialsRejected"
    )
    assert asked == SINCE.timestamp()


def test_nothing_is_shown_where_there_is_no_fleet_to_show() -> None:
    ref, plan = planned(SONARQUBE, OFF, policy(), pods=(OFF,))
    checks = [LastCheck(ref, "sonarqube", "ok", SINCE)]
    for visible in (True, False):
        source = source_of((ref, plan), checks=lambda: checks, visible=lambda: visible)  # noqa: B023
        names = ("workloads", "vendor_checked_workloads", "submission_enabled",
                 "vendor_last_check_timestamp_seconds")  # fmt: skip
        for name in names:
            assert bool(series(source, name)) is visible, name


def test_the_fleet_is_read_at_the_time_of_the_scrape() -> None:
    plans: list[Planned] = []
    source = FleetSource(plans=lambda: plans)
    assert enabled(source, "declared") is None
    plans.append(planned(SONARQUBE, OFF))
    assert enabled(source, "declared") == 0.0
    plans.clear()
    assert enabled(source, "declared") is None


def test_values_of_variables_never_show() -> None:
    env = {SONAR_SWITCH: "s3cret", "SONAR_NOTE": "s3cret"}
    settings = [{"product": "sonarqube", "env": [{"name": "SONAR_NOTE", "value": "s3cret"}]}]
    asking = policy(injection={"settings": settings})
    source = source_of(planned(SONARQUBE, env, asking, pods=(env,)))
    registry = CollectorRegistry()
    registry.register(FleetCollector(source))
    assert b"s3cret" not in generate_latest(registry)
    assert "s3cret" not in "".join(render_workloads(source))


def test_a_version_cannot_break_a_scrape() -> None:
    ref, plan = planned(SONARQUBE, OFF)
    (target,) = plan.targets
    assert target.version is not None
    odd = dataclasses.replace(target, version=dataclasses.replace(target.version, text='1"\\n'))
    source = source_of((ref, dataclasses.replace(plan, targets=(odd,))))
    assert value(source, "workload_info", version='1"\\n') == 1


@example('\\n"\n\\')
@given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\r")))
def test_any_value_of_a_label_survives(version: str) -> None:
    text = "".join(workload_metrics.INFO.text([(("a", "b", "c", "d", escape(version)), 1.0)]))
    (family,) = text_string_to_metric_families(text)
    assert family.samples[0].labels["version"] == version


def test_many_series_are_all_there() -> None:
    numbers = range(2000)
    pieces = list(
        workload_metrics.COMPLIANT_SINCE.text((("a", str(n), "c"), float(n)) for n in numbers)
    )
    assert len(pieces) > 1
    (family,) = text_string_to_metric_families("".join(pieces))
    assert [sample.value for sample in family.samples] == list(numbers)
    assert family.type == "gauge"


@pytest.mark.parametrize("verdict", EgressVerdict)
def test_what_the_network_does(verdict: EgressVerdict) -> None:
    ref, plan = planned(SONARQUBE, OFF, policy(), pods=(OFF,))
    finding = EgressFinding(verdict, EgressReason.NOTHING_ISOLATES)
    contained = dataclasses.replace(plan, egress={("sonarqube", ChannelName.USAGE): finding})
    source = source_of((ref, contained))
    counted = {labels["verdict"]: n for labels, n in series(source, "workloads_egress")}
    assert counted == {str(one): float(one is verdict) for one in EgressVerdict}
    # Where the network lets it out, that says nothing of whether anything is sent.
    assert enabled(source, "egress") == (0.0 if verdict is EgressVerdict.DENIED else None)
