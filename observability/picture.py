"""A picture of the overview, drawn from the results of its own queries.

It is no screenshot: no Grafana has drawn it, and it says so. Everything in it comes from the
queries of the dashboard's panels.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

from observability.asking import expressions_of, filled_in
from observability.dashboards import kit

_WIDTH, _MARGIN, _GAP = 1200, 24, 12
_INK, _FAINT, _PAPER, _CARD = "#1f2328", "#59636e", "#f6f8fa", "#ffffff"
TILES = {
    "Opted out": _INK,
    "Reported as submitting": kit.VERMILLION,
    "Running with telemetry on": kit.VERMILLION,
    "Submitted after opt-out": kit.VERMILLION,
    "Unknown": kit.ORANGE,
    "Exempt": _INK,
    "Usage without policy": kit.ORANGE,
    "Policies with a problem": kit.ORANGE,
}
"""The panels with one number, and the colour of a number that is not 0."""
RATIO, BY_PRODUCT, BY_NAMESPACE = "Proven opted out", "By product", "By namespace"
AMISS = "Not compliant, with reason"
_DARK = frozenset({kit.BLUE, kit.WINE, kit.VERMILLION})
"""Colours on which writing is white."""
_DESCRIPTION = (
    "Drawn by `make picture` from the results of the overview dashboard's queries, on a real "
    "Prometheus that scrapes the operator on a local cluster. Not a screenshot of Grafana."
)

Found = Sequence[tuple[Mapping[str, str], float]]
"""Labels and a value, for each series of a result."""
Ask = Callable[[str], Found]


@dataclass(frozen=True, slots=True)
class Overview:
    """The results of the overview's queries."""

    ratio: float
    tiles: Mapping[str, int]
    by_product: Mapping[str, Mapping[str, int]]
    """How many by product and state."""
    by_namespace: Mapping[str, Mapping[str, int]]
    amiss: tuple[tuple[str, ...], ...]
    """Namespace, kind, name, product, version, state and reason."""


def ask(board: dict[str, Any], query: Ask) -> Overview:
    """Execute the queries of the overview, as its JSON has them."""

    def one(title: str) -> Found:
        (expression,) = expressions_of(board, title)
        return query(filled_in(expression))

    def by(title: str, label: str) -> dict[str, dict[str, int]]:
        found: defaultdict[str, dict[str, int]] = defaultdict(dict)
        for labels, value in one(title):
            if value:
                found[labels[label]][labels["state"]] = int(value)
        return {name: found[name] for name in sorted(found)}

    ((_, ratio),) = one(RATIO)
    columns = ("resource_namespace", "kind", "name", "product", "version", "state", "reason")
    rows = [tuple(labels.get(column, "") for column in columns) for labels, _ in one(AMISS)]
    worst_first = ("NonCompliant", "NotEnforceable", "Unknown", "Pending")
    return Overview(
        ratio=ratio,
        tiles={title: sum(int(value) for _, value in one(title)) for title in TILES},
        by_product=by(BY_PRODUCT, "product"),
        by_namespace=by(BY_NAMESPACE, "resource_namespace"),
        amiss=tuple(sorted(rows, key=lambda row: (worst_first.index(row[5]), row))),
    )


def draw(overview: Overview) -> str:
    """The picture, as SVG."""
    parts = list(_parts(overview))
    height = 530 + 26 * len(overview.amiss) + 58
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" '
        f'viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{escape(_summary(overview))}" '
        'font-family="system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif">'
    )
    return "\n".join([head, f"<desc>{escape(_DESCRIPTION)}</desc>", *parts, "</svg>"]) + "\n"


def _summary(overview: Overview) -> str:
    return (
        f"{overview.ratio:.1%} of the opted-out workloads are proven to be opted out; "
        f"{len(overview.amiss)} are not"
    )


def _parts(overview: Overview) -> Iterator[str]:
    yield f'<rect width="100%" height="100%" rx="8" fill="{_PAPER}"/>'
    yield _text(_MARGIN, 36, "Fleet telemetry / Overview", size=18, weight=600)
    yield from _legend(_WIDTH - _MARGIN, 36)
    yield from _ratio(overview.ratio)
    yield from _tiles(overview.tiles)
    half = (_WIDTH - 2 * _MARGIN - _GAP) / 2
    yield from _bars(_MARGIN, BY_PRODUCT, overview.by_product, half)
    yield from _bars(_MARGIN + half + _GAP, BY_NAMESPACE, overview.by_namespace, half)
    yield from _table(overview.amiss)


