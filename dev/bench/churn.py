"""Pods that come and go at a steady rate, and how long the work that they make waits.

The benchmark plays the controllers and the kubelet: a pod is created on a node, gets the status of
one that runs, and is deleted some seconds later. Addresses are used again.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from itertools import count, cycle

from dev.bench.counting import samples
from dev.bench.errors import BenchError
from dev.bench.figures import Figure, Target
from dev.bench.fleet_series import scrape
from dev.bench.population import Member, pod, running
from dev.bench.progress import Progress
from dev.bench.server import Server
from dev.harness.operator import LocalOperator

_LIFE_SECONDS = 5.0
_SAMPLE_SECONDS = 10.0
"""A scrape is work for the process that is measured. Prometheus asks every 15 to 60 seconds."""
_AGE = Target(1000)
_LATE_SECONDS = 1.0
_NONE = Target(0)
_OLDEST = "fleet_telemetry_queue_oldest_seconds"
_WAITS = "fleet_telemetry_queue_duration_seconds_bucket"
_WORST = "inf"


@dataclass(frozen=True)
class Churn:
    """What came of it."""

    wanted: float
    """Pods a second."""
    pods: int
    seconds: float
    oldest: Sequence[float]
    """Seconds: the age of the oldest key in the work queue, at each sample."""
    waits: dict[float, int]
    """Keys by the number of seconds that they waited at most; cumulative."""

    @property
    def taken(self) -> int:
        """Keys that were taken from the queue."""
        return self.waits.get(float(_WORST), 0)

    @property
    def late(self) -> int:
        """Keys that waited for more than a second."""
        return self.taken - self.waits.get(_LATE_SECONDS, 0)

    def figures(self, section: str) -> Iterator[Figure]:
        """The figures."""
        yield Figure.of(
            section,
            "pods that came and went",
            "/s",
            [self.pods / self.seconds],
            Target(0.9 * self.wanted, at_least=True),
        )
        ages = [1000 * seconds for seconds in self.oldest]
        yield Figure.of(section, "age of the oldest queued key", "ms", ages)
        yield Figure.of(section, "  the highest age seen", "ms", [max(ages)], _AGE)
        yield Figure.of(section, "keys taken from the queue", "", [self.taken])
        yield Figure.of(section, "  of them after more than 1 s", "", [self.late], _NONE)


@dataclass
class _Street:
    """The pods that live, and the addresses that are free."""

    server: Server
    members: Iterator[Member]
    addresses: Iterator[str]
    numbers: Iterator[int] = field(default_factory=count)
    gone: int = 0

    async def live(self) -> None:
        """One pod's life."""
        member, name = next(self.members), f"churn-{next(self.numbers)}"
        where = f"/api/v1/namespaces/{member.namespace}/pods"
        await self.server.post(where, json.dumps(pod(member, name)).encode())
        await self.server.merge(f"{where}/{name}/status", running(member, next(self.addresses)))
        await asyncio.sleep(_LIFE_SECONDS)
        await self.server.delete(f"{where}/{name}?gracePeriodSeconds=0")
        self.gone += 1


async def churn(
    server: Server,
    operator: LocalOperator,
    controller: str,
    progress: Progress,
    *,
    members: Sequence[Member],
    pod_cidr: str,
    rate: float,
    seconds: float,
) -> Churn:
    """Let so many pods a second come and go. Raises BenchError."""
    addresses = IPv4Network(pod_cidr).hosts()
    street = _Street(server, cycle(members), cycle(map(str, addresses)))
    before = _waits(await scrape(operator, controller))
    lives: list[asyncio.Task[None]] = []
    oldest: list[float] = []
    started = time.monotonic()

    async def sample() -> None:
        while True:
            metrics = await scrape(operator, controller)
            ages = [sample.value for sample in samples(metrics, _OLDEST)]
            if not ages:
                raise BenchError(f"{controller} does not answer a scrape")
            oldest.extend(ages)
            progress.at(f"{street.gone} pods came and went, the oldest key waits {ages[0]:.2f} s")
            await asyncio.sleep(_SAMPLE_SECONDS)

    sampling = asyncio.ensure_future(sample())
    try:
        for number in range(round(rate * seconds)):
            await asyncio.sleep(max(started + number / rate - time.monotonic(), 0))
            lives.append(asyncio.ensure_future(street.live()))
            if sampling.done():
                sampling.result()
        await asyncio.gather(*lives)
    finally:
        for task in (sampling, *lives):
            task.cancel()
        await asyncio.gather(sampling, *lives, return_exceptions=True)
    # The last pods do not overlap with new ones.
    lasted = time.monotonic() - started - _LIFE_SECONDS
    after = _waits(await scrape(operator, controller))
    if not oldest:
        raise BenchError("the churn of pods was too short for a sample")
    waits = {limit: after[limit] - before.get(limit, 0) for limit in after}
    return Churn(rate, street.gone, lasted, oldest, waits)


def _waits(metrics: str) -> dict[float, int]:
    return {float(sample.labels["le"]): int(sample.value) for sample in samples(metrics, _WAITS)}
