"""Reading workloads and pods from manifests.

A manifest that came through the API server is well-formed; one from a file may not be. Either way
nothing here raises for a missing or misshapen optional part: it reads as absent.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from fleet_telemetry.objects.manifest import (
    Manifest,
    dig,
    items_at,
    mapping_at,
    number_at,
    read_time,
    text_at,
)
from fleet_telemetry.workloads.workload import (
    FIELD_MANAGER,
    Container,
    EnvVar,
    FieldOwners,
    Mount,
    OwnedField,
    Owner,
    Pod,
    PodPhase,
    PodTemplate,
    Volume,
    VolumeKind,
    Workload,
    WorkloadKind,
    WorkloadRef,
)

TEMPLATE_PATHS: dict[str, tuple[str, ...]] = {
    **{kind: ("spec", "template") for kind in WorkloadKind if kind is not WorkloadKind.CRON_JOB},
    WorkloadKind.CRON_JOB: ("spec", "jobTemplate", "spec", "template"),
    "Pod": (),
}
"""Where the pod template is, by kind; a Pod is its own template."""


def read_controller(manifest: Manifest) -> Owner | None:
    """The owner that is marked as the controller."""
    for owner in items_at(manifest, "metadata", "ownerReferences"):
        if owner.get("controller"):
            return Owner(
                api_group=text_at(owner, "apiVersion").rpartition("/")[0],
                kind=text_at(owner, "kind"),
                name=text_at(owner, "name"),
                uid=text_at(owner, "uid"),
            )
    return None


def read_workload(manifest: Manifest) -> Workload | None:
    """A workload; None for any other kind, and for the parts of one.

    A ReplicaSet of a Deployment and a Job of a CronJob are parts: what is said of the whole
    holds for them.
    """
    try:
        kind = WorkloadKind(dig(manifest, "kind"))
    except ValueError:
        return None
    controller = read_controller(manifest)
    if controller and (kind, controller.kind) in (
        (WorkloadKind.REPLICA_SET, WorkloadKind.DEPLOYMENT),
        (WorkloadKind.JOB, WorkloadKind.CRON_JOB),
    ):
        return None
    metadata = mapping_at(manifest, "metadata")
    spec = mapping_at(manifest, "spec")
    path = TEMPLATE_PATHS[kind]
    restarts_no_pod = _restarts_no_pod(kind, spec)
    return Workload(
        ref=WorkloadRef(
            namespace=text_at(metadata, "namespace") or "default",
            kind=kind,
            name=text_at(metadata, "name"),
        ),
        template=read_template(mapping_at(manifest, *path)),
        uid=text_at(metadata, "uid"),
        labels=_read_labels(metadata),
        created=read_time(metadata.get("creationTimestamp")),
        generation=number_at(metadata, "generation"),
        controller=controller,
        field_owners=read_field_owners(metadata, path),
        replicas=number_at(spec, "replicas", default=1),
        template_immutable=kind is WorkloadKind.JOB,
        restarts_no_pod=restarts_no_pod,
        first_template=_has_first_template(kind, metadata),
        rolling_out=not restarts_no_pod and _is_rolling_out(kind, manifest),
        claim_templates=frozenset(
            text_at(template, "metadata", "name")
            for template in items_at(spec, "volumeClaimTemplates")
            if not _copies_data(mapping_at(template, "spec"))
        ),
        pod_selector=_read_pod_selector(kind, manifest, mapping_at(manifest, *path)),
    )


def _read_pod_selector(kind: WorkloadKind, manifest: Manifest, template: Manifest) -> Manifest:
    """A CronJob has none; the labels that it gives to its pods serve as one. A Job's own is for its
    uid, which some network plug-ins do not tell pods apart by; its name serves as well."""
    if kind is WorkloadKind.JOB and not dig(manifest, "spec", "manualSelector"):
        name = text_at(manifest, "metadata", "name")
        return {"matchLabels": {"batch.kubernetes.io/job-name": name}}
    labels = _read_labels(mapping_at(template, "metadata"))
    selector = mapping_at(manifest, "spec", "selector")
    return selector or ({"matchLabels": labels} if labels else {})


def read_pod(manifest: Manifest) -> Pod:
    """A pod."""
    metadata = mapping_at(manifest, "metadata")
    phase = dig(manifest, "status", "phase")
    return Pod(
        name=text_at(metadata, "name"),
        template=read_template(manifest),
        uid=text_at(metadata, "uid"),
        owner=read_controller(manifest),
        template_hash=_read_labels(metadata).get("pod-template-hash", ""),
        address=text_at(manifest, "status", "podIP"),
        phase=PodPhase(phase) if phase in PodPhase.__members__.values() else PodPhase.UNKNOWN,
        terminating=metadata.get("deletionTimestamp") is not None,
    )


def read_template(manifest: Manifest) -> PodTemplate:
    """The containers and volumes of a pod template, or of a pod."""
    spec = mapping_at(manifest, "spec")
    containers = dig(spec, "containers")
    return PodTemplate(
        containers=tuple(
            _read_container(index, container, dig(spec, "securityContext", "runAsUser"))
            for index, container in enumerate(containers if isinstance(containers, list) else ())
            if isinstance(container, Mapping)
        ),
        volumes=tuple(_read_volume(volume) for volume in items_at(spec, "volumes")),
        labels=_read_labels(mapping_at(manifest, "metadata")),
        init_volumes=frozenset(
            text_at(mount, "name")
            for container in items_at(spec, "initContainers")
            for mount in items_at(container, "volumeMounts")
        ),
        host_network=bool(spec.get("hostNetwork")),
    )


def _read_labels(metadata: Manifest) -> dict[str, str]:
    labels = mapping_at(metadata, "labels")
    return {str(key): "" if value is None else str(value) for key, value in labels.items()}


def _read_words(container: Manifest, key: str) -> Iterator[str]:
    words = container.get(key)
    yield from (str(word) for word in (words if isinstance(words, list) else ()))


def _read_container(index: int, container: Manifest, pod_user: object) -> Container:
    own_user = dig(container, "securityContext", "runAsUser")
    user = pod_user if own_user is None else own_user
    return Container(
        index=index,
        name=text_at(container, "name"),
        image=text_at(container, "image"),
        arguments=(*_read_words(container, "command"), *_read_words(container, "args")),
        working_dir=text_at(container, "workingDir"),
        user_id=user if isinstance(user, int) else None,
        env=tuple(
            EnvVar(
                name=text_at(entry, "name"),
                value=text_at(entry, "value"),
                by_reference=bool(entry.get("valueFrom")),
            )
            for entry in items_at(container, "env")
        ),
        has_env_from=bool(container.get("envFrom")),
        mounts=tuple(
            Mount(path=text_at(mount, "mountPath"), volume=text_at(mount, "name"))
            for mount in items_at(container, "volumeMounts")
        ),
        ports=tuple(
            (text_at(port, "name"), port["containerPort"])
            for port in items_at(container, "ports")
            if text_at(port, "name")
            and isinstance(port.get("containerPort"), int)
            and port.get("protocol", "TCP") == "TCP"
        ),
    )


def _read_volume(volume: Manifest) -> Volume:
    name = text_at(volume, "name")
    if volume.get("emptyDir") is not None:
        return Volume(name, VolumeKind.PER_POD)
    if volume.get("ephemeral") is not None:
        claim = mapping_at(volume, "ephemeral", "volumeClaimTemplate", "spec")
        return Volume(name, VolumeKind.OTHER if _copies_data(claim) else VolumeKind.PER_POD)
    claim_name = text_at(volume, "persistentVolumeClaim", "claimName")
    if claim_name:
        return Volume(name, VolumeKind.CLAIM, claim_name)
    return Volume(name, VolumeKind.OTHER)


def _copies_data(claim_spec: Manifest) -> bool:
    """Whether a new claim begins with something else's data: a snapshot, a clone, a given disk."""
    return any(claim_spec.get(key) for key in ("dataSource", "dataSourceRef", "volumeName"))


