"""Lookups of which it is not known whose they were."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from fleet_telemetry.observed.doubts import DOUBTED_FOR, Doubts
from fleet_telemetry.workloads.registry import WorkloadKind
from fleet_telemetry.workloads.workload import WorkloadRef

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MINE = WorkloadRef("team-a", WorkloadKind("Deployment"), "it")
OTHER = replace(MINE, name="other")
HOST, SECOND_HOST = "a.example.com", "b.example.com"


def test_a_doubt_concerns_its_workload_or_all() -> None:
    doubts = Doubts()
    assert doubts.add(MINE, HOST, "one", NOW)
    assert doubts.detail_since(NOW, MINE, [HOST]) == "one"
    assert doubts.detail_since(NOW, OTHER, [HOST]) is None
    assert doubts.detail_since(NOW, MINE, [SECOND_HOST]) is None
    assert doubts.add_for_all(SECOND_HOST, "two", NOW)
    assert doubts.detail_since(NOW, OTHER, [HOST, SECOND_HOST]) == "two"
    assert list(doubts.times(MINE, [HOST, SECOND_HOST])) == [NOW, NOW]
    doubts.forget(MINE)
    assert doubts.detail_since(NOW, MINE, [HOST]) is None
    assert len(doubts) == 1


def test_a_doubt_is_new_once_and_keeps_its_words() -> None:
    doubts = Doubts()
    assert doubts.add(MINE, HOST, "one", NOW)
    assert not doubts.add(MINE, HOST, "another", NOW + SECOND)
    assert not doubts.add(MINE, HOST, "of before", NOW - SECOND)
    assert doubts.detail_since(NOW + SECOND, MINE, [HOST]) == "one"
    assert doubts.detail_since(NOW + 2 * SECOND, MINE, [HOST]) is None


def test_it_ends_once_and_its_time_stays() -> None:
    doubts = Doubts()
    doubts.add(MINE, HOST, "one", NOW)
    doubts.add_for_all(SECOND_HOST, "two", NOW)
    assert doubts.end_old(NOW + DOUBTED_FOR) == ([], [])
    assert doubts.end_old(NOW + DOUBTED_FOR + SECOND) == ([SECOND_HOST], [MINE])
    assert doubts.end_old(NOW + DOUBTED_FOR + SECOND) == ([], [])
    assert doubts.detail_since(NOW, MINE, [HOST, SECOND_HOST]) is None
    assert list(doubts.times(MINE, [HOST])) == [NOW]
    assert doubts.add(MINE, HOST, "again", NOW + DOUBTED_FOR)


def test_hosts_that_are_not_looked_for_are_forgotten() -> None:
    doubts = Doubts()
    doubts.add(MINE, HOST, "one", NOW)
    doubts.add_for_all(HOST, "two", NOW)
    doubts.keep_hosts({SECOND_HOST})
    assert list(doubts.times(MINE, [HOST])) == []
    assert doubts.end_old(NOW + DOUBTED_FOR + SECOND) == ([], [])
