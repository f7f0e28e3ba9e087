"""How long a write waits that somebody undid."""

from __future__ import annotations

from fleet_telemetry.controllers.repeated_writes import SAID_AFTER, RepeatedWrites
from fleet_telemetry.switches.edits import Edit, EditCause
from fleet_telemetry.workloads.registry import WorkloadKind
from fleet_telemetry.workloads.workload import WorkloadRef

REF = WorkloadRef(WorkloadKind("Deployment"), "appsec", "it")
OTHER = WorkloadRef(WorkloadKind("Deployment"), "appsec", "other")


def edit(name: str, value: str | None = "false") -> Edit:
    return Edit(0, "app", name, value, EditCause.INJECTED)


def test_a_first_write_does_not_wait() -> None:
    assert RepeatedWrites().seconds_until(REF, [edit("A")], 0) == 0


def test_the_same_write_waits_longer_each_time() -> None:
    writes = RepeatedWrites()
    now, waited = 0.0, []
    for times in range(1, 9):
        assert writes.count(REF, [edit("A")], now) == times
        waited.append(writes.seconds_until(REF, [edit("A")], now))
        now += waited[-1]
        assert writes.seconds_until(REF, [edit("A")], now) == 0
    assert waited == [1, 2, 4, 8, 16, 30, 30, 30]


def test_a_part_that_was_undone_waits_too() -> None:
    writes = RepeatedWrites()
    writes.count(REF, [edit("A"), edit("B")], 0)
    assert writes.seconds_until(REF, [edit("B")], 0) == 1
    assert writes.count(REF, [edit("B"), edit("C")], 1) == 2


def test_another_value_does_not_wait() -> None:
    """The policy was changed meanwhile."""
    writes = RepeatedWrites()
    for now in range(SAID_AFTER):
        writes.count(REF, [edit("A")], now)
    assert writes.seconds_until(REF, [edit("A", "true")], 5) == 0
    assert writes.seconds_until(REF, [edit("A", None)], 5) == 0
    assert writes.count(REF, [edit("A", "true")], 5) == 1


def test_another_workload_does_not_wait() -> None:
    writes = RepeatedWrites()
    writes.count(REF, [edit("A")], 0)
    assert writes.seconds_until(OTHER, [edit("A")], 0) == 0


def test_what_was_long_ago_or_deleted_is_forgotten() -> None:
    writes = RepeatedWrites()
    writes.count(REF, [edit("A")], 0)
    writes.count(OTHER, [edit("A")], 500)
    assert writes.count(REF, [edit("A")], 600) == 1
    writes.forget(REF)
    assert writes.seconds_until(REF, [edit("A")], 600) == 0
    assert writes.count(OTHER, [edit("A")], 601) == 2
