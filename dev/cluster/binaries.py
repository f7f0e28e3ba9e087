"""Makes the tools' binaries available: ready-made ones where they fit, else built here."""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from dev.cluster import golang, locks, paths, toolchain
from dev.cluster.errors import DevclusterError
from dev.cluster.progress import say
from dev.cluster.toolchain import BuiltTool

_VERSION = re.compile(r"v?(\d+\.\d+\.\d+(?:-[\w.]+)?)")


def ensure(names: Iterable[str]) -> dict[str, Path]:
    """Make these tools available, and return their binaries in `.cluster/bin` by name.

    In order of preference: from the folder KUBEBUILDER_ASSETS (same minor version), what is in
    `.cluster/bin` already, from PATH (the same version exactly), built with Go. The first call on a
    machine takes minutes and says so. Raises DevclusterError.
    """
    tools = [toolchain.tool(name) for name in names]
    folder = paths.root() / "bin"
    if not all(_available(tool, folder) for tool in tools):
        waiting = "another process is building the local cluster's tools: waiting for it"
        with locks.exclusive(folder / ".lock", waiting):
            missing = [tool for tool in tools if not _available(tool, folder)]
            if missing:
                golang.build(missing, folder)
                _check(missing, folder)
    return {tool.name: folder / tool.name for tool in tools}


def _check(built: Iterable[BuiltTool], folder: Path) -> None:
    """Refuse a program that does not print its version: it would be built again each time."""
    for tool in built:
        if not _exact(folder / tool.name, tool):
            raise DevclusterError(
                f"{tool.name} was built, but does not say that it is {tool.version}:"
                " see `stamps` and `version_args` in dev/cluster/toolchain.py"
            )


def _available(tool: BuiltTool, folder: Path) -> bool:
    """Look for the right binary; a ready-made one from elsewhere is linked into the folder."""
    place = folder / tool.name
    found = _from_assets(tool) or _exact(place, tool) or _exact(shutil.which(tool.name), tool)
    if found and not (place.exists() and place.samefile(found)):
        link = folder / f".{tool.name}.{os.getpid()}.link"
        folder.mkdir(parents=True, exist_ok=True)
        link.symlink_to(found.resolve())
        link.replace(place)
    return found is not None


def _from_assets(tool: BuiltTool) -> Path | None:
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    binary = Path(assets or "") / tool.name
    if not assets or not binary.exists():
        return None
    found = _version_of(binary, tool)
    if found and _minor(found) == _minor(tool.version):
        return binary
    _say_once(f"KUBEBUILDER_ASSETS has {tool.name} {found}, and {tool.version} is wanted: not used")
    return None


def _exact(binary: Path | str | None, tool: BuiltTool) -> Path | None:
    """Return the binary if its version is the tool's own, and it was built from our main."""
    if binary and _version_of(Path(binary), tool) == tool.version:
        said = _said_by(Path(binary), tool)
        return Path(binary) if said is not None and tool.digest in said else None
    return None


def _version_of(binary: Path, tool: BuiltTool) -> str | None:
    """Return what the binary says, such as `v1.36.3`; None where it is missing or does not say."""
    found = _VERSION.search(_said_by(binary, tool) or "")
    return f"v{found[1]}" if found else None


def _said_by(binary: Path, tool: BuiltTool) -> str | None:
    """Return what the binary prints about its version; None where it is missing or fails."""
    try:
        status = binary.stat()
    except OSError:
        return None
    return _ask(binary, tool.version_args, (status.st_size, status.st_mtime_ns))


@functools.cache
def _ask(
    binary: Path,
    arguments: tuple[str, ...],
    state: tuple[int, int],  # noqa: ARG001 - a changed file is asked again
) -> str | None:
    """Ask once per process: the answers of all tools together take half a second."""
    try:
        answer = subprocess.run(
            [binary, *arguments], capture_output=True, text=True, timeout=30, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout


def _minor(version: str) -> list[str]:
    """Cut `v1.36.3` down to ["v1", "36"]."""
    return version.split(".")[:2]


_say_once = functools.cache(say)
