"""The egress part: 500 hosts on a cluster, what is kept of them at most, and how well an allowlist
follows a host whose addresses rotate."""

from __future__ import annotations

import gc
import tracemalloc
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import IPv6Address
from pathlib import Path

import msgspec

from dev.bench import hosts, rotation
from dev.bench.figures import Figure, Target
from dev.bench.progress import Progress
from fleet_telemetry.api.telemetry_host import AddressFamily, LookupResult, TelemetryHostStatus
from fleet_telemetry.egress.host_state import HostState, Retention
from fleet_telemetry.egress.host_status_codec import encode_status
from fleet_telemetry.egress.host_step import step_host
from fleet_telemetry.egress.model import Lookup

_ADDRESSES = 100
_FIRST = IPv6Address("2600:9000::1")
_MEMORY = Target(50)
_MEGABYTE = 1e6


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    hosts: hosts.Size
    span: rotation.Span


def measure(directory: Path, size: Size, progress: Progress) -> list[Figure]:
    """Start what is needed, measure, and stop it. Raises BenchError, DevclusterError."""
    return [
        *hosts.measure(directory, size.hosts, progress),
        _most(size.hosts.hosts, progress),
        *rotation.measure(size.span, progress),
    ]


def _most(count: int, progress: Progress) -> Figure:
    """The memory for hosts that have more addresses than are kept."""
    progress.begin("egress: hosts with too many addresses")
    rules = Retention()
    now = datetime.now(UTC)
    gc.collect()
    tracemalloc.start()
    kept = []
    for number in range(count):
        own = tuple(_FIRST + 2 * (_ADDRESSES * number + n) for n in range(_ADDRESSES))
        state = HostState(f"host-{number:03}.telemetry.example.com")
        answer = Lookup("dns", AddressFamily.IPV6, LookupResult.OK, own, 60)
        for _ in range(2):
            state = step_host(state, [answer], now, rules)
        saved = msgspec.json.encode(encode_status(state, rules))
        # The cache of the cluster contains it as well.
        kept.append((state, msgspec.json.decode(saved, type=TelemetryHostStatus)))
    size = tracemalloc.get_traced_memory()[0] / _MEGABYTE
    tracemalloc.stop()
    most = len(kept[0][0].known)
    section = f"Egress: {count} hosts of {_ADDRESSES} addresses each, of which {most} are kept"
    return Figure.of(section, "memory that it takes", "MB", [size], _MEMORY)
