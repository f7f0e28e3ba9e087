"""Rolls out one workload of a product at a time if a write may restart pods."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from fleet_telemetry.workloads.workload import Workload, WorkloadRef

_PATIENCE_SECONDS = 600.0
"""After this time, a rollout that has not ended no longer blocks the others."""


@dataclass
class RolloutGate:
    """Remembers which workloads are being written, and when each write ended."""

    _writing: set[WorkloadRef] = field(default_factory=set)
    _since: dict[WorkloadRef, float] = field(default_factory=dict)

    def begin(self, ref: WorkloadRef) -> None:
        """A write that may restart pods begins."""
        self._writing.add(ref)

    def end(self, ref: WorkloadRef, now: float) -> None:
        """The write ended. From now on the status of the workload counts."""
        self._writing.discard(ref)
        self._since[ref] = now

    def blocked_by(
        self, ref: WorkloadRef, siblings: Iterable[Workload], now: float
    ) -> WorkloadRef | None:
        """The sibling (a workload of the same product) whose rollout has to end first, if any."""
        for sibling in siblings:
            if sibling.ref == ref:
                continue
            if sibling.ref in self._writing:
                return sibling.ref
            since = self._since.get(sibling.ref)
            if since is None:
                continue
            if sibling.rolling_out and now - since < _PATIENCE_SECONDS:
                return sibling.ref
            del self._since[sibling.ref]
        return None
