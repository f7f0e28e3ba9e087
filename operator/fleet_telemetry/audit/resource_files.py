"""Custom resources in files: the fields that products of the same input read."""

from __future__ import annotations

import re
from collections.abc import Iterable

from fleet_telemetry.audit.definitions import ESCAPE
from fleet_telemetry.catalogue.product import Product
from fleet_telemetry.objects.manifest import Manifest, text_at
from fleet_telemetry.workloads.resource_fields import (
    FieldFault,
    FieldRef,
    FieldState,
    FieldStates,
    is_of,
    read_field,
)

_ESCAPES = re.compile(rb"(?!)" + ESCAPE)
_TWICE = FieldState(
    FieldFault.NOT_READ, detail="The files have the object twice, with different values."
)


class ResourceFiles:
    """The fields of an input. The object of a field that it does not have does not exist. One that
    it has twice, with different values, as in the overlays of a folder, is not known."""

    def __init__(self, products: Iterable[Product], default_namespace: str) -> None:
        switches = (switch for one in products for switch in one.all_switches)
        fields = (switch.resource.field for switch in switches if switch.resource is not None)
        self._fields = tuple(dict.fromkeys(fields))
        self._kinds = frozenset(one.kind for one in self._fields)
        self._default = default_namespace
        self._found: dict[FieldRef, FieldState] = {}
        self._groups = frozenset(one.group.encode() for one in self._fields)

    def may_be_in(self, text: bytes) -> bool:
        """Whether a document may be one of the objects, or have some."""
        is_named = any(group in text for group in self._groups)
        # An expression looks at each byte; few texts have a backslash at all.
        may_hide = bool(self._groups) and b"\\" in text
        return is_named or (may_hide and _ESCAPES.search(text) is not None)

    def is_kind(self, kind: str, _: bytes) -> bool:
        """Whether it is a kind of them."""
        return kind in self._kinds

    def add(self, manifest: Manifest) -> None:
        """Take a manifest, if it is one of the objects."""
        namespace = text_at(manifest, "metadata", "namespace") or self._default
        for one in self._fields:
            if is_of(manifest, one):
                ref = one.at(namespace)
                state = read_field(manifest, one)
                before = self._found.setdefault(ref, state)
                if (before.value, before.is_other) != (state.value, state.is_other):
                    self._found[ref] = _TWICE

    def of_namespace(self, namespace: str) -> FieldStates:
        """The states for workloads of a namespace."""
        return {
            ref: self._found.get(ref, FieldState())
            for ref in (one.at(namespace) for one in self._fields)
        }
