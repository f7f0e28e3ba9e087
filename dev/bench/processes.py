"""The resources of a running process, from /proc of Linux."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from dev.bench.errors import BenchError
from dev.bench.figures import Figure, Target

_MEGABYTE = 1e6
PEAK, NOW = "VmHWM", "VmRSS"


def memory(pid: int, what: str) -> float | None:
    """``PEAK`` or ``NOW`` in megabytes; None except on Linux. Raises BenchError."""
    if sys.platform != "linux":
        return None
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{what}:"):
            return int(line.split()[1]) * 1024 / _MEGABYTE
    raise BenchError(f"/proc/{pid}/status does not say {what}")


def processor_seconds(pid: int) -> float | None:
    """Seconds of CPU time so far; None except on Linux."""
    if sys.platform != "linux":
        return None
    # The name, in brackets, may have spaces in it.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def figure_on_linux(
    section: str, name: str, unit: str, values: list[float], target: Target | None = None
) -> Figure:
    """The figure of the values; without values it says that they need Linux."""
    if values:
        return Figure.of(section, name, unit, values, target)
    return Figure(section, name, unit, None, target, "needs /proc, which only Linux has")
