"""What the cluster looks like, as far as it matters, kept current by watch events."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Protocol, TypeVar

import msgspec

from fleet_telemetry.api.policy import (
    ClusterTelemetryPolicySpec,
    Policy,
    PolicyKind,
    PolicyStatus,
    TelemetryPolicySpec,
)
from fleet_telemetry.api.product import TelemetryProductSpec, TelemetryProductStatus
from fleet_telemetry.api.schema import ApiType
from fleet_telemetry.api.telemetry_host import TelemetryHostStatus, read_host_status
from fleet_telemetry.api.workload_telemetry import (
    InjectedVariable,
    WorkloadTelemetryStatus,
    workload_telemetry_name,
)
from fleet_telemetry.catalogue.catalogue import Catalogue
from fleet_telemetry.catalogue.product import Product, ProductError
from fleet_telemetry.kube import kinds
from fleet_telemetry.kube.network_policy_store import Networks
from fleet_telemetry.kube.workload_store import Fleet, ObjectKey
from fleet_telemetry.objects.kind import Kind
from fleet_telemetry.objects.manifest import Manifest, items_at, mapping_at, read_time
from fleet_telemetry.workloads.registry import WorkloadKind
from fleet_telemetry.workloads.workload import WorkloadRef

PolicyKey = tuple[PolicyKind, str, str]
"""Kind, namespace (empty for a cluster policy) and name."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_Status = TypeVar("_Status", bound=ApiType)


@dataclass(frozen=True, slots=True)
class PolicyEntry:
    """A policy object: the policy, or why it cannot be read; and its present status."""

    generation: int
    policy: Policy | None
    problem: str
    status: PolicyStatus


@dataclass(frozen=True, slots=True)
class ProductEntry:
    """A TelemetryProduct object: the product, or why it cannot be used; and its present status."""

    generation: int
    product: Product | None
    problem: str
    status: TelemetryProductStatus


@dataclass(frozen=True, slots=True)
class WorkloadTelemetryEntry:
    """A WorkloadTelemetry object: whose it is, and its present status."""

    owner: WorkloadRef | None
    owner_uid: str
    status: WorkloadTelemetryStatus


class Listener(Protocol):
    """Whoever has to act when something changes."""

    def workload_changed(self, ref: WorkloadRef) -> None:
        """A workload, one of its pods or its WorkloadTelemetry came, changed or went."""

    def policy_changed(self, key: PolicyKey) -> None:
        """A policy came, changed or went."""

    def policy_status_changed(self, key: PolicyKey) -> None:
        """Nothing but the status of a policy changed."""

    def namespace_changed(self, name: str) -> None:
        """The labels of a namespace changed."""

    def network_changed(self, namespace: str) -> None:
        """The NetworkPolicies of a namespace changed."""

    def product_changed(self, name: str) -> None:
        """A TelemetryProduct came, changed or went, and with it the catalogue."""


@dataclass
class _Listing:
    """A list under way. What a watch event says meanwhile is at least as new as the list."""

    seen: set[ObjectKey] = field(default_factory=set)
    touched: set[ObjectKey] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class _Shelf:
    """Where the objects of one kind are kept."""

    take: Callable[[ObjectKey, Manifest], None]
    drop: Callable[[ObjectKey, str | None], None]
    """Forgets an object; with a uid, only that very one."""
    keys: Callable[[], Iterable[ObjectKey]]


_POLICIES = (kinds.POLICY, kinds.CLUSTER_POLICY)
_OF_THE_FLEET = (*kinds.WORKLOADS, kinds.POD)
"""The fleet knows the uids of its own."""


