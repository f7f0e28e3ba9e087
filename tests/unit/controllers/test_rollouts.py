"""One workload of a product at a time, where a write may restart pods."""

from __future__ import annotations

from dataclasses import replace

from fleet_telemetry.controllers.rollouts import RolloutGate
from fleet_telemetry.workloads.workload import Workload
from tests.support.builders import SONARQUBE, container, manifest, workload


def named(name: str, *, rolling_out: bool = False) -> Workload:
    return replace(workload(manifest(container(SONARQUBE), name=name)), rolling_out=rolling_out)


A, B, C = (named(name) for name in "abc")
A_ROLLS, B_ROLLS = named("a", rolling_out=True), named("b", rolling_out=True)


def test_nobody_blocks_where_nothing_was_written() -> None:
    gate = RolloutGate()
    assert gate.blocked_by(A.ref, [], 0) is None
    # A rollout that somebody else began is none of our business.
    assert gate.blocked_by(A.ref, [A_ROLLS, B_ROLLS], 0) is None


def test_a_write_under_way_blocks_the_others_and_not_itself() -> None:
    gate = RolloutGate()
    gate.begin(B.ref)
    assert gate.blocked_by(A.ref, [A, B, C], 0) == B.ref
    assert gate.blocked_by(B.ref, [A, B, C], 0) is None
    # Only siblings block: workloads of the same product.
    assert gate.blocked_by(A.ref, [A, C], 0) is None


def test_after_the_write_it_is_the_rollout_that_blocks_until_it_ends() -> None:
    gate = RolloutGate()
    gate.begin(B.ref)
    gate.end(B.ref, 100)
    assert gate.blocked_by(A.ref, [A, B_ROLLS], 101) == B.ref
    assert gate.blocked_by(A.ref, [A, B_ROLLS], 699.9) == B.ref
    assert gate.blocked_by(A.ref, [A, B], 102) is None
    # It ended; if it rolls out again, that is not ours.
    assert gate.blocked_by(A.ref, [A, B_ROLLS], 103) is None


def test_a_rollout_that_does_not_end_loses_its_right() -> None:
    gate = RolloutGate()
    gate.end(B.ref, 100)
    assert gate.blocked_by(A.ref, [B_ROLLS], 700) is None
    assert gate.blocked_by(A.ref, [B_ROLLS], 101) is None


def test_a_second_write_begins_its_time_anew() -> None:
    gate = RolloutGate()
    gate.end(B.ref, 100)
    gate.begin(B.ref)
    gate.end(B.ref, 1000)
    assert gate.blocked_by(A.ref, [B_ROLLS], 1500) == B.ref


def test_each_of_several_blocks() -> None:
    gate = RolloutGate()
    gate.end(A.ref, 0)
    gate.end(B.ref, 0)
    assert gate.blocked_by(C.ref, [A, B_ROLLS, C], 1) == B.ref
    assert gate.blocked_by(C.ref, [A_ROLLS, B, C], 1) is None
    gate.end(A.ref, 2)
    assert gate.blocked_by(C.ref, [A_ROLLS, B, C], 3) == A.ref


def test_a_new_leader_takes_over_what_rolls_out() -> None:
    """It calls ``end`` for whatever it finds rolling out with a variable of ours."""
    gate = RolloutGate()
    gate.end(B.ref, 0)
    assert gate.blocked_by(A.ref, [B_ROLLS], 1) == B.ref
