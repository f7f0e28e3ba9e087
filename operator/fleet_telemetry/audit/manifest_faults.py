"""Why the API server would refuse a manifest, as far as an answer depends on it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from fleet_telemetry.api.policy import DNS_LABEL, DNS_SUBDOMAIN
from fleet_telemetry.linting.document import Path as Steps
from fleet_telemetry.objects.manifest import Manifest, dig
from fleet_telemetry.objects.text import printable

_NAME = re.compile(DNS_SUBDOMAIN.expression)
_PREFIX = re.compile(r"[a-z0-9][-.a-z0-9]*")
_NAMESPACE = re.compile(DNS_LABEL.expression)
_IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@+-]*")
_LONGEST_NAME = 253
_LONGEST_NAMESPACE = 63
_LONGEST_SHOWN = 80
_QUOTES = "put it in quotes"
_REFUSED = f"{_QUOTES}; the API server refuses it as it is"
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


def faults_of_workload(manifest: Manifest, templates: Iterable[Steps]) -> Iterator[ManifestFault]:
    """Those of a workload or a pod, with the places of its pod templates."""
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
    for template in templates:
        yield from _faults_of_pod(manifest, (*template, "spec"))


def _faults_of_pod(manifest: Manifest, where: Steps) -> Iterator[ManifestFault]:
    pod = dig(manifest, *where)
    if not isinstance(pod, Mapping):
        what = f"it has no {_path(where)}"
        yield ManifestFault(where, what, _RENDER, is_partial=pod is None)
        return
    containers = pod.get("containers")
    if not containers:
        what = f"it has no {_path(where)}.containers"
        yield ManifestFault((*where, "containers"), what, _RENDER, is_partial=True)
        return
    for key in ("containers", "initContainers"):
        listed = pod.get(key)
        if listed is not None and not isinstance(listed, list):
            yield ManifestFault((*where, key), f"{key} is no list", "correct it")
            return
        for place, container in enumerate(listed or ()):
            yield from _faults_of_container(container, (*where, key, place))


def _path(steps: Steps) -> str:
    return "".join(f"[{one}]" if isinstance(one, int) else f".{one}" for one in steps).removeprefix(
        "."
    )


def faults_of_config_map(manifest: Manifest) -> Iterator[ManifestFault]:
    """Those of a ConfigMap. A value may be left empty."""
    for field in ("data", "binaryData"):
        values = manifest.get(field)
        if values is not None and not isinstance(values, Mapping):
            yield ManifestFault((field,), f"{field} is no mapping", "correct it")
        for key, value in values.items() if isinstance(values, Mapping) else ():
            if value is not None and not isinstance(value, str | bytes):  # bytes: of !!binary
                what = f"{printable(str(key), _LONGEST_SHOWN)} is {_said(value)}, which is no text"
                yield ManifestFault((field, key), what, _REFUSED)


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
    advice = _QUOTES if not isinstance(value, str) else _fill_in(value)
    return ManifestFault(steps, what, advice)


def _said(value: object) -> str:
    if isinstance(value, str):
        return f'"{printable(value, _LONGEST_SHOWN)}"'
    if isinstance(value, int | float):
        return printable(f"{value}", _LONGEST_SHOWN)
    if isinstance(value, list):
        return "a list"
    return "a mapping" if isinstance(value, Mapping) else "no text"


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
        yield ManifestFault((*steps, "value"), what, _REFUSED)
