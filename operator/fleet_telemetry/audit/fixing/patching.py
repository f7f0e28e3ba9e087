"""Edits of a workload as a patch that others can apply, and the workload after it.

The patch is made from what was read of the workload, so it holds nothing that somebody else wrote
but names, and the old words of the switch itself: other arguments may be passwords.

A strategic merge patch is used where it says exactly what is meant. It does not where a list has no
keys (``args``), where a variable stands twice (it would change the first one, and the last one
takes effect), and for custom resources (the API server refuses it). A JSON patch counts places, so
it tests what is there first.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from fleet_telemetry.audit.result import PatchForm
from fleet_telemetry.objects.manifest import Manifest, dig, items_at
from fleet_telemetry.switches.edits import Edit
from fleet_telemetry.switches.mechanism import Operation
from fleet_telemetry.switches.patch import apply_operations, build_patch
from fleet_telemetry.switches.patched import container_in, manifest_of
from fleet_telemetry.workloads.workload import (
    Container,
    Workload,
    container_path,
)

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_SUBDOMAIN = re.compile(r"(?=.{1,253}\Z)[a-z0-9]([a-z0-9.-]*[a-z0-9])?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class WorkloadPatch:
    """A patch, in one of two forms."""

    form: PatchForm
    content: Any


def is_object_name(name: str) -> bool:
    """Whether the API server accepts the name of a workload or of its namespace."""
    return _SUBDOMAIN.fullmatch(name) is not None


def patch_of(workload: Workload, edits: Sequence[Edit]) -> WorkloadPatch | None:
    """The patch that makes the edits; None if there is nothing to do, or if a name in the manifest
    is none that the API server accepts."""
    names = [workload.ref.name, workload.ref.namespace]
    touched = {edit.container for edit in edits}
    containers = [one for one in workload.template.containers if one.index in touched]
    unfit = [one.name for one in containers if not _LABEL.fullmatch(one.name)]
    if not edits or unfit or not all(map(is_object_name, names)):
        return None
    before = manifest_of(workload)
    after = apply_operations(
        before, build_patch(before, workload.ref.kind.type.template_path, edits)
    )
    if workload.ref.kind.type.optional or any(_needs_places(one, edits) for one in containers):
        return WorkloadPatch(PatchForm.JSON, list(_operations(workload, before, after, containers)))
    return WorkloadPatch(PatchForm.STRATEGIC, _merge(workload, before, after, containers))


def _needs_places(one: Container, edits: Sequence[Edit]) -> bool:
    """Whether a strategic merge patch does not say what the edits of a container mean."""
    own = [edit for edit in edits if edit.container == one.index]
    counts = Counter(entry.name for entry in one.env)
    return any(edit.argument is not None or counts[edit.name] > 1 for edit in own)


def _merge(
    workload: Workload, before: Manifest, after: Manifest, containers: Sequence[Container]
) -> dict[str, Any]:
    """A strategic merge patch: lists of containers and of variables are merged by name."""
    pod: dict[str, list[dict[str, Any]]] = {}
    for one in containers:
        old = _variables(container_in(workload, before, one))
        new = _variables(container_in(workload, after, one))
        env = [
            *(
                {"name": name, "value": value}
                for name, value in new.items()
                if old.get(name) != value
            ),
            *({"name": name, "$patch": "delete"} for name in old if name not in new),
        ]
        if env:
            pod.setdefault(container_path(one.index)[0], []).append({"name": one.name, "env": env})
    patch: dict[str, Any] = {}
    if pod:
        inner = patch
        for key in (*workload.ref.kind.type.template_path, "spec"):
            inner[key] = {}
            inner = inner[key]
        inner.update(pod)
    if dig(before, "spec", "suspend") != dig(after, "spec", "suspend"):
        patch.setdefault("spec", {})["suspend"] = bool(dig(after, "spec", "suspend"))
    return patch


def _variables(container: Manifest) -> dict[str, str | None]:
    """The variables of a container; None is a value by reference."""
    return {entry["name"]: entry.get("value") for entry in items_at(container, "env")}


def _operations(
    workload: Workload, before: Manifest, after: Manifest, containers: Sequence[Container]
) -> Iterator[Operation]:
    """A JSON patch that fails where something else stands in its places."""
    if workload.generation:
        yield {"op": "test", "path": "/metadata/generation", "value": workload.generation}
    path = "/".join((*workload.ref.kind.type.template_path, "spec"))
    for one in containers:
        name, place = container_path(one.index)
        pointer = f"/{path}/{name}/{place}"
        old = container_in(workload, before, one)
        new = container_in(workload, after, one)
        yield {"op": "test", "path": f"{pointer}/name", "value": one.name}
        yield from _on_env(f"{pointer}/env", items_at(old, "env"), items_at(new, "env"))
        yield from _on_args(f"{pointer}/args", list(old.get("args", ())), list(new.get("args", ())))
    if dig(before, "spec", "suspend") != dig(after, "spec", "suspend"):
        yield {"op": "add", "path": "/spec/suspend", "value": bool(dig(after, "spec", "suspend"))}


def _on_env(pointer: str, old: list[Manifest], new: list[Manifest]) -> Iterator[Operation]:
    """Values change in their places, what goes leaves the order of the rest, what comes is last."""
    left = [entry["name"] for entry in new]
    gone = [place for place, entry in enumerate(old) if entry["name"] not in left]
    kept = [place for place in range(len(old)) if place not in gone]
    for place, entry in zip(kept, new, strict=False):
        if old[place] != entry:
            yield {"op": "test", "path": f"{pointer}/{place}/name", "value": entry["name"]}
            yield {"op": "add", "path": f"{pointer}/{place}/value", "value": entry["value"]}
    for place in reversed(gone):
        yield {"op": "test", "path": f"{pointer}/{place}/name", "value": old[place]["name"]}
        yield {"op": "remove", "path": f"{pointer}/{place}"}
    added = [dict(entry) for entry in new[len(kept) :]]
    if added and not old:
        yield {"op": "add", "path": pointer, "value": added}
        return
    for entry in added:
        yield {"op": "add", "path": f"{pointer}/-", "value": entry}


def _on_args(pointer: str, old: list[str], new: list[str]) -> Iterator[Operation]:
    """Words come and go in their places, from the last to the first; no other word is named."""
    if new and not old:
        yield {"op": "add", "path": pointer, "value": new}
        return
    if old and not new:
        yield {"op": "remove", "path": pointer}
        return
    for tag, start, end, low, high in reversed(
        SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    ):
        if tag == "equal":
            continue
        for place in reversed(range(start, end)):
            yield {"op": "test", "path": f"{pointer}/{place}", "value": old[place]}
            yield {"op": "remove", "path": f"{pointer}/{place}"}
        for word in reversed(new[low:high]):
            yield {"op": "add", "path": f"{pointer}/{start}", "value": word}
