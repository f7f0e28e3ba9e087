"""A kind is listed again after its watch started anew."""

from __future__ import annotations

from fleet_telemetry.kube.kinds import NAMESPACE, POD
from fleet_telemetry.kube.list_schedule import ListSchedule


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_nothing_is_due_at_the_start() -> None:
    assert ListSchedule(Clock()).due() == ()


def test_a_kind_is_due_once_the_list_of_its_watch_is_over() -> None:
    clock = Clock()
    schedule = ListSchedule(clock)
    for _ in range(4):
        schedule.watch_listed(POD)
        clock.now += 4
        assert schedule.due() == ()
    clock.now += 1
    assert schedule.due() == (POD,)
    # It stays due until it is listed.
    clock.now += 100
    schedule.watch_listed(NAMESPACE)
    assert schedule.due() == (POD,)
    schedule.begin(POD)
    assert schedule.due() == ()


def test_a_watch_list_before_our_own_list_is_no_newer() -> None:
    clock = Clock()
    schedule = ListSchedule(clock)
    schedule.watch_listed(POD)
    schedule.begin(POD)
    clock.now += 60
    assert schedule.due() == ()
    schedule.watch_listed(POD)
    clock.now += 5
    assert schedule.due() == (POD,)


def test_watch_lists_in_a_row_do_not_delay_ours_for_ever() -> None:
    clock = Clock()
    schedule = ListSchedule(clock)
    for _ in range(30):
        schedule.watch_listed(POD)
        assert schedule.due() == ()
        clock.now += 1
    assert schedule.due() == (POD,)
