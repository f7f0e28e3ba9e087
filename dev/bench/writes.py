"""The writes of all clients while nothing changes, and when the writes have ended."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

from dev.bench.counting import LEASES, Resource, calls, writes_by_resource
from dev.bench.figures import Figure, Target
from dev.bench.progress import Progress
from dev.bench.server import Server, until
from dev.cluster import Cluster
from dev.harness.operator import NAMESPACE, RELEASE, Role

ROLES: tuple[Role, ...] = ("webhook", "controller")
_QUIET_SECONDS = 5.0
_POLL_SECONDS = 0.25
"""Seconds between polls: precise enough, with little load."""
_READING = ("get", "list")
_NONE = Target(0)


@dataclass(frozen=True)
class Written:
    """Writing requests: all so far, or those of a period."""

    by_anybody: Counter[Resource]
    by_operator: Counter[Resource]

    @classmethod
    async def so_far(cls, server: Server, cluster: Cluster) -> Self:
        """Read from the API server's metrics and its audit log."""
        by_operator: Counter[Resource] = Counter()
        for (verb, resource), count in (await calls_by_operator(cluster)).items():
            if verb not in _READING:
                by_operator[resource] += count
        return cls(writes_by_resource(await server.metrics()), by_operator)

    def since(self, before: Written) -> Written:
        """The writes since an earlier time."""
        return Written(
            self.by_anybody - before.by_anybody,
            self.by_operator - before.by_operator,
        )

    def figures(self, section: str) -> Iterator[Figure]:
        """The figures; only Leases may be written, and they are counted separately."""
        for title, counted in (
            ("writes by any client, except Leases and Nodes", self.by_anybody),
            ("writes by the operator, except its Lease", self.by_operator),
        ):
            kept = {name: n for name, n in counted.items() if name not in (LEASES, "nodes")}
            yield Figure.of(section, title, "", [sum(kept.values())], _NONE)
            for name, count in kept.items():
                yield Figure.of(section, f"  {name}", "", [count])
        renewals: Sequence[tuple[str, Counter[Resource]]] = (
            ("Lease renewals by anybody", self.by_anybody),
            ("Lease renewals by the operator", self.by_operator),
        )
        for title, counted in renewals:
            yield Figure.of(section, title, "", [counted[LEASES]])


async def calls_by_operator(cluster: Cluster) -> Counter[tuple[str, Resource]]:
    """What both roles asked for so far, by verb and resource, but for watches."""
    events: list[dict[str, Any]] = await asyncio.to_thread(cluster.audit_events)
    found: Counter[tuple[str, Resource]] = Counter()
    for role in ROLES:
        found += calls(events, account(role))
    return Counter({key: count for key, count in found.items() if key[0] != "watch"})


def account(role: Role) -> str:
    """The user name of a role's service account."""
    return f"system:serviceaccount:{NAMESPACE}:{RELEASE}-{role}"


async def until_quiet(server: Server, seconds: float, progress: Progress) -> None:
    """Wait until only Leases have been written for a while. Raises BenchError."""
    progress.at("wait until nothing more is written")
    last: Counter[Resource] = Counter()
    since = time.monotonic()

    async def nothing() -> bool:
        nonlocal last, since
        now = writes_by_resource(await server.metrics())
        del now[LEASES]
        if now != last:
            last, since = now, time.monotonic()
        return time.monotonic() - since > _QUIET_SECONDS

    await until("the writes to end", seconds, nothing, every=_POLL_SECONDS)
