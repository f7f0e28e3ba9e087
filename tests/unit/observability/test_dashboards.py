"""The dashboards keep the rules of Grafana's dashboard-linter, and some more."""

from __future__ import annotations

import itertools
import json
import re
from typing import Any

import pytest

from hack.generate import CHART
from observability.dashboards import kit
from observability.dashboards.files import dashboard_files
from observability.metrics import __dict__ as known_metrics
from tests.support.every import every

Json = dict[str, Any]
BOARDS: dict[str, Json] = {name: json.loads(text) for name, text in dashboard_files()}
PANELS = [
    pytest.param(board, panel, id=f"{name}: {panel['title']}")
    for name, board in BOARDS.items()
    for panel in board["panels"]
]
UNITS = {
    "none",
    "short",
    "wps",
    "percentunit",
    "s",
    "bytes",
    "ops",
    "cps",
    "reqps",
    "dateTimeFromNow",
}
"""Those of the linter's list that are used here."""
METRICS = {name for name in known_metrics.values() if str(name).startswith("fleet_telemetry")}
each_board = pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)
each_panel = every(("board", "panel"), PANELS)


def variables(board: Json, kind: str) -> dict[str, Json]:
    return {found["name"]: found for found in board["templating"]["list"] if found["type"] == kind}


def expressions(panel: Json) -> list[str]:
    return [target["expr"] for target in panel["targets"]]


def selectors(expression: str) -> list[tuple[str, str]]:
    """The metrics that are asked for, each with its matchers."""
    return re.findall(r"\b((?:fleet_telemetry|process)_\w+)\b(\{[^}]*\})?", expression)


def test_they_are_the_same_each_time() -> None:
    assert dict(dashboard_files()) == dict(dashboard_files())


def test_the_chart_has_them_and_no_others() -> None:
    files = {path.name: path.read_text() for path in (CHART / "files/dashboards").iterdir()}
    assert files == dict(dashboard_files())


# template-datasource-rule, uneditable-dashboard
@each_board
def test_board(board: Json) -> None:
    (datasource,) = variables(board, "datasource").values()
    assert (datasource["name"], datasource["label"]) == ("datasource", "Data source")
    assert datasource["query"] == "prometheus"
    assert board["editable"] is False
    assert re.fullmatch(r"[a-z-]{1,40}", board["uid"])
    assert board["description"]
    assert "id" not in board or board["id"] is None


def test_uids_and_titles_are_different() -> None:
    for key in ("uid", "title"):
        assert len({board[key] for board in BOARDS.values()}) == len(BOARDS)
    assert {f"{board['uid']}.json" for board in BOARDS.values()} == set(BOARDS)


# template-job-rule, template-instance-rule, template-on-time-change-reload-rule,
# template-label-promql-rule
@each_board
def test_variables(board: Json) -> None:
    found = variables(board, "query")
    assert {"cluster", "job", "instance"} <= set(found)
    if board["uid"] != "fleet-telemetry-operator":
        assert {"namespace", "product"} <= set(found)
    for name, variable in found.items():
        assert variable["label"] == name
        assert variable["datasource"]["uid"] == "${datasource}"
        assert variable["multi"] is True
        assert variable["includeAll"] is True
        # A Prometheus of one cluster has no such label, and everything is to be found there.
        assert variable["allValue"] == (".*" if name == "cluster" else ".+")
        assert variable["refresh"] == 2
        assert variable["current"]["value"] == "$__all"
        ask = re.fullmatch(r"label_values\((\w+)(\{.*\})?, \w+\)", variable["query"])
        assert ask is not None
        assert ask[1] in METRICS


# panel-datasource-rule, panel-title-description-rule, panel-units-rule, panel-no-targets-rule
@each_panel
def test_panel(board: Json, panel: Json) -> None:
    assert panel["datasource"]["uid"] == "${datasource}"
    assert panel["title"]
    assert re.fullmatch(r"[A-Z].*\.", panel["description"], re.DOTALL)
    assert panel["fieldConfig"]["defaults"]["unit"] in UNITS
    assert panel["targets"]
    references = [target["refId"] for target in panel["targets"]]
    assert len(set(references)) == len(references)
    for target in panel["targets"]:
        assert target["datasource"]["uid"] == "${datasource}"
        assert target["instant"] is not target["range"]
    ids = [other["id"] for other in board["panels"]]
    assert ids.count(panel["id"]) == 1


