"""Where the vendors' own Helm charts take what switches telemetry off. Only what was read in a
chart is here: another chart, and another major version, gets no values.

Sources:
SonarSource/helm-chart-sonarqube@b6f9b63f: charts/sonarqube/values.yaml (env);
DependencyTrack/helm-charts@dependency-track-1.3.0: charts/dependency-track/values.yaml
(apiServer.extraEnv);
qdrant/qdrant-helm@qdrant-1.19.0: charts/qdrant/templates/statefulset.yaml (env);
Unleash/helm-charts@unleash-5.6.6: charts/unleash/templates/deployment.yaml (env);
PrefectHQ/prefect-helm@2026.8.18172642: charts/prefect-server/templates/deployment.yaml
(server.env);
traefik/traefik-helm-chart@v41.3.0: traefik/templates/_podtemplate.tpl (global.checkNewVersion and
global.sendAnonymousUsage are arguments).
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
    """A value that is a list of variables, as in a container."""

    chart: str
    """Its name and the beginning of its version, as the label has them."""
    container: str
    path: tuple[str, ...]

    def add(self, edit: Edit, values: dict[str, Any]) -> bool:
        """Add what makes the edit. Whether the chart takes it here."""
        if edit.container_name != self.container or edit.mechanism != "env":
            return False
        entry = {"name": edit.name, "value": edit.value}
        _parent(values, self.path).setdefault(self.path[-1], []).append(entry)
        return True


@dataclass(frozen=True, slots=True)
class _ChartField:
    """A value from which the chart makes one setting, in whatever container."""

    chart: str
    setting: str
    """``NAME=value`` of a variable, or the word of an argument."""
    path: tuple[str, ...]
    value: bool

    def add(self, edit: Edit, values: dict[str, Any]) -> bool:
        """Add what makes the edit. Whether the chart takes it here."""
        setting = edit.value if edit.argument is not None else f"{edit.name}={edit.value}"
        if setting != self.setting:
            return False
        _parent(values, self.path)[self.path[-1]] = self.value
        return True


_CHARTS: tuple[_ChartEnv | _ChartField, ...] = (
    _ChartEnv("sonarqube-2026.", "sonarqube", ("env",)),
    _ChartEnv("dependency-track-1.", "dependency-track-api-server", ("apiServer", "extraEnv")),
    _ChartEnv("qdrant-1.", "qdrant", ("env",)),
    _ChartEnv("unleash-5.", "unleash", ("env",)),
    _ChartEnv("prefect-server-2026.", "prefect-server", ("server", "env")),
    _ChartField(
        "traefik-41.",
        "--global.checkNewVersion=false",
        ("global", "checkNewVersion"),
        value=False,
    ),
    _ChartField(
        "traefik-41.",
        "--global.sendAnonymousUsage=false",
        ("global", "sendAnonymousUsage"),
        value=False,
    ),
)


def chart_of(labels: Mapping[str, str]) -> str:
    """The chart and its version, by the labels of a workload; empty if they do not say it."""
    return next((labels[one] for one in _LABELS if labels.get(one)), "")


def helm_values(chart: str, edits: Sequence[Edit]) -> dict[str, Any] | None:
    """The values that make all of the edits; None if that is not known, or not possible: no value
    removes a variable that a template has."""
    values: dict[str, Any] = {}
    known = [one for one in _CHARTS if chart.startswith(one.chart)]
    for edit in edits:
        if edit.value is None or not any(one.add(edit, values) for one in known):
            return None
    return values or None


def _parent(values: dict[str, Any], path: Sequence[str]) -> dict[str, Any]:
    """The mapping that the last key of a path is in."""
    inner = values
    for key in path[:-1]:
        inner = inner.setdefault(key, {})
    return inner
