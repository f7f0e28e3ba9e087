"""The fields of custom resources that workloads' products read: their states, and their writes.

The leader reads each field once in an interval, by one GET, because the kinds are many and not
known beforehand. A field may be read by the products of several workloads; it is set only if all
that want a value want the same.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace

from fleet_telemetry.backoff import backoff_seconds
from fleet_telemetry.controllers.daily_limit import DailyLimit, conflict_note
from fleet_telemetry.controllers.resources.writing import restore_field, set_field
from fleet_telemetry.kube.client import ApiError, KubernetesClient, UndoneWriteError
from fleet_telemetry.kube.events import EventRecorder, regarding_workload
from fleet_telemetry.kube.resource_reading import fetch_field, in_words
from fleet_telemetry.switches.resource_plan import DesiredField, FieldChange, FieldPlan
from fleet_telemetry.workloads.resource_fields import (
    NOT_READ,
    FieldFault,
    FieldRef,
    FieldRefusal,
    FieldState,
    FieldStates,
    read_field,
)
from fleet_telemetry.workloads.workload import Workload, WorkloadRef

_log = logging.getLogger(__name__)

_READS_AT_ONCE = 4
_FAILURE_THRESHOLD = 3
"""After this many failed reads in a row, an earlier state no longer counts."""
_SHORTEST_PAUSE = 0.05
_FIRST_RETRY_SECONDS = 5.0
_LONGEST_RETRY_SECONDS = 600.0


@dataclass
class _Field:
    """One field."""

    ref: FieldRef
    state: FieldState = NOT_READ
    users: dict[WorkloadRef, DesiredField | None] = field(default_factory=dict)
    """The workloads whose products read it, with what their policies want."""
    read_at: float = 0.0
    """When it is to be read next."""
    failures: int = 0
    """Of reads, in a row."""
    wanted: object = None
    """The value of the last write."""
    writes: DailyLimit = field(default_factory=DailyLimit)
    """Of that value."""
    refusal: FieldRefusal | None = None
    detail: str = ""
    refusals: int = 0
    """Of writes, in a row."""
    retry_at: float = 0.0

    def seen_by(self, ref: WorkloadRef, now: float) -> FieldState:
        """The state, with what concerns one of the workloads."""
        own = self.users.get(ref)
        others = [
            (user, desired) for user, desired in self.users.items() if desired and user != ref
        ]
        contested = next(
            (str(user) for user, desired in others if own and desired.value != own.value), ""
        )
        refusal = self.refusal
        if own is not None and self.wanted == own.value and self.writes.is_reached(now):
            refusal = FieldRefusal.CONFLICT
        return replace(
            self.state,
            contested=contested,
            shared=bool(others),
            refusal=refusal,
            detail=self.detail if refusal is not None else self.state.detail,
        )

    def count_write(self, value: object, now: float) -> bool:
        """Count a write; whether it was the last one for now."""
        if self.wanted != value:
            self.wanted = value
            self.writes.clear()
        return self.writes.count(now)

    def accept(self, state: FieldState) -> bool:
        """Take over what was read; whether that changes anything. A few failures do not replace a
        state that is known."""
        is_failure = state.fault is FieldFault.UNREACHABLE
        self.failures = self.failures + 1 if is_failure else 0
        if is_failure and self.state.fault is None and self.failures < _FAILURE_THRESHOLD:
            return False
        # The version of the object changes with all that others write into it.
        same = replace(state, resource_version=self.state.resource_version) == self.state
        if not same:
            self.state = state
        return not same


class ResourceFields:
    """``run`` reads, until it is cancelled; then everything is forgotten."""

    def __init__(
        self,
        client: KubernetesClient,
        events: EventRecorder,
        *,
        enqueue: Callable[[WorkloadRef], None],
        interval: float,
    ) -> None:
        """``enqueue`` is called with a workload when a field of its products changed. ``interval``:
        seconds between two reads of a field."""
        self._client = client
        self._events = events
        self._enqueue = enqueue
        self._interval = interval
        self._fields: dict[FieldRef, _Field] = {}
        self._by_workload: dict[WorkloadRef, tuple[FieldRef, ...]] = {}
        self._new = asyncio.Event()
        self._gate = asyncio.Semaphore(_READS_AT_ONCE)

    async def run(self) -> None:
        """Read all fields once in an interval, and new ones at once."""
        try:
            while True:
                self._new.clear()
                now = _clock()
                due = [one for one in self._fields.values() if now >= one.read_at]
                await asyncio.gather(*(self._refresh(one) for one in due))
                await self._pause()
        finally:
            self._fields.clear()
            self._by_workload.clear()

    def plan(self, ref: WorkloadRef, plan: FieldPlan) -> None:
        """Replace what is read for a workload, and what its policies want."""
        desired_fields = {desired.ref: desired for desired in plan.desired_fields}
        gone = set(self._by_workload.get(ref, ())) - set(plan.refs)
        for one in gone:
            self._leave(one, ref)
        for one in plan.refs:
            found = self._fields.get(one)
            if found is None:
                found = self._fields[one] = _Field(one)
                self._new.set()
            self._require(found, ref, desired_fields.get(one))
        if plan.refs:
            self._by_workload[ref] = plan.refs
        else:
            self._by_workload.pop(ref, None)

    async def introduce(self, ref: WorkloadRef, plan: FieldPlan) -> bool:
        """Read the fields of a plan that nobody has read yet; whether there were any. A new leader
        would otherwise report for a moment that nothing is known of them."""
        new = [one for one in plan.refs if one not in self._fields]
        if new:
            self.plan(ref, plan)
            await asyncio.gather(*(self._refresh(self._fields[one]) for one in new))
        return bool(new)

    def states(self, ref: WorkloadRef) -> FieldStates:
        """What is known of the fields of a workload's products."""
        now = _clock() if ref in self._by_workload else 0.0
        return {one: self._fields[one].seen_by(ref, now) for one in self._by_workload.get(ref, ())}

    def sizes(self) -> Mapping[str, int]:
        """How much is remembered."""
        return {"fields": len(self._fields), "workloads": len(self._by_workload)}

    async def act(self, workload: Workload, plan: FieldPlan) -> None:
        """Make the changes of a plan whose records are stored. What fails is tried again later."""
        for change in plan.changes:
            found = self._fields.get(change.ref)
            if found is None or _clock() < found.retry_at:
                continue
            # It was decided before the other workloads knew of it.
            state = found.seen_by(workload.ref, _clock())
            is_set = change.desired is not None
            is_conflict = bool(state.contested) or state.refusal is FieldRefusal.CONFLICT
            if is_conflict if is_set else state.shared:
                self._enqueue(workload.ref)
            else:
                await self._change(found, workload, change)

    def _require(self, found: _Field, ref: WorkloadRef, desired: DesiredField | None) -> None:
        before = found.users.get(ref)
        is_new = ref not in found.users
        found.users[ref] = desired
        if is_new or (before and before.value) != (desired and desired.value):
            if desired is not None and desired.value != found.wanted:
                found.refusal, found.detail, found.retry_at = None, "", 0.0
            # What was decided on the field did not know of it, for this workload either.
            self._enqueue_users(found, besides=None if found.writes.times else ref)

    def _leave(self, one: FieldRef, ref: WorkloadRef) -> None:
        found = self._fields.get(one)
        if found is None:
            return
        had = found.users.pop(ref, None)
        if not found.users:
            del self._fields[one]
        elif had is not None:
            self._enqueue_users(found)

    def _enqueue_users(self, found: _Field, besides: WorkloadRef | None = None) -> None:
        for user in found.users:
            if user != besides:
                self._enqueue(user)

    async def _refresh(self, found: _Field) -> None:
        async with self._gate:
            state = await fetch_field(self._client, found.ref)
        found.read_at = _clock() + self._interval
        is_due = found.refusal is not None and _clock() >= found.retry_at
        if found.accept(state) or is_due:
            self._enqueue_users(found)

    async def _pause(self) -> None:
        """Until a field is due, or there is a new one."""
        first = min((one.read_at for one in self._fields.values()), default=None)
        seconds = None if first is None else max(_SHORTEST_PAUSE, first - _clock())
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._new.wait()

    async def _change(self, found: _Field, workload: Workload, change: FieldChange) -> None:
        fresh = await fetch_field(self._client, found.ref)
        if _essence(fresh) != _essence(change.state):
            found.accept(fresh)
            self._enqueue_users(found)
            return
        try:
            if change.desired is not None:
                manifest = await set_field(
                    self._client, found.ref, fresh, change.value, force=change.force
                )
            else:
                manifest = await restore_field(self._client, found.ref, fresh, change.value)
            found.state = read_field(manifest, found.ref)
            is_as_written = not found.state.is_other and found.state.value == change.value
            if change.desired is not None and not is_as_written:
                raise UndoneWriteError(str(found.ref))
        except ApiError as error:
            await self._failed(found, workload, error)
            return
        found.refusal, found.detail, found.refusals, found.retry_at = None, "", 0, 0.0
        await self._report(found, workload, change)
        self._enqueue_users(found)

    async def _failed(self, found: _Field, workload: Workload, error: ApiError) -> None:
        """Note why a write failed. What has changed meanwhile is decided on again."""
        found.refusals += 1
        wait = backoff_seconds(found.refusals, _FIRST_RETRY_SECONDS, _LONGEST_RETRY_SECONDS)
        found.retry_at = _clock() + wait
        refusal, detail = _refusal(error), in_words(error)
        is_news = (refusal, detail) != (found.refusal, found.detail)
        found.refusal, found.detail = refusal, detail
        _log.warning("%s: %s cannot be written: %s", workload.ref, found.ref, detail)
        if is_news and refusal is not FieldRefusal.FAILED:
            note = f"{found.ref} cannot be written: {detail}"
            await self._event(workload, "TelemetryWriteRefused", note, warning=True)
        if is_news:
            self._enqueue_users(found)

    async def _report(self, found: _Field, workload: Workload, change: FieldChange) -> None:
        """Log a write, and make it an Event on the workload."""
        if change.desired is None:
            note = (
                f"The controller restored {found.ref}: no policy asks for the setting any longer."
            )
            _log.info("%s: %s restored", workload.ref, found.ref)
            await self._event(workload, "TelemetrySettingRemoved", note)
            return
        is_last = found.count_write(change.value, _clock())
        policy = change.desired.policy
        what = "removed" if change.value is None else f"set to {change.desired.effective.desired}"
        _log.info("%s: %s %s", workload.ref, found.ref, what)
        note = f"{policy}: the controller {what} {found.ref}."
        reason = "TelemetrySettingOverridden" if change.force else "TelemetrySettingInjected"
        await self._event(workload, reason, note)
        if is_last:
            note = conflict_note(str(found.ref))
            await self._event(workload, "TelemetryRemediationConflict", note, warning=True)

    async def _event(
        self, workload: Workload, reason: str, note: str, *, warning: bool = False
    ) -> None:
        regarding = regarding_workload(workload.ref, workload.uid)
        await self._events.event(regarding, reason, note, warning=warning)


def _refusal(error: ApiError) -> FieldRefusal:
    if error.is_forbidden:
        return FieldRefusal.FORBIDDEN
    # What changed meanwhile is 409. A value that is not valid is 422.
    is_refused = error.is_rejection or error.is_refusal or isinstance(error, UndoneWriteError)
    return FieldRefusal.REFUSED if is_refused else FieldRefusal.FAILED


def _essence(state: FieldState) -> tuple[object, ...]:
    """What a decision on a field rests on."""
    owners = frozenset(one.manager for one in state.owners)
    return state.fault, state.exists, state.value, state.is_other, state.uid, owners


def _clock() -> float:
    return asyncio.get_running_loop().time()
