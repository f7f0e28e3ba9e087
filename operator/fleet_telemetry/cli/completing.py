"""What a shell offers for arguments and options. A fault offers nothing: a shell that completes has
no place for messages."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import click


def product_names(_: click.Context, __: click.Parameter, incomplete: str) -> list[str]:
    """The built-in products whose names begin so."""
    from fleet_telemetry.catalogue.catalogue import builtin  # noqa: PLC0415  # 100 ms

    return sorted(name for name in builtin().products if name.startswith(incomplete))


def workload_kinds(_: click.Context, __: click.Parameter, incomplete: str) -> list[str]:
    """The kinds of workload, as the start of KIND/NAME, whatever the case of what is typed."""
    from fleet_telemetry.workloads.registry import WorkloadKind  # noqa: PLC0415

    names = (f"{kind.lower()}/" for kind in WorkloadKind)
    return sorted(name for name in names if name.startswith(incomplete.lower()))


def contexts(context: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """The contexts of the kubeconfig that ``--kubeconfig`` or KUBECONFIG names."""
    given = context.params.get("kubeconfig") or os.environ.get("KUBECONFIG") or ""
    paths = [Path(part) for part in str(given).split(os.pathsep) if part]
    names = {name for path in paths or [_default()] for name in _contexts_in(path)}
    return sorted(name for name in names if name.startswith(incomplete) and name.isprintable())


def _default() -> Path:
    return Path(os.environ.get("HOME", "/")) / ".kube" / "config"


def _contexts_in(path: Path) -> Iterator[str]:
    # The limits of a product's file are wide enough for a kubeconfig.
    from fleet_telemetry.linting.document import LARGEST_FILE, Document  # noqa: PLC0415
    from fleet_telemetry.linting.problem import FileError  # noqa: PLC0415

    try:
        # A pipe would be empty for the command itself, and a device never ends.
        if not path.is_file():
            return
        with path.open("rb") as file:
            found = Document.parse(str(path), file.read(LARGEST_FILE + 1)).data
    except (OSError, ValueError, FileError):
        return
    listed = found.get("contexts") if isinstance(found, dict) else None
    for one in listed if isinstance(listed, list) else []:
        name = one.get("name") if isinstance(one, dict) else None
        if isinstance(name, str):
            yield name
