"""The metrics of policies and their exceptions."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from fleet_telemetry.api.conditions import Condition, ConditionStatus
from fleet_telemetry.api.policy import Policy, PolicyKind, PolicyStatus
from fleet_telemetry.decision import decide
from fleet_telemetry.kube.entries import PolicyEntry, PolicyKey
from fleet_telemetry.reporting.fleet_metrics import FleetSource
from fleet_telemetry.reporting.policy_metrics import PolicyCollector
from fleet_telemetry.switches.edits import Trigger
from tests.support.builders import (
    NAMESPACE,
    SONARQUBE,
    claimed,
    container,
    manifest,
    policy,
    under,
    workload,
)

ENDS = "2027-03-01T00:00:00Z"
LATER = "2028-03-01T00:00:00Z"


def key_of(one: Policy) -> PolicyKey:
    return one.kind, one.namespace, one.name


def registry_of(*policies: Policy, visible: bool = True, **conditions: str) -> CollectorRegistry:
    status = PolicyStatus(
        conditions=tuple(
            Condition(
                type=kind,
                status=ConditionStatus(said),
                reason="Because",
                message="",
                last_transition_time=datetime(2026, 1, 1, tzinfo=UTC),
            )
            for kind, said in conditions.items()
        )
    )
    entries = {key_of(one): PolicyEntry(1, one, "", status) for one in policies}
    given = claimed(manifest(container(SONARQUBE)))
    plan = decide(under(*policies).input(given, Trigger.RECONCILE))
    source = FleetSource(plans=lambda: [(workload(given).ref, plan)], visible=lambda: visible)
    registry = CollectorRegistry()
    registry.register(PolicyCollector(source, lambda: entries))
    return registry


def value(registry: CollectorRegistry, family: str, **labels: str) -> float | None:
    """The value of the one series with these labels among its own."""
    found = [
        sample.value
        for metric in registry.collect()
        for sample in metric.samples
        if metric.name == f"fleet_telemetry_{family}" and labels.items() <= sample.labels.items()
    ]
    assert len(found) < 2
    return found[0] if found else None


def exception(name: str = "it", ends: str | None = None, **where: str) -> dict[str, Any]:
    found: dict[str, Any] = {
        "workload": {"kind": "Deployment", "name": name, **where},
        "reason": "because",
    }
    return found | ({"expiresAt": ends} if ends else {})


def test_a_policy_says_what_it_asks_for() -> None:
    registry = registry_of(policy(mode="Audit", injection={"when": "Never"}))
    said = {
        "policy_kind": "TelemetryPolicy",
        "policy_namespace": NAMESPACE,
        "policy": "opt-out",
        "submission": "Disabled",
        "mode": "Audit",
        "injection": "Never",
        "rollout": "OnNextRollout",
        "runtime": "Verify",
        "egress": "",
    }
    assert registry.get_sample_value("fleet_telemetry_policy_info", said) == 1


def test_a_condition_has_a_one_for_the_status_it_has() -> None:
    registry = registry_of(policy(), Accepted="True", Compliant="Unknown")
    said = {
        (condition, status): value(registry, "policy_condition", condition=condition, status=status)
        for condition in ("Accepted", "Compliant")
        for status in ("true", "false", "unknown")
    }
    assert {key for key, number in said.items() if number == 1} == {
        ("Accepted", "true"),
        ("Compliant", "unknown"),
    }
    assert list(said.values()).count(0) == 4


def test_a_policy_that_cannot_be_read_has_conditions_and_no_wishes() -> None:
    status = PolicyStatus(
        conditions=(
            Condition(
                type="Accepted",
                status=ConditionStatus.FALSE,
                reason="InvalidSpec",
                message="",
                last_transition_time=datetime(2026, 1, 1, tzinfo=UTC),
            ),
        )
    )
    entries = {(PolicyKind.NAMESPACED, "a", "broken"): PolicyEntry(1, None, "broken", status)}
    registry = CollectorRegistry()
    registry.register(PolicyCollector(FleetSource(plans=tuple), lambda: entries))
    assert value(registry, "policy_condition", policy="broken", status="false") == 1
    assert value(registry, "policy_info") is None


def test_an_overruled_policy_counts_the_workloads_it_lost() -> None:
    loser = policy("in", submission="Enabled")
    registry = registry_of(policy("out"), loser)
    assert value(registry, "policy_overruled_workloads", policy="in") == 1
    assert value(registry, "policy_overruled_workloads", policy="out") == 0


def test_exceptions_with_and_without_an_end() -> None:
    registry = registry_of(policy(exceptions=[exception("short", ENDS), exception("endless")]))
    labels = {"policy": "opt-out", "resource_namespace": NAMESPACE, "kind": "Deployment"}
    for name, ends in (("short", datetime(2027, 3, 1, tzinfo=UTC).timestamp()), ("endless", None)):
        assert value(registry, "exception_info", name=name, **labels) == 1
        found = value(registry, "exception_expiry_timestamp_seconds", name=name, **labels)
        assert found == ends


def test_of_a_workload_named_twice_the_exception_counts_that_lasts() -> None:
    """Two series with the same labels would spoil the scrape."""
    twice = [exception(ends=LATER), exception(ends=ENDS)]
    registry = registry_of(policy(exceptions=twice))
    end = value(registry, "exception_expiry_timestamp_seconds", name="it")
    assert end == datetime(2028, 3, 1, tzinfo=UTC).timestamp()
    for order in (1, -1):
        endless = [exception(ends=LATER), exception()][::order]
        registry = registry_of(policy(exceptions=endless))
        assert value(registry, "exception_info", name="it") == 1
        assert value(registry, "exception_expiry_timestamp_seconds", name="it") is None


def test_a_cluster_policy_has_no_namespace_and_its_exceptions_have() -> None:
    registry = registry_of(policy(cluster=True, exceptions=[exception(namespace="far", ends=ENDS)]))
    labels = {"policy_kind": "ClusterTelemetryPolicy", "policy_namespace": ""}
    assert value(registry, "policy_info", **labels) == 1
    assert value(registry, "exception_info", resource_namespace="far", **labels) == 1


def test_a_replica_that_does_not_lead_shows_no_policies() -> None:
    registry = registry_of(policy(exceptions=[exception()]), visible=False, Accepted="True")
    assert [metric.samples for metric in registry.collect()] == [[]] * 5


@pytest.mark.parametrize(
    ("reason", "shown"),
    [
        ("contract until spring", "contract until spring"),
        (" a\n\x1b[31mb\u202e ", r"a\n\x1b[31mb\u202e"),
        ("x" * 1000, "x" * 117 + "..."),
        ('says "no"', 'says "no"'),
    ],
)
def test_an_exceptions_reason_is_one_short_line(reason: str, shown: str) -> None:
    registry = registry_of(policy(exceptions=[{**exception(), "reason": reason}]))
    assert value(registry, "exception_info", name="it", reason=shown) == 1


def test_of_a_workload_named_twice_the_reason_is_that_of_the_one_that_lasts() -> None:
    for order in (1, -1):
        both = [exception(ends=ENDS), {**exception(ends=LATER), "reason": "it lasts"}][::order]
        registry = registry_of(policy(exceptions=both))
        assert value(registry, "exception_info", name="it", reason="it lasts") == 1
