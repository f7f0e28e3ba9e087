"""How many examples property tests look at."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

HUNT = int(os.environ.get("HUNT", "0"))
"""So many times more examples than usual, and others each time: ``HUNT=20 pytest tests/unit``."""


def scaled(number: int) -> int:
    """So many examples in the profile ``thorough``, and fewer in ``fast`` (tests/conftest.py)."""
    return max(1, number * settings().max_examples * max(HUNT, 1) // 100)


def examples(number: int) -> settings:
    """So many examples, the same in every run, on a machine that others use too."""
    return settings(
        max_examples=scaled(number),
        derandomize=not HUNT,
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


steady = examples(100)
