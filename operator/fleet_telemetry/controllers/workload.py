"""Reconciles workloads: decides, writes, and reports."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Protocol

from fleet_telemetry.api.reasons import Reason
from fleet_telemetry.api.workload_telemetry import (
    ContactRecord,
    InjectedVariable,
    WorkloadTelemetryStatus,
    workload_telemetry_name,
)
from fleet_telemetry.catalogue.matching import match_containers
from fleet_telemetry.controllers.config_maps import ConfigMapReader
from fleet_telemetry.controllers.egress.reconciler import EgressReconciler
from fleet_telemetry.controllers.keys import (
    AllowlistKey,
    PolicyStatusKey,
    ReconcileKey,
    WebhooksKey,
)
from fleet_telemetry.controllers.plans import Plans, policy_key
from fleet_telemetry.controllers.repeated_writes import LONGEST_SECONDS, SAID_AFTER, RepeatedWrites
from fleet_telemetry.controllers.reports import ReportWriter
from fleet_telemetry.controllers.resources.fields import ResourceFields
from fleet_telemetry.controllers.rollouts import RolloutGate
from fleet_telemetry.controllers.runtime.verifier import Verifier
from fleet_telemetry.controllers.status_writer import write_status
from fleet_telemetry.controllers.workload_writer import finish_interrupted_write, write_edits
from fleet_telemetry.decision import Input, Plan, decide, with_egress
from fleet_telemetry.evidence.contacts import NO_CONTACTS, Contacts
from fleet_telemetry.evidence.references import names_to_read
from fleet_telemetry.evidence.seed import VolumeClaimFacts
from fleet_telemetry.kube import kinds
from fleet_telemetry.kube.cache import ClusterCache
from fleet_telemetry.kube.client import ApiError, KubernetesClient
from fleet_telemetry.kube.events import EventRecorder, regarding_workload
from fleet_telemetry.kube.volume_claims import read_volume_claim_facts
from fleet_telemetry.kube.work_queue import WorkQueue
from fleet_telemetry.policy.exclusion import ExcludedNamespaces
from fleet_telemetry.reporting.changes import change_notices, rollout_notice, shows
from fleet_telemetry.reporting.decisions import log_verdicts
from fleet_telemetry.reporting.events import workload_notices
from fleet_telemetry.reporting.workload_status import (
    build_workload_status,
    differs_in_contacts_alone,
    differs_in_observed_alone,
    stored_reports,
    workload_telemetry_manifest,
)
from fleet_telemetry.reporting.workload_summary import is_labelled
from fleet_telemetry.switches.argument_lists import arguments_of
from fleet_telemetry.switches.edits import Edit, Trigger, name_entries
from fleet_telemetry.switches.recorded import Recorded
from fleet_telemetry.switches.resource_plan import NO_FIELDS, is_written
from fleet_telemetry.workloads.workload import Pod, VolumeKind, Workload, WorkloadRef

_log = logging.getLogger(__name__)

_ROLLOUT_POLL_SECONDS = 3.0
_AFTER_SECONDS = 1.0
_REPORT_POLL_SECONDS = 60.0
_POLICY_DELAY_SECONDS = 0.3
"""A burst of changes of workloads leads to one write of a policy's status."""
_ALLOWLIST_DELAY_SECONDS = 2.0
"""A burst of changes of hosts leads to one write of the allowlist."""

Claims = Mapping[str, VolumeClaimFacts]


@dataclass(frozen=True, slots=True, kw_only=True)
class Writers:
    """What a WorkloadReconciler hands a plan on to."""

    egress: EgressReconciler
    verifier: Verifier
    reports: ReportWriter
    events: EventRecorder
    fields: ResourceFields
    observed: Observed | None = None
    """None where DNS is not observed."""
    config_maps: ConfigMapReader | None = None
    """None where no ConfigMap is read."""


class Observed(Protocol):
    """What DNS showed of workloads."""

    @property
    def is_beginning(self) -> bool:
        """Whether nothing is proven yet and may be soon. All workloads are enqueued after that."""

    def contacts_of(self, ref: WorkloadRef) -> Contacts:
        """For a decision."""

    def records_of(self, ref: WorkloadRef) -> tuple[ContactRecord, ...]:
        """To be stored for the next leader."""


