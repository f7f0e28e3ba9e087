"""The leader is killed: when the next one answers for the fleet, and what it writes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from dev.bench.errors import BenchError
from dev.bench.figures import Figure, Target
from dev.bench.fleet_series import fleet_in, leads, scrape
from dev.bench.progress import Progress
from dev.bench.server import Server, until
from dev.bench.writes import Written, until_quiet
from dev.cluster import Cluster
from dev.harness.operator import NAMESPACE, RELEASE, LocalOperator

ANSWER_SECONDS = 15.0
_LEASE = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases/{RELEASE}"
_POLL_SECONDS = 0.25
_ANSWER = Target(ANSWER_SECONDS)


@dataclass(frozen=True)
class Takeover:
    """Seconds from the end of the killed leader's Lease."""

    led: float
    """Until another replica held the Lease."""
    answered: float
    """Until it exported what the killed one had exported of the fleet."""
    written: Written
    """From the kill until nothing more was written."""

    def figures(self, section: str) -> Iterator[Figure]:
        """The figures."""
        yield Figure.of(section, "end of the Lease until another replica leads", "s", [self.led])
        name = "end of the Lease until it exports the whole fleet"
        yield Figure.of(section, name, "s", [self.answered], _ANSWER)
        yield from self.written.figures(section)


async def take_over(
    server: Server,
    cluster: Cluster,
    operator: LocalOperator,
    progress: Progress,
    *,
    leader: str,
    standby: str,
    seconds: float,
) -> Takeover:
    """Kill the leader and observe the standby, which must be ready. Raises BenchError."""
    before_kill = fleet_in(await scrape(operator, leader))
    if not before_kill:
        raise BenchError(f"{leader} does not lead: it exports no fleet")
    before = await Written.so_far(server, cluster)
    await asyncio.to_thread(operator.kill, leader)
    ended = _end_of((await server.get(_LEASE))["spec"])
    progress.at("wait for the next leader")
    led = 0.0

    async def answers() -> bool:
        nonlocal led
        metrics = await scrape(operator, standby)
        if leads(metrics):
            led = led or time.time()
        return fleet_in(metrics) == before_kill

    await until("the next leader to export the fleet", seconds, answers, every=_POLL_SECONDS)
    answered = time.time()
    await until_quiet(server, seconds, progress)
    written = (await Written.so_far(server, cluster)).since(before)
    return Takeover(led=led - ended, answered=answered - ended, written=written)


def _end_of(lease: dict[str, object]) -> float:
    """Seconds since 1970 at which others may take it."""
    renewed = datetime.fromisoformat(str(lease["renewTime"])).timestamp()
    return renewed + float(str(lease["leaseDurationSeconds"]))
