"""Which files an audit reads: those that are named, and those of manifests in folders."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from fleet_telemetry.audit.result import Place, Problem
from fleet_telemetry.objects.text import printable

STANDARD_INPUT = "-"
_ENDS = (".yaml", ".yml", ".json")
_KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml", "Kustomization")
_CHART = "Chart.yaml"
_LONGEST_NAME = 4096


@dataclass(frozen=True, slots=True)
class InputFile:
    """A file, or standard input."""

    name: str
    """For people."""
    path: Path | None
    """None for standard input."""
    is_named: bool = True
    """The user named it; otherwise it was found in a folder."""
    beside_kustomization: bool = False
    """Its folder has a kustomization: what is no whole manifest is a patch."""


def find_inputs(named: Iterable[str]) -> Iterator[InputFile | Problem]:
    """The files of these names, each once. Hidden files and folders within a folder are left out;
    links are followed, and each folder is read once."""
    seen: set[tuple[int, int]] = set()
    has_standard_input = False
    for name in named:
        if name == STANDARD_INPUT:
            if not has_standard_input:
                yield InputFile(STANDARD_INPUT, None)
            has_standard_input = True
            continue
        try:
            found = Path(name).stat()
        except (OSError, ValueError) as error:
            yield unreadable(name, error)
            continue
        if stat.S_ISDIR(found.st_mode):
            yield from _in_named_folder(name, seen)
        elif _is_new(found, seen):
            yield InputFile(printable(name, _LONGEST_NAME), Path(name))


def unreadable(name: str, error: OSError | ValueError) -> Problem:
    """Why a file cannot be read."""
    why = (error.strerror if isinstance(error, OSError) else None) or "the name is none"
    return Problem(
        place=Place(file=printable(name, _LONGEST_NAME)),
        what=f"it cannot be read: {why}",
        advice="correct the name, or permit it",
    )


def _in_named_folder(name: str, seen: set[tuple[int, int]]) -> Iterator[InputFile | Problem]:
    is_empty = True
    for found in _in_folder(name, seen):
        is_empty = False
        yield found
    if is_empty:
        yield Problem(
            place=Place(file=printable(name, _LONGEST_NAME)),
            what=f"no file in it ends in {', '.join(_ENDS)}, or it was named before",
            advice="name a folder of manifests once",
        )


def _in_folder(top: str, seen: set[tuple[int, int]]) -> Iterator[InputFile | Problem]:
    waiting = [top]
    while waiting:
        folder = waiting.pop()
        try:
            if not _is_new(Path(folder).stat(), seen):
                continue
            with os.scandir(folder) as scan:
                entries = sorted(
                    (one for one in scan if not one.name.startswith(".")), key=lambda one: one.name
                )
        except OSError as error:
            yield unreadable(folder, error)
            continue
        names = {one.name for one in entries}
        if _CHART in names:
            shown = printable(folder, _LONGEST_NAME)
            yield Problem(
                place=Place(file=shown),
                what="it is a Helm chart, whose templates are not manifests",
                advice=f"render it: helm template {shown} | fleet-telemetry audit -",
            )
            continue
        is_patched = not names.isdisjoint(_KUSTOMIZATIONS)
        folders = []
        for entry in entries:
            is_manifest = entry.name.endswith(_ENDS)
            try:
                found = Path(entry.path).stat()
            except OSError as error:
                if is_manifest:
                    yield unreadable(entry.path, error)
                continue
            if stat.S_ISDIR(found.st_mode):
                folders.append(entry.path)
            elif is_manifest and stat.S_ISREG(found.st_mode) and _is_new(found, seen):
                shown = printable(entry.path, _LONGEST_NAME)
                yield InputFile(
                    shown, Path(entry.path), is_named=False, beside_kustomization=is_patched
                )
        waiting += reversed(folders)


def _is_new(found: os.stat_result, seen: set[tuple[int, int]]) -> bool:
    key = (found.st_dev, found.st_ino)
    is_new = key not in seen
    seen.add(key)
    return is_new
