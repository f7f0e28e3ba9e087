"""Edits as a JSON patch that touches nothing else and keeps every order."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

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


def apply_operations(document: Manifest, operations: Sequence[Operation]) -> Manifest:
    """The document after a JSON patch of the operator's own, of ``add``, ``replace`` and
    ``remove``."""
    document = copy.deepcopy(document)
    for operation in operations:
        *way, last = operation["path"].removeprefix("/").split("/")
        parent: Any = document
        for step in way:
            parent = parent[int(step)] if isinstance(parent, list) else parent[step]
        value = copy.deepcopy(operation.get("value"))
        if operation["op"] == "remove":
            del parent[int(last) if isinstance(parent, list) else last]
        elif isinstance(parent, dict):
            parent[last] = value
        elif operation["op"] == "replace":
            parent[int(last)] = value
        else:
            parent.insert(len(parent) if last == "-" else int(last), value)
    return document
