"""Exponential backoff."""

from __future__ import annotations

_MOST_DOUBLINGS = 64
"""More change nothing: every limit is reached long before. Without a bound a float overflows."""


def backoff_seconds(failures: int, first: float, longest: float) -> float:
    """Seconds to wait after failures in a row.

    ``first`` after one failure, twice as long after each further one, at most ``longest``.
    """
    return min(first * 2.0 ** min(max(failures - 1, 0), _MOST_DOUBLINGS), longest)
