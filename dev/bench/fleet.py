"""The cost of a large fleet: time until it is listed, memory, calls, and writes in steady state."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import uvloop

from dev.bench.counting import LEASES, Resource
from dev.bench.errors import BenchError
from dev.bench.figures import Figure, Target
from dev.bench.manifests import NAMESPACES, POLICIES, fleet, fleet_namespace, namespace, policy
from dev.bench.processes import PEAK, figure_on_linux, memory
from dev.bench.progress import Progress
from dev.bench.server import Server, connect, until
from dev.bench.writes import ROLES, Written, calls_by_operator, until_quiet
from dev.cluster import Cluster
from dev.harness.operator import LocalOperator, Role

_RECORDS = "/apis/fleettelemetry.io/v1alpha1"
_PODS_SECONDS = 600.0
_LISTED_SECONDS = 120.0
_POLL_SECONDS = 0.25
"""Seconds between polls: precise enough, with little load."""
_PODS_POLL_SECONDS = 2.0
_MEMORY = Target(95)


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    workloads: int
    """A fifth of them run a product."""
    namespaces: int
    repetitions: int
    steady_seconds: float

    @property
    def products(self) -> int:
        """Workloads that run one."""
        return self.workloads // 5

    @property
    def section(self) -> str:
        """The heading of what is measured."""
        return f"Fleet: {self.workloads:,} workloads, {self.products} of them run a product"


@dataclass
class _Repetitions:
    """The results of each start of the operator."""

    listed: list[float] = field(default_factory=list)
    calls: list[Counter[tuple[str, Resource]]] = field(default_factory=list)
    """Seconds from the controller's start until it has nothing more to do."""
    memory: defaultdict[Role, list[float]] = field(default_factory=lambda: defaultdict(list))


def measure(directory: Path, size: Size, progress: Progress) -> list[Figure]:
    """Start what is needed, measure, and stop it. Raises BenchError, DevclusterError."""
    with ExitStack() as stack:
        progress.begin("fleet: start a cluster")
        cluster = Cluster(directory / "fleet", scheduler=True, kwok=True, audit=True)
        stack.enter_context(cluster)
        operator = LocalOperator(cluster, directory / "fleet-operator")
        stack.callback(operator.children.kill_all)
        return uvloop.run(_Fleet(cluster, operator, size, progress).measure())


@dataclass(frozen=True)
class _Fleet:
    cluster: Cluster
    operator: LocalOperator
    size: Size
    progress: Progress

    async def measure(self) -> list[Figure]:
        """All of it."""
        done = _Repetitions()
        async with connect(self.cluster) as server:
            await self._create(server)
            await asyncio.to_thread(self.operator.install)
            for number in range(self.size.repetitions):
                self.progress.begin(
                    f"fleet: start the operator, {number + 1} of {self.size.repetitions}"
                )
                if number:
                    await self._start_afresh(server)
                await self._repeat(server, done)
            steady = await self._stay(server)
        section = f"Fleet: {self.size.steady_seconds:.0f} s of steady state"
        return [*self._figures(done), *steady.figures(section)]

    async def _create(self, server: Server) -> None:
        self.progress.begin("fleet: create the workloads")
        for number in range(self.size.namespaces):
            await server.create(NAMESPACES, namespace(fleet_namespace(number)))
        manifests = fleet(self.size.workloads, self.size.namespaces)
        async for count in server.create_all(manifests):
            self.progress.at(f"{count} of {self.size.workloads}")
        self.progress.begin("fleet: wait for the pods")

        async def run() -> bool:
            names = await server.names("/api/v1/pods?fieldSelector=status.phase%3DRunning")
            self.progress.at(f"{len(names)} of {self.size.workloads} run")
            return len(names) >= self.size.workloads

        await until("every workload's pod to run", _PODS_SECONDS, run, every=_PODS_POLL_SECONDS)

    async def _start_afresh(self, server: Server) -> None:
        await asyncio.to_thread(self.operator.stop_all)
        for number in range(self.size.namespaces):
            place = f"{_RECORDS}/namespaces/{fleet_namespace(number)}/workloadtelemetries"
            await server.delete(place)

    async def _repeat(self, server: Server, done: _Repetitions) -> None:
        await asyncio.to_thread(self.operator.start, "webhook")
        await asyncio.to_thread(self.operator.wait_until_ready)
        if not await server.names(POLICIES):
            await server.create(POLICIES, policy())
        before = await calls_by_operator(self.cluster)
        await asyncio.to_thread(self.operator.start, "controller")
        started = time.monotonic()
        await until(
            "all workloads to be listed",
            _LISTED_SECONDS,
            lambda: self._are_listed(server),
            every=_POLL_SECONDS,
        )
        done.listed.append(time.monotonic() - started)
        await until_quiet(server, _LISTED_SECONDS, self.progress)
        done.calls.append(await calls_by_operator(self.cluster) - before)
        for role, peak in self._peaks():
            done.memory[role].append(peak)

    async def _are_listed(self, server: Server) -> bool:
        """Whether each workload that runs a product has a WorkloadTelemetry with a verdict."""
        found = (await server.get(f"{_RECORDS}/workloadtelemetries"))["items"]
        count = sum("channels" in record.get("status", {}) for record in found)
        self.progress.at(f"{count} of {self.size.products} are listed")
        if count > self.size.products:
            raise BenchError(f"{count} workloads are listed, but {self.size.products} run products")
        return count == self.size.products

    async def _stay(self, server: Server) -> Written:
        seconds = self.size.steady_seconds
        self.progress.begin(f"fleet: watch {seconds:.0f} s of steady state")
        before = await Written.so_far(server, self.cluster)
        for passed in range(round(seconds)):
            self.progress.at(f"{passed} s")
            await asyncio.sleep(1)
        return (await Written.so_far(server, self.cluster)).since(before)

    def _peaks(self) -> Iterator[tuple[Role, float]]:
        running = self.operator.children.identities()
        for role in ROLES:
            peak = memory(running[role].pid, PEAK)
            if peak is not None:
                yield role, peak

    def _figures(self, done: _Repetitions) -> Iterator[Figure]:
        section, products = self.size.section, self.size.products
        yield Figure.of(
            section, f"controller's start until {products} are listed", "s", done.listed
        )
        for role in ROLES:
            name = f"{role}: peak memory"
            yield figure_on_linux(section, name, "MB", done.memory[role], _MEMORY)
        unleased = [
            {key: count for key, count in counted.items() if key[1] != LEASES}
            for counted in done.calls
        ]
        per_product = [sum(counted.values()) / products for counted in unleased]
        yield Figure.of(
            section, "calls per workload with a product, without Lease", "", per_product
        )
        for (verb, resource), _ in Counter(unleased[-1]).most_common(3):
            counts = [counted.get((verb, resource), 0) for counted in unleased]
            yield Figure.of(section, f"  of them {verb} {resource}, in all", "", counts)
