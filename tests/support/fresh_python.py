"""Programs in a Python that has imported nothing else, several of them for the price of one start.

One process imports what all have in common, and each program runs in a fork of it: with its own
modules, arguments, output and exit code, and without what the process of the tests has imported.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from dev.harness.operator import ROOT

# A fork leaves the loop and runs the program as an interpreter does that was given it with -c.
_FORKS = """
import os, sys
folder, first, program, *runs = sys.argv[1:]
exec(first)
for number, run in enumerate(runs):
    sys.stdout.flush()
    child = os.fork()
    if not child:
        for descriptor, name in ((1, "out"), (2, "err")):
            path = os.path.join(folder, f"{number}.{name}")
            os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), descriptor)
        sys.argv = ["-c", *run.splitlines()]
        exec(program)
        break
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@dataclass(frozen=True)
class Ended:
    """How a program ended, and what it said."""

    code: int
    stdout: str
    stderr: str


def run_each(program: str, runs: Sequence[Sequence[str]], *, first: str = "") -> list[Ended]:
    """Run the program once with each of these lists of arguments, after what comes ``first``, with
    nothing else on PATH and in the folder of the repository. No argument has a line break."""
    assert all(len(run) == len("\n".join(run).splitlines()) for run in runs)
    with TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-c", _FORKS, folder, first, program, *map("\n".join, runs)],
            cwd=ROOT,
            env={"PYTHONPATH": str(ROOT / "operator"), "PATH": ""},
            capture_output=True,
            text=True,
            check=True,
        )
        codes = [int(line) for line in done.stdout.splitlines()]
        assert len(codes) == len(runs)
        return [Ended(code, *_said(Path(folder), number)) for number, code in enumerate(codes)]


def _said(folder: Path, number: int) -> list[str]:
    return [(folder / f"{number}.{name}").read_text() for name in ("out", "err")]
