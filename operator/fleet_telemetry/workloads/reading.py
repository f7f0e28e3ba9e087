"""Reads workloads and pods from manifests.

A manifest from the API server is well-formed; one from a file may not be. In both cases nothing
here raises for a missing or misshapen field: it reads as absent.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime

from fleet_telemetry.objects.manifest import (
    Manifest,
    dig,
    items_at,
    list_at,
    mapping_at,
    number_at,
    read_time,
    text_at,
)
from fleet_telemetry.workloads.owner import read_controller, read_owners
from fleet_telemetry.workloads.registry import (
    WorkloadKind,
    kind_of_owner,
    part_labels,
    whole_of,
)
from fleet_telemetry.workloads.workload import (
    FIELD_MANAGER,
    AppliedArguments,
    Container,
    EnvVar,
    FieldOwners,
    Mount,
    OwnedField,
    Pod,
    PodPhase,
    PodTemplate,
    Schedule,
    Volume,
    VolumeKind,
    Workload,
    WorkloadRef,
)
from fleet_telemetry.workloads.workload_type import TemplatePath, read_labels


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
    template = read_template(mapping_at(manifest, *workload_type.template_path))
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
        claim_templates=frozenset(
            text_at(template, "metadata", "name")
            for template in items_at(spec, "volumeClaimTemplates")
            if not _copies_data(mapping_at(template, "spec"))
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


def _has_own_dns(spec: Manifest) -> bool:
    """Whether the pod's resolver may have name servers of its own, or the node's."""
    policy = spec.get("dnsPolicy") or "ClusterFirst"
    wanted = "ClusterFirstWithHostNet" if spec.get("hostNetwork") else "ClusterFirst"
    uses_cluster = policy in (wanted, "ClusterFirstWithHostNet")
    return not uses_cluster or bool(dig(spec, "dnsConfig", "nameservers"))


def read_template(manifest: Manifest) -> PodTemplate:
    """The containers and volumes of a pod template, or of a pod."""
    spec = mapping_at(manifest, "spec")
    return PodTemplate(
        containers=tuple(
            _read_container(index, container, dig(spec, "securityContext", "runAsUser"))
            for index, container in running_containers(spec)
        ),
        volumes=tuple(_read_volume(volume) for volume in items_at(spec, "volumes")),
        labels=read_labels(mapping_at(manifest, "metadata")),
        init_volumes=frozenset(
            text_at(mount, "name")
            for container in items_at(spec, "initContainers")
            if not _is_sidecar(container)
            for mount in items_at(container, "volumeMounts")
        ),
        init_ports=frozenset(
            number
            for container in items_at(spec, "initContainers")
            if not _is_sidecar(container)
            for _, number in _read_ports(container)
        ),
        host_network=bool(spec.get("hostNetwork")),
        own_dns=_has_own_dns(spec),
    )


def running_containers(spec: Manifest) -> Iterator[tuple[int, Manifest]]:
    """The main containers of a pod's spec and its native sidecars, with their index."""
    for index, container in enumerate(list_at(spec, "containers")):
        if isinstance(container, Mapping):
            yield index, container
    for position, container in enumerate(list_at(spec, "initContainers")):
        if isinstance(container, Mapping) and _is_sidecar(container):
            yield -position - 1, container


def _is_sidecar(init_container: Manifest) -> bool:
    return bool(init_container.get("restartPolicy") == "Always")


def read_words(container: Manifest, key: str) -> Iterator[str]:
    """The words of a container's ``command`` or ``args``."""
    words = container.get(key)
    yield from (str(word) for word in (words if isinstance(words, list) else ()))


def _read_container(index: int, container: Manifest, pod_user: object) -> Container:
    own_user = dig(container, "securityContext", "runAsUser")
    user = pod_user if own_user is None else own_user
    return Container(
        index=index,
        name=text_at(container, "name"),
        image=text_at(container, "image"),
        command=tuple(read_words(container, "command")),
        args=tuple(read_words(container, "args")),
        has_post_start=bool(dig(container, "lifecycle", "postStart")),
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
            Mount(path=_read_path(text_at(mount, "mountPath")), volume=text_at(mount, "name"))
            for mount in items_at(container, "volumeMounts")
        ),
        ports=tuple(_read_ports(container)),
    )


def _read_path(path: str) -> str:
    """The path that is meant by another form of it, such as ``data``, ``//data`` or ``/x/../data``.

    The kubelet takes a relative path for one below the root (kubernetes/kubernetes@001a80e9:
    pkg/kubelet/kubelet_pods.go, makeMounts). It passes an absolute path on as it is written.
    """
    return posixpath.normpath(f"/{path.lstrip('/')}") if path else ""


def _read_ports(container: Manifest) -> Iterator[tuple[str, int]]:
    for port in items_at(container, "ports"):
        number = port.get("containerPort")
        if isinstance(number, int) and port.get("protocol", "TCP") == "TCP":
            yield text_at(port, "name"), number


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
    """Whether a new volume claim starts with existing data: a snapshot, a clone, a given volume."""
    return any(claim_spec.get(key) for key in ("dataSource", "dataSourceRef", "volumeName"))


