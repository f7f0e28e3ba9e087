"""From the manifest of a file to what is judged.

A manifest that the API server would refuse is not judged: nothing can be said of a workload that
cannot exist.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from fleet_telemetry.audit.any_containers import containers_in
from fleet_telemetry.audit.manifest_faults import ManifestFault, faults_of_workload
from fleet_telemetry.audit.result import Place
from fleet_telemetry.audit.subject import Other, Subject
from fleet_telemetry.objects.labels import namespace_labels
from fleet_telemetry.objects.manifest import Manifest, dig, mapping_at, text_at
from fleet_telemetry.objects.text import printable
from fleet_telemetry.workloads.owner import Owner, read_controller
from fleet_telemetry.workloads.reading import read_pod, read_workload_or_part
from fleet_telemetry.workloads.registry import WorkloadKind, whole_of
from fleet_telemetry.workloads.template_reading import read_template
from fleet_telemetry.workloads.workload import Pod, PodPhase, PodTemplate, Workload

GROUPS = {
    **{kind.value: kind.type.api.group for kind in WorkloadKind},
    "Pod": "",
}
"""The API groups of the kinds that run pods, by kind."""
_LONGEST_NAME = 253
_GROUPS_OF_POLICIES = frozenset({"kyverno.io", "policies.kyverno.io"})
"""Their objects say how containers are to be, and run none."""


@dataclass(frozen=True, slots=True)
class PartOf:
    """What another object creates: a pod, a ReplicaSet, a Job. Its controller speaks for it, if
    that is in the input, too."""

    subject: Subject | Other
    controller: Owner
    whole: tuple[str, str, str] | None
    """Namespace, kind and name of what probably creates the controller."""


def read_manifest(
    manifest: Manifest,
    place: Place,
    default_namespace: str,
    labels: Mapping[str, Mapping[str, str]],
) -> Subject | Other | PartOf | ManifestFault | None:
    """What is judged of a manifest; None if it runs no pod. ``labels`` are those of namespaces."""
    kind = text_at(manifest, "kind")
    api_version = manifest.get("apiVersion")
    if not isinstance(api_version, str) or not api_version:
        if kind not in GROUPS and not isinstance(dig(manifest, "spec", "template"), dict):
            return None  # no object of Kubernetes, such as a pipeline of a CI
        return ManifestFault(("apiVersion",), "it has no apiVersion", "add it")
    if GROUPS.get(kind) == api_version.rpartition("/")[0]:
        return _read_known(manifest, place, default_namespace, labels)
    return _read_other(manifest, place, default_namespace)


def _read_known(
    manifest: Manifest,
    place: Place,
    default_namespace: str,
    labels: Mapping[str, Mapping[str, str]],
) -> Subject | Other | PartOf | ManifestFault | None:
    kind = manifest["kind"]
    if kind == WorkloadKind.ROLLOUT and dig(manifest, "spec", "workloadRef"):
        return None  # the Deployment that it names is judged
    templates = [()] if kind == "Pod" else WorkloadKind(kind).type.template_places(manifest)
    fault = next(faults_of_workload(manifest, templates), None)
    if fault is not None:
        return fault
    manifest = _named(manifest, default_namespace)
    metadata = manifest["metadata"]
    namespace, name = metadata["namespace"], metadata["name"]
    controller = read_controller(manifest)
    if kind == "Pod":
        other = Other(place, namespace, kind, name, _running(manifest["spec"]))
        if not read_pod(manifest).counts:
            return None  # it has ended
        return other if controller is None else PartOf(other, controller, _whole(manifest))
    workload = read_workload_or_part(manifest)
    if workload is None:
        return None
    subject = Subject(
        place,
        workload,
        pods=_pods(workload),
        namespace_labels=labels.get(namespace) or namespace_labels(namespace),
    )
    if whole_of(workload.ref.kind.type.api, controller) is not None and controller is not None:
        return None if workload.is_idle else PartOf(subject, controller, None)
    return subject


def _read_other(manifest: Manifest, place: Place, default_namespace: str) -> Other | None:
    """An object of another kind with containers, wherever they stand."""
    if text_at(manifest, "apiVersion").rpartition("/")[0] in _GROUPS_OF_POLICIES:
        return None
    running = _running(manifest)
    if not running.containers:
        return None
    metadata = mapping_at(manifest, "metadata")
    return Other(
        place,
        _shown(text_at(metadata, "namespace")) or default_namespace,
        _shown(text_at(manifest, "kind")),
        _shown(text_at(metadata, "name") or text_at(metadata, "generateName")),
        running,
    )


def _running(part: Manifest) -> PodTemplate:
    """The containers of an object that is not judged."""
    return read_template({"spec": {"containers": containers_in(part)}})


def _whole(pod: Manifest) -> tuple[str, str, str] | None:
    """What creates the ReplicaSet or the Job of a pod, by the names that their controllers give."""
    controller = read_controller(pod)
    if controller is None:
        return None
    namespace = pod["metadata"]["namespace"]
    label = text_at(pod, "metadata", "labels", "pod-template-hash")
    if controller.kind == "ReplicaSet" and label and controller.name.endswith(f"-{label}"):
        return namespace, "Deployment", controller.name.removesuffix(f"-{label}")
    rollout = text_at(pod, "metadata", "labels", "rollouts-pod-template-hash")
    if controller.kind == "ReplicaSet" and rollout and controller.name.endswith(f"-{rollout}"):
        return namespace, "Rollout", controller.name.removesuffix(f"-{rollout}")
    name, dash, number = controller.name.rpartition("-")
    if controller.kind == "Job" and dash and number.isdigit():
        return namespace, "CronJob", name
    return None


def _pods(workload: Workload) -> tuple[Pod, ...]:
    """A pod that the workload would start as it is written; none while it starts none."""
    if workload.is_idle:
        return ()
    containers = tuple(
        one if one.schedule is None else replace(one, schedule=None)
        for one in workload.template.containers
    )
    template = replace(workload.template, containers=containers)
    return (Pod("as-written", template, uid="as-written", phase=PodPhase.RUNNING),)


def _named(manifest: Manifest, default_namespace: str) -> dict[str, Any]:
    """The manifest with a namespace and a name."""
    metadata = dict(mapping_at(manifest, "metadata"))
    metadata["namespace"] = metadata.get("namespace") or default_namespace
    if not metadata.get("name"):
        metadata["name"] = f"{metadata['generateName']}..."
    return {**manifest, "metadata": metadata}


def _shown(text: str) -> str:
    return printable(text, _LONGEST_NAME)
