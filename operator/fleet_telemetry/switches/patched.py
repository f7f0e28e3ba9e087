"""A workload after edits, from what was read of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from fleet_telemetry.objects.manifest import Manifest, dig, items_at
from fleet_telemetry.switches.edits import Edit
from fleet_telemetry.switches.patch import apply_operations, build_patch
from fleet_telemetry.workloads.workload import Container, EnvVar, Workload, container_path

_REFERENCE: Manifest = {"valueFrom": {}}


def patched(workload: Workload, edits: Sequence[Edit]) -> Workload:
    """The workload with the edits, as it would be read again."""
    before = manifest_of(workload)
    path = workload.ref.kind.type.template_path
    after = apply_operations(before, build_patch(before, path, edits))
    suspended = bool(dig(after, "spec", "suspend"))
    containers = tuple(
        _read_back(one, container_in(workload, after, one), suspended=suspended)
        for one in workload.template.containers
    )
    return replace(
        workload,
        template=replace(workload.template, containers=containers),
        first_template=workload.first_template and not edits,
        is_idle=workload.is_idle or suspended,
    )


def _read_back(one: Container, manifest: Manifest, *, suspended: bool) -> Container:
    references = {entry.name: entry.reference for entry in one.env if entry.by_reference}
    return replace(
        one,
        args=tuple(manifest.get("args", ())),
        env=tuple(
            EnvVar(
                entry["name"],
                entry.get("value", ""),
                by_reference="valueFrom" in entry,
                reference=references.get(entry["name"]) if "valueFrom" in entry else None,
            )
            for entry in items_at(manifest, "env")
        ),
        schedule=replace(one.schedule, suspended=suspended) if one.schedule else None,
    )


def manifest_of(workload: Workload) -> Manifest:
    """What was read of a workload, as a manifest with each container in its place."""
    pod: dict[str, list[dict[str, Any]]] = {}
    for one in workload.template.containers:
        name, place = container_path(one.index)
        listed = pod.setdefault(name, [])
        listed.extend({} for _ in range(len(listed), place + 1))
        listed[place] = _container_manifest(one)
    spec: dict[str, Any] = {}
    inner = spec
    # The template's path begins with "spec".
    for key in workload.ref.kind.type.template_path[1:]:
        inner[key] = {}
        inner = inner[key]
    inner["spec"] = pod
    if any(one.schedule and one.schedule.suspended for one in workload.template.containers):
        spec["suspend"] = True
    return {"spec": spec}


def _container_manifest(one: Container) -> dict[str, Any]:
    found: dict[str, Any] = {"name": one.name}
    if one.command:
        found["command"] = list(one.command)
    if one.args:
        found["args"] = list(one.args)
    if one.env:
        found["env"] = [
            {"name": entry.name, **(_REFERENCE if entry.by_reference else {"value": entry.value})}
            for entry in one.env
        ]
    return found


def container_in(workload: Workload, manifest: Manifest, one: Container) -> Manifest:
    """A container in what ``manifest_of`` gives."""
    name, place = container_path(one.index)
    found: Manifest = dig(manifest, *workload.ref.kind.type.template_path, "spec", name)[place]
    return found
