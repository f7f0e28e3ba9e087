"""Statistics of measured numbers."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True)
class Spread:
    """Several measurements of one thing."""

    median: float
    low: float
    high: float
    """Half of them lie between the two; of three, all do."""

    @classmethod
    def of(cls, values: Sequence[float]) -> Self:
        """Of at least one measurement."""
        return cls(statistics.median(values), percentile(values, 25), percentile(values, 75))


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest of the values that at least so many percent of them do not exceed."""
    rank = math.ceil(len(values) * percent / 100)
    return sorted(values)[max(rank, 1) - 1]


def paired_ratios(values: Sequence[float], baselines: Sequence[float]) -> list[float]:
    """Each value by the baseline of the same turn, so that a slow turn is slow for both."""
    return [value / baseline for value, baseline in zip(values, baselines, strict=True)]
