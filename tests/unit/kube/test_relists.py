"""A kind is listed again where its watch has begun anew."""

from __future__ import annotations

from fleet_telemetry.kube.kinds import NAMESPACE, POD
from fleet_telemetry.kube.relists import Relists


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_nothing_is_due_where_nothing_was_told() -> None:
    assert Relists(Clock()).due() == ()


def test_a_kind_is_due_once_its_list_is_over() -> None:
    clock = Clock()
    relists = Relists(clock)
    for _ in range(4):
        relists.told(POD)
        clock.now += 4
        assert relists.due() == ()
    clock.now += 1
    assert relists.due() == (POD,)
    # It stays so until somebody lists.
    clock.now += 100
    relists.told(NAMESPACE)
    assert relists.due() == (POD,)
    relists.begin(POD)
    assert relists.due() == ()


def test_what_was_told_before_our_own_list_began_is_no_newer() -> None:
    clock = Clock()
    relists = Relists(clock)
    relists.told(POD)
    relists.begin(POD)
    clock.now += 60
    assert relists.due() == ()
    relists.told(POD)
    clock.now += 5
    assert relists.due() == (POD,)


def test_lists_that_follow_upon_each_other_do_not_put_it_off_for_ever() -> None:
    clock = Clock()
    relists = Relists(clock)
    for _ in range(30):
        relists.told(POD)
        assert relists.due() == ()
        clock.now += 1
    assert relists.due() == (POD,)
