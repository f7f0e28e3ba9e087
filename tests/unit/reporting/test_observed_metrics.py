"""The metrics of what the cluster's DNS is asked."""

from __future__ import annotations

from datetime import UTC, datetime

from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from fleet_telemetry.decision import Plan, decide
from fleet_telemetry.observed.address_book import Unattributed
from fleet_telemetry.observed.figures import RefusedConnection
from fleet_telemetry.observed.frame_result import FrameResult
from fleet_telemetry.observed.ledger import HostClass
from fleet_telemetry.reporting.observed_metrics import (
    ObservedCollector,
    ObservedFigures,
    render_lookups,
)
from fleet_telemetry.switches.edits import Trigger
from fleet_telemetry.workloads.workload import WorkloadRef
from tests.support.builders import SONARQUBE, container, manifest, under, workload

GIVEN = manifest(container(SONARQUBE))
REF = workload(GIVEN).ref
SINCE = datetime(2026, 11, 1, tzinfo=UTC)
FIGURES = ObservedFigures(
    lookups={(REF, "sonarqube", HostClass.EXCLUSIVE): 3},
    unattributed=dict.fromkeys(Unattributed, 0) | {Unattributed.NODE: 2},
    frames=dict.fromkeys(FrameResult, 0) | {FrameResult.LOOKUP: 9},
    refused=dict.fromkeys(RefusedConnection, 0) | {RefusedConnection.BAD_TLS: 1},
    sources={"10.0.0.1": True, "10.0.0.2": False},
    complete_since=SINCE,
)


def value(figures: ObservedFigures | None, name: str, **labels: str) -> float | None:
    registry = CollectorRegistry()
    registry.register(ObservedCollector(lambda: figures))
    return registry.get_sample_value(f"fleet_telemetry_observed_{name}", labels)


def plans() -> list[tuple[WorkloadRef, Plan]]:
    return [(REF, decide(under().input(GIVEN, Trigger.RECONCILE)))]


def lookups(figures: ObservedFigures | None) -> dict[tuple[str, ...], float]:
    text = "".join(render_lookups(lambda: figures, plans))
    (family,) = text_string_to_metric_families(text)
    assert family.type == "counter"
    return {
        (one.labels["product"], one.labels["host_class"], one.labels["name"]): one.value
        for one in family.samples
        if one.name == "fleet_telemetry_observed_lookups_total"
    }


def test_what_is_known() -> None:
    assert value(FIGURES, "unattributed_lookups_total", reason="Node") == 2
    assert value(FIGURES, "unattributed_lookups_total", reason="Shared") == 0
    assert value(FIGURES, "frames_total", result="Lookup") == 9
    assert value(FIGURES, "frames_total", result="Skipped") == 0
    assert value(FIGURES, "refused_connections_total", reason="BadTLS") == 1
    assert value(FIGURES, "source_connected", source="10.0.0.1") == 1
    assert value(FIGURES, "source_connected", source="10.0.0.2") == 0
    assert value(FIGURES, "complete_since_seconds") == SINCE.timestamp()


def test_since_when_is_absent_if_lookups_may_be_missing() -> None:
    broken = ObservedFigures(lookups={}, unattributed={}, frames={}, refused={}, sources={})
    assert value(broken, "complete_since_seconds") is None


def test_a_replica_that_does_not_lead_shows_nothing() -> None:
    assert value(None, "source_connected", source="10.0.0.1") is None
    assert value(None, "frames_total", result="Lookup") is None
    assert lookups(None) == {}


def test_lookups_of_a_workload() -> None:
    assert lookups(FIGURES)["sonarqube", "Exclusive", "it"] == 3


def test_the_first_lookup_is_an_increase() -> None:
    none = ObservedFigures(lookups={}, unattributed={}, frames={}, refused={}, sources={})
    assert lookups(none)["sonarqube", "Exclusive", "it"] == 0