class WorkloadReconciler:
    """Makes a workload comply with its policies, and reports the state of its telemetry."""

    key_type: ClassVar = WorkloadRef
    name: ClassVar = "workload"

    def __init__(
        self,
        cache: ClusterCache,
        client: KubernetesClient,
        queue: WorkQueue[ReconcileKey],
        plans: Plans,
        writers: Writers,
        *,
        now: Callable[[], datetime],
        excluded: ExcludedNamespaces | None = None,
    ) -> None:
        """Workloads in the ``excluded`` namespaces are never written. Default: none."""
        self._excluded = excluded or ExcludedNamespaces()
        self._cache = cache
        self._client = client
        self._queue = queue
        self._plans = plans
        self._egress = writers.egress
        self._verifier = writers.verifier
        self._reports = writers.reports
        self._events = writers.events
        self._fields = writers.fields
        self._observed = writers.observed
        self._config_maps = writers.config_maps
        self._now = now
        self._gate = RolloutGate()
        self._repeated = RepeatedWrites()
        self._refused: dict[WorkloadRef, str] = {}
        """Why the API server last refused a write, by workload: an Event for each reason."""

    async def resume_rollouts(self) -> None:
        """Treat the rollouts that an earlier leader may have begun as our own."""
        for workload in self._cache.fleet.workloads.values():
            if workload.rolling_out and self._cache.injected_into(workload):
                self._gate.end(workload.ref, _clock())

    async def reconcile(self, key: WorkloadRef) -> None:
        """Write edits, network policies, the WorkloadTelemetry and the report. Raises ApiError."""
        workload = self._cache.fleet.workloads.get(key)
        if workload is None:
            await self._delete(key)
            return
        await self._read_config_maps(workload)
        answered = {product for product, _ in self._verifier.results(key)}
        plan = decide(self._gather(workload))
        if await self._fields.introduce(key, plan.fields):
            plan = decide(self._gather(workload))
        try:
            workload, plan, refusal = await self._make_comply(workload, plan)
        except ApiError:
            if key not in self._cache.fleet.workloads:
                await self._delete(key)
                return
            # Network policies protect against settings that fail, also if they are not written.
            await self._egress.reconcile(workload, plan, self._cache.fleet.pods_of(key))
            raise
        if not plan.targets and not plan.injected and not any(map(is_written, plan.fields.records)):
            # Its product is no longer known, and nothing is left of what was injected.
            self._cache.fleet.delete_workload(key)
            await self._delete(key)
            self._queue.add(WebhooksKey())
            return
        pods = self._cache.fleet.pods_of(key)
        findings, problem = await self._egress.reconcile(workload, plan, pods)
        plan = with_egress(plan, findings)
        before = self._plans.get(key)
        self._plans.upsert(key, plan)
        if before is None or (before.by_policy, before.egress) != (plan.by_policy, plan.egress):
            # This comes before all that may fail: the next attempt would see no difference.
            self._enqueue_policies(before)
            self._enqueue_policies(plan)
        self._verifier.plan(key, plan.checks, _pods_to_ask(pods))
        self._fields.plan(key, plan.fields)
        again = decide_again_after(plan, self._now())
        if again is not None:
            self._queue.add_after(key, again)
        await self._write_telemetry(workload, plan)
        # What stood in custom resources is recorded by now, so they may be changed.
        await self._fields.act(workload, plan.fields)
        # A new leader that has not asked the products yet must not change an auditor's report.
        if {check.product for check in plan.checks} <= answered:
            await self._reports.write(workload, plan)
        self._queue.add_after(AllowlistKey(), _ALLOWLIST_DELAY_SECONDS)
        failure = problem or refusal
        if failure is not None:
            raise failure

    async def _make_comply(
        self, workload: Workload, plan: Plan
    ) -> tuple[Workload, Plan, ApiError | None]:
        """Write the edits; the workload and the plan after that, and the error if the API server
        refuses the write. A refusal lasts, so the state is reported all the same.

        Raises ApiError for what may pass soon.
        """
        ref, claims = workload.ref, await self._read_claims(workload, plan)
        if claims:
            plan = decide(self._gather(workload, claims))
        try:
            if plan.edits:
                written = tuple(arguments_of(plan.edits))
                workload = await self._write(workload, plan, claims)
                plan = decide(self._gather(workload, claims, written))
                # No watch event need come for what was undone in the same request.
                self._wait_for_turn(ref, plan)
            if workload.field_owners.interrupted and not self._may_not_change(workload):
                kind = kinds.WORKLOAD_BY_KIND[ref.kind]
                self._cache.upsert(kind, await finish_interrupted_write(self._client, workload))
        except ApiError as error:
            if error.is_not_found:
                # It was deleted, and its watch has missed that, or is late.
                self._cache.fleet.delete_workload(ref, workload.uid)
            if not error.is_refusal:
                raise
            if self._refused.get(ref) != str(error):
                self._refused[ref] = str(error)
                note = f"the operator may not change this workload: {error}"
                await self._warn(workload, "TelemetryWriteRefused", note)
            return workload, plan, error
        self._refused.pop(ref, None)
        return workload, plan, None

    async def _delete(self, ref: WorkloadRef) -> None:
        """Delete what was written for a workload that no longer exists. Raises ApiError."""
        before = self._plans.get(ref)
        self._plans.delete(ref)
        self._refused.pop(ref, None)
        self._repeated.forget(ref)
        # This comes before all that may fail: the next attempt would see no difference.
        self._enqueue_policies(before)
        self._verifier.plan(ref, (), None)
        self._fields.plan(ref, NO_FIELDS)
        if self._config_maps is not None:
            self._config_maps.forget(ref)
        await self._egress.forget(ref)
        await self._reports.delete(ref)
        self._queue.add_after(AllowlistKey(), _ALLOWLIST_DELAY_SECONDS)
        # The garbage collector deletes the WorkloadTelemetry of a deleted workload, but not that
        # of a workload that no longer runs a product.
        if self._cache.telemetry_of(ref) is not None:
            name = workload_telemetry_name(ref)
            await self._client.delete(kinds.WORKLOAD_TELEMETRY, name, ref.namespace)

    def _gather(
        self,
        workload: Workload,
        claims: Claims | None = None,
        written: tuple[InjectedVariable, ...] = (),
    ) -> Input:
        """Everything that the decision depends on, from the cache as it is now. ``written``: what
        this replica has just written, and has not recorded yet."""
        ref = workload.ref
        status = self._cache.status_of(workload)
        return Input(
            workload=workload,
            policies=self._cache.policies_for(ref.namespace),
            catalogue=self._cache.catalogue,
            now=self._now(),
            trigger=Trigger.RECONCILE,
            namespace_labels=self._cache.labels_of(ref.namespace),
            recorded=Recorded((*self._cache.ever_injected_into(workload), *written)),
            pods=self._cache.fleet.pods_of(ref),
            claims=claims or {},
            config_maps=self._config_maps.known(ref) if self._config_maps else {},
            seeds=status.seeds if status else (),
            excluded=self._is_excluded(ref.namespace),
            active_parts=self._cache.fleet.has_active_part(ref),
            reported=self._verifier.results(ref),
            reported_before=stored_reports(status) if status else {},
            contacts=self._observed.contacts_of(ref) if self._observed else NO_CONTACTS,
            fields=self._fields.states(ref),
            field_records=status.resources if status else (),
        )

    def _is_excluded(self, namespace: str) -> bool:
        return self._excluded.covers(namespace, self._cache.labels_of(namespace))

    def _may_not_change(self, workload: Workload) -> bool:
        return workload.is_left_out or self._is_excluded(workload.ref.namespace)

    async def _read_config_maps(self, workload: Workload) -> None:
        """What containers with products take variables from, if it is not known yet."""
        if self._config_maps is None:
            return
        catalogue, pods = self._cache.catalogue, self._cache.fleet.pods_of(workload.ref)
        templates = {id(one): one for one in (workload.template, *(pod.template for pod in pods))}
        targets = [
            target for one in templates.values() for target in match_containers(one, catalogue)
        ]
        names = names_to_read(targets)
        if names:
            starts = ((pod.uid, pod.containers_started) for pod in pods)
            await self._config_maps.read(workload.ref, names, starts)
        else:
            self._config_maps.forget(workload.ref)

    async def _read_claims(self, workload: Workload, plan: Plan) -> Claims:
        """The volume claims of the pods, if a verdict depends on them. Raises ApiError."""
        status = self._cache.status_of(workload)
        unproven = any(verdict.reason is Reason.SEED_NOT_PROVEN for verdict in plan.verdicts)
        if not unproven and not (status and status.seeds):
            return {}
        claims = {
            volume.claim
            for pod in self._cache.fleet.pods_of(workload.ref)
            for volume in pod.template.volumes
            if volume.kind is VolumeKind.CLAIM
        }
        if not claims:
            return {}
        return await read_volume_claim_facts(self._client, workload.ref.namespace, claims)

    async def _write(self, workload: Workload, plan: Plan, claims: Claims) -> Workload:
        """Write the edits, or wait for another rollout, or because they were written just before;
        return the workload after that. Raises ApiError.
        """
        kind = kinds.WORKLOAD_BY_KIND[workload.ref.kind]
        if self._wait_for_turn(workload.ref, plan):
            return workload
        if not workload.restarts_no_pod and not any(edit.is_urgent for edit in plan.edits):
            blocker = self._gate.blocked_by(workload.ref, self._siblings(plan), _clock())
            if blocker is not None:
                _log.debug("%s: waiting for the rollout of %s", workload.ref, blocker)
                self._queue.add_after(workload.ref, _ROLLOUT_POLL_SECONDS)
                return workload

        def edits_for(fresh: Workload) -> tuple[Edit, ...]:
            # Decided on again: policies may have changed during the request before.
            return decide(self._gather(fresh, claims)).edits

        self._gate.begin(workload.ref)
        try:
            manifest = await write_edits(self._client, workload, edits_for)
            # The watch event may be late; the next sibling has to see that the rollout began.
            self._cache.upsert(kind, manifest)
        finally:
            self._gate.end(workload.ref, _clock())
        written = self._cache.fleet.workloads.get(workload.ref, workload)
        await self._report_changes(written, plan)
        if self._repeated.count(workload.ref, plan.edits, _clock()) == SAID_AFTER:
            await self._report_repetition(written, plan)
        return written

    def _wait_for_turn(self, ref: WorkloadRef, plan: Plan) -> bool:
        """Whether edits have to wait because they were written just before. They are reconciled
        again after that."""
        seconds = self._repeated.seconds_until(ref, plan.edits, _clock())
        if seconds:
            self._queue.add_after(ref, seconds)
        return seconds > 0

    async def _report_repetition(self, written: Workload, plan: Plan) -> None:
        """An Event and a log line for what somebody undoes again and again."""
        note = (
            f"written {SAID_AFTER} times, and undone each time: {name_entries(plan.edits)}. "
            "Another admission webhook, admission policy or controller changes the same; "
            f"it is tried again at most every {LONGEST_SECONDS:.0f} seconds."
        )
        _log.warning("%s: %s", written.ref, note)
        await self._warn(written, "TelemetryWriteUndone", note)

    async def _report_changes(self, written: Workload, plan: Plan) -> None:
        """Events for what was written, and for the rollout that it begins."""
        edits = [edit for edit in plan.edits if shows(written.template, edit)]
        notices = [*change_notices(edits, "The controller")]
        rollout = rollout_notice(written, edits)
        regarding = regarding_workload(written.ref, written.uid)
        for notice in (*notices, rollout) if rollout else notices:
            await self._events.event(regarding, notice.reason, notice.note, warning=notice.warning)

    def _siblings(self, plan: Plan) -> Iterator[Workload]:
        """The workloads that run one of the same products."""
        products = {target.product.name for target in plan.targets}
        for ref, other in self._plans.items():
            if products & {target.product.name for target in other.targets}:
                workload = self._cache.fleet.workloads.get(ref)
                if workload is not None:
                    yield workload

    async def _write_telemetry(self, workload: Workload, plan: Plan) -> None:
        """Write the WorkloadTelemetry if its status changed, and its labels if they did. The API
        server takes no status with an object, so a new one takes two requests. Raises ApiError."""
        before = self._cache.status_of(workload)
        contacts = self._observed.records_of(workload.ref) if self._observed else ()
        status = build_workload_status(workload, plan, before, self._now(), contacts)
        manifest = workload_telemetry_manifest(workload, status)
        entry = self._cache.telemetry_of(workload.ref)
        if before is None or entry is None or not is_labelled(entry.labels, before, status):
            self._cache.upsert(
                kinds.WORKLOAD_TELEMETRY,
                await self._client.apply(kinds.WORKLOAD_TELEMETRY, manifest),
            )
        if before == status:
            return
        if before and self._may_wait(status, before):
            return
        await write_status(self._client, self._cache, kinds.WORKLOAD_TELEMETRY, manifest, status)
        log_verdicts(workload, before, status)
        for notice in workload_notices(before.conditions if before else (), status.conditions):
            await self._warn(workload, notice.reason, notice.note)

    async def _warn(self, workload: Workload, reason: str, note: str) -> None:
        regarding = regarding_workload(workload.ref, workload.uid)
        await self._events.event(regarding, reason, note, warning=True)

    def _may_wait(self, status: WorkloadTelemetryStatus, before: WorkloadTelemetryStatus) -> bool:
        """Whether what differs goes with the next write."""
        if self._observed is None:
            return differs_in_contacts_alone(status, before)
        return self._observed.is_beginning and differs_in_observed_alone(status, before)

    def _enqueue_policies(self, plan: Plan | None) -> None:
        for found in plan.by_policy if plan else ():
            self._queue.add_after(PolicyStatusKey(policy_key(found)), _POLICY_DELAY_SECONDS)


def decide_again_after(plan: Plan, now: datetime) -> float | None:
    """The seconds after which to decide again although nothing happens: a lookup no longer counts.
    Where the product is asked, soon: the same answer as before is no event, and later than the
    lookup. None: never."""
    if plan.holds_until is None:
        return None
    seconds = (plan.holds_until - now).total_seconds() + _AFTER_SECONDS
    if any(check.grant is not None for check in plan.checks):
        seconds = min(seconds, _REPORT_POLL_SECONDS)
    return max(seconds, _AFTER_SECONDS)


def _pods_to_ask(pods: Iterable[Pod]) -> object:
    """What a check depends on. After a change of it, the product is checked soon."""
    return frozenset((pod.uid, pod.address, pod.ready) for pod in pods if pod.address)


def _clock() -> float:
    return asyncio.get_running_loop().time()