def _ratio(ratio: float) -> Iterator[str]:
    colour = kit.BLUE if ratio == 1 else kit.VERMILLION if ratio < 0.9 else kit.ORANGE  # noqa: PLR2004  # the panel's own steps
    yield _card(_MARGIN, 56, 376, 188)
    yield _text(_MARGIN + 16, 82, RATIO, size=14, colour=_FAINT)
    yield _text(
        _MARGIN + 188, 178, f"{ratio:.1%}", size=76, weight=700, colour=colour, anchor="middle"
    )


def _tiles(tiles: Mapping[str, int]) -> Iterator[str]:
    width, height, columns = 182, 88, 4
    for place, (title, number) in enumerate(tiles.items()):
        row, column = divmod(place, columns)
        x, y = _MARGIN + 388 + column * (width + _GAP), 56 + row * (height + _GAP)
        yield _card(x, y, width, height)
        yield _text(x + 12, y + 24, title, size=13, colour=_FAINT)
        colour = kit.BLUE if not number and TILES[title] != _INK else TILES[title]
        yield _text(x + 12, y + 70, str(number), size=36, weight=700, colour=colour)


def _bars(
    x: float, title: str, groups: Mapping[str, Mapping[str, int]], width: float
) -> Iterator[str]:
    top, step, names = 256, 34, 140
    yield _card(x, top, width, 212)
    yield _text(x + 16, top + 26, title, size=14, colour=_FAINT)
    longest = max((sum(states.values()) for states in groups.values()), default=1)
    for row, (name, states) in enumerate(groups.items()):
        y = top + 44 + row * step
        yield _text(x + names, y + 18, name, size=13, anchor="end")
        at = x + names + 10
        for state, colour in kit.COLOURS.items():
            number = states.get(state, 0)
            if not number:
                continue
            long = (width - names - 30) * number / longest
            yield _rectangle(at, y, long - 2, 24, colour, title=f"{name}: {number} {state}")
            ink = "#ffffff" if colour in _DARK else _INK
            yield _text(
                at + long / 2 - 1, y + 17, str(number), size=13, colour=ink, anchor="middle"
            )
            at += long


def _table(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    top, step = 480, 26
    columns = (16, 130, 250, 420, 580, 720, 900)
    heads = ("Namespace", "Kind", "Name", "Product", "Version", "State", "Reason")
    yield _card(_MARGIN, top, _WIDTH - 2 * _MARGIN, 64 + step * len(rows))
    yield _text(_MARGIN + 16, top + 26, AMISS, size=14, colour=_FAINT)
    for x, head in zip(columns, heads, strict=True):
        yield _text(_MARGIN + x, top + 50, head, size=12, weight=600, colour=_FAINT)
    for number, row in enumerate(rows):
        y = top + 74 + number * step
        for x, head, value in zip(columns, heads, row, strict=True):
            if head == "State":
                colour = kit.COLOURS[value]
                yield _rectangle(_MARGIN + x - 8, y - 16, 150, 22, colour)
                ink = "#ffffff" if colour in _DARK else _INK
                yield _text(_MARGIN + x, y, value, size=13, colour=ink)
            else:
                yield _text(_MARGIN + x, y, value, size=13)
    foot = top + 64 + step * len(rows) + 26
    yield _text(_MARGIN, foot, _DESCRIPTION, size=11, colour=_FAINT)


def _legend(right: float, y: float) -> Iterator[str]:
    at = right
    for state, colour in reversed(kit.COLOURS.items()):
        at -= 8 * len(state) + 32
        yield _rectangle(at, y - 12, 14, 14, colour)
        yield _text(at + 19, y, state, size=13)


def _card(x: float, y: float, width: float, height: float) -> str:
    return (
        f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="6" fill="{_CARD}" '
        'stroke="#d1d9e0"/>'
    )


def _rectangle(
    x: float, y: float, width: float, height: float, colour: str, *, title: str = ""
) -> str:
    tooltip = f"<title>{escape(title)}</title>" if title else ""
    return (
        f'<rect x="{x:.4g}" y="{y:g}" width="{width:.4g}" height="{height:g}" rx="2" '
        f'fill="{colour}">{tooltip}</rect>'
    )


def _text(
    x: float,
    y: float,
    text: str,
    *,
    size: int,
    weight: int = 400,
    colour: str = _INK,
    anchor: str = "start",
) -> str:
    return (
        f'<text x="{x:.5g}" y="{y:g}" font-size="{size}" font-weight="{weight}" fill="{colour}" '
        f'text-anchor="{anchor}">{escape(text)}</text>'
    )
