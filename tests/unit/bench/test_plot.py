"""The plot of figures that were measured at several sizes."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from dev.bench import plot
from dev.bench.figures import Figure, render

SVG = "{http://www.w3.org/2000/svg}"


def figures() -> list[Figure]:
    section = "Growth with <pods>"
    return [
        Figure.of("Fleet", "seconds", "s", [3.0]),
        *(Figure.of(section, "webhook: CPU", "s", [n / 10], size=n) for n in (0, 50, 100)),
        *(Figure.of(section, "controller: CPU", "s", [n / 5], size=n) for n in (0, 50, 100)),
        *(Figure.of(section, "webhook: memory", "MB", [70 + n], size=n) for n in (100, 0, 50)),
        Figure(section, "not measured", "MB", None, size=1),
    ]


def drawn() -> ET.Element:
    return ET.fromstring(plot.draw([figure.record() for figure in figures()]))


def test_a_picture_for_each_unit_and_a_line_for_each_name() -> None:
    pictures = drawn().findall(f"{SVG}g")
    assert [len(each.findall(f"{SVG}path[@fill='none']")) for each in pictures] == [2, 1]
    texts = [text.text for text in drawn().iter(f"{SVG}text")]
    assert "Growth with <pods> (s)" in texts
    assert "Growth with <pods> (MB)" in texts
    assert "webhook: CPU" in texts
    assert "not measured" not in texts


def test_larger_sizes_are_to_the_right_and_larger_values_above() -> None:
    for line in drawn().iter(f"{SVG}path"):
        if line.get("fill") != "none":
            continue
        points = [tuple(map(float, each.split())) for each in line.attrib["d"][1:].split("L")]
        assert len(points) == 3
        assert all(x < x_then and y > y_then for (x, y), (x_then, y_then) in pairwise(points))


def test_the_limits_are_those_of_the_largest_value() -> None:
    texts = [text.text for text in drawn().iter(f"{SVG}text")]
    assert "20" in texts  # CPU of the controller at 100
    assert "200" in texts  # memory is 170 at 100


@pytest.mark.parametrize(
    ("largest", "ticks"),
    [
        (0.0, ["0", "0.25", "0.5", "0.75", "1"]),
        (0.03, ["0", "0.007", "0.015", "0.022", "0.03"]),
        (9.9, ["0", "2.5", "5", "7.5", "10"]),
        (10.0, ["0", "2.5", "5", "7.5", "10"]),
        (102.0, ["0", "30", "60", "90", "120"]),
        (10_000.0, ["0", "2,500", "5,000", "7,500", "10,000"]),
    ],
)
def test_the_ticks_are_round_numbers(largest: float, ticks: list[str]) -> None:
    picture = ET.fromstring(plot.draw([Figure.of("a", "b", "s", [largest], size=8).record()]))
    texts = [text.text for text in picture.iter(f"{SVG}text") if text.get("text-anchor") == "end"]
    assert texts == ticks


def test_without_sizes_there_is_no_plot() -> None:
    assert plot.draw([Figure.of("Fleet", "seconds", "s", [3.0]).record()]) == ""


def test_only_zeros_can_be_drawn() -> None:
    records = [Figure.of("a", "b", "s", [0.0], size=0).record()]
    ET.fromstring(plot.draw(records))


def test_it_draws_what_json_has_written(tmp_path: Path) -> None:
    source, target = tmp_path / "figures.json", tmp_path / "figures.svg"
    source.write_text(json.dumps({"figures": [figure.record() for figure in figures()]}))
    assert plot.main([str(source), str(target)]) == 0
    assert target.read_text() == plot.draw([figure.record() for figure in figures()])


def test_the_table_says_the_size() -> None:
    table = render([Figure.of("Growth", "webhook: CPU", "s", [2.0], size=10_000)])
    assert "webhook: CPU, 10,000  2.0 s" in table
