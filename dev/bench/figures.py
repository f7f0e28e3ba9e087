"""Figures, their targets, and the table that people read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Self

from dev.bench.spread import Spread

_HEADER = ("", "measured", "middle half", "target", "")
_DECIMALS = {"ms": 2, "x": 2, "%": 0, "/s": 0, "s": 1, "MB": 0}


@dataclass(frozen=True)
class Target:
    """A limit: the largest good value, or with ``at_least`` the smallest."""

    limit: float
    at_least: bool = False

    def is_reached(self, value: float) -> bool:
        """Whether the value is within the limit, inclusive."""
        return value >= self.limit if self.at_least else value <= self.limit

    def describe(self, unit: str) -> str:
        """The limit as text."""
        return f"{'at least' if self.at_least else 'at most'} {_format(self.limit, unit)}"


@dataclass(frozen=True)
class Figure:
    """One measured number. If it could not be measured, spread is None and the note says why."""

    section: str
    name: str
    unit: str
    spread: Spread | None
    target: Target | None = None
    note: str = ""
    size: int | None = None
    """What was varied, where the same is measured at several sizes: a plot shows these figures."""

    @classmethod
    def of(
        cls,
        section: str,
        name: str,
        unit: str,
        values: Sequence[float],
        target: Target | None = None,
        *,
        size: int | None = None,
    ) -> Self:
        """The figure of the values of all repetitions."""
        return cls(section, name, unit, Spread.of(values), target, size=size)

    @property
    def verdict(self) -> str:
        """Whether the median reaches the target."""
        if self.spread is None:
            return "skipped"
        if self.target is None:
            return ""
        return "reached" if self.target.is_reached(self.spread.median) else "MISSED"

    def row(self) -> tuple[str, ...]:
        """The cells of the table."""
        spread, target = self.spread, self.target
        spreads = spread is not None and spread.low != spread.high
        return (
            self.name if self.size is None else f"{self.name}, {self.size:,}",
            _format(spread.median, self.unit) if spread else f"- {self.note}",
            f"{_number(spread.low, self.unit)} - {_number(spread.high, self.unit)}"
            if spread and spreads
            else "",
            target.describe(self.unit) if target else "",
            self.verdict,
        )

    def record(self) -> dict[str, Any]:
        """The figure as JSON."""
        spread = self.spread
        return {
            "section": self.section,
            "name": self.name,
            "unit": self.unit,
            "size": self.size,
            "median": spread.median if spread else None,
            "low": spread.low if spread else None,
            "high": spread.high if spread else None,
            "target": self.target.describe(self.unit) if self.target else None,
            "verdict": self.verdict or None,
            "note": self.note or None,
        }


def render(figures: Iterable[Figure]) -> str:
    """All figures as one table, section by section."""
    sections = [
        (section, [figure.row() for figure in members])
        for section, members in groupby(figures, key=lambda figure: figure.section)
    ]
    rows = [_HEADER, *(row for _, members in sections for row in members)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADER))]
    return "\n".join(_lines(sections, widths))


def _lines(
    sections: Iterable[tuple[str, Sequence[tuple[str, ...]]]], widths: Sequence[int]
) -> Iterator[str]:
    for section, rows in sections:
        yield section
        for row in (_HEADER, *rows):
            name, *cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            yield f"  {name}  {'  '.join(cells)}".rstrip()
        yield ""


def _format(value: float, unit: str) -> str:
    space = "" if unit in ("x", "%", "/s") else " "
    return f"{_number(value, unit)}{space}{unit}".rstrip()


def _number(value: float, unit: str) -> str:
    if unit in _DECIMALS:
        return f"{value:,.{_DECIMALS[unit]}f}"
    return f"{value:,.2f}".removesuffix(".00")
