"""What a large fleet costs: time until it is listed, memory, calls, and writes when all is done."""

from __future__ import annotations

import asyncio
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvloop

from bench.counting import LEASES, Resource, calls, writes_by_resource
from bench.errors import BenchError
from bench.figures import Figure, Target
from bench.manifests import NAMESPACES, POLICIES, fleet, fleet_namespace, namespace, policy
from bench.progress import Progress
from bench.server import Server, connect, until
from devcluster import Cluster
from harness.operator import NAMESPACE, RELEASE, LocalOperator, Role

_ROLES: tuple[Role, ...] = ("webhook", "controller")
_RECORDS = "/apis/fleettelemetry.io/v1alpha1"
_PODS_SECONDS = 600.0
_LISTED_SECONDS = 120.0
_QUIET_SECONDS = 5.0
_POLL_SECONDS = 0.25
"""Often enough to tell when, and seldom enough not to be in the way."""
_PODS_POLL_SECONDS = 2.0
_MEMORY = Target(110)
_NONE = Target(0)
_MEGABYTE = 1e6


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
    """What came of each start of the operator."""

    listed: list[float] = field(default_factory=list)
    calls: list[Counter[tuple[str, Resource]]] = field(default_factory=list)
    """The controller's, from its start until it has nothing more to do."""
    memory: defaultdict[Role, list[float]] = field(default_factory=lambda: defaultdict(list))


@dataclass(frozen=True)
class _Steady:
    """What was written while nothing changed."""

    by_anybody: Counter[Resource]
    by_operator: Counter[Resource]


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
        return [*self._figures(done), *self._figures_of(steady)]

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
        before = await self._calls()
        await asyncio.to_thread(self.operator.start, "controller")
        started = time.monotonic()
        await until(
            "all workloads to be listed",
            _LISTED_SECONDS,
            lambda: self._are_listed(server),
            every=_POLL_SECONDS,
        )
        done.listed.append(time.monotonic() - started)
        await self._quiet(server)
        done.calls.append(await self._calls() - before)
        for role, peak in self._peaks():
            done.memory[role].append(peak)

    async def _are_listed(self, server: Server) -> bool:
        """Whether there is a record with a verdict for each workload that runs a product."""
        found = (await server.get(f"{_RECORDS}/workloadtelemetries"))["items"]
        count = sum("channels" in record.get("status", {}) for record in found)
        self.progress.at(f"{count} of {self.size.products} are listed")
        if count > self.size.products:
            raise BenchError(f"{count} workloads are listed, but {self.size.products} run products")
        return count == self.size.products

    async def _quiet(self, server: Server) -> None:
        """Wait until nobody has written anything but Leases for a while."""
        self.progress.at("wait until nothing more is written")
        last: Counter[Resource] = Counter()
        since = time.monotonic()

        async def nothing() -> bool:
            nonlocal last, since
            now = await _writes(server)
            if now != last:
                last, since = now, time.monotonic()
            return time.monotonic() - since > _QUIET_SECONDS

        await until("the writes to end", _LISTED_SECONDS, nothing, every=_POLL_SECONDS)

    async def _stay(self, server: Server) -> _Steady:
        seconds = self.size.steady_seconds
        self.progress.begin(f"fleet: watch {seconds:.0f} s of steady state")
        writes = await _writes(server, leases=True)
        asked = await self._calls()
        for passed in range(round(seconds)):
            self.progress.at(f"{passed} s")
            await asyncio.sleep(1)
        by_operator: Counter[Resource] = Counter()
        for (verb, resource), count in (await self._calls() - asked).items():
            if verb not in ("get", "list"):
                by_operator[resource] += count
        return _Steady(await _writes(server, leases=True) - writes, by_operator)

    async def _calls(self) -> Counter[tuple[str, Resource]]:
        """Those of both roles but for watches."""
        events: list[dict[str, Any]] = await asyncio.to_thread(self.cluster.audit_events)
        found: Counter[tuple[str, Resource]] = Counter()
        for role in _ROLES:
            found += calls(events, f"system:serviceaccount:{NAMESPACE}:{RELEASE}-{role}")
        return Counter({key: count for key, count in found.items() if key[0] != "watch"})

    def _peaks(self) -> Iterator[tuple[Role, float]]:
        if sys.platform == "linux":
            running = self.operator.children.identities()
            for role in _ROLES:
                yield role, _peak_memory(running[role].pid)

    def _figures(self, done: _Repetitions) -> Iterator[Figure]:
        section, products = self.size.section, self.size.products
        yield Figure.of(
            section, f"controller's start until {products} are listed", "s", done.listed
        )
        for role in _ROLES:
            name = f"{role}: peak memory"
            if done.memory[role]:
                yield Figure.of(section, name, "MB", done.memory[role], _MEMORY)
            else:
                note = "needs /proc, which only Linux has"
                yield Figure(section, name, "MB", None, _MEMORY, note)
        unleased = [
            {key: count for key, count in counted.items() if key[1] != LEASES}
            for counted in done.calls
        ]
        per_product = [sum(counted.values()) / products for counted in unleased]
        yield Figure.of(section, "calls per workload with a product", "", per_product)
        for (verb, resource), _ in Counter(unleased[-1]).most_common(3):
            counts = [counted.get((verb, resource), 0) for counted in unleased]
            yield Figure.of(section, f"  of all calls: {verb} {resource}", "", counts)

    def _figures_of(self, steady: _Steady) -> Iterator[Figure]:
        section = f"Fleet: {self.size.steady_seconds:.0f} s of steady state"
        for title, counted, target in (
            ("writes by anybody, Leases and Nodes aside", steady.by_anybody, _NONE),
            ("writes by the operator, its Lease aside", steady.by_operator, _NONE),
        ):
            kept = {name: n for name, n in counted.items() if name not in (LEASES, "nodes")}
            yield Figure.of(section, title, "", [sum(kept.values())], target)
            for name, count in kept.items():
                yield Figure.of(section, f"  {name}", "", [count])
        renewals: Sequence[tuple[str, Counter[Resource]]] = (
            ("Lease renewals by anybody", steady.by_anybody),
            ("Lease renewals by the operator", steady.by_operator),
        )
        for title, counted in renewals:
            yield Figure.of(section, title, "", [counted[LEASES]])


async def _writes(server: Server, *, leases: bool = False) -> Counter[Resource]:
    found = writes_by_resource(await server.metrics())
    if not leases:
        del found[LEASES]
    return found


def _peak_memory(pid: int) -> float:
    """In megabytes. Raises BenchError."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / _MEGABYTE
    raise BenchError(f"/proc/{pid}/status does not say how much memory was used")
