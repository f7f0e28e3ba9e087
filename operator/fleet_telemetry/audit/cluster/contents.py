"""What was read of a cluster. What runs no product is counted, and not kept."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass, field, replace

from fleet_telemetry.api.product.setting import Semantics
from fleet_telemetry.api.workload_telemetry import workload_telemetry_name
from fleet_telemetry.audit.cluster.operators import InstalledOperator, operators_in
from fleet_telemetry.audit.cluster.records import Operator, Record, status_written
from fleet_telemetry.audit.images import count_unknown
from fleet_telemetry.audit.result import Place
from fleet_telemetry.audit.sources import Read
from fleet_telemetry.audit.subject import Other, Subject
from fleet_telemetry.catalogue.catalogue import Catalogue
from fleet_telemetry.catalogue.matching import match_containers
from fleet_telemetry.evidence.config_maps import ConfigMapFacts
from fleet_telemetry.evidence.contacts import NO_CONTACTS
from fleet_telemetry.evidence.references import names_to_read
from fleet_telemetry.evidence.seed import VolumeClaimFacts
from fleet_telemetry.kube import kinds
from fleet_telemetry.kube.entries import decode_workload_telemetry
from fleet_telemetry.kube.store import ObjectKey, object_key
from fleet_telemetry.kube.workload_store import UNPROVEN_SECONDS, Fleet
from fleet_telemetry.objects.kind import Kind
from fleet_telemetry.objects.manifest import Manifest
from fleet_telemetry.switches.resource import fields_of
from fleet_telemetry.workloads.owner import read_controller
from fleet_telemetry.workloads.reading import read_pod
from fleet_telemetry.workloads.registry import WorkloadKind, kind_of_owner, whole_of
from fleet_telemetry.workloads.resource_fields import FieldRef, FieldState
from fleet_telemetry.workloads.template_reading import read_templates
from fleet_telemetry.workloads.workload import Pod, PodTemplate, VolumeKind, Workload, WorkloadRef

IsComplete = Callable[[Kind, str], bool]
"""Whether all objects of a kind in a namespace were read."""


@dataclass
class Contents:
    """The workloads of one cluster that run a product, with what was found out about them."""

    place: Place
    catalogue: Catalogue
    """With the cluster's own products."""
    labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """By namespace."""
    fleet: Fleet = field(default_factory=lambda: Fleet(lambda _: None))
    read: Read = field(default_factory=Read)
    claims: dict[ObjectKey, VolumeClaimFacts] = field(default_factory=dict)
    config_maps: dict[str, dict[str, ConfigMapFacts]] = field(default_factory=dict)
    fields: dict[FieldRef, FieldState] = field(default_factory=dict)
    """By namespace and name: what containers take variables from, as far as it was read."""
    operators: list[InstalledOperator] = field(default_factory=list)
    """By the Deployments that run them, as far as these were read."""
    _records: dict[ObjectKey, tuple[str, Record]] = field(default_factory=dict)
    """With the uid of the workload that each is about."""
    _loose_pods: dict[ObjectKey, Pod] = field(default_factory=dict)
    """Pods that run a product, and that no workload of a registered kind controls."""

    def take_record(self, manifest: Manifest) -> None:
        """A WorkloadTelemetry."""
        key = object_key(manifest)
        entry = decode_workload_telemetry(key, manifest)
        if entry.owner is not None and entry.owner_uid:
            self._records[key] = (
                entry.owner_uid,
                Record(entry.status, status_written(manifest)),
            )

    def take_workload(self, manifest: Manifest) -> None:
        """An object of a registered kind, be it a part of another one."""
        kind = WorkloadKind(manifest["kind"])
        self.fleet.upsert_workload(manifest, self.catalogue)
        is_part = whole_of(kind.type.api, read_controller(manifest)) is not None
        if is_part or not kind.type.has_own_template(manifest):
            return
        metadata = manifest["metadata"]
        ref = WorkloadRef(metadata.get("namespace", ""), kind, metadata["name"])
        if ref not in self.fleet.workloads:
            self.read.workloads += 1
            template = read_templates(kind.type.templates(manifest))
            self._count(template)
            self.operators += operators_in(ref.namespace, template)

    def take_pod(self, manifest: Manifest) -> None:
        """A pod."""
        controller = read_controller(manifest)
        if controller is not None and kind_of_owner(controller) is not None:
            self.fleet.upsert_pod(manifest, self.catalogue)
            return
        pod = read_pod(manifest)
        if not pod.counts:
            return
        if match_containers(pod.template, self.catalogue):
            self._loose_pods[object_key(manifest)] = pod
        else:
            self._count(pod.template)

    def settle(self) -> None:
        """Everything was taken: parts without their whole are workloads of their own."""
        self.fleet.settle(0.0)
        self.fleet.settle(UNPROVEN_SECONDS)

    def _count(self, template: PodTemplate) -> None:
        self.read.containers += len(template.containers)
        count_unknown(self.read.images, (one.image for one in template.containers))

    def record_of(self, workload: Workload) -> Record | None:
        """What an operator recorded of this very object; None if nothing."""
        key = workload.ref.namespace, workload_telemetry_name(workload.ref)
        uid, record = self._records.get(key, ("", None))
        return record if uid and uid == workload.uid else None

    @property
    def needs_live_operator(self) -> bool:
        """Whether a record has evidence that only counts while the operator runs."""
        return any(record.needs_live_operator for _, record in self._records.values())

    def wanted_claims(self) -> set[ObjectKey]:
        """The volume claims that may show what data began with."""
        return {
            (ref.namespace, volume.claim)
            for ref, workload in self.fleet.workloads.items()
            if self._has_seed(workload)
            for pod in self.fleet.pods_of(ref)
            for volume in pod.template.volumes
            if volume.kind is VolumeKind.CLAIM
        }

    def wanted_config_maps(self) -> set[ObjectKey]:
        """The ConfigMaps that containers of products take variables from."""
        found: set[ObjectKey] = set()
        for ref, workload in self.fleet.workloads.items():
            pods = (pod.template for pod in self.fleet.pods_of(ref))
            targets = [
                target
                for template in (workload.template, *pods)
                for target in match_containers(template, self.catalogue)
            ]
            found |= {(ref.namespace, name) for name in names_to_read(targets)}
        return found

    def wanted_fields(self) -> set[FieldRef]:
        """The fields of custom resources that products of workloads read."""
        return {
            found.at(ref.namespace)
            for ref, workload in self.fleet.workloads.items()
            for found in fields_of(match_containers(workload.template, self.catalogue))
        }

    def _has_seed(self, workload: Workload) -> bool:
        return any(
            switch.semantics is Semantics.SEED and switch.seed_proof is not None
            for target in match_containers(workload.template, self.catalogue)
            for switch in target.product.all_switches
        )

    def subjects(self, is_complete: IsComplete, operator: Operator) -> Iterator[Subject | Other]:
        """Each workload with its evidence, then the pods with products that belong to none.
        ``operator``: whether the one that wrote the records runs."""
        for ref, workload in self.fleet.workloads.items():
            yield self._subject(ref, workload, is_complete, operator)
        for namespace, pod, products in self.fleet.unlisted_pods():
            template = self._with_products(pod.template, products)
            yield Other(self.place, namespace, "Pod", pod.name, template)
        for (namespace, _), pod in self._loose_pods.items():
            yield Other(self.place, namespace, "Pod", pod.name, pod.template)

    def _with_products(self, template: PodTemplate, products: Container[str]) -> PodTemplate:
        """The template with no containers but those that run certain products."""
        found = match_containers(template, self.catalogue)
        kept = tuple(one.container for one in found if one.product.name in products)
        return replace(template, containers=kept)

    def _subject(
        self,
        ref: WorkloadRef,
        workload: Workload,
        is_complete: IsComplete,
        operator: Operator,
    ) -> Subject:
        record = self.record_of(workload)
        status = record.status if record is not None else None
        pods = self.fleet.pods_of(ref)
        labels = self.labels.get(ref.namespace, {})
        return Subject(
            self.place,
            workload,
            pods=pods,
            pods_unread=not all(is_complete(kind, ref.namespace) for kind in _pod_kinds(ref.kind)),
            namespace_labels=labels,
            excluded=any(one.excludes(ref.namespace, labels) for one in self.operators),
            claims={
                volume.claim: self.claims[ref.namespace, volume.claim]
                for pod in pods
                for volume in pod.template.volumes
                if (ref.namespace, volume.claim) in self.claims
            },
            config_maps=self.config_maps.get(ref.namespace, {}),
            fields=self.fields,
            reported=record.reported(operator) if record is not None else {},
            egress=record.egress(operator) if record is not None else {},
            contacts=record.contacts(operator) if record is not None else NO_CONTACTS,
            recorded_at=record.written if record is not None else None,
            seeds=status.seeds if status is not None else (),
            recorded=(*status.injected, *status.injected_before) if status is not None else (),
            active_parts=self.fleet.has_active_part(ref),
        )


def _pod_kinds(kind: WorkloadKind) -> Iterator[Kind]:
    """The kinds that lead from a workload to its pods."""
    yield kinds.POD
    for part in kinds.WORKLOADS:
        if (part.group, part.kind) in kind.type.parts:
            yield part
