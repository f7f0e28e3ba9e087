"""Events for what admission changed.

A request needs no API call, and it may still be refused by others or be a dry run. So the Events
are written afterwards, once the changed object has come back with the watch. Every replica writes
those of its own requests. What cannot be written in time is lost; the log line of the request has
the same.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from fleet_telemetry.admission.review import AdmissionResult
from fleet_telemetry.kube.events import LONGEST_NOTE
from fleet_telemetry.kube.workload_store import Fleet
from fleet_telemetry.reporting.changes import change_notices, shows
from fleet_telemetry.reporting.events import Notice
from fleet_telemetry.switches.edits import Edit
from fleet_telemetry.workloads.workload import PodTemplate, Workload, WorkloadRef

_log = logging.getLogger(__name__)

_MOST_WAITING = 500
_MOST_EDITS = 32
"""Of one request, that are looked for in the object."""
_LONGEST_TEXTS = 16384
"""Characters of one request's names, Events and these edits."""
_WAIT_SECONDS = 60.0
_ROUND_SECONDS = 1.0
_MOST_IN_A_ROUND = 10
"""A burst of deployments must not become a burst of Events."""
_REPEAT_SECONDS = 600.0
"""Each pod of a workload is injected alike; it is reported once in this time."""

ReportChange = Callable[[WorkloadRef, str, Notice], Awaitable[None]]
"""Writes an Event on a workload, given by reference and UID. It does not raise."""


@dataclass(frozen=True, slots=True)
class _Expected:
    edits: tuple[Edit, ...]
    is_pod: bool
    known: frozenset[tuple[str, int]]
    """The objects that the request is not about, by UID and generation."""
    until: float


_Key = tuple[WorkloadRef, tuple[Notice, ...]]


class AdmissionTrace:
    """What admission has changed and the watch has not shown yet. It belongs to one event loop."""

    def __init__(self, fleet: Fleet, report: ReportChange, clock: Callable[[], float]) -> None:
        self._fleet = fleet
        self._report = report
        self._clock = clock
        self._waiting: OrderedDict[_Key, _Expected] = OrderedDict()
        self._reported: OrderedDict[_Key, float] = OrderedDict()

    def expect(self, result: AdmissionResult) -> None:
        """Remember the changes of a request that is no dry run."""
        workload = result.workload
        if workload is None or not workload.ref.name or not result.is_final:
            return
        # One character more than an Event has, so that it is seen to be cut.
        notices = tuple(
            replace(one, note=one.note[: LONGEST_NOTE + 1])
            for one in change_notices(result.changes, "At admission")
        )
        edits = [change for change in result.changes if isinstance(change, Edit)][:_MOST_EDITS]
        texts = (
            *(workload.ref.namespace, workload.ref.name),
            *(one.note for one in notices),
            *(text for one in edits for text in (one.container_name, one.name, one.value or "")),
        )
        # Anybody may send a request, of megabytes, for an object that never comes.
        if not notices or sum(map(len, texts)) > _LONGEST_TEXTS:
            return
        key = workload.ref, notices
        now = self._clock()
        if result.is_pod and now - self._reported.get(key, -_REPEAT_SECONDS) < _REPEAT_SECONDS:
            return
        self._waiting[key] = _Expected(
            edits=tuple(edits),
            is_pod=result.is_pod,
            known=frozenset(self._present(workload.ref, is_pod=result.is_pod)),
            until=now + _WAIT_SECONDS,
        )
        self._waiting.move_to_end(key)
        while len(self._waiting) > _MOST_WAITING:
            self._waiting.popitem(last=False)

    async def run(self) -> None:
        """Write Events as the watch shows the objects. It does not end."""
        while True:
            await asyncio.sleep(_ROUND_SECONDS)
            try:
                await self.write()
            except Exception:  # noqa: BLE001  # see the comment; it is logged
                # An Event must not end the process that admits deployments.
                _log.exception("cannot write the events of admissions")

    async def write(self) -> None:
        """Write the Events of the objects that have come by now, a few at a time."""
        written = 0
        for key, expected in list(self._waiting.items()):
            ref, notices = key
            workload = self._fleet.workloads.get(ref)
            if workload is not None and self._has_come(workload, expected):
                if written >= _MOST_IN_A_ROUND:
                    return
                del self._waiting[key]
                self._remember(key)
                written += len(notices)
                for notice in notices:
                    await self._report(ref, workload.uid, notice)
            elif self._clock() >= expected.until:
                self._waiting.pop(key, None)

    def _has_come(self, workload: Workload, expected: _Expected) -> bool:
        if expected.is_pod:
            pods = {(pod.uid, 0): pod.template for pod in self._fleet.pods_of(workload.ref)}
            return any(
                _all_show(template, expected.edits)
                for known, template in pods.items()
                if known not in expected.known
            )
        is_new = (workload.uid, workload.generation) not in expected.known
        return is_new and _all_show(workload.template, expected.edits)

    def _present(self, ref: WorkloadRef, *, is_pod: bool) -> list[tuple[str, int]]:
        if is_pod:
            return [(pod.uid, 0) for pod in self._fleet.pods_of(ref)]
        workload = self._fleet.workloads.get(ref)
        return [(workload.uid, workload.generation)] if workload is not None else []

    def _remember(self, key: _Key) -> None:
        self._reported[key] = self._clock()
        self._reported.move_to_end(key)
        while len(self._reported) > _MOST_WAITING:
            self._reported.popitem(last=False)


def _all_show(template: PodTemplate, edits: tuple[Edit, ...]) -> bool:
    return all(shows(template, edit) for edit in edits)
