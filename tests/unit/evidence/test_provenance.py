"""Where the facts come from by which a channel is judged, and where that is shown."""

from __future__ import annotations

from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from fleet_telemetry.api.product.channel import Provenance
from fleet_telemetry.catalogue.product import Product
from fleet_telemetry.decision import Plan, decide
from fleet_telemetry.reporting.fleet_metrics import FleetCollector, FleetSource
from fleet_telemetry.reporting.policy_reports import build_results
from fleet_telemetry.reporting.workload_status import build_workload_status
from fleet_telemetry.switches.edits import Trigger
from tests.support.builders import (
    DIGEST,
    NOW,
    Manifest,
    catalogue,
    container,
    manifest,
    own_product,
    pod_of,
    policy,
    product,
    under,
    workload,
)

SOURCE, DOCUMENTATION, USER = Provenance.SOURCE, Provenance.DOCUMENTATION, Provenance.USER
RULES = [
    {"versions": ["<2"], "default": "On", "provenance": "Documentation"},
    {"versions": [">=2 <3"], "default": "On"},
    {"versions": [">=3 <4"], "default": "On", "provenance": "User"},
]
CHANNELS: list[dict[str, Any]] = [{"name": "Usage", "rules": RULES}]
BUILT_IN = product("acme", channels=CHANNELS)


def acme(*tags: str) -> Manifest:
    return manifest(
        *(container(f"acme/acme{tag}", name=f"c{number}") for number, tag in enumerate(tags))
    )


def plan_of(given: Manifest, known: Product = BUILT_IN, pod: Manifest | None = None) -> Plan:
    cluster = under(policy(additionalProducts=["acme"]), catalogue=catalogue(known))
    return decide(cluster.input(given, Trigger.RECONCILE, pods=(pod_of(pod or given),)))


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ([":1.0.0"], DOCUMENTATION),
        ([":2.0.0"], SOURCE),
        # Several containers: the least certain.
        ([":2.0.0", ":1.0.0"], DOCUMENTATION),
        # It may be any version.
        ([":latest"], USER),
        ([DIGEST], USER),
        ([":1.9"], DOCUMENTATION),
        # No rule, no facts.
        ([":4.0.0"], None),
    ],
)
def test_of_a_built_in_product_it_is_the_rules(
    tags: list[str], expected: Provenance | None
) -> None:
    (verdict,) = plan_of(acme(*tags)).verdicts
    assert verdict.provenance is expected


def test_an_older_pod_counts() -> None:
    (verdict,) = plan_of(acme(":2.0.0"), pod=acme(":1.0.0")).verdicts
    assert verdict.provenance is DOCUMENTATION


@pytest.mark.parametrize("said", ["Source", "Documentation", "User"])
def test_a_telemetry_product_is_the_users_whatever_it_says(said: str) -> None:
    own = own_product(
        "acme", channels=[{"name": "Usage", "rules": [{"default": "On", "provenance": said}]}]
    )
    (verdict,) = plan_of(acme(":1.0.0"), own).verdicts
    assert verdict.provenance is USER


def test_a_channel_without_a_policy_has_it_too() -> None:
    given = under(catalogue=catalogue(BUILT_IN)).input(acme(":1.0.0"), Trigger.RECONCILE)
    (verdict,) = decide(given).verdicts
    assert (verdict.state, verdict.provenance) == (None, DOCUMENTATION)


def test_it_is_shown_in_the_status_the_report_and_the_metrics() -> None:
    given = acme(":1.0.0")
    plan = plan_of(given)
    status = build_workload_status(workload(given), plan, None, NOW)
    assert status.channels[0].provenance is DOCUMENTATION
    (result,) = build_results(workload(given), plan)
    assert dict(result.properties)["provenance"] == "Documentation"

    registry = CollectorRegistry()
    registry.register(FleetCollector(FleetSource(plans=lambda: [(workload(given).ref, plan)])))
    lines = [
        line
        for line in generate_latest(registry).decode().splitlines()
        if line.startswith("fleet_telemetry_workloads_provenance{")
    ]
    counts = {line.partition('provenance="')[2].partition('"')[0]: line[-3:] for line in lines}
    assert counts == {"Source": "0.0", "Documentation": "1.0", "User": "0.0"}


def test_where_there_are_no_facts_nothing_is_claimed() -> None:
    given = acme(":4.0.0")
    plan = plan_of(given)
    assert build_workload_status(workload(given), plan, None, NOW).channels[0].provenance is None
    (result,) = build_results(workload(given), plan)
    assert "provenance" not in dict(result.properties)
