"""Draws what a command prints on a terminal as SVG, so that a page can show it as it is."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from html import escape

_COLUMN = 7.8
_LINE = 18
_SIZE = 13
_MARGIN = 16
_COLOURS = {"31": "#ff7b72", "32": "#7ee787", "33": "#e3b341"}
_BOLD = "1"
_PART = re.compile(r"\S+(?: \S+)*")
"""Words with one space between them."""
_SGR = re.compile(r"\x1b\[([0-9;]*)m")

Run = tuple[str, frozenset[str]]
"""A text, and the codes of its style, as terminals have them (SGR)."""


def picture(command: str, output: str, title: str) -> str:
    """The command after a prompt, and its output, which may have colours. ``title`` is for those
    who cannot see it. Raises ValueError if a style is not known."""
    lines = [[("$ ", frozenset(["32"])), (command, frozenset([_BOLD]))], []]
    lines += [list(_runs(line)) for line in output.rstrip("\n").split("\n")]
    columns = max(sum(len(text) for text, _ in line) for line in lines)
    width = round(columns * _COLUMN) + 2 * _MARGIN
    height = len(lines) * _LINE + 2 * _MARGIN
    font = "ui-monospace, SFMono-Regular, Menlo, Consolas, monospace"
    size = f'width="{width}" height="{height}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} viewBox="0 0 {width} {height}"'
    group = f'<g font-family="{font}" font-size="{_SIZE}" fill="#e6edf3">'
    parts = [
        f'{head} role="img">',
        f"<title>{escape(title)}</title>",
        f'<rect {size} rx="8" fill="#0d1117"/>',
        group,
        *_texts(lines),
        "</g>",
        "</svg>",
    ]
    return "".join(f"{part}\n" for part in parts)


def _runs(line: str) -> Iterator[Run]:
    codes: frozenset[str] = frozenset()
    text, *rest = _SGR.split(line)
    if text:
        yield text, codes
    for given, text in zip(rest[::2], rest[1::2], strict=True):
        codes = frozenset(code for code in given.split(";") if code not in ("", "0"))
        if unknown := codes - {_BOLD, *_COLOURS}:
            raise ValueError(f"no colour is chosen for the styles {sorted(unknown)}")
        if text:
            yield text, codes


def _texts(lines: Sequence[Sequence[Run]]) -> Iterator[str]:
    for number, line in enumerate(lines):
        column = 0
        for text, codes in line:
            # SVG collapses spaces, so what stands apart is placed by itself.
            for part in _PART.finditer(text):
                x, y = _MARGIN + (column + part.start()) * _COLUMN, number * _LINE
                # The length keeps columns in line, whatever font there is.
                length = (
                    f'textLength="{len(part[0]) * _COLUMN:.1f}" lengthAdjust="spacingAndGlyphs"'
                )
                yield (
                    f'<text x="{x:.1f}" y="{_MARGIN + _SIZE + y}" {length}{_style(codes)}>'
                    f"{escape(part[0])}</text>"
                )
            column += len(text)


def _style(codes: frozenset[str]) -> str:
    colours = (f' fill="{_COLOURS[code]}"' for code in sorted(codes) if code in _COLOURS)
    return ' font-weight="bold"' * (_BOLD in codes) + "".join(colours)
