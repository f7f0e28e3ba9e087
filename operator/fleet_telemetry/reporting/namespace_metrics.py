"""Metrics of namespaces: how much of what runs there the catalogue knows, and whose they are.

They come from the replica that leads and from no other, so that sums over replicas are true.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from fleet_telemetry.kube.seen_workloads import SeenInNamespace
from fleet_telemetry.reporting.families import Family

SEEN = Family(
    "workloads_seen",
    "All workloads in the cluster, whether they run a product that the catalogue knows (true) or "
    "not (false). Parts of other workloads, such as a Deployment's ReplicaSets, are not counted.",
    ("resource_namespace", "known"),
    "2 x namespaces with workloads",
)
TEAM = Family(
    "namespace_team",
    "Always 1; the label is the team that a namespace belongs to by its label metrics.teamLabel: "
    "(none) without one, (other) beyond 200 teams. Absent without metrics.teamLabel.",
    ("resource_namespace", "team"),
    "namespaces with workloads",
)
FAMILIES = (SEEN, TEAM)

NO_TEAM, OTHER_TEAM = "(none)", "(other)"
"""No value of a label has parentheses."""
MOST_TEAMS = 200
_LONGEST_TEAM = 63
"""As the API server has it."""


class NamespaceCollector(Collector):
    """Computes the series."""

    def __init__(
        self,
        seen: Callable[[], Iterable[SeenInNamespace]],
        labels_of: Callable[[str], Mapping[str, str]],
        *,
        team_label: str = "",
        visible: Callable[[], bool] = lambda: True,
    ) -> None:
        """``visible``: whether there is a fleet to show here."""
        self._seen = seen
        self._labels_of = labels_of
        self._team_label = team_label
        self._visible = visible

    def collect(self) -> Iterator[Metric]:
        """Compute the series."""
        seen, team = SEEN.gauge(), TEAM.gauge()
        found = list(self._seen()) if self._visible() else []
        for one in found:
            seen.add_metric([one.namespace, "true"], one.known)
            seen.add_metric([one.namespace, "false"], one.others)
        if self._team_label:
            for namespace, name in self._teams(one.namespace for one in found):
                team.add_metric([namespace, name], 1)
        yield from (seen, team)

    def _teams(self, namespaces: Iterable[str]) -> Iterator[tuple[str, str]]:
        teams = {
            namespace: self._labels_of(namespace).get(self._team_label, "")[:_LONGEST_TEAM]
            for namespace in namespaces
        }
        shown = set(sorted(set(teams.values()) - {""})[:MOST_TEAMS])
        for namespace, name in teams.items():
            yield namespace, (name if name in shown else OTHER_TEAM) if name else NO_TEAM
