"""Reading Kubernetes manifests, as the API server or a file gives them, into frozen types.

A manifest that came through the API server is well-formed; one from a file may not be. Either way
nothing here raises for a missing or misshapen optional part: it reads as absent.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from fleet_telemetry.model.policy import WorkloadKind
from fleet_telemetry.model.workload import (
    FIELD_MANAGER,
    Claim,
    Claims,
    Container,
    EnvVar,
    Mount,
    Owner,
    Pod,
    PodPhase,
    PodTemplate,
    Volume,
    VolumeKind,
    Workload,
    WorkloadRef,
)

Manifest = Mapping[str, Any]

TEMPLATE_PATHS: dict[str, tuple[str, ...]] = {
    **{kind: ("spec", "template") for kind in WorkloadKind if kind is not WorkloadKind.CRON_JOB},
    WorkloadKind.CRON_JOB: ("spec", "jobTemplate", "spec", "template"),
    "Pod": (),
}
"""Where the pod template is, by kind; a Pod is its own template."""


def dig(manifest: object, *path: str) -> Any:
    """The value at a path, or None."""
    for key in path:
        if not isinstance(manifest, Mapping):
            return None
        manifest = manifest.get(key)
    return manifest


def mapping_at(manifest: object, *path: str) -> Manifest:
    """The mapping at a path; an empty one where there is none."""
    found = dig(manifest, *path)
    return found if isinstance(found, Mapping) else {}


def items_at(manifest: object, *path: str) -> list[Manifest]:
    """The mappings in the list at a path."""
    found = dig(manifest, *path)
    return [item for item in found if isinstance(item, Mapping)] if isinstance(found, list) else []


def read_time(text: object) -> datetime | None:
    """A Kubernetes timestamp; None for anything else."""
    if not isinstance(text, str):
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time if time.tzinfo else None


def read_controller(manifest: Manifest) -> Owner | None:
    """The owner that is marked as the controller."""
    for owner in items_at(manifest, "metadata", "ownerReferences"):
        if owner.get("controller"):
            return Owner(
                api_group=str(owner.get("apiVersion", "")).rpartition("/")[0],
                kind=str(owner.get("kind", "")),
                name=str(owner.get("name", "")),
                uid=str(owner.get("uid", "")),
            )
    return None


def read_workload(manifest: Manifest) -> Workload | None:
    """A workload; None for any other kind, and for the parts of one.

    A ReplicaSet of a Deployment and a Job of a CronJob are parts: what is said of the whole
    holds for them.
    """
    try:
        kind = WorkloadKind(manifest.get("kind", ""))
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
    replicas = spec.get("replicas", 1)
    return Workload(
        ref=WorkloadRef(
            namespace=str(metadata.get("namespace") or "default"),
            kind=kind,
            name=str(metadata.get("name", "")),
        ),
        template=read_template(mapping_at(manifest, *path)),
        uid=str(metadata.get("uid", "")),
        labels=_read_labels(metadata),
        created=read_time(metadata.get("creationTimestamp")),
        generation=int(metadata.get("generation") or 0),
        controller=controller,
        claims=read_claims(metadata, path),
        replicas=replicas if isinstance(replicas, int) else 1,
        template_immutable=kind is WorkloadKind.JOB,
        restarts_no_pod=_restarts_no_pod(kind, spec),
        first_template=_has_first_template(kind, metadata),
        rolling_out=_is_rolling_out(kind, manifest),
        claim_templates=frozenset(
            str(dig(template, "metadata", "name"))
            for template in items_at(spec, "volumeClaimTemplates")
            if not _copies_data(mapping_at(template, "spec"))
        ),
    )


def read_pod(manifest: Manifest) -> Pod:
    """A pod."""
    metadata = mapping_at(manifest, "metadata")
    phase = dig(manifest, "status", "phase")
    return Pod(
        name=str(metadata.get("name", "")),
        template=read_template(manifest),
        uid=str(metadata.get("uid", "")),
        owner=read_controller(manifest),
        template_hash=_read_labels(metadata).get("pod-template-hash", ""),
        phase=PodPhase(phase) if phase in PodPhase.__members__.values() else PodPhase.UNKNOWN,
        terminating=metadata.get("deletionTimestamp") is not None,
    )


def read_template(manifest: Manifest) -> PodTemplate:
    """The containers and volumes of a pod template, or of a pod."""
    spec = mapping_at(manifest, "spec")
    return PodTemplate(
        containers=tuple(
            _read_container(index, container, dig(spec, "securityContext", "runAsUser"))
            for index, container in enumerate(items_at(spec, "containers"))
        ),
        volumes=tuple(_read_volume(volume) for volume in items_at(spec, "volumes")),
        init_volumes=frozenset(
            str(mount.get("name", ""))
            for container in items_at(spec, "initContainers")
            for mount in items_at(container, "volumeMounts")
        ),
    )


def _read_labels(metadata: Manifest) -> dict[str, str]:
    return {str(key): str(value) for key, value in mapping_at(metadata, "labels").items()}


def _read_container(index: int, container: Manifest, pod_user: object) -> Container:
    own_user = dig(container, "securityContext", "runAsUser")
    user = pod_user if own_user is None else own_user
    return Container(
        index=index,
        name=str(container.get("name", "")),
        image=str(container.get("image") or ""),
        arguments=tuple(
            str(word)
            for word in (*(container.get("command") or ()), *(container.get("args") or ()))
        ),
        working_dir=str(container.get("workingDir") or ""),
        user_id=user if isinstance(user, int) else None,
        env=tuple(
            EnvVar(
                name=str(entry.get("name", "")),
                value=str(entry.get("value") or ""),
                by_reference=bool(entry.get("valueFrom")),
            )
            for entry in items_at(container, "env")
        ),
        has_env_from=bool(container.get("envFrom")),
        mounts=tuple(
            Mount(path=str(mount.get("mountPath", "")), volume=str(mount.get("name", "")))
            for mount in items_at(container, "volumeMounts")
        ),
    )


def _read_volume(volume: Manifest) -> Volume:
    name = str(volume.get("name", ""))
    if "emptyDir" in volume:
        return Volume(name, VolumeKind.PER_POD)
    if "ephemeral" in volume:
        claim = mapping_at(volume, "ephemeral", "volumeClaimTemplate", "spec")
        return Volume(name, VolumeKind.OTHER if _copies_data(claim) else VolumeKind.PER_POD)
    claim_name = dig(volume, "persistentVolumeClaim", "claimName")
    if claim_name:
        return Volume(name, VolumeKind.CLAIM, str(claim_name))
    return Volume(name, VolumeKind.OTHER)


def _copies_data(claim_spec: Manifest) -> bool:
    """Whether a new claim begins with something else's data: a snapshot, a clone, a given disk."""
    return any(claim_spec.get(key) for key in ("dataSource", "dataSourceRef", "volumeName"))


