"""The fleet's metrics by the state of the fleet, and the counters of every process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from fleet_telemetry.decide.decision import Plan, decide
from fleet_telemetry.model.plan import Trigger
from fleet_telemetry.model.policy import Policy
from fleet_telemetry.model.workload import WorkloadRef
from fleet_telemetry.model.workload_telemetry import State
from fleet_telemetry.report.metrics import (
    AdmissionMetrics,
    ApiMetrics,
    ControllerMetrics,
    FleetCollector,
    add_build_info,
)
from tests.decide.builders import (
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


def registry_of(*plans: Planned) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(FleetCollector(lambda: list(plans)))
    return registry


def enabled(registry: CollectorRegistry, evidence: str, **labels: str) -> float | None:
    given = {
        "resource_namespace": NAMESPACE,
        "kind": "Deployment",
        "name": "it",
        "product": "sonarqube",
        "channel": "Usage",
        "evidence": evidence,
    }
    return registry.get_sample_value("fleet_telemetry_submission_enabled", given | labels)


OFF, ON = {SONAR_SWITCH: "false"}, {SONAR_SWITCH: "true"}


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
    registry = registry_of((ref, plan))
    product = plan.targets[0].product.name
    assert enabled(registry, "declared", product=product) == declared
    assert enabled(registry, "running", product=product) == running


def workloads(
    registry: CollectorRegistry, product: str, channel: str = "Usage"
) -> dict[str, float]:
    found = {}
    for state in State:
        labels = {"product": product, "channel": channel, "state": state}
        value = registry.get_sample_value("fleet_telemetry_workloads", labels)
        if value is not None:
            found[str(state)] = value
    return found


NONE = {str(state): 0.0 for state in State}


def test_workloads_are_counted_by_state() -> None:
    exception = {"workload": {"kind": "Deployment", "name": "exempt"}, "reason": "because"}
    asking = policy(exceptions=[exception])
    registry = registry_of(
        planned(SONARQUBE, OFF, asking, pods=(OFF,), name="a"),
        planned(SONARQUBE, OFF, asking, pods=(OFF,), name="b"),
        planned(SONARQUBE, OFF, asking, name="asleep"),
        planned(SONARQUBE, ON, asking, pods=(ON,), name="old"),
        planned("sonarqube:latest", OFF, asking, name="blind"),
        planned(SONARQUBE, ON, asking, name="exempt"),
        planned(WORKER_6, {}, asking, name="worker"),
        # Under no policy: listed, and counted nowhere.
        planned(SONARQUBE, ON, name="free"),
    )
    assert workloads(registry, "sonarqube") == NONE | {
        "Compliant": 2.0,
        "Pending": 1.0,
        "NonCompliant": 1.0,
        "Unknown": 1.0,
        "Exempt": 1.0,
    }
    assert workloads(registry, "sourcegraph") == NONE | {"NotEnforceable": 1.0}
    # A channel that no policy speaks of has its zeros, so that a rate has something to start from.
    assert workloads(registry, "sonarqube", "UpdateCheck") == NONE
    assert workloads(registry, "emqx") == {}


def test_channels_have_series_of_their_own() -> None:
    both = policy(channels=["Usage", "UpdateCheck"])
    registry = registry_of(planned(SONARQUBE, OFF, both, pods=(OFF,)))
    assert enabled(registry, "declared") == 0.0
    assert enabled(registry, "declared", channel="UpdateCheck") == 1.0
    assert workloads(registry, "sonarqube")["Compliant"] == 1.0
    assert workloads(registry, "sonarqube", "UpdateCheck")["NonCompliant"] == 1.0


def test_a_replica_that_does_not_lead_has_no_series() -> None:
    assert b"submission_enabled{" not in generate_latest(registry_of())
    assert b"fleet_telemetry_workloads{" not in generate_latest(registry_of())


def test_the_fleet_is_read_at_the_time_of_the_scrape() -> None:
    plans: list[Planned] = []
    registry = CollectorRegistry()
    registry.register(FleetCollector(lambda: plans))
    assert enabled(registry, "declared") is None
    plans.append(planned(SONARQUBE, OFF))
    assert enabled(registry, "declared") == 0.0
    plans.clear()
    assert enabled(registry, "declared") is None


def test_values_of_variables_never_show() -> None:
    env = {SONAR_SWITCH: "s3cret", "TOKEN": "s3cret"}
    settings = [{"product": "sonarqube", "env": [{"name": "TOKEN", "value": "s3cret"}]}]
    asking = policy(injection={"settings": settings})
    text = generate_latest(registry_of(planned(SONARQUBE, env, asking, pods=(env,))))
    assert b"s3cret" not in text


def test_what_every_process_counts() -> None:
    registry = CollectorRegistry()
    add_build_info(registry, "controller")
    AdmissionMetrics(registry).observe("mutate", "Deployment", "patched", 0.003)
    controller = ControllerMetrics(registry)
    controller.observe("workload", "ok", 0.02)
    depth = [3]
    controller.set_queue_depth(lambda: depth[0])
    controller.set_leading(leading=True)
    ApiMetrics(registry).observe("GET", "pods", 200)

    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(f"fleet_telemetry_{name}", labels)

    request = {"path": "mutate", "kind": "Deployment", "result": "patched"}
    assert value("admission_requests_total", **request) == 1
    assert value("admission_duration_seconds_count", path="mutate") == 1
    assert value("admission_duration_seconds_bucket", path="mutate", le="0.0025") == 0
    assert value("admission_duration_seconds_bucket", path="mutate", le="0.005") == 1
    assert value("reconciles_total", subject="workload", result="ok") == 1
    assert value("reconcile_duration_seconds_sum", subject="workload") == 0.02
    assert value("api_requests_total", method="GET", resource="pods", code="200") == 1
    assert value("queue_depth") == 3
    depth[0] = 0
    assert value("queue_depth") == 0
    assert value("leader") == 1
    controller.set_leading(leading=False)
    assert value("leader") == 0
    assert b'fleet_telemetry_build_info{role="controller",version=' in generate_latest(registry)
