"""The loop that makes the cluster as the policies wish, one subject at a time."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from fleet_telemetry.api.policy import PolicyKind
from fleet_telemetry.api.reasons import Reason
from fleet_telemetry.api.resources import API_VERSION
from fleet_telemetry.api.workload_telemetry import workload_telemetry_name
from fleet_telemetry.controllers.egress.allowlist import AllowlistWriter
from fleet_telemetry.controllers.egress.reconciler import EgressReconciler
from fleet_telemetry.controllers.product_webhooks import ProductWebhooks
from fleet_telemetry.controllers.reports import ReportWriter
from fleet_telemetry.controllers.rollouts import RolloutGate
from fleet_telemetry.controllers.runtime.verifier import Verifier
from fleet_telemetry.controllers.workload_writer import finish_interrupted_write, write_edits
from fleet_telemetry.decision import Input, Plan, decide
from fleet_telemetry.evidence.seed import VolumeClaimFacts
from fleet_telemetry.kube import kinds
from fleet_telemetry.kube.cache import ClusterCache
from fleet_telemetry.kube.client import ApiError, KubernetesClient
from fleet_telemetry.kube.entries import PolicyKey
from fleet_telemetry.kube.events import EventRecorder, Regarding
from fleet_telemetry.kube.volume_claims import read_volume_claim_facts
from fleet_telemetry.kube.work_queue import WorkQueue
from fleet_telemetry.reporting.decisions import log_verdicts
from fleet_telemetry.reporting.events import policy_notices, workload_notices
from fleet_telemetry.reporting.metrics import ControllerMetrics
from fleet_telemetry.reporting.policy_status import (
    Covered,
    build_invalid_status,
    build_policy_status,
    build_product_status,
    next_expiry,
)
from fleet_telemetry.reporting.workload_status import (
    build_workload_status,
    status_manifest,
    stored_reports,
    workload_telemetry_manifest,
)
from fleet_telemetry.switches.edits import Cause, Edit, Trigger
from fleet_telemetry.workloads.workload import VolumeKind, Workload, WorkloadRef

_log = logging.getLogger(__name__)

_WORKERS = 4
_ROLLOUT_POLL_SECONDS = 3.0
_WEBHOOKS_AGAIN_SECONDS = 300.0
"""The chart's configuration, from which ours takes the CA, is not watched."""
_LONGEST_TIMER_SECONDS = 86400.0
_POLICY_DELAY_SECONDS = 0.3
"""A policy's status is written once for a burst of changes in its workloads."""
_ALLOWLIST_DELAY_SECONDS = 2.0
"""And the allowlist once for a burst of changes of hosts."""


@dataclass(frozen=True, slots=True)
class ProductSubject:
    """A TelemetryProduct to say something of."""

    name: str


@dataclass(frozen=True, slots=True)
class ExpirySubject:
    """A policy one of whose exceptions ends."""

    policy: PolicyKey


@dataclass(frozen=True, slots=True)
class AllowlistSubject:
    """The allowlist for firewalls outside of the cluster."""


@dataclass(frozen=True, slots=True)
class WebhooksSubject:
    """The webhook configuration for the images of TelemetryProducts."""


Subject = (
    WorkloadRef | PolicyKey | ProductSubject | ExpirySubject | WebhooksSubject | AllowlistSubject
)


