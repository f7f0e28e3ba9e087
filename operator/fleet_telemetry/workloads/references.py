"""Where a variable that is given by reference takes its value from.

Facts on how a container's environment is built, from kubernetes/kubernetes@001a80e9:
pkg/kubelet/kubelet_pods.go, makeEnvironmentVariables:

- ``envFrom`` comes first, in its order; of one name, the last counts. ``prefix`` stands in front of
  every key. ``env`` comes after it, in its order.
- Of a ConfigMap, only ``data`` counts, never ``binaryData``. ``$(NAME)`` in it is not replaced.
- If the ConfigMap or the key is missing, the container does not start. With ``optional: true`` the
  entry is left out, so that an earlier one of its name counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from fleet_telemetry.objects.manifest import Manifest, items_at, mapping_at, text_at
from fleet_telemetry.objects.text import printable

_LONGEST_NAME = 253


class ReferenceKind(StrEnum):
    """What a reference names, in words for messages."""

    CONFIG_MAP = "ConfigMap"
    SECRET = "Secret"  # noqa: S105  # a kind
    OTHER = "field"


class Unread(StrEnum):
    """Why the value behind a reference is not known."""

    NEVER = "Never"
    """It is in something that is never read, such as a Secret."""
    NOT_READ = "NotRead"
    """Its ConfigMap was not read."""
    MISSING = "Missing"
    """There is no such ConfigMap, or no such key, so the container cannot start."""
    CHANGED = "Changed"
    """It may have been another one when the pod was created."""


@dataclass(frozen=True, slots=True)
class ValueReference:
    """What a ``valueFrom`` or an entry of ``envFrom`` names."""

    kind: ReferenceKind
    name: str = ""
    key: str = ""
    """Empty for an entry of ``envFrom`` as a whole."""
    optional: bool = False
    is_whole: bool = False
    """It is an entry of ``envFrom``, which an entry of ``env`` overrides."""
    prefix: str = ""
    """Of an entry of ``envFrom``: what stands in front of every key."""
    unread: Unread | None = None
    """Why the value is not known, once it was looked for."""

    def __str__(self) -> str:
        whole = f"the {self.kind} {printable(self.name, _LONGEST_NAME)}".strip()
        return f"key {printable(self.key, _LONGEST_NAME)} of {whole}" if self.key else whole


def read_value_from(entry: Manifest) -> ValueReference | None:
    """What an entry of ``env`` refers to; None if it has no ``valueFrom``."""
    value_from = entry.get("valueFrom")
    if not value_from:
        return None
    found = mapping_at(entry, "valueFrom")
    for field, kind in _KEYS:
        if list(found) == [field]:
            name, key = (text_at(found, field, one) for one in ("name", "key"))
            return ValueReference(kind, name, key, optional=_is_optional(found, field))
    return ValueReference(ReferenceKind.OTHER)


def read_env_from(container: Manifest) -> Iterator[ValueReference]:
    """What the entries of ``envFrom`` refer to."""
    for one in items_at(container, "envFrom"):
        given = [(field, kind) for field, kind in _WHOLES if field in one]
        prefix = text_at(one, "prefix")
        if len(given) == 1:
            ((field, kind),) = given
            optional = _is_optional(one, field)
            name = text_at(one, field, "name")
            yield ValueReference(kind, name, optional=optional, is_whole=True, prefix=prefix)
        else:
            yield ValueReference(ReferenceKind.OTHER, is_whole=True, prefix=prefix)


def _is_optional(found: Manifest, field: str) -> bool:
    return mapping_at(found, field).get("optional") is True


_KEYS = (
    ("configMapKeyRef", ReferenceKind.CONFIG_MAP),
    ("secretKeyRef", ReferenceKind.SECRET),
)
_WHOLES = (("configMapRef", ReferenceKind.CONFIG_MAP), ("secretRef", ReferenceKind.SECRET))
