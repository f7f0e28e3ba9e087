"""One object of a list or a watch, as bytes, with the few fields that decide whether it is kept.

Most objects of a cluster run no product. They are decoded no further, so a large list costs little
time and memory.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypedDict, TypeVar

import msgspec

from fleet_telemetry.kube.shallow_json import shallow
from fleet_telemetry.objects.kind import Kind
from fleet_telemetry.objects.manifest import Manifest, text_at
from fleet_telemetry.objects.sharing import share_strings

END_OF_LIST = "k8s.io/initial-events-end"

_T = TypeVar("_T")


class ObjectError(ValueError):
    """The bytes are no object of the Kubernetes API."""


_Annotations = TypedDict("_Annotations", {"k8s.io/initial-events-end": Any}, total=False)


class _Metadata(TypedDict, total=False):
    name: Any
    namespace: Any
    uid: Any
    resourceVersion: Any
    ownerReferences: Any
    annotations: _Annotations | None


class _Container(TypedDict, total=False):
    name: Any
    image: Any
    restartPolicy: Any


class _PodSpec(TypedDict, total=False):
    containers: list[_Container | None] | None
    initContainers: list[_Container | None] | None


class _Template(TypedDict, total=False):
    spec: _PodSpec | None


class _JobSpec(TypedDict, total=False):
    template: _Template | None


class _JobTemplate(TypedDict, total=False):
    spec: _JobSpec | None


class _Group(TypedDict, total=False):
    template: _Template | None


class _Spec(_PodSpec, total=False):
    """That of a pod and of every type of workload: no field has two meanings."""

    template: _Template | None
    jobTemplate: _JobTemplate | None
    workloadRef: Any
    headGroupSpec: _Group | None
    workerGroupSpecs: list[_Group | None] | None


class _Sketch(TypedDict, total=False):
    metadata: _Metadata
    spec: _Spec | None


_sketches = msgspec.json.Decoder(_Sketch)
_wholes = msgspec.json.Decoder(dict[str, Any])


@dataclass(frozen=True, slots=True)
class RawObject:
    """An object of a kind."""

    kind: Kind
    raw: bytes | msgspec.Raw
    sketch: Manifest
    """The manifest, with the object's identity and owners, and the names and images of containers.
    All of it, if a part of that is misshapen."""

    key: tuple[str, str]
    """Namespace (empty for a cluster-scoped object) and name."""
    uid: str
    """Empty for none."""
    version_text: str
    """The resource version, as it is sent back to the API server; empty for none."""

    @property
    def version(self) -> int:
        """The resource version as a number; see ``number_of``."""
        return number_of(self.version_text)

    def whole(self) -> dict[str, Any]:
        """The manifest, with shared strings: it is for what is kept. The API server omits
        apiVersion and kind of list items; they are added."""
        named = {"apiVersion": self.kind.api_version, "kind": self.kind.kind}
        return share_strings({**named, **decode(_wholes.decode, self.raw)})


def number_of(version: str) -> int:
    """A resource version as a number, by which two of a kind are compared; 0 if it is none.

    Kubernetes promises that they can be compared (KEP-5504, "Comparable Resource Version").
    """
    return int(version) if version.isascii() and version.isdecimal() else 0


def read_object(kind: Kind, raw: bytes | msgspec.Raw) -> RawObject:
    """Raises ObjectError: for what is no JSON object, or names no object of this kind."""
    sketch: Manifest
    try:
        sketch = read_sketch(raw)
    except msgspec.ValidationError:
        # Its author may write what he likes into a custom resource.
        sketch = decode(_wholes.decode, raw)
    metadata = sketch.get("metadata")
    name, namespace = text_at(metadata, "name"), text_at(metadata, "namespace")
    if not name or bool(namespace) is not kind.namespaced:
        raise ObjectError(f"an object of {kind.plural} without a name or a namespace")
    return RawObject(
        kind,
        raw,
        sketch,
        (namespace, name),
        text_at(metadata, "uid"),
        text_at(metadata, "resourceVersion"),
    )


def read_sketch(raw: bytes | msgspec.Raw) -> Manifest:
    """The sketch of any object. Raises ObjectError, and msgspec.ValidationError for one in which a
    field has another type."""
    found: Manifest = _decode(_sketches.decode, raw)
    return found


def decode(decoder: Callable[[bytes | msgspec.Raw], _T], raw: bytes | msgspec.Raw) -> _T:
    """What a decoder makes of JSON, however deep. Raises ObjectError."""
    try:
        return _decode(decoder, raw)
    except msgspec.ValidationError as error:
        raise ObjectError(str(error)) from error


def _decode(decoder: Callable[[bytes | msgspec.Raw], _T], raw: bytes | msgspec.Raw) -> _T:
    try:
        try:
            return decoder(raw)
        except RecursionError:
            return decoder(shallow(bytes(raw)))
    except msgspec.ValidationError:
        raise
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ObjectError(str(error)) from error
