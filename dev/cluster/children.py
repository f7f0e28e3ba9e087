"""The running components of one cluster, by name."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from dev.cluster import paths, processes
from dev.cluster.errors import DevclusterError
from dev.cluster.processes import Identity, Process, Spawn

_STOP_SECONDS = 20.0
_TAIL_LINES = 15


class ComponentEndedError(DevclusterError):
    """A component exited without being stopped."""

    def __init__(self, name: str, code: int, log: Path) -> None:
        lines = log.read_text(errors="replace").splitlines()[-_TAIL_LINES:]
        self.tail = "\n".join(lines)
        super().__init__(
            f"{name} exited with code {code}; {paths.shown(log)} ends with:\n{self.tail}"
        )


class Children:
    """Starts, stops, suspends and kills components. With `detached` they outlive this process."""

    def __init__(
        self,
        *,
        log: Callable[[str], Path],
        environment: Mapping[str, str],
        inherits: int | None,
        detached: bool,
        spawn: Spawn = processes.spawn,
    ) -> None:
        self._log = log
        self._environment = environment
        self._inherits = inherits
        self._detached = detached
        self._spawn = spawn
        self._running: dict[str, Process] = {}
        # Children that die with their parent die with the thread that made them. This one lives as
        # long as the process, also when start() is called from a thread that does not.
        self._spawner = ThreadPoolExecutor(1, thread_name_prefix="devcluster-spawner")

    def start(self, name: str, command: Sequence[str]) -> None:
        """Start a component under this name, which must be free."""
        if name in self._running:
            raise DevclusterError(f"{name} is started already")
        self._running[name] = self._spawner.submit(
            self._spawn,
            command,
            log=self._log(name),
            environment=self._environment,
            inherits=self._inherits,
            dies_with_parent=not self._detached,
        ).result()

    def stop(self, name: str) -> None:
        """Stop it gracefully; kill it after a time-out."""
        process = self._take(name)
        process.terminate()
        process.send_signal(signal.SIGCONT)  # a suspended one would not notice
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def kill(self, name: str) -> None:
        """Kill it."""
        process = self._take(name)
        process.kill()
        process.wait()

    def kill_all(self) -> None:
        """Kill all, and accept no more."""
        for process in self._running.values():
            process.kill()
        for process in self._running.values():
            process.wait()
        self._running.clear()
        self._spawner.shutdown()

    def send(self, name: str, what: signal.Signals) -> None:
        """Send it a signal."""
        self._get(name).send_signal(what)

    def check(self, name: str) -> None:
        """Raise ComponentEndedError if it is not running any more."""
        code = self._get(name).poll()
        if code is not None:
            raise ComponentEndedError(name, code, self._log(name))

    def identities(self) -> dict[str, Identity]:
        """Return those that are alive."""
        found = {name: processes.identify(child.pid) for name, child in self._running.items()}
        return {name: identity for name, identity in found.items() if identity}

    def names(self) -> tuple[str, ...]:
        """Return those that were started and not stopped, in this order."""
        return tuple(self._running)

    def _get(self, name: str) -> Process:
        if name not in self._running:
            raise DevclusterError(f"{name} is not started")
        return self._running[name]

    def _take(self, name: str) -> Process:
        process = self._get(name)
        del self._running[name]
        return process
