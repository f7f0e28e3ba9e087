"""Edits as a JSON patch that touches nothing else and keeps every order."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from fleet_telemetry.objects.manifest import Manifest, dig
from fleet_telemetry.switches.edits import Edit
from fleet_telemetry.switches.mechanism import Operation
from fleet_telemetry.switches.registry import mechanism_named
from fleet_telemetry.workloads.workload import container_path


def build_patch(
    manifest: Manifest, template_path: tuple[str, ...], edits: Iterable[Edit]
) -> list[Operation]:
    """The patch that makes the edits in a manifest."""
    path = (*template_path, "spec")
    spec = dig(manifest, *path)
    operations: list[Operation] = []
    ordered = sorted(edits, key=lambda edit: (edit.container, edit.mechanism))
    for (index, mechanism), group in groupby(
        ordered, key=lambda edit: (edit.container, edit.mechanism)
    ):
        name, position = container_path(index)
        pointer = "/" + "/".join((*path, name, str(position)))
        container = dig(spec, name)[position]
        operations.extend(mechanism_named(mechanism).patch(pointer, container, list(group)))
    return operations
