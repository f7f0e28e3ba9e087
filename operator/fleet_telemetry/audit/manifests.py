"""From the manifest of a file to what is judged.

A manifest that the API server would refuse is not judged: nothing can be said of a workload that
cannot exist.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from fleet_telemetry.api.policy import DNS_LABEL, DNS_SUBDOMAIN
from fleet_telemetry.audit.result import Place
from fleet_telemetry.audit.subject import Other, Subject
from fleet_telemetry.linting.document import Path as Steps
from fleet_telemetry.objects.manifest import Manifest, dig, mapping_at, text_at
from fleet_telemetry.objects.text import printable
from fleet_telemetry.workloads.owner import Owner, read_controller
from fleet_telemetry.workloads.reading import read_pod, read_workload_or_part
from fleet_telemetry.workloads.registry import TEMPLATE_PATHS, WorkloadKind, whole_of
from fleet_telemetry.workloads.template_reading import read_template
from fleet_telemetry.workloads.workload import Pod, PodPhase, Workload

GROUPS = {
    **{kind.value: kind.type.api.group for kind in WorkloadKind},
    "Pod": "",
}
"""The API groups of the kinds that run pods, by kind."""
_NAME = re.compile(DNS_SUBDOMAIN.expression)
_PREFIX = re.compile(r"[a-z0-9][-.a-z0-9]*")
_NAMESPACE = re.compile(DNS_LABEL.expression)
_IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@+-]*")
_LONGEST_NAME = 253
_LONGEST_NAMESPACE = 63
_LONGEST_SHOWN = 80
_QUOTES = "put it in quotes"
_RENDER = (
    "this is a part of a manifest, such as a patch; render it, and audit what comes out: "
    "kustomize build DIR | fleet-telemetry audit -"
)


@dataclass(frozen=True, slots=True)
class ManifestFault:
    """Why the API server would refuse a manifest."""

    steps: Steps
    what: str
    advice: str
    is_partial: bool = False
    """Only a part of a manifest stands there."""


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
    path = TEMPLATE_PATHS[kind]
    fault = next(_faults(manifest, path), None)
    if fault is not None:
        return fault
    manifest = _named(manifest, default_namespace)
    metadata = manifest["metadata"]
    namespace, name = metadata["namespace"], metadata["name"]
    controller = read_controller(manifest)
    if kind == "Pod":
        other = Other(place, namespace, kind, name, read_template(manifest))
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
        namespace_labels=labels.get(namespace, {}),
    )
    if whole_of(workload.ref.kind.type.api, controller) is not None and controller is not None:
        return None if workload.is_idle else PartOf(subject, controller, None)
    return subject


def _read_other(manifest: Manifest, place: Place, default_namespace: str) -> Other | None:
    """An object of another kind with a pod template, where such kinds have it."""
    for path in (("spec", "template"), ("spec", "jobTemplate", "spec", "template"), ("spec",), ()):
        spec = mapping_at(manifest, *path, "spec")
        if isinstance(spec.get("containers"), list):
            metadata = mapping_at(manifest, "metadata")
            return Other(
                place,
                _shown(text_at(metadata, "namespace")) or default_namespace,
                _shown(text_at(manifest, "kind")),
                _shown(text_at(metadata, "name") or text_at(metadata, "generateName")),
                read_template({"spec": spec}),
            )
    return None


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


def _faults(manifest: Manifest, path: tuple[str, ...]) -> Iterator[ManifestFault]:
    """Why the API server would refuse it, as far as the answer depends on it."""
    yield from _faults_of_metadata(manifest)
    spec = manifest.get("spec")
    if not isinstance(spec, Mapping):
        yield ManifestFault(("spec",), "it has no spec", _RENDER, is_partial=spec is None)
        return
    for field, types, name in (("replicas", int, "a number"), ("suspend", bool, "true or false")):
        value = spec.get(field)
        if value is not None and (
            not isinstance(value, types) or (types is int and isinstance(value, bool))
        ):
            yield ManifestFault(("spec", field), f"{field} is not {name}", "correct it")
    where = (*path, "spec")
    pod = dig(manifest, *where)
    if not isinstance(pod, Mapping):
        yield ManifestFault(where, f"it has no {'.'.join(where)}", _RENDER, is_partial=pod is None)
        return
    containers = pod.get("containers")
    if not containers:
        what = f"it has no {'.'.join(where)}.containers"
        yield ManifestFault((*where, "containers"), what, _RENDER, is_partial=True)
        return
    for key in ("containers", "initContainers"):
        listed = pod.get(key)
        if listed is not None and not isinstance(listed, list):
            yield ManifestFault((*where, key), f"{key} is no list", "correct it")
            return
        for place, container in enumerate(listed or ()):
            yield from _faults_of_container(container, (*where, key, place))


def _faults_of_metadata(manifest: Manifest) -> Iterator[ManifestFault]:
    metadata = manifest.get("metadata")
    if not isinstance(metadata, Mapping):
        yield ManifestFault(
            ("metadata",), "it has no metadata", "add it, with a name", is_partial=True
        )
        return
    name, prefix = metadata.get("name"), metadata.get("generateName")
    if name is None and prefix is None:
        yield ManifestFault(("metadata",), "it has no metadata.name", "add it")
    elif name is not None and not _is(name, _NAME, _LONGEST_NAME):
        yield _no_name(("metadata", "name"), name)
    elif name is None and not _is(prefix, _PREFIX, _LONGEST_NAME):
        yield _no_name(("metadata", "generateName"), prefix)
    namespace = metadata.get("namespace")
    if (
        namespace is not None
        and not _is(namespace, _NAMESPACE, _LONGEST_NAMESPACE)
        and namespace != ""
    ):
        yield _no_name(("metadata", "namespace"), namespace)
    labels = metadata.get("labels")
    if labels is not None and not isinstance(labels, Mapping):
        yield ManifestFault(("metadata", "labels"), "labels are no mapping", "correct it")
    for key, value in labels.items() if isinstance(labels, Mapping) else ():
        if value is not None and not isinstance(value, str):
            what = f"the label {printable(str(key), _LONGEST_SHOWN)} is no text"
            yield ManifestFault(("metadata", "labels", key), what, _QUOTES)


def _is(value: object, pattern: re.Pattern[str], longest: int) -> bool:
    return isinstance(value, str) and len(value) <= longest and pattern.fullmatch(value) is not None


def _no_name(steps: Steps, value: object) -> ManifestFault:
    what = f"{'.'.join(map(str, steps))} is {_said(value)}, which is no name"
    advice = "put it in quotes" if not isinstance(value, str) else _fill_in(value)
    return ManifestFault(steps, what, advice)


def _said(value: object) -> str:
    if isinstance(value, str):
        return f'"{printable(value, _LONGEST_SHOWN)}"'
    return printable(f"{value}", _LONGEST_SHOWN) if isinstance(value, int | float) else "no text"


def _fill_in(value: str) -> str:
    is_placeholder = any(one in value for one in ("{", "$", "<", "%"))
    return "fill in the placeholder, or render the template" if is_placeholder else "correct it"


def _faults_of_container(container: object, steps: Steps) -> Iterator[ManifestFault]:
    if not isinstance(container, Mapping):
        yield ManifestFault(steps, "a container is no mapping", "correct it")
        return
    name, image = container.get("name"), container.get("image")
    if not isinstance(name, str) or not name:
        yield ManifestFault((*steps, "name"), "a container has no name", "add it")
        return
    name = printable(name, _LONGEST_SHOWN)
    if image is None or image == "":
        yield ManifestFault(steps, f"the container {name} has no image", _RENDER, is_partial=True)
        return
    if not isinstance(image, str) or not _IMAGE.fullmatch(image):
        what = f"the image of the container {name} is {_said(image)}, which is no image"
        yield ManifestFault(
            (*steps, "image"), what, _fill_in(image) if isinstance(image, str) else _QUOTES
        )
    yield from _faults_of_words(container, steps, name)
    env = container.get("env")
    if env is not None and not isinstance(env, list):
        yield ManifestFault(
            (*steps, "env"), f"env of the container {name} is no list", "correct it"
        )
    for place, entry in enumerate(env if isinstance(env, list) else ()):
        yield from _faults_of_variable(entry, (*steps, "env", place), name)


def _faults_of_words(container: Manifest, steps: Steps, name: str) -> Iterator[ManifestFault]:
    for key in ("command", "args"):
        words = container.get(key)
        if words is not None and not isinstance(words, list):
            yield ManifestFault(
                (*steps, key), f"{key} of the container {name} is no list", "correct it"
            )
        for place, word in enumerate(words if isinstance(words, list) else ()):
            if not isinstance(word, str):
                what = f"a word in {key} of the container {name} is {_said(word)}, which is no text"
                yield ManifestFault((*steps, key, place), what, _QUOTES)


def _faults_of_variable(entry: object, steps: Steps, container: str) -> Iterator[ManifestFault]:
    if not isinstance(entry, Mapping) or not isinstance(entry.get("name"), str):
        yield ManifestFault(steps, f"a variable of the container {container} has no name", "add it")
        return
    value = entry.get("value")
    if value is not None and not isinstance(value, str):
        name = printable(entry["name"], _LONGEST_SHOWN)
        what = (
            f"the variable {name} of the container {container} is {_said(value)}, which is no text"
        )
        yield ManifestFault(
            (*steps, "value"), what, "put it in quotes; the API server refuses it as it is"
        )