def read_field_owners(metadata: Manifest, template_path: TemplatePath) -> FieldOwners:
    """Who owns which variable, from the object's managed fields.

    A manager may own a list as a whole, as in CRDs that declare their lists atomic. Then nobody can
    say who wrote an entry, and the field owners count as unknown.
    """
    managed = items_at(metadata, "managedFields")
    if not managed:
        return FieldOwners()
    entries: set[OwnedField] = set()
    declared: set[OwnedField] = set()
    lists: set[str] = set()
    edited: set[str] = set()
    known = True
    interrupted = False
    suspension = False
    path = tuple(f"f:{key}" for key in (*template_path, "spec"))
    for entry in managed:
        if entry.get("manager") == FIELD_MANAGER:
            interrupted |= entry.get("operation") == "Update"
            continue
        suspension |= "f:suspend" in mapping_at(entry, "fieldsV1", "f:spec")
        fields = mapping_at(entry, "fieldsV1", *path)
        # A list cannot be empty here, so the manager owns the list and not its entries.
        known &= all(fields.get(key) != {} for key in _CONTAINER_FIELDS)
        containers = [
            keyed for key in _CONTAINER_FIELDS for keyed in _keyed(mapping_at(fields, key))
        ]
        found = {
            (container, variable)
            for container, container_fields in containers
            for variable, _ in _keyed(mapping_at(container_fields, "f:env"))
        }
        with_args = {
            container for container, container_fields in containers if "f:args" in container_fields
        }
        lists |= with_args
        if text_at(entry, "manager") not in _CLIENT_SIDE_APPLY:
            edited |= with_args
        entries |= found
        if not _writes_back(entry):
            declared |= found
    restored = entries - declared
    if restored:
        restored -= _last_applied(metadata, template_path, restored)
    applied = _applied_arguments(metadata, template_path) if lists else None
    return FieldOwners(
        known=known,
        entries=frozenset(entries),
        restored=frozenset(restored),
        interrupted=interrupted,
        argument_lists=frozenset(lists),
        applied_arguments=applied,
        applied_alone=frozenset(name for name, _ in applied or ()) - edited,
        suspension=suspension,
    )


# A container's name is unique in both lists.
_CONTAINER_FIELDS = ("f:containers", "f:initContainers")
_WRITE_BACK = frozenset(
    {
        # `kubectl rollout undo` sends the template of an earlier revision and names no manager, so
        # it gets the one of its user agent (kubernetes/kubectl@v0.36.0: pkg/polymorphichelpers/
        # rollback.go). kubectl before 1.19 applies under this name too; see _last_applied.
        "kubectl",
        "kubectl-rollout",
        "kubectl-argo-rollouts",
        # They read an object, and write all of it.
        "kubectl-edit",
        "kubectl-replace",
        "velero",
        "velero-server",
        # What stood in an object before its first server-side apply, if nobody's fields were
        # known (kubernetes/apimachinery: pkg/util/managedfields/internal/skipnonapplied.go).
        "before-first-apply",
    }
)


def _writes_back(managed: Manifest) -> bool:
    """Whether the manager is a tool that writes back what stood in the object before."""
    return managed.get("operation") == "Update" and text_at(managed, "manager") in _WRITE_BACK


# They write the manifest that they apply into an annotation of the object.
_CLIENT_SIDE_APPLY = frozenset(
    {"kubectl-client-side-apply", "argocd-controller", "argocd-application-controller"}
)
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def _last_applied(
    metadata: Manifest, template_path: TemplatePath, wanted: set[OwnedField]
) -> set[OwnedField]:
    """Which variables the manifest of the last client-side apply has; all if it cannot be read."""
    text = mapping_at(metadata, "annotations").get(_LAST_APPLIED)
    if not text:
        return set()
    try:
        applied = json.loads(str(text))
    except (ValueError, RecursionError):
        return wanted
    return {
        (text_at(container, "name"), text_at(entry, "name"))
        for _, container in running_containers(mapping_at(applied, *template_path, "spec"))
        for entry in items_at(container, "env")
    }


def _applied_arguments(
    metadata: Manifest, template_path: TemplatePath
) -> tuple[AppliedArguments, ...] | None:
    """The ``args`` in the manifest of the last client-side apply; None if there is none, or if it
    cannot be read."""
    text = mapping_at(metadata, "annotations").get(_LAST_APPLIED)
    if not text:
        return None
    try:
        applied = json.loads(str(text))
    except (ValueError, RecursionError):
        return None
    return tuple(
        (text_at(container, "name"), tuple(read_words(container, "args")))
        for _, container in running_containers(mapping_at(applied, *template_path, "spec"))
    )


def _keyed(fields: Manifest) -> Iterator[tuple[str, Manifest]]:
    """Entries such as ``k:{"name":"web"}``, by that name."""
    for key, value in fields.items():
        plain = _PLAIN_NAME.fullmatch(str(key))
        name = plain[1] if plain is not None else _decoded_name(str(key))
        if name is not None:
            yield name, value if isinstance(value, Mapping) else {}


# The usual form, without anything that JSON would write in another way.
_PLAIN_NAME = re.compile(r'k:\{"name":"([^"\\\x00-\x1f]*)"\}')


def _decoded_name(key: str) -> str | None:
    if not key.startswith("k:"):
        return None
    try:
        name = dig(json.loads(key[2:]), "name")
    # A user may write managed fields, and nest them deeply.
    except (ValueError, RecursionError):
        return None
    return name if isinstance(name, str) else None
