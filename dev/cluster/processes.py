"""Starting processes, and recognising them again later."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from dev.cluster import launch

SHORT_LIVED = {"GOGC": "400", "GOMAXPROCS": "1"}
"""The environment of programs in Go that end before their memory or a second core matters."""
_PROC = Path("/proc")


class Process(Protocol):
    """What is used of a `subprocess.Popen`."""

    @property
    def pid(self) -> int: ...  # noqa: D102

    def poll(self) -> int | None: ...  # noqa: D102

    def wait(self, timeout: float | None = None) -> int: ...  # noqa: D102

    def send_signal(self, sig: int) -> None: ...  # noqa: D102

    def terminate(self) -> None: ...  # noqa: D102

    def kill(self) -> None: ...  # noqa: D102


class Spawn(Protocol):
    """`spawn` below, or another way to do that."""

    def __call__(  # noqa: D102
        self,
        command: Sequence[str],
        *,
        log: Path,
        environment: Mapping[str, str],
        inherits: int | None,
        dies_with_parent: bool,
    ) -> Process: ...


@dataclass(frozen=True)
class Identity:
    """A process that cannot be mistaken for a later one with the same number."""

    pid: int
    started: str

    def is_alive(self) -> bool:
        """Look whether it still runs."""
        return identify(self.pid) == self

    def kill(self, within: float = 10.0) -> None:
        """Kill it if it is still there, and wait until it is gone."""
        deadline = time.monotonic() + within
        while self.is_alive() and time.monotonic() < deadline:
            try:
                os.kill(self.pid, signal.SIGKILL)
            except ProcessLookupError:
                return
            time.sleep(0.02)


def identify(pid: int) -> Identity | None:
    """Return the process with this number; None where there is none, or only a zombie."""
    state, started = _from_proc(pid) if (_PROC / "self/stat").exists() else _from_ps(pid)
    return Identity(pid, started) if state not in ("", "Z") else None


def _from_proc(pid: int) -> tuple[str, str]:
    """Read state and start time; the time counts from boot, so the boot is part of it."""
    try:
        stat = (_PROC / str(pid) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return "", ""
    # The second field is the command's name in parentheses and may hold anything.
    fields = stat.rpartition(")")[2].split()
    boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
    return fields[0], f"{boot}/{fields[19]}"


def _from_ps(pid: int) -> tuple[str, str]:
    answer = subprocess.run(
        ["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    state, _, started = answer.stdout.strip().partition(" ")
    return state[:1], started.strip()


def tied(command: Sequence[str]) -> list[str]:
    """Return the command that becomes this one and dies with the calling thread."""
    return [sys.executable, "-I", "-S", launch.__file__, str(os.getpid()), *command]


def spawn(
    command: Sequence[str],
    *,
    log: Path,
    environment: Mapping[str, str],
    inherits: int | None,
    dies_with_parent: bool,
) -> subprocess.Popen[bytes]:
    """Start a process in a session of its own, so that a Ctrl-C at the terminal is only for us.

    Its output is appended to `log`; it inherits the descriptor `inherits`, if any. With
    `dies_with_parent` it is killed when the calling *thread* ends: the kernel looks at that, not at
    the process.
    """
    with log.open("ab") as output:
        return subprocess.Popen(
            tied(command) if dies_with_parent else command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=() if inherits is None else (inherits,),
            start_new_session=True,
        )
