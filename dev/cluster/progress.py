"""Reports progress on stderr."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_LIVE_SECONDS = 0.5
_SPARSE_SECONDS = 30.0


def say(text: str) -> None:
    """Print a line for the user on stderr; a command's own output is on stdout."""
    print(text, file=sys.stderr, flush=True)


@dataclass(frozen=True)
class Step:
    """One command of a long job; each line that it logs counts as one `unit` of progress."""

    goal: str
    """Such as `build kwok v0.8.0`: reads well after "could not"."""
    command: Sequence[str]
    folder: Path
    environment: Mapping[str, str]
    log: Path
    unit: str
    hint: str = ""


def run_step(step: Step, prefix: str) -> bool:
    """Run the command with stderr to the log, and show a counter; return whether it went well.

    On a terminal one line is kept up to date; elsewhere (a CI log) a line comes every half minute.
    """
    live = sys.stderr.isatty()
    show = _rewrite if live else say
    title = f"{prefix} {step.goal}"
    started = time.monotonic()
    show(f"{title} ({step.hint})" if step.hint else title)
    step.log.parent.mkdir(parents=True, exist_ok=True)
    with step.log.open("wb") as log:
        process = subprocess.Popen(
            step.command,
            cwd=step.folder,
            env=step.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
        )
    with process:
        try:
            while not _ended(process, _LIVE_SECONDS if live else _SPARSE_SECONDS):
                count = step.log.read_bytes().count(b"\n")
                show(f"{title}: {count} {step.unit}, {time.monotonic() - started:.0f} s")
        except BaseException:
            process.kill()
            raise
    succeeded = process.returncode == 0
    show(f"{title}: {'done' if succeeded else 'failed'} in {time.monotonic() - started:.0f} s")
    if live:
        say("")
    return succeeded


def _ended(process: subprocess.Popen[bytes], within: float) -> bool:
    try:
        process.wait(within)
    except subprocess.TimeoutExpired:
        return False
    return True


def _rewrite(line: str) -> None:
    """Put the line in place of the one that the terminal shows, cut where it would wrap."""
    width = shutil.get_terminal_size().columns - 1
    print(f"\r\033[K{line[:width]}", end="", file=sys.stderr, flush=True)
