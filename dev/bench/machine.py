"""What the figures were measured on, and how much of it others used meanwhile."""

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
    """A machine after the work, none of whose processes runs any more."""

    system: str
    cores: int
    kubernetes: str
    seconds: float
    by_others: float | None
    """The share of all cores that went to others; only Linux tells."""

    def tell(self) -> str:
        """For people."""
        line = f"Kubernetes {self.kubernetes}, {self.system}, {self.cores} cores"
        if self.by_others is not None:
            line += f", of which others used {self.by_others:.0%}"
            if self.by_others > _BUSY:
                line += ":\ntrust what is compared with something else, not the seconds"
        return line


class Watch:
    """Looks at the machine from its making until `end`."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._busy = _busy_seconds()
        self._own = _own_seconds()

    def end(self) -> Machine:
        """All that we started has to be gone by now: only then its work is known to be ours."""
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
    """Of processor time, ours and that of the processes that we started and that ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _busy_seconds() -> float | None:
    """Of processor time, everybody's since the machine started."""
    if not _STAT.exists():
        return None
    _, *fields = _STAT.read_text().splitlines()[0].split()
    busy = sum(int(value) for field, value in enumerate(fields) if field not in _IDLE_FIELDS)
    return busy / os.sysconf("SC_CLK_TCK")
