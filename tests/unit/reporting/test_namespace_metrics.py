"""How much of a namespace the catalogue knows, and which team it belongs to."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from fleet_telemetry.kube.seen_workloads import SeenInNamespace
from fleet_telemetry.reporting.namespace_metrics import MOST_TEAMS, NamespaceCollector

SEEN = [SeenInNamespace("a", 2, 3), SeenInNamespace("b", 0, 1)]


def scraped(
    labels: Mapping[str, Mapping[str, str]],
    seen: list[SeenInNamespace] = SEEN,
    *,
    team_label: str = "example.com/team",
    visible: bool = True,
) -> dict[str, dict[tuple[str, str], float]]:
    registry = CollectorRegistry()
    registry.register(
        NamespaceCollector(
            lambda: seen,
            lambda name: labels.get(name, {}),
            team_label=team_label,
            visible=lambda: visible,
        )
    )
    return {
        family.name.removeprefix("fleet_telemetry_"): {
            (sample.labels.pop("resource_namespace"), *sample.labels.values()): sample.value
            for sample in family.samples
        }
        for family in text_string_to_metric_families(generate_latest(registry).decode())
    }


def test_known_and_other_workloads() -> None:
    assert scraped({})["workloads_seen"] == {
        ("a", "true"): 2,
        ("a", "false"): 3,
        ("b", "true"): 0,
        ("b", "false"): 1,
    }


def test_the_team_is_the_value_of_the_label() -> None:
    found = scraped(
        {"a": {"example.com/team": "web", "team": "other"}, "c": {"example.com/team": "x"}}
    )
    assert found["namespace_team"] == {("a", "web"): 1, ("b", "(none)"): 1}


@pytest.mark.parametrize("labels", [{}, {"example.com/team": ""}])
def test_a_namespace_without_one_is_of_no_team(labels: dict[str, str]) -> None:
    assert scraped({"a": labels})["namespace_team"]["a", "(none)"] == 1


def test_without_a_label_to_look_at_there_is_no_such_series() -> None:
    assert scraped({"a": {"": "x"}}, team_label="")["namespace_team"] == {}


def test_the_number_of_teams_is_limited_and_each_namespace_has_one() -> None:
    names = [f"n{number:04}" for number in range(MOST_TEAMS + 50)]
    labels = {name: {"example.com/team": f"team-of-{name}"} for name in names}
    found = scraped(labels, [SeenInNamespace(name, 1, 0) for name in names])["namespace_team"]
    assert [namespace for namespace, _ in found] == names
    teams = [team for _, team in found]
    assert len(set(teams)) == MOST_TEAMS + 1
    assert teams.count("(other)") == 50


def test_a_label_that_is_too_long_is_cut() -> None:
    # The API server allows no such value.
    ((_, team), *_) = scraped({"a": {"example.com/team": "x" * 1000}})["namespace_team"]
    assert team == "x" * 63


def test_only_the_leader_shows_them() -> None:
    found = scraped({"a": {"example.com/team": "web"}}, visible=False)
    assert found == {"workloads_seen": {}, "namespace_team": {}}
