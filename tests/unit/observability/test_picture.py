"""The picture shows what it was given, the same each time."""

from __future__ import annotations

import dataclasses
import json
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from observability import picture
from observability.asking import filled_in
from observability.dashboards import kit
from observability.dashboards.files import dashboard_files
from observability.picture import Overview

BOARD = json.loads(dict(dashboard_files())["fleet-telemetry-overview.json"])
NOT_DRAWN = ("States over time", "Expiring exceptions", "Egress")
ROW = ("code", "Deployment", "old", "sonarqube", "26.7", "NonCompliant", "AwaitingUpgrade")
SEEN = Overview(
    ratio=0.5,
    tiles=dict.fromkeys(picture.TILES, 3),
    by_product={"emqx": {"Compliant": 2, "Exempt": 1}, "sonarqube": {"NonCompliant": 4}},
    by_namespace={"iot": {"Compliant": 2}},
    amiss=(ROW,),
)


def texts(svg: str) -> list[str]:
    root = ET.fromstring(svg)  # our own
    return [found.text or "" for found in root.iter("{http://www.w3.org/2000/svg}text")]


def test_everything_that_was_found_is_written_out() -> None:
    said = texts(picture.draw(SEEN))
    assert "50.0%" in said
    assert said.count("3") == len(picture.TILES)
    assert {*ROW, "emqx", "iot", "2", "4"} <= set(said)
    assert any("Not a screenshot of Grafana" in text for text in said)
    assert {*kit.COLOURS} <= set(said)


def test_the_same_makes_the_same_and_another_another() -> None:
    assert picture.draw(SEEN) == picture.draw(SEEN)
    for change in (
        {"ratio": 0.75},
        {"tiles": dict.fromkeys(picture.TILES, 4)},
        {"by_product": {}},
        {"by_namespace": {}},
        {"amiss": ()},
    ):
        other = dataclasses.replace(SEEN, **change)  # type: ignore[arg-type]
        assert picture.draw(other) != picture.draw(SEEN), change


def test_bars_are_as_long_as_what_they_stand_for() -> None:
    root = ET.fromstring(picture.draw(SEEN))  # our own
    long = {
        title.text: float(bar.attrib["width"]) + 2  # the gap
        for bar in root.iter("{http://www.w3.org/2000/svg}rect")
        for title in bar
    }
    one = long["emqx: 1 Exempt"]
    assert long["emqx: 2 Compliant"] == pytest.approx(2 * one, abs=0.1)
    assert long["sonarqube: 4 NonCompliant"] == pytest.approx(4 * one, abs=0.1)


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cn"]), max_size=40))
def test_any_name_can_be_drawn(name: str) -> None:
    row = (name, *ROW[1:5], "Unknown", name)
    svg = picture.draw(dataclasses.replace(SEEN, amiss=(row,), by_product={name: {"Exempt": 1}}))
    assert texts(svg).count(name) >= 3


def test_what_is_asked_is_what_the_dashboard_asks() -> None:
    asked = []

    def query(expression: str) -> picture.Found:
        asked.append(expression)
        labels = dict(zip(("resource_namespace", "kind", "name", "product", "version", "state",
                           "reason"), ROW, strict=True))  # fmt: skip
        return [(labels, 1.0)]

    found = picture.ask(BOARD, query)
    assert found.amiss == (ROW,)
    assert found.by_namespace == {"code": {"NonCompliant": 1}}
    panels = {
        filled_in(target["expr"])
        for panel in BOARD["panels"]
        for target in panel["targets"]
        if panel["title"] not in NOT_DRAWN
    }
    assert set(asked) == panels
