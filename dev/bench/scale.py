"""Ten thousand workloads: starts, a restart, a failover, a policy that changes, and pods that come
and go.

No pod runs, except in the last part, and no controller manager: see ``population``.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import uvloop

from dev.bench import start
from dev.bench.churn import Churn, churn
from dev.bench.counting import LEASES
from dev.bench.figures import Figure, Target
from dev.bench.fleet_series import fleet_in, scrape, until_all_ask_for
from dev.bench.manifests import POLICIES, policy
from dev.bench.population import EXTRA_ARGS, Population
from dev.bench.processes import PEAK, figure_on_linux, memory
from dev.bench.progress import Progress
from dev.bench.records import Records, following, wants
from dev.bench.server import Server, connect, until
from dev.bench.start import OperatorStart, Starter, Targets
from dev.bench.takeover import Takeover, take_over
from dev.bench.writes import ROLES, Written, until_quiet
from dev.cluster import Cluster
from dev.harness.operator import LocalOperator

_CONNECTIONS = 64
_SECONDS = 600.0
_STANDBY = "standby"
_SETTINGS = ("Enabled", "Disabled")
_FLIPPED = Target(30)
_SMALL = Targets(memory=Target(95))
_LARGE = Targets(ready=Target(15), listed=Target(45), memory=Target(110), calls=Target(2))


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    workloads: int
    """A fifth of them run a product."""
    few: int
    """Workloads of the first starts."""
    namespaces: int
    starts: int
    """At each of the two sizes."""
    steady_seconds: float
    flips: int
    pods_per_second: float
    churn_seconds: float


QUICK = Size(100, 25, 5, 1, 10, 2, 20, 10)
FULL = Size(10_000, 1000, 100, 3, 60, 4, 100, 60)


@dataclass
class _Flips:
    """Seconds from the change of a policy, for each change."""

    statuses: list[float] = field(default_factory=list)
    metrics: list[float] = field(default_factory=list)
    writes: list[float] = field(default_factory=list)
    """Requests of the operator for each workload that runs a product."""


@dataclass(frozen=True)
class _Measured:
    small: tuple[int, list[OperatorStart]]
    """Workloads that run a product, and the starts."""
    large: tuple[int, list[OperatorStart]]
    steady: Written
    restart: Written
    takeover: Takeover
    flips: _Flips
    churn: Churn
    peaks: dict[str, list[float]]
    """Megabytes by process, at the end of it all."""


def measure(directory: Path, size: Size, progress: Progress) -> list[Figure]:
    """Start what is needed, measure, and stop it. Raises BenchError, DevclusterError."""
    with ExitStack() as stack:
        progress.begin("scale: start a cluster")
        cluster = Cluster(
            directory / "scale",
            controller_manager=False,
            audit=True,
            extra_apiserver_args=EXTRA_ARGS,
        )
        stack.enter_context(cluster)
        operator = LocalOperator(cluster, directory / "scale-operator")
        stack.callback(operator.children.kill_all)
        return uvloop.run(_measure(cluster, operator, size, progress))


async def _measure(
    cluster: Cluster, operator: LocalOperator, size: Size, progress: Progress
) -> list[Figure]:
    async with connect(cluster, _CONNECTIONS) as server:
        await asyncio.to_thread(operator.install)
        async with following(server, progress) as records:
            population = Population(server, size.namespaces, progress)
            scale = _Scale(server, cluster, operator, population, records, size, progress)
            return list(_figures(size, await scale.measure()))


@dataclass(frozen=True)
class _Scale:
    server: Server
    cluster: Cluster
    operator: LocalOperator
    population: Population
    records: Records
    size: Size
    progress: Progress

    async def measure(self) -> _Measured:
        """All of it."""
        starter = Starter(
            self.server,
            self.cluster,
            self.operator,
            self.records,
            self.progress,
            self.size.namespaces,
            [policy()],
        )
        await self.population.begin()
        small = await self._starts(starter, self.size.few)
        large = await self._starts(starter, self.size.workloads)
        return _Measured(
            small=small,
            large=large,
            steady=await self._stay(),
            restart=await self._restart(),
            takeover=await self._fail_over(),
            flips=await self._flip(),
            churn=await self._churn(),
            peaks=dict(self._peaks()),
        )

    async def _starts(self, starter: Starter, workloads: int) -> tuple[int, list[OperatorStart]]:
        self.progress.begin(f"scale: create {workloads:,} workloads")
        await asyncio.to_thread(self.operator.stop_all)
        await self.population.grow(workloads)
        starts = []
        for number in range(self.size.starts):
            self.progress.begin(
                f"scale: {workloads:,} workloads, start {number + 1} of {self.size.starts}"
            )
            starts.append(await starter.start(self.population.products))
        return self.population.products, starts

    async def _stay(self) -> Written:
        seconds = self.size.steady_seconds
        self.progress.begin(f"scale: observe {seconds:.0f} s in which nothing changes")
        before = await Written.so_far(self.server, self.cluster)
        for passed in range(round(seconds)):
            self.progress.at(f"{passed} s")
            await asyncio.sleep(1)
        return (await Written.so_far(self.server, self.cluster)).since(before)

    async def _restart(self) -> Written:
        self.progress.begin("scale: restart the controller")
        fleet = fleet_in(await scrape(self.operator, "controller"))
        before = await Written.so_far(self.server, self.cluster)
        await asyncio.to_thread(self.operator.stop, "controller")
        await asyncio.to_thread(self.operator.start, "controller")

        async def knows_all() -> bool:
            return fleet_in(await scrape(self.operator, "controller")) == fleet

        await until("the restarted controller to export the fleet", _SECONDS, knows_all, every=0.5)
        await until_quiet(self.server, _SECONDS, self.progress)
        return (await Written.so_far(self.server, self.cluster)).since(before)

    async def _fail_over(self) -> Takeover:
        self.progress.begin("scale: start a second controller, and kill the leader")
        await asyncio.to_thread(self.operator.start, "controller", name=_STANDBY)
        await asyncio.to_thread(self.operator.wait_until_ready, _STANDBY, seconds=_SECONDS)
        return await take_over(
            self.server,
            self.cluster,
            self.operator,
            self.progress,
            leader="controller",
            standby=_STANDBY,
            seconds=_SECONDS,
        )

    async def _flip(self) -> _Flips:
        flips = _Flips()
        path = f"{POLICIES}/{policy()['metadata']['name']}"
        for number in range(self.size.flips):
            setting = _SETTINGS[number % 2]
            self.progress.begin(f"scale: the policy asks for {setting}")
            before = await Written.so_far(self.server, self.cluster)
            started = time.monotonic()
            await self.server.merge(path, {"spec": {"submission": setting}})
            await self.records.until(
                f"every status to follow to {setting}",
                self.population.products,
                wants(setting),
                _SECONDS,
            )
            await until("the policy's status to follow", _SECONDS, lambda: self._is_current(path))
            flips.statuses.append(time.monotonic() - started)
            await until_all_ask_for(setting, self.operator, _STANDBY, _SECONDS)
            flips.metrics.append(time.monotonic() - started)
            await until_quiet(self.server, _SECONDS, self.progress)
            written = (await Written.so_far(self.server, self.cluster)).since(before)
            count = written.by_operator.total() - written.by_operator[LEASES]
            flips.writes.append(count / self.population.products)
        return flips

    async def _is_current(self, path: str) -> bool:
        found = await self.server.get(path)
        generation: int = found["metadata"]["generation"]
        return bool(found["status"].get("observedGeneration") == generation)

    async def _churn(self) -> Churn:
        self.progress.begin("scale: pods come and go")
        return await churn(
            self.server,
            self.operator,
            _STANDBY,
            self.progress,
            members=self.population.members,
            pod_cidr=self.cluster.pod_cidr,
            rate=self.size.pods_per_second,
            seconds=self.size.churn_seconds,
        )

    def _peaks(self) -> Iterator[tuple[str, list[float]]]:
        running = self.operator.children.identities()
        for name, process in (("webhook", "webhook"), ("controller", _STANDBY)):
            peak = memory(running[process].pid, PEAK)
            yield name, [] if peak is None else [peak]


def _figures(size: Size, done: _Measured) -> Iterator[Figure]:
    for workloads, (products, starts), targets in (
        (size.few, done.small, _SMALL),
        (size.workloads, done.large, _LARGE),
    ):
        section = f"Scale: {workloads:,} workloads, {products:,} of them run a product"
        yield from start.figures(section, starts, products, targets)
    each = f"Scale: {size.workloads:,} workloads"
    yield from done.steady.figures(f"{each}, {size.steady_seconds:.0f} s in which nothing changes")
    yield from done.restart.figures(f"{each}, the controller restarted")
    yield from done.takeover.figures(f"{each}, the leader killed")
    section = f"{each}, the policy asks for the opposite"
    yield Figure.of(section, "until every status has followed", "s", done.flips.statuses)
    name = "until every metric has followed as well"
    yield Figure.of(section, name, "s", done.flips.metrics, _FLIPPED)
    name = "writes per workload with a product, without the Lease"
    yield Figure.of(section, name, "", done.flips.writes)
    section = f"{each}, {size.pods_per_second:.0f} pods a second come and go"
    yield from done.churn.figures(section)
    for role in ROLES:
        yield figure_on_linux(
            section, f"{role}: peak memory after all that", "MB", done.peaks[role]
        )
