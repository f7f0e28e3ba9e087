"""Reads workloads and pods from manifests.

A manifest from the API server is well-formed; one from a file may not be. In both cases nothing
here raises for a missing or misshapen field: it reads as absent.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from fleet_telemetry.objects.manifest import (
    Manifest,
    dig,
    items_at,
    mapping_at,
    number_at,
    read_time,
    text_at,
)
from fleet_telemetry.objects.sharing import shared_set
from fleet_telemetry.workloads.field_owner_reading import read_field_owners
from fleet_telemetry.workloads.owner import read_controller, read_owners
from fleet_telemetry.workloads.registry import WorkloadKind, kind_of_owner, part_labels, whole_of
from fleet_telemetry.workloads.template_reading import copies_data, read_template, read_templates
from fleet_telemetry.workloads.workload import (
    Pod,
    PodPhase,
    PodTemplate,
    Schedule,
    Workload,
    WorkloadRef,
)
from fleet_telemetry.workloads.workload_type import read_labels


def read_owning_workloads(manifest: Manifest) -> Iterator[tuple[WorkloadRef, str]]:
    """The workloads that an object's owner references name, with the UIDs given there."""
    namespace = text_at(manifest, "metadata", "namespace")
    for owner in read_owners(manifest):
        kind = kind_of_owner(owner)
        if kind is not None:
            yield WorkloadRef(namespace, kind, owner.name), owner.uid


def read_workload(manifest: Manifest) -> Workload | None:
    """A workload; None for any other kind, for a part of another workload, and for an object
    without a pod template of its own.

    A ReplicaSet of a Deployment and a Job of a CronJob are parts. What holds for the whole holds
    for its parts.
    """
    found = read_workload_or_part(manifest)
    return None if found is None or whole_of(found.ref.kind.type.api, found.controller) else found


def read_workload_or_part(manifest: Manifest) -> Workload | None:
    """The same, and a part too."""
    try:
        kind = WorkloadKind(dig(manifest, "kind"))
    except ValueError:
        return None
    workload_type = kind.type
    controller = read_controller(manifest)
    if not workload_type.has_own_template(manifest):
        return None
    metadata = mapping_at(manifest, "metadata")
    spec = mapping_at(manifest, "spec")
    restarts_no_pod = workload_type.restarts_no_pod(manifest)
    labels = read_labels(metadata)
    template = read_templates(workload_type.templates(manifest))
    if workload_type.suspends:
        template = _scheduled(template, suspended=workload_type.is_idle(manifest))
    return Workload(
        ref=WorkloadRef(
            namespace=text_at(metadata, "namespace") or "default",
            kind=kind,
            name=text_at(metadata, "name"),
        ),
        template=template,
        uid=text_at(metadata, "uid"),
        labels=labels,
        created=read_time(metadata.get("creationTimestamp")),
        generation=number_at(metadata, "generation"),
        controller=controller,
        field_owners=read_field_owners(metadata, workload_type.template_path),
        replicas=number_at(spec, "replicas", default=1),
        template_immutable=workload_type.template_immutable,
        restarts_no_pod=restarts_no_pod,
        paused=workload_type.is_paused(manifest),
        first_template=workload_type.has_first_template(manifest),
        # The status of a workload that replaces no pods says nothing about a rollout.
        rolling_out=not restarts_no_pod and workload_type.is_rolling_out(manifest),
        revision=workload_type.revision(manifest),
        is_settled=workload_type.is_settled(manifest),
        is_idle=workload_type.is_idle(manifest),
        has_run=workload_type.has_run(manifest),
        is_active=workload_type.is_active(manifest),
        claim_templates=shared_set(
            text_at(template, "metadata", "name")
            for template in items_at(spec, "volumeClaimTemplates")
            if not copies_data(mapping_at(template, "spec"))
        ),
        pod_selector=workload_type.pod_selector(manifest),
        is_orphan=controller is None
        and any(one in labels or one in template.labels for one in part_labels(kind)),
    )


def _scheduled(template: PodTemplate, *, suspended: bool) -> PodTemplate:
    """The template of a CronJob, with what the CronJob does with its containers."""
    schedule = Schedule(suspended=suspended, alone=len(template.containers) == 1)
    return replace(
        template,
        containers=tuple(replace(one, schedule=schedule) for one in template.containers),
    )


def read_pod(manifest: Manifest) -> Pod:
    """A pod."""
    metadata = mapping_at(manifest, "metadata")
    phase = dig(manifest, "status", "phase")
    return Pod(
        name=text_at(metadata, "name"),
        template=read_template(manifest),
        uid=text_at(metadata, "uid"),
        owner=read_controller(manifest),
        address=text_at(manifest, "status", "podIP"),
        addresses=_read_addresses(manifest),
        created=read_time(metadata.get("creationTimestamp")),
        started=read_time(dig(manifest, "status", "startTime")),
        containers_started=_read_start(manifest),
        containers_ended=_read_end(manifest),
        node_address=text_at(manifest, "status", "hostIP"),
        phase=PodPhase(phase) if phase in PodPhase.__members__.values() else PodPhase.UNKNOWN,
        ready=any(
            one.get("type") == "Ready" and one.get("status") == "True"
            for one in items_at(manifest, "status", "conditions")
        ),
        terminating=metadata.get("deletionTimestamp") is not None,
    )


def _read_addresses(manifest: Manifest) -> tuple[str, ...]:
    found = (text_at(one, "ip") for one in items_at(manifest, "status", "podIPs"))
    first = text_at(manifest, "status", "podIP")
    return tuple(dict.fromkeys(filter(None, (first, *found))))


def _read_start(manifest: Manifest) -> datetime | None:
    """When the first container started, of all that the pod's status lists."""
    found = (
        read_time(dig(one, "state", state, "startedAt"))
        for key in ("initContainerStatuses", "containerStatuses")
        for one in items_at(manifest, "status", key)
        for state in ("running", "terminated")
    )
    return min((time for time in found if time is not None), default=None)


def _read_end(manifest: Manifest) -> datetime | None:
    """When the last container ended, if all have and the node will start none of them again."""
    is_over = dig(manifest, "status", "phase") in (PodPhase.SUCCEEDED, PodPhase.FAILED)
    if not is_over and dig(manifest, "metadata", "deletionTimestamp") is None:
        return None
    found = [
        read_time(dig(one, "state", "terminated", "finishedAt"))
        for key in ("initContainerStatuses", "containerStatuses")
        for one in items_at(manifest, "status", key)
    ]
    known = [time for time in found if time is not None]
    return max(known) if known and len(known) == len(found) else None
