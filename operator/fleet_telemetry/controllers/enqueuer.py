"""Turns changes in the cache into reconcile keys."""

from __future__ import annotations

from fleet_telemetry.controllers.egress.reconciler import EgressReconciler
from fleet_telemetry.controllers.keys import (
    PolicyStatusKey,
    ProductKey,
    ReconcileKey,
    WebhooksKey,
)
from fleet_telemetry.kube.cache import ClusterCache
from fleet_telemetry.kube.entries import PolicyKey
from fleet_telemetry.kube.work_queue import WorkQueue
from fleet_telemetry.workloads.workload import WorkloadRef


class Enqueuer:
    """A CacheListener that adds the keys of everything that a change affects."""

    def __init__(
        self, cache: ClusterCache, queue: WorkQueue[ReconcileKey], egress: EgressReconciler
    ) -> None:
        self._cache = cache
        self._queue = queue
        self._egress = egress

    def workload_changed(self, ref: WorkloadRef) -> None:
        """See CacheListener."""
        self._queue.add(ref)

    def policy_changed(self, key: PolicyKey) -> None:
        """See CacheListener."""
        self._egress.policies_changed(key[1])
        self._queue.add(PolicyStatusKey(key))
        for name in self._cache.products:
            self._queue.add(ProductKey(name))
        for ref in self._cache.fleet.workloads:
            if key[1] in ("", ref.namespace):
                self._queue.add(ref)

    def policy_status_changed(self, key: PolicyKey) -> None:
        """See CacheListener."""
        self._queue.add(PolicyStatusKey(key))

    def namespace_changed(self, name: str) -> None:
        """See CacheListener."""
        for ref in self._cache.fleet.workloads:
            if ref.namespace == name:
                self._queue.add(ref)

    def network_changed(self, namespace: str) -> None:
        """See CacheListener."""
        self.namespace_changed(namespace)
        for ref in self._egress.owned_in(namespace):
            self._queue.add(ref)

    def product_changed(self, name: str) -> None:
        """See CacheListener."""
        self.enqueue_all()
        self._queue.add(ProductKey(name))

    def enqueue_all(self) -> None:
        """Add the keys of all objects.

        That includes deleted workloads that a WorkloadTelemetry or a network policy is left of.
        """
        for ref in self._cache.fleet.workloads:
            self._queue.add(ref)
        for entry in self._cache.workload_telemetries.values():
            if entry.owner is not None:
                self._queue.add(entry.owner)
        for ref in self._egress.owned():
            self._queue.add(ref)
        for key in self._cache.policies:
            self._queue.add(PolicyStatusKey(key))
        for name in self._cache.products:
            self._queue.add(ProductKey(name))
        self._queue.add(WebhooksKey())