class Controller:
    """Decides and writes while this replica leads. It listens to the mirror all the time."""

    def __init__(
        self,
        cache: ClusterCache,
        client: KubernetesClient,
        metrics: ControllerMetrics,
        *,
        now: Callable[[], datetime],
        webhooks: ProductWebhooks | None,
        verifier: Verifier,
        containment: EgressReconciler,
        allowlist: AllowlistWriter,
        reports: ReportWriter,
    ) -> None:
        self._cache = cache
        self._client = client
        self._metrics = metrics
        self._now = now
        self._webhooks = webhooks
        self._verifier = verifier
        verifier.told = self.workload_changed
        self._containment = containment
        self._allowlist = allowlist
        self._reports = reports
        reports.told = self._add_everything
        self._events = EventRecorder(client, now)
        self._queue: WorkQueue[Subject] = WorkQueue()
        self._plans: dict[WorkloadRef, Plan] = {}
        self._gate = RolloutGate()
        self._leading = False
        metrics.set_queue(lambda: (len(self._queue), self._queue.oldest_age()))
        cache.add_listener(self)

    def plans(self) -> Iterator[tuple[WorkloadRef, Plan]]:
        """What is known of the fleet; nothing while another replica leads."""
        return iter(list(self._plans.items()))

    async def lead(self) -> None:
        """Do the work until cancelled."""
        await self._cache.synced.wait()
        try:
            self._leading = True
            self._metrics.set_leading(leading=True)
            await self._containment.begin()
            await self._reports.look()
            self._resume_rollouts()
            self._add_everything()
            async with asyncio.TaskGroup() as group:
                group.create_task(self._verifier.run())
                group.create_task(self._containment.run())
                group.create_task(self._reports.run())
                for _ in range(_WORKERS):
                    group.create_task(self._work())
        finally:
            self._leading = False
            self._metrics.set_leading(leading=False)
            self._queue.close()
            self._queue = WorkQueue()
            self._plans.clear()

    def workload_changed(self, ref: WorkloadRef) -> None:
        """See CacheListener."""
        self._add(ref)

    def policy_changed(self, key: PolicyKey) -> None:
        """See CacheListener."""
        self._add(key)
        for ref in self._cache.fleet.workloads:
            if key[1] in ("", ref.namespace):
                self._add(ref)

    def policy_status_changed(self, key: PolicyKey) -> None:
        """See CacheListener."""
        self._add(key)

    def namespace_changed(self, name: str) -> None:
        """See CacheListener."""
        for ref in self._cache.fleet.workloads:
            if ref.namespace == name:
                self._add(ref)

    def network_changed(self, namespace: str) -> None:
        """See CacheListener."""
        self.namespace_changed(namespace)
        for ref in self._containment.owned_in(namespace):
            self._add(ref)

    def product_changed(self, name: str) -> None:
        """See CacheListener."""
        if self._leading:
            self._add_everything()
            self._add(ProductSubject(name))

    def _add(self, subject: Subject) -> None:
        if self._leading:
            self._queue.add(subject)

    def _add_everything(self) -> None:
        for ref in self._cache.fleet.workloads:
            self._queue.add(ref)
        for record in self._cache.workload_telemetries.values():
            if record.owner is not None:
                self._queue.add(record.owner)
        for ref in self._containment.owned():
            self._queue.add(ref)
        for key in self._cache.policies:
            self._queue.add(key)
        for name in self._cache.products:
            self._queue.add(ProductSubject(name))
        self._queue.add(WebhooksSubject())

    def _resume_rollouts(self) -> None:
        """Whatever a leader before us may have begun is under way for us too."""
        for workload in self._cache.fleet.workloads.values():
            if workload.rolling_out and self._cache.injected_into(workload.ref):
                self._gate.end(workload.ref, self._clock())

    @staticmethod
    def _clock() -> float:
        return asyncio.get_running_loop().time()

    async def _work(self) -> None:
        while True:
            subject = await self._queue.take()
            started = time.perf_counter()
            result = "ok"
            try:
                await self._reconcile(subject)
            except ApiError as error:
                result = self._refused(subject, error)
            except Exception:  # noqa: BLE001  # as said below, and it is logged
                # A bug of ours with one object must not stop the work on all others.
                result = "bug"
                delay = self._queue.failed(subject)
                _log.exception("%s: again in %.1f s", subject, delay)
            else:
                self._queue.done(subject)
            seconds = time.perf_counter() - started
            self._metrics.observe(_subject_kind(subject), result, seconds)

    def _refused(self, subject: Subject, error: ApiError) -> str:
        """What a refusal is called in the metrics; the subject gets its next turn, if any."""
        if error.is_ending_namespace:
            # The workload goes with its namespace, and tells so in an event of its own.
            self._queue.done(subject)
            return "namespace_ending"
        delay = self._queue.failed(subject)
        level = logging.DEBUG if error.is_conflict else logging.WARNING
        _log.log(level, "%s: %s; again in %.1f s", subject, error, delay)
        return "conflict" if error.is_conflict else "error"

    async def _reconcile(self, subject: Subject) -> None:
        match subject:
            case WorkloadRef():
                await self._reconcile_workload(subject)
            case ProductSubject(name):
                await self._reconcile_product(name)
            case WebhooksSubject():
                if self._webhooks is not None:
                    await self._webhooks.reconcile(self._cache)
                    self._queue.add_later(subject, _WEBHOOKS_AGAIN_SECONDS)
            case AllowlistSubject():
                entries = self._containment.entries()
                if entries is not None:
                    await self._allowlist.write(entries)
            case ExpirySubject(key):
                self.policy_changed(key)
            case _:
                await self._reconcile_policy(subject)

    async def _reconcile_workload(self, ref: WorkloadRef) -> None:
        workload = self._cache.fleet.workloads.get(ref)
        before = self._plans.get(ref)
        if workload is None:
            self._plans.pop(ref, None)
            # Before anything that may fail: the next attempt sees nothing new.
            self._notify_policies(before)
            self._verifier.plan(ref, (), None)
            await self._containment.forget(ref)
            await self._reports.forget(ref)
            self._queue.add_later(AllowlistSubject(), _ALLOWLIST_DELAY_SECONDS)
            # A deleted workload takes its record along; one that runs no product any more does not.
            if self._cache.status_of(ref) is not None:
                name = workload_telemetry_name(ref)
                await self._client.delete(kinds.WORKLOAD_TELEMETRY, name, ref.namespace)
            return
        answered = {product for product, _ in self._verifier.results(ref)}
        try:
            plan = await self._decide(workload)
            if plan.edits:
                workload = await self._write(workload, plan)
                plan = await self._decide(workload)
            if workload.field_owners.interrupted:
                kind = kinds.WORKLOAD_BY_KIND[ref.kind]
                self._cache.upsert(kind, await finish_interrupted_write(self._client, workload))
        except ApiError:
            # The network is there for settings that fail, also by not being written at all.
            given = self._gather(workload)
            await self._containment.reconcile(workload, decide(given), given.pods)
            raise
        pods = self._cache.fleet.pods_of(ref)
        findings, problem = await self._containment.reconcile(workload, plan, pods)
        plan = replace(plan, egress=findings)
        self._plans[ref] = plan
        if before is None or (before.by_policy, before.egress) != (plan.by_policy, plan.egress):
            # Before anything that may fail: the next attempt sees nothing new.
            self._notify_policies(before)
            self._notify_policies(plan)
        self._verifier.plan(ref, plan.checks, frozenset(pod.uid for pod in pods if pod.address))
        await self._record(workload, plan)
        # What an auditor reads does not change because somebody new leads and has not asked yet.
        if {check.product for check in plan.checks} <= answered:
            await self._reports.write(workload, plan)
        self._queue.add_later(AllowlistSubject(), _ALLOWLIST_DELAY_SECONDS)
        if problem is not None:
            raise problem

    async def _decide(self, workload: Workload) -> Plan:
        given = self._gather(workload)
        plan = decide(given)
        unproven = any(verdict.reason is Reason.SEED_NOT_PROVEN for verdict in plan.verdicts)
        if not unproven and not given.seeds:
            return plan
        claims = {
            volume.claim
            for pod in given.pods
            for volume in pod.template.volumes
            if volume.kind is VolumeKind.CLAIM
        }
        if not claims:
            return plan
        facts = await read_volume_claim_facts(self._client, workload.ref.namespace, claims)
        return decide(self._gather(workload, claims=facts))

    def _gather(
        self, workload: Workload, claims: dict[str, VolumeClaimFacts] | None = None
    ) -> Input:
        ref = workload.ref
        record = self._cache.status_of(ref)
        return Input(
            workload=workload,
            policies=self._cache.policies_for(ref.namespace),
            catalogue=self._cache.catalogue,
            now=self._now(),
            trigger=Trigger.RECONCILE,
            namespace_labels=self._cache.labels_of(ref.namespace),
            recorded=record.injected if record else (),
            pods=self._cache.fleet.pods_of(ref),
            claims=claims or {},
            seeds=record.seeds if record else (),
            reported=self._verifier.results(ref),
            reported_before=stored_reports(record) if record else {},
        )

    async def _write(self, workload: Workload, plan: Plan) -> Workload:
        """Write what the plan says, in turn; the workload as it is then."""
        kind = kinds.WORKLOAD_BY_KIND[workload.ref.kind]
        if not workload.restarts_no_pod and not _is_urgent(plan):
            blocker = self._gate.blocked_by(workload.ref, self._siblings(plan), self._clock())
            if blocker is not None:
                _log.debug("%s waits for the rollout of %s", workload.ref, blocker)
                self._queue.add_later(workload.ref, _ROLLOUT_POLL_SECONDS)
                return workload

        def edits_for(fresh: Workload) -> tuple[Edit, ...]:
            return decide(self._gather(fresh)).edits

        self._gate.begin(workload.ref)
        try:
            manifest = await write_edits(self._client, workload, edits_for)
            # Its watch event may be late; the next in turn has to see the rollout begin.
            self._cache.upsert(kind, manifest)
        finally:
            self._gate.end(workload.ref, self._clock())
        return self._cache.fleet.workloads.get(workload.ref, workload)

    def _siblings(self, plan: Plan) -> Iterator[Workload]:
        products = {target.product.name for target in plan.targets}
        for ref, other in self._plans.items():
            if products & {target.product.name for target in other.targets}:
                workload = self._cache.fleet.workloads.get(ref)
                if workload is not None:
                    yield workload

    async def _record(self, workload: Workload, plan: Plan) -> None:
        key = (workload.ref.namespace, workload_telemetry_name(workload.ref))
        entry = self._cache.workload_telemetries.get(key)
        status = build_workload_status(workload, plan, entry.status if entry else None, self._now())
        manifest = workload_telemetry_manifest(workload)
        if entry is None or entry.owner_uid != workload.uid:
            self._cache.upsert(
                kinds.WORKLOAD_TELEMETRY,
                await self._client.apply(kinds.WORKLOAD_TELEMETRY, manifest),
            )
        elif entry.status == status:
            return
        written = await self._client.apply(
            kinds.WORKLOAD_TELEMETRY, status_manifest(manifest, status), subresource="status"
        )
        self._cache.upsert(kinds.WORKLOAD_TELEMETRY, written)
        log_verdicts(workload, entry.status if entry else None, status)
        before = entry.status.conditions if entry else ()
        for notice in workload_notices(before, status.conditions):
            await self._events.tell(
                workload.ref, notice.reason, notice.note, uid=workload.uid, warning=True
            )

    def _notify_policies(self, plan: Plan | None) -> None:
        for found in plan.by_policy if plan else ():
            policy = found.policy
            key = (policy.kind, policy.namespace, policy.name)
            self._queue.add_later(key, _POLICY_DELAY_SECONDS)

    async def _reconcile_policy(self, key: PolicyKey) -> None:
        entry = self._cache.policy(key)
        if entry is None:
            return
        now = self._now()
        if entry.policy is None:
            status = build_invalid_status(entry.problem, entry.generation, entry.status, now)
        else:
            covered = [
                Covered(ref, found, plan.egress)
                for ref, plan in self._plans.items()
                for found in plan.by_policy
                if (found.policy.kind, found.policy.namespace, found.policy.name) == key
            ]
            catalogue = self._cache.catalogue
            status = build_policy_status(entry.policy, covered, catalogue, entry.status, now)
            self._return_at_expiry(key, next_expiry(entry.policy, now), now)
        if status != entry.status:
            kind_name, namespace, name = key
            kind = kinds.POLICY if kind_name is PolicyKind.NAMESPACED else kinds.CLUSTER_POLICY
            metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
            manifest = {"apiVersion": API_VERSION, "kind": kind_name, "metadata": metadata}
            written = await self._client.apply(
                kind, status_manifest(manifest, status), subresource="status"
            )
            self._cache.upsert(kind, written)
            uid = entry.policy.uid if entry.policy is not None else ""
            regarding = Regarding(API_VERSION, kind_name, namespace, name, uid)
            for notice in policy_notices(entry.status.conditions, status.conditions):
                await self._events.tell_of(regarding, notice.reason, notice.note, warning=True)

    def _return_at_expiry(self, key: PolicyKey, expiry: datetime | None, now: datetime) -> None:
        """When an exception ends, its workload is decided on anew."""
        if expiry is not None:
            seconds = min((expiry - now).total_seconds() + 1, _LONGEST_TIMER_SECONDS)
            self._queue.add_later(ExpirySubject(key), seconds)

    async def _reconcile_product(self, name: str) -> None:
        entry = self._cache.products.get(name)
        self._queue.add(WebhooksSubject())
        if entry is None:
            return
        status = build_product_status(entry.problem, entry.generation, entry.status, self._now())
        if status != entry.status:
            manifest = {
                "apiVersion": API_VERSION,
                "kind": kinds.PRODUCT.kind,
                "metadata": {"name": name},
            }
            written = await self._client.apply(
                kinds.PRODUCT, status_manifest(manifest, status), subresource="status"
            )
            self._cache.upsert(kinds.PRODUCT, written)


def _is_urgent(plan: Plan) -> bool:
    """A product that cannot start because of what we put there does not wait its turn."""
    return any(edit.cause is Cause.REFUSED and edit.policy is None for edit in plan.edits)


def _subject_kind(subject: Subject) -> str:
    match subject:
        case WorkloadRef():
            return "workload"
        case ProductSubject():
            return "product"
        case WebhooksSubject():
            return "webhooks"
        case ExpirySubject():
            return "expiry"
        case AllowlistSubject():
            return "allowlist"
        case _:
            return "policy"
