"""A picture of a terminal: the text as it is, and its colours."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hack.terminal_picture import picture

_SVG = "{http://www.w3.org/2000/svg}"


def texts(svg: str) -> list[tuple[float, float, str, str, str]]:
    return [
        (
            float(one.attrib["y"]),
            float(one.attrib["x"]),
            one.text or "",
            one.get("fill", ""),
            one.get("font-weight", ""),
        )
        for one in ElementTree.fromstring(svg).iter(f"{_SVG}text")
    ]


def test_colours_and_places() -> None:
    svg = picture(
        "audit x", "\x1b[1mHEAD\x1b[0m  B C   D\n\na \x1b[31;1mYes\x1b[0m <&>\n", "An audit"
    )
    root = ElementTree.fromstring(svg)
    assert root.findtext(f"{_SVG}title") == "An audit"
    shown = texts(svg)
    assert [(text, fill, weight) for _, _, text, fill, weight in shown] == [
        ("$", "#7ee787", ""),
        ("audit x", "", "bold"),
        ("HEAD", "", "bold"),
        ("B C", "", ""),
        ("D", "", ""),
        ("a", "", ""),
        ("Yes", "#ff7b72", "bold"),
        ("<&>", "", ""),
    ]
    # Text begins where the text before it ends, and lines are one below the other.
    yes, before = shown[6], shown[5]
    assert yes[0] == before[0]
    assert yes[1] - before[1] == pytest.approx(2 * 7.8)
    assert len({y for y, *_ in shown}) == 3
    head, below, last = shown[2:5]
    assert [round((one[1] - head[1]) / 7.8) for one in (below, last)] == [6, 12]


def test_all_of_it_is_in_the_picture() -> None:
    root = ElementTree.fromstring(picture("x", "a" * 100 + "\nb\n", ""))
    width, height = (float(root.attrib[name]) for name in ("width", "height"))
    for y, x, text, _, _ in texts(picture("x", "a" * 100 + "\nb\n", "")):
        assert x + len(text) * 7.8 < width
        assert y < height


def test_a_style_that_nobody_chose_is_refused() -> None:
    with pytest.raises(ValueError, match="35"):
        picture("x", "\x1b[35mpink\x1b[0m\n", "")


@given(st.lists(st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S")), min_size=1)))
def test_the_text_is_the_output(lines: list[str]) -> None:
    shown = [text for *_, text, _, _ in texts(picture("x", "\n".join(lines), ""))]
    assert shown[2:] == lines


@given(st.text("ab ", max_size=30))
def test_every_character_is_in_its_column(line: str) -> None:
    columns = [" "] * (len(line) + 20)
    for _, x, text, _, _ in texts(picture("x", line, ""))[2:]:
        assert "  " not in text
        start = round((x - 16) / 7.8)
        columns[start : start + len(text)] = text
    assert "".join(columns).rstrip() == line.rstrip()
