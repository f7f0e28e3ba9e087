"""The machine on which the figures were measured, and its other load."""

from __future__ import annotations

import os
import platform
import time
from dataclasses import dataclass
from pathlib import Path

from dev.cluster import toolchain

_STAT = Path("/proc/stat")
_IDLE_FIELDS = (3, 4)
_BUSY = 0.1


@dataclass(frozen=True)
class Machine:
    """The machine after the measurement, when none of its processes runs any more."""

    system: str
    cores: int
    kubernetes: str
    seconds: float
    by_others: float | None
    """The share of all cores that other processes used; None except on Linux."""

    def describe(self) -> str:
        """The first line of the output."""
        line = f"Kubernetes {self.kubernetes}, {self.system}, {self.cores} cores"
        if self.by_others is not None:
            line += f", of which others used {self.by_others:.0%}"
            if self.by_others > _BUSY:
                line += ":\nratios are more reliable than times"
        return line


class Watch:
    """Observes the machine from its creation until `end`."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._busy = _busy_seconds()
        self._own = _own_seconds()

    def end(self) -> Machine:
        """Every process that we started must have ended: only then its CPU time counts as ours."""
        seconds = time.monotonic() - self._started
        cores = os.cpu_count() or 1
        busy = _busy_seconds()
        by_others = None
        if busy is not None and self._busy is not None:
            own = _own_seconds() - self._own
            by_others = max(busy - self._busy - own, 0.0) / (seconds * cores)
        return Machine(
            system=f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
            cores=cores,
            kubernetes=toolchain.tool("kube-apiserver").version,
            seconds=seconds,
            by_others=by_others,
        )


def _own_seconds() -> float:
    """Seconds of CPU time of this process and of its children that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _busy_seconds() -> float | None:
    """Seconds of CPU time of all processes since the machine started."""
    if not _STAT.exists():
        return None
    _, *fields = _STAT.read_text().splitlines()[0].split()
    busy = sum(int(value) for field, value in enumerate(fields) if field not in _IDLE_FIELDS)
    return busy / os.sysconf("SC_CLK_TCK")
