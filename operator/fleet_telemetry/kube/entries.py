"""Decoders of the objects that the cache keeps in a form of their own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar

import msgspec

from fleet_telemetry.api.policy import (
    ClusterTelemetryPolicySpec,
    Policy,
    PolicyKind,
    PolicyStatus,
    TelemetryPolicySpec,
)
from fleet_telemetry.api.product.spec import TelemetryProductSpec, TelemetryProductStatus
from fleet_telemetry.api.schema import ApiType, explain
from fleet_telemetry.api.telemetry_host import TelemetryHostStatus, read_host_status
from fleet_telemetry.api.workload_telemetry import WorkloadTelemetryStatus, workload_telemetry_name
from fleet_telemetry.catalogue.own_products import compile_own
from fleet_telemetry.catalogue.product import Origin, Product, ProductError
from fleet_telemetry.kube.store import ObjectKey
from fleet_telemetry.objects.manifest import Manifest, items_at, mapping_at, read_time
from fleet_telemetry.workloads.reading import read_owning_workloads
from fleet_telemetry.workloads.workload import WorkloadRef

PolicyKey = tuple[PolicyKind, str, str]
"""Kind, namespace (empty for a cluster policy) and name."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_Status = TypeVar("_Status", bound=ApiType)


@dataclass(frozen=True, slots=True)
class PolicyEntry:
    """A policy object: the policy, or the problem why it cannot be decoded; and its status."""

    generation: int
    policy: Policy | None
    problem: str
    status: PolicyStatus


@dataclass(frozen=True, slots=True)
class ProductEntry:
    """A TelemetryProduct: the product, or the problem why it cannot be used; and its status."""

    generation: int
    uid: str
    product: Product | None
    problem: str
    status: TelemetryProductStatus


@dataclass(frozen=True, slots=True)
class WorkloadTelemetryEntry:
    """A WorkloadTelemetry: the workload that it speaks of, and its status."""

    owner: WorkloadRef | None
    """None if its name is not the one that the operator gives to a workload's."""
    owner_uid: str
    """Empty if no owner reference names the workload: ``kubectl delete --cascade=orphan`` removes
    them."""
    status: WorkloadTelemetryStatus
    labels: Mapping[str, str] = field(default_factory=dict)


def decode_policy(kind: PolicyKind, key: ObjectKey, manifest: Manifest) -> PolicyEntry:
    """A TelemetryPolicy or ClusterTelemetryPolicy. An invalid spec becomes the problem."""
    namespace, name = key
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
        problem = explain(error)
    return PolicyEntry(generation, policy, problem, _decode_status(manifest, PolicyStatus))


def decode_product(key: ObjectKey, manifest: Manifest) -> ProductEntry:
    """A TelemetryProduct. A spec that is invalid or does not compile becomes the problem."""
    _, name = key
    metadata = mapping_at(manifest, "metadata")
    generation = int(metadata.get("generation") or 0)
    product: Product | None = None
    problem = ""
    try:
        spec = msgspec.convert(manifest.get("spec") or {}, TelemetryProductSpec)
        product = compile_own(name, spec, _read_origin(metadata))
    except (msgspec.ValidationError, ProductError) as error:
        problem = explain(error)
    status = _decode_status(manifest, TelemetryProductStatus)
    return ProductEntry(generation, str(metadata.get("uid", "")), product, problem, status)


def _read_origin(metadata: Manifest) -> Origin:
    created = read_time(metadata.get("creationTimestamp")) or _EPOCH
    written = (
        read_time(entry.get("time"))
        for entry in items_at(metadata, "managedFields")
        if entry.get("subresource") != "status"
    )
    return Origin(created, max((time for time in written if time is not None), default=created))


def decode_labels(_: ObjectKey, manifest: Manifest) -> Mapping[str, str]:
    """The labels of a Namespace."""
    return dict(mapping_at(manifest, "metadata", "labels"))


def decode_host(_: ObjectKey, manifest: Manifest) -> TelemetryHostStatus:
    """The status of a TelemetryHost. Parts that cannot be decoded are left out."""
    return read_host_status(mapping_at(manifest, "status"))


def decode_workload_telemetry(key: ObjectKey, manifest: Manifest) -> WorkloadTelemetryEntry:
    """A WorkloadTelemetry."""
    namespace, name = key
    status = _decode_status(manifest, WorkloadTelemetryStatus)
    candidates = list(read_owning_workloads(manifest))
    if status.workload is not None:
        candidates.append((WorkloadRef(namespace, status.workload.kind, status.workload.name), ""))
    named = (found for found in candidates if workload_telemetry_name(found[0]) == name)
    owner, uid = next(named, (None, ""))
    labels = dict(mapping_at(manifest, "metadata", "labels"))
    return WorkloadTelemetryEntry(owner, uid, status, labels)


def _decode_status(manifest: Manifest, kind: type[_Status]) -> _Status:
    """A status that the operator wrote. One that cannot be decoded counts as not written yet."""
    try:
        return msgspec.convert(manifest.get("status") or {}, kind)
    except msgspec.ValidationError:
        return kind()
