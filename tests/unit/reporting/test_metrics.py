"""The counters of every process."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from fleet_telemetry.reporting import metrics
from fleet_telemetry.reporting.metrics import (
    AdmissionMetrics,
    ApiMetrics,
    ControllerMetrics,
    QueueState,
    WatchMetrics,
    add_build_info,
    add_cluster_info,
)


@pytest.mark.parametrize(("cluster", "count"), [("prod-eu", 1), ("", 0)])
def test_a_process_names_its_cluster_if_that_has_a_name(cluster: str, count: int) -> None:
    registry = CollectorRegistry()
    add_cluster_info(registry, cluster)
    found = [sample for metric in registry.collect() for sample in metric.samples]
    assert [sample.labels["cluster_name"] for sample in found] == [cluster] * count


def test_what_every_process_counts() -> None:
    registry = CollectorRegistry()
    add_build_info(registry, "controller")
    AdmissionMetrics(registry).observe("mutate", "Deployment", "patched", 0.003)
    controller = ControllerMetrics(registry)
    controller.observe("workload", "ok", 0.02)
    depth = [3]
    controller.set_queue(lambda: QueueState(depth[0], depth[0] * 1.5, depth[0] * 2.5))
    controller.observe_wait(0.3)
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
    assert value("queue_oldest_seconds") == 4.5
    assert value("reconcile_longest_running_seconds") == 7.5
    assert value("queue_duration_seconds_bucket", le="0.1") == 0
    assert value("queue_duration_seconds_bucket", le="0.5") == 1
    depth[0] = 0
    assert value("queue_depth") == 0
    assert value("queue_oldest_seconds") == 0
    assert value("reconcile_longest_running_seconds") == 0
    assert value("leader") == 1
    controller.set_leading(leading=False)
    assert value("leader") == 0
    assert b'fleet_telemetry_build_info{role="controller",version=' in generate_latest(registry)


class Work:
    """A controller's metrics, and a queue of a length of one's choice."""

    def __init__(self) -> None:
        self.metrics = ControllerMetrics(CollectorRegistry())
        self.depth = 3
        self.metrics.set_queue(lambda: QueueState(self.depth, 0.0, 0.0))

    def done(self) -> None:
        self.depth -= 1
        self.metrics.observe("workload", "ok", 0.01)


def test_the_fleet_is_known_once_a_leader_has_been_through_it() -> None:
    work = Work()
    assert not work.metrics.knows_fleet()
    work.metrics.set_leading(leading=True)
    work.done()
    work.done()
    assert not work.metrics.knows_fleet()
    work.done()
    assert work.metrics.knows_fleet()
    # What comes later is news, and takes nothing away.
    work.depth = 7
    work.done()
    assert work.metrics.knows_fleet()


def test_the_next_leader_begins_anew() -> None:
    work = Work()
    work.metrics.set_leading(leading=True)
    work.depth = 1
    work.done()
    work.metrics.set_leading(leading=False)
    assert not work.metrics.knows_fleet()
    work.metrics.set_leading(leading=True)
    assert not work.metrics.knows_fleet()


def test_a_queue_that_never_empties_does_not_hide_the_fleet(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    work = Work()
    work.metrics.set_leading(leading=True)
    began = metrics.time.monotonic()
    monkeypatch.setattr(metrics.time, "monotonic", lambda: began + 119)
    assert not work.metrics.knows_fleet()
    monkeypatch.setattr(metrics.time, "monotonic", lambda: began + 121)
    assert work.metrics.knows_fleet()


def test_what_is_seen_of_the_cluster() -> None:
    registry = CollectorRegistry()
    watches = WatchMetrics(registry)
    synced, alive = [False], [True]
    watches.set_sources(synced=lambda: synced[0], alive=lambda: alive[0])

    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(f"fleet_telemetry_{name}", labels)

    assert (value("synced"), value("watch_alive")) == (0, 1)
    assert value("last_full_list_timestamp_seconds") == 0
    assert value("watch_last_event_timestamp_seconds", watched="Pod") is None
    synced[0], alive[0] = True, False
    watches.listed()
    watches.declare(["Pod", "Job"])
    assert value("full_lists_total", watched="Job") == 0
    assert value("watch_interruptions_total", watched="Job", reason="expired") == 0
    watches.listed_kind("Pod")
    watches.interrupted("Pod", "silent")
    watches.saw("Pod")
    assert value("full_lists_total", watched="Pod") == 1
    assert value("watch_interruptions_total", watched="Pod", reason="silent") == 1
    assert (value("synced"), value("watch_alive")) == (1, 0)
    assert value("last_full_list_timestamp_seconds") == pytest.approx(metrics.time.time(), abs=60)
    assert value("watch_last_event_timestamp_seconds", watched="Pod") == pytest.approx(
        metrics.time.time(), abs=60
    )
