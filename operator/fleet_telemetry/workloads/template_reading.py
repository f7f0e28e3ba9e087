"""Reads pod templates, and the specs of pods, from manifests.

Nothing here raises for a missing or misshapen field: it reads as absent.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

from fleet_telemetry.objects.manifest import Manifest, dig, items_at, list_at, mapping_at, text_at
from fleet_telemetry.objects.sharing import shared_set
from fleet_telemetry.workloads.references import read_env_from, read_value_from
from fleet_telemetry.workloads.workload import (
    Container,
    EnvVar,
    Mount,
    PodTemplate,
    Volume,
    VolumeKind,
)
from fleet_telemetry.workloads.workload_type import read_labels

_WINDOWS = "windows"
_OS_LABELS = ("kubernetes.io/os", "beta.kubernetes.io/os")
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


class _PodSettings(NamedTuple):
    """What a pod's spec says of all its containers."""

    user: object
    on_windows: bool


def _has_own_dns(spec: Manifest) -> bool:
    """Whether the pod's resolver may have name servers of its own, or the node's."""
    policy = spec.get("dnsPolicy") or "ClusterFirst"
    wanted = "ClusterFirstWithHostNet" if spec.get("hostNetwork") else "ClusterFirst"
    uses_cluster = policy in (wanted, "ClusterFirstWithHostNet")
    return not uses_cluster or bool(dig(spec, "dnsConfig", "nameservers"))


def read_template(manifest: Manifest) -> PodTemplate:
    """The containers and volumes of a pod template, or of a pod."""
    spec = mapping_at(manifest, "spec")
    of_pod = _PodSettings(dig(spec, "securityContext", "runAsUser"), _is_for_windows(spec))
    return PodTemplate(
        containers=tuple(
            _read_container(index, container, of_pod)
            for index, container in running_containers(spec)
        ),
        volumes=tuple(_read_volume(volume) for volume in items_at(spec, "volumes")),
        labels=read_labels(mapping_at(manifest, "metadata")),
        init_volumes=shared_set(
            text_at(mount, "name")
            for container in items_at(spec, "initContainers")
            if not is_sidecar(container)
            for mount in items_at(container, "volumeMounts")
        ),
        init_ports=shared_set(
            number
            for container in items_at(spec, "initContainers")
            if not is_sidecar(container)
            for _, number in _read_ports(container)
        ),
        host_network=bool(spec.get("hostNetwork")),
        own_dns=_has_own_dns(spec),
    )


def read_templates(manifests: Iterable[Manifest]) -> PodTemplate:
    """Several pod templates as one, for a workload that makes its pods from all of them. Containers
    are counted on, and everything else is that of the first unless a later one adds to it."""
    first, *others = map(read_template, manifests)
    if not others:
        return first
    every = (first, *others)
    containers = [one for template in every for one in template.containers]
    main = [one for one in containers if one.index >= 0]
    sidecars = [one for one in containers if one.index < 0]
    volumes = {one.name: one for template in reversed(every) for one in template.volumes}
    return replace(
        first,
        containers=(
            *(replace(one, index=index) for index, one in enumerate(main)),
            *(replace(one, index=-index - 1) for index, one in enumerate(sidecars)),
        ),
        volumes=tuple(volumes.values()),
        init_volumes=frozenset().union(*(one.init_volumes for one in every)),
        init_ports=frozenset().union(*(one.init_ports for one in every)),
        host_network=any(one.host_network for one in every),
        own_dns=any(one.own_dns for one in every),
    )


def running_containers(spec: Manifest) -> Iterator[tuple[int, Manifest]]:
    """The main containers of a pod's spec and its native sidecars, with their index."""
    for index, container in enumerate(list_at(spec, "containers")):
        if isinstance(container, Mapping):
            yield index, container
    for position, container in enumerate(list_at(spec, "initContainers")):
        if isinstance(container, Mapping) and is_sidecar(container):
            yield -position - 1, container


def is_sidecar(init_container: Manifest) -> bool:
    """Whether an init container is a native sidecar: it runs as long as the pod."""
    return bool(init_container.get("restartPolicy") == "Always")


def read_words(container: Manifest, key: str) -> Iterator[str]:
    """The words of a container's ``command`` or ``args``."""
    words = container.get(key)
    yield from (str(word) for word in (words if isinstance(words, list) else ()))


def _is_for_windows(spec: Manifest) -> bool:
    """Whether the pod says that it runs on Windows, or asks for a node that does."""
    if dig(spec, "os", "name") == _WINDOWS:
        return True
    if any(dig(spec, "nodeSelector", label) == _WINDOWS for label in _OS_LABELS):
        return True
    required = mapping_at(spec, "affinity", "nodeAffinity", _REQUIRED)
    return any(
        expression.get("key") in _OS_LABELS
        and expression.get("operator") == "In"
        and _WINDOWS in list_at(expression, "values")
        for term in items_at(required, "nodeSelectorTerms")
        for expression in items_at(term, "matchExpressions")
    )


def _read_container(index: int, container: Manifest, of_pod: _PodSettings) -> Container:
    own_user = dig(container, "securityContext", "runAsUser")
    user = of_pod.user if own_user is None else own_user
    return Container(
        index=index,
        name=text_at(container, "name"),
        image=text_at(container, "image"),
        command=tuple(read_words(container, "command")),
        args=tuple(read_words(container, "args")),
        has_post_start=bool(dig(container, "lifecycle", "postStart")),
        working_dir=text_at(container, "workingDir"),
        on_windows=of_pod.on_windows,
        user_id=user if isinstance(user, int) else None,
        env=tuple(
            EnvVar(
                name=text_at(entry, "name"),
                value=text_at(entry, "value"),
                by_reference=bool(entry.get("valueFrom")),
                reference=read_value_from(entry),
            )
            for entry in items_at(container, "env")
        ),
        has_env_from=bool(container.get("envFrom")),
        env_from=tuple(read_env_from(container)),
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
        return Volume(name, VolumeKind.OTHER if copies_data(claim) else VolumeKind.PER_POD)
    claim_name = text_at(volume, "persistentVolumeClaim", "claimName")
    if claim_name:
        return Volume(name, VolumeKind.CLAIM, claim_name)
    return Volume(name, VolumeKind.OTHER)


def copies_data(claim_spec: Manifest) -> bool:
    """Whether a new volume claim starts with existing data: a snapshot, a clone, a given volume."""
    return any(claim_spec.get(key) for key in ("dataSource", "dataSourceRef", "volumeName"))
