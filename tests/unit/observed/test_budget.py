from __future__ import annotations

import pytest

from fleet_telemetry.observed.budget import Budget


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_within_the_burst_nothing_waits(clock: Clock) -> None:
    budget = Budget(0.25, 0.1, clock)
    budget.charge(0.1)
    assert budget.wait() == 0


def test_beyond_it_the_share_decides(clock: Clock) -> None:
    budget = Budget(0.25, 0.1, clock)
    budget.charge(0.2)
    assert budget.wait() == pytest.approx(0.4)
    clock.now += 0.3
    assert budget.wait() == pytest.approx(0.1)
    clock.now += 0.2
    assert budget.wait() == 0


def test_credit_does_not_grow_beyond_the_burst(clock: Clock) -> None:
    budget = Budget(0.25, 0.1, clock)
    clock.now += 1000
    budget.charge(0.35)
    assert budget.wait() == pytest.approx(1.0)