class ClusterCache:
    """The state of the cluster. One event loop owns it."""

    def __init__(
        self, builtin: Catalogue, watched: tuple[Kind, ...] = kinds.WATCHED_BY_CONTROLLER
    ) -> None:
        self.watched = watched
        """The kinds that it mirrors, in the order of listing."""
        self.catalogue = builtin
        self.policies: dict[PolicyKey, PolicyEntry] = {}
        self.products: dict[str, ProductEntry] = {}
        self.namespaces: dict[str, Mapping[str, str]] = {}
        self.records: dict[ObjectKey, WorkloadTelemetryEntry] = {}
        self.fleet = Fleet(self._workload_changed)
        self.networks = Networks(self._network_changed)
        self.hosts: dict[str, TelemetryHostStatus] = {}
        self.listener: Listener | None = None
        self.synced = asyncio.Event()
        """Set once everything has been listed: nothing follows from an absence before."""
        self.catalogue_changed = asyncio.Event()
        """Set when other images may be products now, so that everything is to be listed anew."""
        self._builtin = builtin
        self._shelves = self._build_shelves()
        self._listings: dict[Kind, _Listing] = {}
        self._uids: dict[tuple[Kind, ObjectKey], str] = {}
        """Of everything but the fleet, which knows its own."""

    def policies_in_force(self) -> tuple[Policy, ...]:
        """Every policy that can be read."""
        return tuple(entry.policy for entry in self.policies.values() if entry.policy is not None)

    def policies_for(self, namespace: str) -> tuple[Policy, ...]:
        """The policies that could cover something in a namespace."""
        return tuple(
            policy for policy in self.policies_in_force() if policy.namespace in ("", namespace)
        )

    def labels_of(self, namespace: str) -> Mapping[str, str]:
        """A namespace's labels; none if it is not known."""
        return self.namespaces.get(namespace, {})

    def status_of(self, ref: WorkloadRef) -> WorkloadTelemetryStatus | None:
        """What WorkloadTelemetry says of a workload."""
        entry = self.records.get((ref.namespace, workload_telemetry_name(ref)))
        return entry.status if entry is not None else None

    def injected_into(self, ref: WorkloadRef) -> tuple[InjectedVariable, ...]:
        """What WorkloadTelemetry says was injected into a workload."""
        record = self.status_of(ref)
        return record.injected if record is not None else ()

    def observe(self, kind: Kind, manifest: Manifest) -> None:
        """An object as a watch event shows it."""
        key = _key(manifest)
        if kind in self._listings:
            self._listings[kind].touched.add(key)
        self._take(kind, key, manifest)

    def forget(self, kind: Kind, manifest: Manifest) -> None:
        """An object that a watch event calls deleted."""
        key = _key(manifest)
        if kind in self._listings:
            self._listings[kind].touched.add(key)
        # A successor of the same name may have been seen already: events of different objects come
        # in any order.
        uid = str(manifest["metadata"].get("uid", ""))
        if self._uids.get((kind, key), uid) == uid:
            self._drop(kind, key, uid)

    def begin_list(self, kind: Kind) -> None:
        """A full list of a kind begins: what it lacks is gone, even if the watch missed it."""
        self._listings[kind] = _Listing()

    def observe_listed(self, kind: Kind, manifest: Manifest) -> None:
        """An object as the list shows it."""
        key = _key(manifest)
        listing = self._listings[kind]
        listing.seen.add(key)
        if key not in listing.touched:
            self._take(kind, key, manifest)

    def end_list(self, kind: Kind) -> None:
        """The list is complete."""
        listing = self._listings.pop(kind)
        for key in set(self._shelves[kind].keys()) - listing.seen - listing.touched:
            self._drop(kind, key)

    def abandon_list(self, kind: Kind) -> None:
        """The list failed: nothing follows from it."""
        self._listings.pop(kind, None)

    def _take(self, kind: Kind, key: ObjectKey, manifest: Manifest) -> None:
        if kind not in _OF_THE_FLEET:
            self._uids[kind, key] = str(manifest["metadata"].get("uid", ""))
        self._shelves[kind].take(key, manifest)

    def _drop(self, kind: Kind, key: ObjectKey, uid: str | None = None) -> None:
        self._uids.pop((kind, key), None)
        self._shelves[kind].drop(key, uid)

    def _build_shelves(self) -> dict[Kind, _Shelf]:
        fleet, networks = self.fleet, self.networks
        return {
            **{kind: self._shelf_of_workloads(kind) for kind in kinds.WORKLOADS},
            kinds.POD: _Shelf(
                take=lambda _, manifest: fleet.take_pod(manifest, self.catalogue),
                drop=fleet.drop_pod,
                keys=lambda: fleet.keys(kinds.POD.kind),
            ),
            **{kind: self._shelf_of_policies(kind) for kind in _POLICIES},
            kinds.PRODUCT: _Shelf(
                take=lambda key, manifest: self._take_product(key[1], manifest),
                drop=lambda key, _: self._drop_product(key[1]),
                keys=lambda: (("", name) for name in self.products),
            ),
            kinds.NAMESPACE: _Shelf(
                take=lambda key, manifest: self._take_namespace(key[1], manifest),
                drop=lambda key, _: self._drop_namespace(key[1]),
                keys=lambda: (("", name) for name in self.namespaces),
            ),
            kinds.WORKLOAD_TELEMETRY: _Shelf(
                take=self._take_record,
                drop=lambda key, _: self._record_changed(self.records.pop(key, None)),
                keys=lambda: self.records,
            ),
            kinds.NETWORK_POLICY: _Shelf(
                take=networks.take, drop=lambda key, _: networks.drop(key), keys=networks.keys
            ),
            kinds.HOST: _Shelf(
                take=lambda key, manifest: self._take_host(key[1], manifest),
                drop=lambda key, _: self._drop_host(key[1]),
                keys=lambda: (("", name) for name in self.hosts),
            ),
        }

    def _shelf_of_workloads(self, kind: Kind) -> _Shelf:
        def drop(key: ObjectKey, uid: str | None) -> None:
            ref = WorkloadRef(key[0], WorkloadKind(kind.kind), key[1])
            self.fleet.drop_workload(ref, uid)

        return _Shelf(
            take=lambda _, manifest: self.fleet.take_workload(manifest, self.catalogue),
            drop=drop,
            keys=lambda: self.fleet.keys(kind.kind),
        )

    def _shelf_of_policies(self, kind: Kind) -> _Shelf:
        policy_kind = PolicyKind(kind.kind)
        return _Shelf(
            take=lambda key, manifest: self._take_policy((policy_kind, *key), manifest),
            drop=lambda key, _: self._drop_policy((policy_kind, *key)),
            keys=lambda: (key[1:] for key in self.policies if key[0] == policy_kind),
        )

    def _drop_policy(self, key: PolicyKey) -> None:
        if self.policies.pop(key, None) is not None and self.listener:
            self.listener.policy_changed(key)

    def _drop_product(self, name: str) -> None:
        if self.products.pop(name, None) is not None:
            self._catalogue_changed(name)

    def _take_namespace(self, name: str, manifest: Manifest) -> None:
        labels = dict(mapping_at(manifest, "metadata", "labels"))
        if self.namespaces.get(name) != labels:
            self.namespaces[name] = labels
            if self.listener:
                self.listener.namespace_changed(name)

    def _drop_namespace(self, name: str) -> None:
        self.namespaces.pop(name, None)

    def _take_host(self, name: str, manifest: Manifest) -> None:
        self.hosts[name] = read_host_status(mapping_at(manifest, "status"))

    def _drop_host(self, name: str) -> None:
        self.hosts.pop(name, None)

    def _take_policy(self, key: PolicyKey, manifest: Manifest) -> None:
        kind, namespace, name = key
        metadata = mapping_at(manifest, "metadata")
        spec_type: type[TelemetryPolicySpec | ClusterTelemetryPolicySpec] = (
            TelemetryPolicySpec if kind is PolicyKind.NAMESPACED else ClusterTelemetryPolicySpec
        )
        generation = int(metadata.get("generation") or 0)
        policy: Policy | None = None
        problem = ""
        try:
            policy = Policy(
                kind=kind,
                namespace=namespace,
                name=name,
                created=read_time(metadata.get("creationTimestamp")) or _EPOCH,
                spec=msgspec.convert(manifest.get("spec") or {}, spec_type),
                generation=generation,
                uid=str(metadata.get("uid", "")),
            )
        except msgspec.ValidationError as error:
            problem = str(error)
        entry = PolicyEntry(generation, policy, problem, _read_status(manifest, PolicyStatus))
        before = self.policies.get(key)
        self.policies[key] = entry
        if self.listener and before != entry:
            # Ours is written often while a fleet is looked at; it makes no difference to workloads.
            if before is not None and replace(before, status=entry.status) == entry:
                self.listener.policy_status_changed(key)
            else:
                self.listener.policy_changed(key)

    def _take_product(self, name: str, manifest: Manifest) -> None:
        generation = int(mapping_at(manifest, "metadata").get("generation") or 0)
        product: Product | None = None
        problem = ""
        try:
            spec = msgspec.convert(manifest.get("spec") or {}, TelemetryProductSpec)
            product = Product.compile(name, spec)
        except (msgspec.ValidationError, ProductError) as error:
            problem = str(error)
        status = _read_status(manifest, TelemetryProductStatus)
        before = self.products.get(name)
        if before is not None and (before.generation, before.status) == (generation, status):
            return
        self.products[name] = ProductEntry(generation, product, problem, status)
        if before is None or before.generation != generation:
            self._catalogue_changed(name)

    def _catalogue_changed(self, name: str) -> None:
        usable = {
            name: entry.product
            for name, entry in self.products.items()
            if entry.product is not None
        }
        self.catalogue = self._builtin.overridden_by(usable)
        self.catalogue_changed.set()
        if self.listener:
            self.listener.product_changed(name)

    def _take_record(self, key: ObjectKey, manifest: Manifest) -> None:
        owner: WorkloadRef | None = None
        owner_uid = ""
        for reference in items_at(manifest, "metadata", "ownerReferences"):
            if reference.get("kind") in WorkloadKind.__members__.values():
                owner = WorkloadRef(key[0], WorkloadKind(reference["kind"]), reference["name"])
                owner_uid = str(reference.get("uid", ""))
        entry = WorkloadTelemetryEntry(
            owner, owner_uid, _read_status(manifest, WorkloadTelemetryStatus)
        )
        before = self.records.get(key)
        if before != entry:
            self.records[key] = entry
            self._record_changed(before)
            self._record_changed(entry)

    def _record_changed(self, entry: WorkloadTelemetryEntry | None) -> None:
        if entry is not None and entry.owner is not None:
            self._workload_changed(entry.owner)

    def _network_changed(self, namespace: str) -> None:
        if self.listener:
            self.listener.network_changed(namespace)

    def _workload_changed(self, ref: WorkloadRef) -> None:
        if self.listener:
            self.listener.workload_changed(ref)


def _key(manifest: Manifest) -> ObjectKey:
    metadata = manifest["metadata"]
    return metadata.get("namespace", ""), metadata["name"]


def _read_status(manifest: Manifest, kind: type[_Status]) -> _Status:
    """A status of our own; one that cannot be read counts as not written yet."""
    try:
        return msgspec.convert(manifest.get("status") or {}, kind)
    except msgspec.ValidationError:
        return kind()
