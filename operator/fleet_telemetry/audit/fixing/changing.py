"""What switches channels off, as a result shows it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fleet_telemetry.audit.result import Change, Obstacle
from fleet_telemetry.switches.disabling import changes_in, obstacles_in
from fleet_telemetry.switches.edits import Edit, SkippedEdit
from fleet_telemetry.workloads.workload import Workload


def changes_of(workload: Workload, planned: Iterable[Edit | SkippedEdit]) -> Iterator[Change]:
    """The edits."""
    for one in changes_in(workload, planned):
        yield Change(container=one.container, entry=one.entry, removed=one.removed)


def obstacles_of(planned: Iterable[Edit | SkippedEdit]) -> Iterator[Obstacle]:
    """What cannot be changed by a patch, and why."""
    for one in obstacles_in(planned):
        yield Obstacle(container=one.container, entry=one.entry, message=one.message)
