"""Edits as a JSON patch that touches nothing else and keeps every order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

from fleet_telemetry.objects.manifest import Manifest, dig
from fleet_telemetry.switches.edits import Edit

Operation = dict[str, Any]
"""One operation of a JSON patch (RFC 6902)."""


def build_patch(
    manifest: Manifest, template_path: tuple[str, ...], edits: Iterable[Edit]
) -> list[Operation]:
    """The patch that makes the edits in a manifest."""
    path = (*template_path, "spec", "containers")
    containers = dig(manifest, *path) or []
    writes: list[Operation] = []
    ordered = sorted(edits, key=lambda edit: edit.container)
    for index, group in groupby(ordered, key=lambda edit: edit.container):
        container = containers[index]
        pointer = "/" + "/".join((*path, str(index)))
        writes.extend(_writes(f"{pointer}/env", container.get("env"), list(group)))
    return writes


def _writes(pointer: str, env: object, edits: list[Edit]) -> Iterator[Operation]:
    entries = env if isinstance(env, list) else []
    names = [dig(entry, "name") for entry in entries]
    removed = {edit.name for edit in edits if edit.value is None}
    added = []
    for edit in edits:
        if edit.value is None:
            continue
        places = [place for place, name in enumerate(names) if name == edit.name]
        if places:
            # The last one of a name is the one that counts.
            entry_pointer = f"{pointer}/{places[-1]}/value"
            op = "replace" if "value" in entries[places[-1]] else "add"
            yield {"op": op, "path": entry_pointer, "value": edit.value}
        else:
            added.append({"name": edit.name, "value": edit.value})
    gone = [place for place, name in enumerate(names) if isinstance(name, str) and name in removed]
    if gone and len(gone) == len(entries) and not added:
        yield {"op": "remove", "path": pointer}
        return
    for place in reversed(gone):
        yield {"op": "remove", "path": f"{pointer}/{place}"}
    if added and not entries:
        yield {"op": "add", "path": pointer, "value": added}
        return
    for entry in added:
        yield {"op": "add", "path": f"{pointer}/-", "value": entry}