def read_claims(metadata: Manifest, template_path: tuple[str, ...]) -> Claims:
    """Who answers for which variable, from the object's managed fields."""
    managed = metadata.get("managedFields")
    if not managed:
        return Claims()
    entries: set[Claim] = set()
    for entry in items_at(metadata, "managedFields"):
        if entry.get("manager") == FIELD_MANAGER:
            continue
        fields = mapping_at(entry, "fieldsV1", *(f"f:{key}" for key in (*template_path, "spec")))
        for container, container_fields in _keyed(mapping_at(fields, "f:containers")):
            for variable, _ in _keyed(mapping_at(container_fields, "f:env")):
                entries.add((container, variable))
    return Claims(known=True, entries=frozenset(entries))


def _keyed(fields: Manifest) -> Iterator[tuple[str, Manifest]]:
    """Entries such as ``k:{"name":"web"}`` by that name."""
    for key, value in fields.items():
        if key.startswith("k:"):
            name = json.loads(key[2:]).get("name")
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
    status = mapping_at(manifest, "status")
    wanted = dig(manifest, "spec", "replicas")
    if int(status.get("observedGeneration") or 0) < int(
        dig(manifest, "metadata", "generation") or 0
    ):
        return True
    match kind:
        case WorkloadKind.DEPLOYMENT:
            updated, ready = status.get("updatedReplicas", 0), status.get("availableReplicas", 0)
            return bool(min(updated, ready) < (1 if wanted is None else wanted))
        case WorkloadKind.STATEFUL_SET:
            if status.get("currentRevision") != status.get("updateRevision"):
                return True
            return bool(status.get("readyReplicas", 0) < (1 if wanted is None else wanted))
        case WorkloadKind.DAEMON_SET:
            wanted = status.get("desiredNumberScheduled", 0)
            updated = status.get("updatedNumberScheduled", 0)
            return bool(min(updated, status.get("numberReady", 0)) < wanted)
        case _:
            return False
