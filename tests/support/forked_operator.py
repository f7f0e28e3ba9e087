"""Operators and commands that start in forks of one Python.

To import what a role needs takes more than a second of a core, and the tests start some 160. Here
one process imports it, and each role begins in a fork of it: with its own arguments, environment,
output and exit code. Benchmarks, the demo and the tests in tests/soak start the installed program;
tests/unit/cli shows what each command imports.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from dev.cluster import Cluster, processes
from dev.cluster.processes import Process
from dev.harness.operator import PYTHON_PATH, LocalOperator

_PROGRAM = "fleet-telemetry"
_SERVER = Path(__file__).with_name("fork_server.py")
_POLL_SECONDS = 0.01
_PATIENT = {"webhook": {"timeoutSeconds": 10}}


def local_operator(cluster: Cluster, directory: Path, **more: Any) -> LocalOperator:
    """A LocalOperator whose roles start in forks, and whose webhook is waited for: where several
    clusters share two cores, one that answers late is no fault."""
    return LocalOperator(cluster, directory, spawn=spawn, values=_PATIENT, **more)


def spawn(
    command: Sequence[str],
    *,
    log: Path,
    environment: Mapping[str, str],
    **more: Any,
) -> Process:
    """As `processes.spawn`, which does it for every other program."""
    if Path(command[0]).name != _PROGRAM:
        return processes.spawn(command, log=log, environment=environment, **more)
    assert more == {"inherits": None, "dies_with_parent": True}
    return _forks.start(command, environment, log, log)


def run_command(
    *arguments: str, environment: Mapping[str, str], timeout: float = 60.0
) -> subprocess.CompletedProcess[str]:
    """As ``subprocess.run`` runs ``fleet-telemetry`` with these arguments; seconds."""
    with TemporaryDirectory() as folder:
        output, errors = Path(folder) / "output", Path(folder) / "errors"
        process = _forks.start([_PROGRAM, *arguments], environment, output, errors)
        try:
            code = process.wait(timeout)
        finally:
            process.kill()
        return subprocess.CompletedProcess(arguments, code, output.read_text(), errors.read_text())


@dataclass
class _Forks:
    """The process that imports and forks. It ends with this one, and its forks with it."""

    _lock: threading.Lock = field(default_factory=threading.Lock)
    # What dies with its parent dies with the thread that started it.
    _starter: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1))
    _server: subprocess.Popen[str] | None = None

    def start(
        self, command: Sequence[str], environment: Mapping[str, str], output: Path, errors: Path
    ) -> _ForkedProcess:
        """Start a command that appends to these files."""
        # The fork makes them as soon as it runs, and a test may read them at once.
        for path in (output, errors):
            path.touch()
        request = {
            "command": [*command],
            "environment": {**environment},
            "output": str(output),
            "errors": str(errors),
        }
        with self._lock:
            if self._server is None:
                self._server = self._starter.submit(_start_server).result()
                atexit.register(self._server.kill)
        return _ForkedProcess(self, self.ask(request))

    def ask(self, request: Mapping[str, Any]) -> Any:
        """One answer to one request."""
        with self._lock:
            assert self._server is not None
            assert self._server.stdin is not None
            assert self._server.stdout is not None
            print(json.dumps(request), file=self._server.stdin, flush=True)
            return json.loads(self._server.stdout.readline())


_forks = _Forks()


@dataclass
class _ForkedProcess:
    """As a `subprocess.Popen`: nothing is sent to a number that another process may have by now."""

    _forks: _Forks
    pid: int
    _code: int | None = None

    def poll(self) -> int | None:
        if self._code is None:
            self._code = self._forks.ask({"poll": self.pid})
        return self._code

    def wait(self, timeout: float | None = None) -> int:
        deadline = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            if deadline is not None and time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(_PROGRAM, timeout or 0)
            time.sleep(_POLL_SECONDS)
        return code

    def send_signal(self, sig: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, sig)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def _start_server() -> subprocess.Popen[str]:
    return subprocess.Popen(
        # -P: this folder's modules are not there to be imported by their bare names.
        processes.tied([sys.executable, "-P", str(_SERVER)]),
        env={**os.environ, "PYTHONPATH": PYTHON_PATH},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
