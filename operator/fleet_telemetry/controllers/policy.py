"""Writes the status of policies, and reconciles workloads when an exception expires."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import ClassVar

from fleet_telemetry.api.policy import Policy, PolicyKind, PolicyStatus
from fleet_telemetry.api.resources import API_VERSION
from fleet_telemetry.controllers.keys import ExpiryKey, PolicyStatusKey, ReconcileKey
from fleet_telemetry.controllers.plans import Plans, policy_key
from fleet_telemetry.controllers.status_writer import write_status
from fleet_telemetry.kube import kinds
from fleet_telemetry.kube.cache import ClusterCache
from fleet_telemetry.kube.client import KubernetesClient
from fleet_telemetry.kube.entries import PolicyEntry, PolicyKey
from fleet_telemetry.kube.events import EventRecorder, Regarding
from fleet_telemetry.kube.work_queue import WorkQueue
from fleet_telemetry.reporting.events import policy_notices
from fleet_telemetry.reporting.policy_status import (
    Covered,
    build_invalid_status,
    build_policy_status,
    next_expiry,
)

_LONGEST_TIMER_SECONDS = 86400.0


class PolicyReconciler:
    """Writes the status of a policy from the plans of the workloads that it covers."""

    key_type: ClassVar = PolicyStatusKey
    name: ClassVar = "policy"

    def __init__(
        self,
        cache: ClusterCache,
        client: KubernetesClient,
        queue: WorkQueue[ReconcileKey],
        plans: Plans,
        events: EventRecorder,
        *,
        hosts_not_looked_up: Callable[[Policy], Sequence[str]],
        now: Callable[[], datetime],
    ) -> None:
        self._cache = cache
        self._client = client
        self._queue = queue
        self._plans = plans
        self._events = events
        self._hosts_not_looked_up = hosts_not_looked_up
        self._now = now

    async def reconcile(self, key: PolicyStatusKey) -> None:
        """Write the status if it changed. Raises ApiError."""
        entry = self._cache.policy(key.policy)
        if entry is None:
            return
        now = self._now()
        status = self._build_status(key.policy, entry, now)
        if entry.policy is not None:
            self._enqueue_at_expiry(key.policy, next_expiry(entry.policy, now), now)
        if status != entry.status:
            await self._write(key.policy, entry, status)

    def _build_status(self, key: PolicyKey, entry: PolicyEntry, now: datetime) -> PolicyStatus:
        if entry.policy is None:
            return build_invalid_status(entry.problem, entry.generation, entry.status, now)
        covered = [
            Covered(ref, found, plan.egress)
            for ref, plan in self._plans.items()
            for found in plan.by_policy
            if policy_key(found) == key
        ]
        return build_policy_status(
            entry.policy,
            covered,
            self._cache.catalogue,
            entry.status,
            now,
            hosts_not_looked_up=self._hosts_not_looked_up(entry.policy),
        )

    async def _write(self, key: PolicyKey, entry: PolicyEntry, status: PolicyStatus) -> None:
        kind_name, namespace, name = key
        kind = kinds.POLICY if kind_name is PolicyKind.NAMESPACED else kinds.CLUSTER_POLICY
        metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
        manifest = {"apiVersion": API_VERSION, "kind": kind_name, "metadata": metadata}
        await write_status(self._client, self._cache, kind, manifest, status)
        uid = entry.policy.uid if entry.policy is not None else ""
        regarding = Regarding(API_VERSION, kind_name, namespace, name, uid)
        for notice in policy_notices(entry.status.conditions, status.conditions):
            await self._events.event(regarding, notice.reason, notice.note, warning=True)

    def _enqueue_at_expiry(self, key: PolicyKey, expiry: datetime | None, now: datetime) -> None:
        if expiry is not None:
            seconds = min((expiry - now).total_seconds() + 1, _LONGEST_TIMER_SECONDS)
            self._queue.add_after(ExpiryKey(key), seconds)


class ExpiryReconciler:
    """Enqueues the workloads of a policy when one of its exceptions expires."""

    key_type: ClassVar = ExpiryKey
    name: ClassVar = "expiry"

    def __init__(self, enqueue_policy: Callable[[PolicyKey], None]) -> None:
        self._enqueue_policy = enqueue_policy

    async def reconcile(self, key: ExpiryKey) -> None:
        """Enqueue the policy and the workloads that it may cover."""
        self._enqueue_policy(key.policy)