def read_field_owners(metadata: Manifest, template_path: tuple[str, ...]) -> FieldOwners:
    """Who answers for which variable, from the object's managed fields."""
    managed = items_at(metadata, "managedFields")
    if not managed:
        return FieldOwners()
    entries: set[OwnedField] = set()
    interrupted = False
    for entry in managed:
        if entry.get("manager") == FIELD_MANAGER:
            interrupted |= entry.get("operation") == "Update"
            continue
        fields = mapping_at(entry, "fieldsV1", *(f"f:{key}" for key in (*template_path, "spec")))
        for container, container_fields in _keyed(mapping_at(fields, "f:containers")):
            for variable, _ in _keyed(mapping_at(container_fields, "f:env")):
                entries.add((container, variable))
    return FieldOwners(known=True, entries=frozenset(entries), interrupted=interrupted)


def _keyed(fields: Manifest) -> Iterator[tuple[str, Manifest]]:
    """Entries such as ``k:{"name":"web"}`` by that name."""
    for key, value in fields.items():
        if str(key).startswith("k:"):
            try:
                name = dig(json.loads(key[2:]), "name")
            except ValueError:
                continue
            if isinstance(name, str):
                yield name, value if isinstance(value, Mapping) else {}


def _restarts_no_pod(kind: WorkloadKind, spec: Manifest) -> bool:
    match kind:
        case WorkloadKind.CRON_JOB:
            return True
        case WorkloadKind.DEPLOYMENT:
            return bool(spec.get("paused")) or spec.get("replicas") == 0
        case WorkloadKind.STATEFUL_SET:
            return spec.get("replicas") == 0 or _updates_on_delete(spec)
        case WorkloadKind.DAEMON_SET:
            return _updates_on_delete(spec)
        case WorkloadKind.REPLICA_SET:
            return True  # a ReplicaSet never replaces pods because of its template
        case WorkloadKind.JOB:
            return False


def _updates_on_delete(spec: Manifest) -> bool:
    return bool(dig(spec, "updateStrategy", "type") == "OnDelete")


def _has_first_template(kind: WorkloadKind, metadata: Manifest) -> bool:
    if metadata.get("generation") == 1 or kind is WorkloadKind.JOB:
        return True
    revision = dig(metadata, "annotations", "deployment.kubernetes.io/revision")
    return kind is WorkloadKind.DEPLOYMENT and revision == "1"


def _is_rolling_out(kind: WorkloadKind, manifest: Manifest) -> bool:
    """Only of kinds whose controller replaces pods: the others' status says nothing of it."""
    status = mapping_at(manifest, "status")
    wanted = number_at(manifest, "spec", "replicas", default=1)
    unseen = number_at(status, "observedGeneration") < number_at(manifest, "metadata", "generation")
    match kind:
        case WorkloadKind.DEPLOYMENT:
            updated = number_at(status, "updatedReplicas")
            return unseen or min(updated, number_at(status, "availableReplicas")) < wanted
        case WorkloadKind.STATEFUL_SET:
            return (
                unseen
                or status.get("currentRevision") != status.get("updateRevision")
                or number_at(status, "readyReplicas") < wanted
            )
        case WorkloadKind.DAEMON_SET:
            wanted = number_at(status, "desiredNumberScheduled")
            updated = number_at(status, "updatedNumberScheduled")
            return unseen or min(updated, number_at(status, "numberReady")) < wanted
        case _:
            return False
