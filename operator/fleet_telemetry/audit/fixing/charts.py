"""Where the vendors' own Helm charts take variables of a container. Only what was read in a chart
is here: another chart, and another major version, gets no values.

Sources: SonarSource/helm-chart-sonarqube@b6f9b63f: charts/sonarqube/values.yaml (env);
DependencyTrack/helm-charts@dependency-track-1.3.0: charts/dependency-track/values.yaml
(apiServer.extraEnv).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fleet_telemetry.switches.edits import Edit

_LABELS = ("helm.sh/chart", "chart")
"""The second one is that of older charts."""


@dataclass(frozen=True, slots=True)
class _ChartEnv:
    chart: str
    """Its name and the beginning of its version, as the label has them."""
    container: str
    path: tuple[str, ...]
    """The value that is a list of variables, as in a container."""


_CHARTS = (
    _ChartEnv("sonarqube-2026.", "sonarqube", ("env",)),
    _ChartEnv("dependency-track-1.", "dependency-track-api-server", ("apiServer", "extraEnv")),
)


def chart_of(labels: Mapping[str, str]) -> str:
    """The chart and its version, by the labels of a workload; empty if they do not say it."""
    return next((labels[one] for one in _LABELS if labels.get(one)), "")


def helm_values(chart: str, edits: Sequence[Edit]) -> dict[str, Any] | None:
    """The values that make all of the edits; None if that is not known, or not possible: no value
    removes a variable that a template has."""
    values: dict[str, Any] = {}
    for edit in edits:
        known = next(
            (
                one
                for one in _CHARTS
                if chart.startswith(one.chart) and edit.container_name == one.container
            ),
            None,
        )
        if known is None or edit.value is None or edit.mechanism != "env":
            return None
        *way, last = known.path
        inner = values
        for key in way:
            inner = inner.setdefault(key, {})
        inner.setdefault(last, []).append({"name": edit.name, "value": edit.value})
    return values or None
