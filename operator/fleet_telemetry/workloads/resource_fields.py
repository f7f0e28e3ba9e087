"""Fields of custom resources, as they are in a cluster or in files: one value, and who owns it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from fleet_telemetry.objects.kind import Kind
from fleet_telemetry.objects.manifest import Manifest, items_at, mapping_at, read_time, text_at

_LONGEST_VALUE = 1024
"""Characters. A longer text is none that a product reads as a setting."""
_MOST_OWNERS = 32
OWN_MANAGER = "fleet-telemetry"
"""The beginning of the field managers of fields that the operator sets."""
_LONGEST_MANAGER = 128
Value = str | bool | None
"""Of a field; None if it is not there."""


@dataclass(frozen=True, slots=True, order=True)
class FieldRef:
    """One field of one object. ``path`` is written with dots."""

    group: str
    version: str
    plural: str
    kind: str
    name: str
    path: str
    namespaced: bool = True
    namespace: str = ""
    """Empty for an object of the cluster, and where the namespace does not matter yet."""

    def __str__(self) -> str:
        where = f" in the namespace {self.namespace}" if self.namespace else ""
        return f"{self.path} of {self.plural}.{self.group}/{self.name}{where}"

    @property
    def names(self) -> tuple[str, ...]:
        """The path, name by name."""
        return tuple(self.path.split("."))

    @property
    def api(self) -> Kind:
        """The kind of the object."""
        return Kind(self.group, self.version, self.plural, self.kind, self.namespaced)

    @property
    def manager(self) -> str:
        """The field manager by which the operator sets it. Each field has its own: an apply takes
        from its manager all fields that it does not have."""
        return f"{OWN_MANAGER}.{self.path}"

    def at(self, namespace: str) -> FieldRef:
        """The field for workloads of a namespace."""
        return replace(self, namespace=namespace) if self.namespaced else self


class FieldFault(StrEnum):
    """Why a field could not be read."""

    NOT_READ = "NotRead"
    """Nobody has read it yet, or nobody reads it."""
    FORBIDDEN = "Forbidden"
    """RBAC does not allow it."""
    KIND_MISSING = "KindMissing"
    """The cluster does not serve the kind in this version."""
    UNREACHABLE = "Unreachable"
    """The API server did not answer, or not with the object."""


class FieldRefusal(StrEnum):
    """Why a field could not be written."""

    FORBIDDEN = "Forbidden"
    """RBAC or an admission policy does not allow it."""
    REFUSED = "Refused"
    """The API server or a webhook does not accept the value."""
    FAILED = "Failed"
    """The write failed, and is tried again."""
    CONFLICT = "Conflict"
    """Somebody sets it back after each write, and no more writes are made."""


@dataclass(frozen=True, slots=True)
class FieldOwner:
    """A field manager that owns the field."""

    manager: str
    applies: bool
    """It uses server-side apply."""
    changed: datetime | None = None
    """When it last changed one of its fields; None if that is not known."""


@dataclass(frozen=True, slots=True)
class FieldState:
    """What was read of a field."""

    fault: FieldFault | None = None
    exists: bool = False
    """Whether the object does."""
    value: Value = None
    is_other: bool = False
    """There is a value, and it is neither a short text nor a boolean."""
    uid: str = ""
    resource_version: str = ""
    owners: tuple[FieldOwner, ...] = ()
    contested: str = ""
    """A workload that is to have another value of the same field, if there is one."""
    shared: bool = False
    """Whether a policy wants a value of the field for another workload."""
    refusal: FieldRefusal | None = None
    """Why the last write failed; None if it did not, or there was none."""
    detail: str = ""
    """What the API server said to that or to the read."""

    @property
    def changed(self) -> datetime | None:
        """A time after which the value has not changed; None if none is known.

        Whoever changed it is an owner since then.
        """
        times = [one.changed for one in self.owners]
        known = [time for time in times if time is not None]
        return max(known) if known and len(known) == len(times) else None

    def owned_by(self, manager: str) -> bool:
        """Whether a field manager owns the field."""
        return any(one.manager == manager for one in self.owners)


NOT_READ = FieldState(FieldFault.NOT_READ)
FieldStates = Mapping[FieldRef, FieldState]


def read_field(manifest: Manifest, ref: FieldRef) -> FieldState:
    """The state of a field in an object."""
    metadata = mapping_at(manifest, "metadata")
    value, is_other = _value_at(manifest, ref.names)
    return FieldState(
        exists=True,
        value=value,
        is_other=is_other,
        uid=text_at(metadata, "uid"),
        resource_version=text_at(metadata, "resourceVersion"),
        owners=tuple(_owners(metadata, ref.names)),
    )


def is_of(manifest: Manifest, ref: FieldRef) -> bool:
    """Whether a manifest is the object of a field, by group, kind and name, in any version."""
    group, slash, _ = text_at(manifest, "apiVersion").partition("/")
    return bool(slash) and (
        (group, text_at(manifest, "kind"), text_at(manifest, "metadata", "name"))
        == (ref.group, ref.kind, ref.name)
    )


def _value_at(manifest: Manifest, names: tuple[str, ...]) -> tuple[Value, bool]:
    found: object = manifest
    for name in names:
        if not isinstance(found, Mapping):
            return None, True
        found = found.get(name)
        if found is None:
            return None, False
    if isinstance(found, bool):
        return found, False
    if isinstance(found, str) and len(found) <= _LONGEST_VALUE:
        return found, False
    return None, True


def _owners(metadata: Manifest, names: tuple[str, ...]) -> Iterator[FieldOwner]:
    for entry in items_at(metadata, "managedFields")[:_MOST_OWNERS]:
        if not text_at(entry, "subresource") and _owns(mapping_at(entry, "fieldsV1"), names):
            yield FieldOwner(
                text_at(entry, "manager")[:_LONGEST_MANAGER],
                text_at(entry, "operation") == "Apply",
                read_time(entry.get("time")),
            )


def _owns(fields: Manifest, names: tuple[str, ...]) -> bool:
    """Whether a set of fields has the field, or the whole of what it is in."""
    for name in names:
        found = fields.get(f"f:{name}")
        if not isinstance(found, Mapping):
            return False
        if not found:
            return True
        fields = found
    return True
