"""Edits as a JSON patch that touches nothing else and keeps every order."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from fleet_telemetry.objects.manifest import Manifest, dig
from fleet_telemetry.switches.edits import Edit
from fleet_telemetry.switches.mechanism import Operation
from fleet_telemetry.switches.registry import mechanism_named


def build_patch(
    manifest: Manifest, template_path: tuple[str, ...], edits: Iterable[Edit]
) -> list[Operation]:
    """The patch that makes the edits in a manifest."""
    path = (*template_path, "spec", "containers")
    containers = dig(manifest, *path) or []
    operations: list[Operation] = []
    ordered = sorted(edits, key=lambda edit: (edit.container, edit.mechanism))
    for (index, mechanism), group in groupby(
        ordered, key=lambda edit: (edit.container, edit.mechanism)
    ):
        pointer = "/" + "/".join((*path, str(index)))
        operations.extend(mechanism_named(mechanism).patch(pointer, containers[index], list(group)))
    return operations
