"""The metrics of telemetry hosts."""

from __future__ import annotations

from datetime import UTC, datetime

from prometheus_client import CollectorRegistry

from fleet_telemetry.api.conditions import ConditionStatus
from fleet_telemetry.reporting.host_metrics import HostCollector, HostFigures

WHEN = datetime(2026, 5, 1, tzinfo=UTC)
SEEN = HostFigures(
    host="telemetry.example.com",
    allowed=2,
    denied=5,
    sinkholes=1,
    impossible=3,
    answered={"IPv4": WHEN},
    provider="fastly",
    ranges=19,
    conditions={"Fresh": ConditionStatus.UNKNOWN},
)


def value(family: str, /, *hosts: HostFigures, visible: bool = True, **labels: str) -> float | None:
    registry = CollectorRegistry()
    registry.register(HostCollector(lambda: hosts, visible=lambda: visible))
    return registry.get_sample_value(f"fleet_telemetry_{family}", labels)


def test_what_is_known_of_a_host() -> None:
    host = SEEN.host
    assert value("host_addresses", SEEN, host=host, list="allow") == 2
    assert value("host_addresses", SEEN, host=host, list="deny") == 5
    assert value("host_published_ranges", SEEN, host=host, provider="fastly") == 19
    answered = value("host_last_answer_timestamp_seconds", SEEN, host=host, family="IPv4")
    assert answered == WHEN.timestamp()
    assert value("host_refused_answers", SEEN, host=host, reason="sinkhole") == 1
    assert value("host_refused_answers", SEEN, host=host, reason="impossible") == 3
    fresh = {
        status: value("host_condition", SEEN, host=host, condition="Fresh", status=status)
        for status in ("true", "false", "unknown")
    }
    assert fresh == {"true": 0, "false": 0, "unknown": 1}


def test_what_is_not_known_is_not_shown() -> None:
    bare = HostFigures(host="h", allowed=0, denied=0)
    assert value("host_addresses", bare, host="h", list="allow") == 0
    assert value("host_refused_answers", bare, host="h", reason="sinkhole") == 0
    registry = CollectorRegistry()
    registry.register(HostCollector(lambda: [bare], visible=lambda: True))
    empty = {metric.name for metric in registry.collect() if not metric.samples}
    assert empty == {
        "fleet_telemetry_host_published_ranges",
        "fleet_telemetry_host_last_answer_timestamp_seconds",
        "fleet_telemetry_host_condition",
    }


def test_a_replica_that_does_not_lead_shows_no_hosts() -> None:
    assert value("host_addresses", SEEN, visible=False, host=SEEN.host, list="allow") is None
