"""Draws the figures that were measured at several sizes: one picture for each section and unit.

``python -m dev.bench.plot FILE.json FILE.svg`` draws what ``--json`` has written.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

_WIDTH, _HEIGHT = 420, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 28, 44, 56
_COLUMNS = 2
_TICKS = 4
_DIGITS = (1, 1.2, 1.6, 2, 2.4, 3, 4, 6, 8, 10, 100)
_TINY = 1e-9
# Okabe and Ito: distinguishable with any color vision. Shapes differ as well.
_COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")
_STYLE = "font-family='sans-serif' font-size='11' fill='#333'"


@dataclass(frozen=True)
class _Picture:
    title: str
    unit: str
    lines: Mapping[str, Sequence[tuple[float, float]]]
    """Sizes and values, by the line's name."""

    @property
    def limits(self) -> tuple[float, float]:
        """The ends of the axes: round numbers that no size and no value exceeds."""
        points = list(chain.from_iterable(self.lines.values()))
        return _round_up(max(x for x, _ in points)), _round_up(max(y for _, y in points))


def draw(figures: Sequence[Mapping[str, Any]]) -> str:
    """The SVG of all figures that have a size, from their records in JSON; empty if none has."""
    pictures = list(_pictures(figures))
    if not pictures:
        return ""
    rows = math.ceil(len(pictures) / _COLUMNS)
    width, height = _COLUMNS * _WIDTH, rows * _HEIGHT
    body = "\n".join(
        f"<g transform='translate({number % _COLUMNS * _WIDTH} {number // _COLUMNS * _HEIGHT})'>"
        f"\n{_draw(picture)}\n</g>"
        for number, picture in enumerate(pictures)
    )
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width} {height}'"
        f" width='{width}' height='{height}'>\n"
        f"<rect width='{width}' height='{height}' fill='#fff'/>\n{body}\n</svg>\n"
    )


def _pictures(figures: Sequence[Mapping[str, Any]]) -> Iterator[_Picture]:
    found: dict[tuple[str, str], dict[str, list[tuple[float, float]]]] = {}
    for figure in figures:
        if figure["size"] is None or figure["median"] is None:
            continue
        lines = found.setdefault((figure["section"], figure["unit"]), {})
        point = (float(figure["size"]), float(figure["median"]))
        lines.setdefault(figure["name"], []).append(point)
    for (section, unit), lines in found.items():
        yield _Picture(section, unit, lines)


def _draw(picture: _Picture) -> str:
    return "\n".join((*_axes(picture), *_lines(picture)))


def _axes(picture: _Picture) -> Iterator[str]:
    largest, highest = picture.limits
    yield (
        f"<text x='{_LEFT}' y='18' {_STYLE} font-weight='bold'>"
        f"{escape(picture.title)} ({escape(picture.unit)})</text>"
    )
    for number in range(_TICKS + 1):
        share = number / _TICKS
        x, y = _at(share, 0.0)[0], _at(0.0, share)[1]
        yield f"<path d='M{_LEFT} {y:.1f}H{_WIDTH - _RIGHT}' stroke='#ddd'/>"
        value, size = _number(share * highest), _number(share * largest)
        yield f"<text x='{_LEFT - 6}' y='{y + 4:.1f}' {_STYLE} text-anchor='end'>{value}</text>"
        below = _HEIGHT - _BOTTOM + 16
        yield f"<text x='{x:.1f}' y='{below}' {_STYLE} text-anchor='middle'>{size}</text>"


def _lines(picture: _Picture) -> Iterator[str]:
    largest, highest = picture.limits
    for number, (name, points) in enumerate(picture.lines.items()):
        color = _COLORS[number % len(_COLORS)]
        places = [_at(x / largest, y / highest) for x, y in sorted(points)]
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
        yield f"<path d='M{path}' fill='none' stroke='{color}' stroke-width='2'/>"
        for x, y in places:
            yield _mark(number, x, y, color)
        row, column = divmod(number, 2)
        x, y = _LEFT + column * 180.0, _HEIGHT - 20 + row * 14.0
        yield _mark(number, x, y - 4, color)
        yield f"<text x='{x + 10:.0f}' y='{y:.0f}' {_STYLE}>{escape(name)}</text>"


def _mark(number: int, x: float, y: float, color: str) -> str:
    if number % 2:
        return f"<rect x='{x - 3.5:.1f}' y='{y - 3.5:.1f}' width='7' height='7' fill='{color}'/>"
    return f"<circle cx='{x:.1f}' cy='{y:.1f}' r='4' fill='{color}'/>"


def _at(across: float, up: float) -> tuple[float, float]:
    """Where a point is, from its shares of the largest size and value."""
    width, height = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
    return _LEFT + across * width, _TOP + (1 - up) * height


def _number(value: float) -> str:
    return f"{value:,.3f}".rstrip("0").rstrip(".")


def _round_up(value: float) -> float:
    """The next number of which a quarter is round, too."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(digit * power for digit in _DIGITS if digit * power >= value * (1 - _TINY))


def main(arguments: Sequence[str]) -> int:
    """Draw the figures of a file."""
    source, target = map(Path, arguments)
    target.write_text(draw(json.loads(source.read_text())["figures"]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