# target-job-rule, target-instance-rule, and the same of the variables of ours
@each_panel
def test_every_selector_is_filtered(board: Json, panel: Json) -> None:
    for expression in expressions(panel):
        for name, matchers in selectors(expression):
            base = re.sub(r"_bucket$", "", name)
            assert base in METRICS or name.startswith("process_"), name
            for variable in ("cluster", "job", "instance"):
                assert f'{variable}=~"${variable}"' in matchers, expression
        used = set(re.findall(r"\$(\w+)", expression)) - {"__rate_interval", "__range"}
        assert used <= set(variables(board, "query"))


# target-rate-interval-rule, target-counter-agg-rule
@each_panel
def test_counters_are_rates_over_the_interval_that_fits(board: Json, panel: Json) -> None:
    del board
    for expression in expressions(panel):
        for found in re.finditer(r"(\w+)\((\w+_(?:total|bucket))\{[^}]*\}(\[[^\]]*\])", expression):
            function, _, window = found.groups()
            assert (function, window) in {
                ("rate", "[$__rate_interval]"),
                ("increase", "[$__range]"),
            }
        counters = re.findall(r"\w+_(?:total|bucket)\b", expression)
        ranged = re.findall(r"\w+_(?:total|bucket)\{[^}]*\}\[", expression)
        assert len(counters) == len(ranged)


def test_panels_lie_side_by_side_and_leave_no_hole_above() -> None:
    for board in BOARDS.values():
        taken: set[tuple[int, int]] = set()
        for panel in board["panels"]:
            place = panel["gridPos"]
            cells = {
                (x, y)
                for x in range(place["x"], place["x"] + place["w"])
                for y in range(place["y"], place["y"] + place["h"])
            }
            assert not cells & taken, panel["title"]
            assert all(0 <= x < 24 for x, _ in cells)
            taken |= cells
        for x, y in taken:
            assert y == 0 or (x, y - 1) in taken


def test_a_link_leads_to_a_dashboard_that_is_there_with_variables_that_it_has() -> None:
    text = json.dumps(list(BOARDS.values()))
    links = re.findall(r"/d/([a-z-]+)\?([^\"]*)", text)
    assert links
    for uid, query in links:
        target = BOARDS[f"{uid}.json"]
        names = set(re.findall(r"var-(\w+)=", query)) | set(re.findall(r"\{(\w+):query", query))
        known = {**variables(target, "query"), **variables(target, "datasource")}
        assert names <= set(known)


# What colour-blind people see, by Machado, Oliveira and Fernandes (2009), severity 1.
SIGHTS = {
    "all": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protanopia": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "tritanopia": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}
XYZ = (
    (0.4124564, 0.3575761, 0.1804375),
    (0.2126729, 0.7151522, 0.0721750),
    (0.0193339, 0.1191920, 0.9503041),
)
WHITE = (0.95047, 1.0, 1.08883)
Vector = tuple[float, ...]
Matrix = tuple[tuple[float, ...], ...]


def times(matrix: Matrix, vector: Vector) -> Vector:
    return tuple(sum(a * b for a, b in zip(row, vector, strict=True)) for row in matrix)


def seen(colour: str, sight: Matrix) -> Vector:
    """A colour in CIELAB, as somebody sees it."""
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = tuple(c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    clipped = tuple(min(1.0, max(0.0, value)) for value in times(sight, linear))
    x, y, z = (
        value ** (1 / 3) if value > 0.008856 else 7.787 * value + 16 / 116
        for value in (part / white for part, white in zip(times(XYZ, clipped), WHITE, strict=True))
    )
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


@pytest.mark.parametrize("sight", SIGHTS)
def test_states_can_be_told_apart_by_everybody(sight: str) -> None:
    for one, other in itertools.combinations(kit.COLOURS.values(), 2):
        pair = zip(seen(one, SIGHTS[sight]), seen(other, SIGHTS[sight]), strict=True)
        # Two that one can just tell apart are about 2.3 from each other.
        assert sum((a - b) ** 2 for a, b in pair) ** 0.5 > 20, (one, other)


def test_no_other_colours_are_used() -> None:
    known = {*kit.COLOURS.values(), kit.BLUE, kit.ORANGE, kit.VERMILLION, kit.GREY}
    for board in BOARDS.values():
        found = set(re.findall(r'"#\w+"', json.dumps(board)))
        assert {colour.strip('"') for colour in found} <= known
