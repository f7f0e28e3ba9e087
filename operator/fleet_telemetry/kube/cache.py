"""The cache of everything in the cluster that decisions depend on."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import Protocol

from fleet_telemetry.api.policy import Policy, PolicyKind
from fleet_telemetry.api.workload_telemetry import (
    InjectedVariable,
    WorkloadTelemetryStatus,
    workload_telemetry_name,
)
from fleet_telemetry.catalogue.catalogue import Catalogue
from fleet_telemetry.catalogue.combining import Rejection, combine
from fleet_telemetry.kube import kinds
from fleet_telemetry.kube.entries import (
    PolicyEntry,
    PolicyKey,
    ProductEntry,
    WorkloadTelemetryEntry,
    decode_host,
    decode_labels,
    decode_policy,
    decode_product,
    decode_workload_telemetry,
)
from fleet_telemetry.kube.foreign_stores import (
    PodKindStore,
    WorkloadKindStore,
)
from fleet_telemetry.kube.network_policy_store import NetworkPolicyStore
from fleet_telemetry.kube.seen_workloads import SeenInNamespace
from fleet_telemetry.kube.store import ObjectKey, ReflectorStore, Store
from fleet_telemetry.kube.workload_store import Fleet
from fleet_telemetry.objects.kind import Kind
from fleet_telemetry.objects.manifest import Manifest
from fleet_telemetry.policy.precedence import selects_namespaces
from fleet_telemetry.switches.resource_plan import is_written
from fleet_telemetry.workloads.workload import Workload, WorkloadRef


class CacheListener(Protocol):
    """Called after the cache changed."""

    def workload_changed(self, ref: WorkloadRef) -> None:
        """A workload, one of its pods or its WorkloadTelemetry was added, changed or deleted."""

    def policy_changed(self, key: PolicyKey) -> None:
        """A policy was added, changed or deleted."""

    def policy_status_changed(self, key: PolicyKey) -> None:
        """Only the status of a policy changed."""

    def namespace_changed(self, name: str) -> None:
        """A namespace was added, or its labels changed."""

    def network_changed(self, namespace: str) -> None:
        """The NetworkPolicies of a namespace changed."""

    def product_changed(self, name: str) -> None:
        """A TelemetryProduct was added, changed or deleted, and the catalogue with it."""


class ClusterCache:
    """One store for each watched kind. It belongs to one event loop."""

    def __init__(
        self, builtin: Catalogue, watched: tuple[Kind, ...] = kinds.WATCHED_BY_CONTROLLER
    ) -> None:
        self.watched = watched
        """The kinds to list and watch, in the order of listing."""
        self.catalogue = builtin
        """The built-in products and the TelemetryProducts."""
        self.rejected_products: Mapping[str, Rejection] = {}
        """The TelemetryProducts that are valid by themselves and not in the catalogue."""
        self.namespaced_policies = self._policy_store(PolicyKind.NAMESPACED)
        self.cluster_policies = self._policy_store(PolicyKind.CLUSTER)
        self.products = Store(_name, decode_product, self._product_changed)
        self.namespaces = Store(_name, decode_labels, self._labels_changed)
        """The labels of each namespace."""
        self.workload_telemetries = Store(
            _same, decode_workload_telemetry, self._workload_telemetry_changed
        )
        self.hosts = Store(_name, decode_host)
        """The status of each TelemetryHost."""
        self.fleet = Fleet(self._workload_changed, self._has_record)
        self.networks = NetworkPolicyStore(self._network_changed)
        self.synced = asyncio.Event()
        """Set once everything has been listed. Before that, a missing object may just not have been
        listed yet, so nothing may be decided."""
        self.catalogue_changed = asyncio.Event()
        """Set when the catalogue changed. Images that were ignored may be products now, so
        everything has to be listed again."""
        self._builtin = builtin
        self._listeners: list[CacheListener] = []
        workloads = {
            kind: WorkloadKindStore(self.fleet, kind, self._current_catalogue)
            for kind in kinds.WORKLOADS
        }
        self._seen = tuple(store.seen for store in workloads.values())
        self._stores: Mapping[Kind, ReflectorStore] = {
            kinds.POLICY: self.namespaced_policies,
            kinds.CLUSTER_POLICY: self.cluster_policies,
            kinds.PRODUCT: self.products,
            kinds.NAMESPACE: self.namespaces,
            kinds.WORKLOAD_TELEMETRY: self.workload_telemetries,
            kinds.HOST: self.hosts,
            kinds.NETWORK_POLICY: self.networks,
            **workloads,
            kinds.POD: PodKindStore(self.fleet, self._current_catalogue),
        }

    def add_listener(self, listener: CacheListener) -> None:
        """Call ``listener`` after each change from now on."""
        self._listeners.append(listener)

    def store(self, kind: Kind) -> ReflectorStore:
        """The store of a kind. Raises KeyError for a kind that is not cached."""
        return self._stores[kind]

    def upsert(self, kind: Kind, manifest: Manifest) -> None:
        """Add or update an object from a watch event or from the response to a write."""
        self._stores[kind].upsert(manifest)

    def delete(self, kind: Kind, manifest: Manifest) -> None:
        """Delete an object that a watch event reports as deleted, or that was deleted by us."""
        self._stores[kind].delete(manifest)

    @property
    def policies(self) -> Mapping[PolicyKey, PolicyEntry]:
        """The policies of both kinds: a copy."""
        return {**self.namespaced_policies, **self.cluster_policies}

    def policy(self, key: PolicyKey) -> PolicyEntry | None:
        """A policy of either kind; None if there is none."""
        is_cluster = key[0] is PolicyKind.CLUSTER
        return (self.cluster_policies if is_cluster else self.namespaced_policies).get(key)

    def policies_in_force(self) -> tuple[Policy, ...]:
        """Every policy that can be decoded."""
        entries = chain(self.namespaced_policies.values(), self.cluster_policies.values())
        return tuple(entry.policy for entry in entries if entry.policy is not None)

    def policies_for(self, namespace: str) -> tuple[Policy, ...]:
        """The policies that may apply to workloads in a namespace. Of one that is not cached yet,
        the labels are not known: nothing that selects by them applies."""
        is_known = namespace in self.namespaces
        return tuple(
            policy
            for policy in self.policies_in_force()
            if policy.namespace in ("", namespace) and (is_known or not selects_namespaces(policy))
        )

    def labels_of(self, namespace: str) -> Mapping[str, str]:
        """The labels of a namespace; empty if it is not cached."""
        return self.namespaces.get(namespace, {})

    def telemetry_of(self, ref: WorkloadRef) -> WorkloadTelemetryEntry | None:
        """The WorkloadTelemetry by a workload's name, of whatever object it speaks."""
        return self.workload_telemetries.get((ref.namespace, workload_telemetry_name(ref)))

    def status_of(self, workload: Workload) -> WorkloadTelemetryStatus | None:
        """The WorkloadTelemetry status of a workload; None if there is none, or if it speaks of an
        earlier object of the same name."""
        entry = self.telemetry_of(workload.ref)
        if entry is None or not workload.uid or entry.owner_uid != workload.uid:
            return None
        return entry.status

    def status_by_name(self, ref: WorkloadRef) -> WorkloadTelemetryStatus | None:
        """The same, of the workload that is cached under a name."""
        workload = self.fleet.workloads.get(ref)
        return self.status_of(workload) if workload is not None else None

    def injected_into(self, workload: Workload) -> tuple[InjectedVariable, ...]:
        """The injected variables in the WorkloadTelemetry status of a workload."""
        status = self.status_of(workload)
        return status.injected if status is not None else ()

    def ever_injected_into(self, workload: Workload) -> tuple[InjectedVariable, ...]:
        """The same, with those that were injected earlier."""
        status = self.status_of(workload)
        return (*status.injected, *status.injected_before) if status is not None else ()

    def seen_workloads(self) -> list[SeenInNamespace]:
        """How many workloads the watches see, also those without a product, by namespace. May be
        called from another thread."""
        known: Counter[str] = Counter()
        others: Counter[str] = Counter()
        for found in chain.from_iterable(seen.count() for seen in self._seen):
            known[found.namespace] += found.known
            others[found.namespace] += found.others
        return [SeenInNamespace(name, known[name], others[name]) for name in sorted(known)]

    def _has_record(self, ref: WorkloadRef, uid: str) -> bool:
        entry = self.telemetry_of(ref)
        return (
            entry is not None
            and entry.owner_uid == uid
            and (bool(entry.status.injected) or any(map(is_written, entry.status.resources)))
        )

    def _policy_store(self, kind: PolicyKind) -> Store[PolicyKey, PolicyEntry]:
        return Store(
            lambda key: (kind, *key),
            partial(decode_policy, kind),
            self._policy_changed,
        )

    def _policy_changed(
        self, key: PolicyKey, before: PolicyEntry | None, after: PolicyEntry | None
    ) -> None:
        # The operator writes the status often; workloads do not depend on it.
        only_status = before and after and replace(before, status=after.status) == after
        for listener in self._listeners:
            if only_status:
                listener.policy_status_changed(key)
            else:
                listener.policy_changed(key)

    def _product_changed(
        self, name: str, before: ProductEntry | None, after: ProductEntry | None
    ) -> None:
        if before and after and replace(before, status=after.status) == after:
            return  # only the status changed
        usable = (entry.product for entry in self.products.values() if entry.product is not None)
        combined = combine(self._builtin, usable)
        self.catalogue, self.rejected_products = combined.catalogue, combined.rejected
        self.catalogue_changed.set()
        for listener in self._listeners:
            listener.product_changed(name)

    def _labels_changed(
        self, name: str, _: Mapping[str, str] | None, after: Mapping[str, str] | None
    ) -> None:
        if after is not None:  # the workloads of a deleted namespace are deleted one by one
            for listener in self._listeners:
                listener.namespace_changed(name)

    def _workload_telemetry_changed(
        self,
        _: ObjectKey,
        before: WorkloadTelemetryEntry | None,
        after: WorkloadTelemetryEntry | None,
    ) -> None:
        for entry in (before, after):
            if entry is not None and entry.owner is not None:
                self._workload_changed(entry.owner)

    def _network_changed(self, namespace: str) -> None:
        for listener in self._listeners:
            listener.network_changed(namespace)

    def _workload_changed(self, ref: WorkloadRef) -> None:
        for listener in self._listeners:
            listener.workload_changed(ref)

    def _current_catalogue(self) -> Catalogue:
        return self.catalogue


def _name(key: ObjectKey) -> str:
    """The key of a cluster-scoped object."""
    return key[1]


def _same(key: ObjectKey) -> ObjectKey:
    return key
