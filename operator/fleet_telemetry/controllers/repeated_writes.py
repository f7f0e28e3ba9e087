"""Delays a write that has to be made again, because somebody undid the one before.

That may be an admission webhook, in the same request and so without a watch event, or a controller,
after it. The webhook of this operator does it too while its policies are older.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from fleet_telemetry.backoff import backoff_seconds
from fleet_telemetry.switches.edits import Edit
from fleet_telemetry.workloads.workload import WorkloadRef

_FIRST_SECONDS = 1.0
LONGEST_SECONDS = 30.0
_MEMORY_SECONDS = 600.0
"""After this time without another write, the next one is not one again."""
SAID_AFTER = 4
"""Writes. A webhook that is a few seconds behind is not worth an Event."""

_Entries = frozenset[tuple[str, str, str | None]]


@dataclass(frozen=True, slots=True)
class _LastWrite:
    entries: _Entries
    times: int
    at: float


class RepeatedWrites:
    """Remembers the last write into each workload. All times are in seconds of one clock."""

    def __init__(self) -> None:
        self._written: OrderedDict[WorkloadRef, _LastWrite] = OrderedDict()

    def seconds_until(self, ref: WorkloadRef, edits: Sequence[Edit], now: float) -> float:
        """How long the edits have to wait; 0 if none of them was written just before."""
        last = self._written.get(ref)
        if last is None or last.entries.isdisjoint(_entries(edits)):
            return 0.0
        delay = backoff_seconds(last.times, _FIRST_SECONDS, LONGEST_SECONDS)
        return max(0.0, last.at + delay - now)

    def count(self, ref: WorkloadRef, edits: Sequence[Edit], now: float) -> int:
        """Remember a write; how many times in a row some of it was written."""
        entries = _entries(edits)
        last = self._written.pop(ref, None)
        if last is None or last.entries.isdisjoint(entries) or now - last.at >= _MEMORY_SECONDS:
            times = 1
        else:
            times = last.times + 1
        self._written[ref] = _LastWrite(entries, times, now)
        # The first is the oldest one.
        while now - next(iter(self._written.values())).at >= _MEMORY_SECONDS:
            self._written.popitem(last=False)
        return times

    def forget(self, ref: WorkloadRef) -> None:
        """The workload no longer exists."""
        self._written.pop(ref, None)


def _entries(edits: Sequence[Edit]) -> _Entries:
    return frozenset((edit.container_name, edit.name, edit.value) for edit in edits)
