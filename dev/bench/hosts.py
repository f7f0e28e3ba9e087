"""The cost of 500 telemetry hosts on a cluster with a real name server: time until they are known,
memory, lookups, and writes while nothing changes."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Any

import uvloop

from dev.bench.counting import LEASES
from dev.bench.figures import Figure, Target
from dev.bench.manifests import (
    DEPENDENCY_TRACK,
    NAMESPACES,
    Manifest,
    deployment,
    deployments,
    fleet_namespace,
    namespace,
)
from dev.bench.processes import NOW, PEAK, figure_on_linux, memory, processor_seconds
from dev.bench.progress import Progress
from dev.bench.server import Server, connect, until
from dev.bench.writes import Written, calls_by_operator, until_quiet
from dev.cluster import Cluster
from dev.harness.dns_server import LocalDnsServer, Records
from dev.harness.operator import LocalOperator, egress_values

_RESOURCES = "/apis/fleettelemetry.io/v1alpha1"
_HOSTS = f"{_RESOURCES}/telemetryhosts"
_POLICIES = f"{_RESOURCES}/clustertelemetrypolicies"
_NETWORK_POLICIES = "/apis/networking.k8s.io/v1/networkpolicies"
_CATALOGUE_HOST = "metrics.dependencytrack.org"
_PER_POLICY = 64
_FIRST_V4, _FIRST_V6 = IPv4Address("54.230.0.1"), IPv6Address("2600:9000::1")
_PODS_SECONDS = 300.0
_KNOWN_SECONDS = 300.0
_POLL_SECONDS = 1.0
"""A list of all hosts is large, and to make it is work for the API server."""
_MEMORY, _GROWTH = Target(150), Target(5)
_LOST = "the Lease is lost"
"""In the controller's log."""
_NONE = Target(0)
_KINDS = {
    "telemetryhosts.fleettelemetry.io": "TelemetryHosts",
    "networkpolicies.networking.k8s.io": "NetworkPolicies",
}


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    hosts: int
    addresses: int
    """Of each host, half of them IPv6."""
    repetitions: int
    interval: int
    """Seconds between two lookups of a host."""
    cycles: int
    """Cycles in which nothing changes; in each, every host is looked up."""

    @property
    def policies(self) -> int:
        """So many are needed."""
        return -(-self.hosts // _PER_POLICY)

    @property
    def names(self) -> tuple[str, ...]:
        """The hosts; the first is the catalogue's, the others are the policies'."""
        own = (f"host-{number:03}.telemetry.example.com" for number in range(1, self.hosts))
        return (_CATALOGUE_HOST, *own)


def measure(directory: Path, size: Size, progress: Progress) -> list[Figure]:
    """Start what is needed, measure, and stop it. Raises BenchError, DevclusterError."""
    with ExitStack() as stack:
        progress.begin("egress: start a cluster and a name server")
        names = stack.enter_context(LocalDnsServer(directory / "egress-names"))
        cluster = Cluster(directory / "egress", scheduler=True, kwok=True, audit=True)
        stack.enter_context(cluster)
        operator = LocalOperator(cluster, directory / "egress-operator")
        stack.callback(operator.children.kill_all)
        return uvloop.run(_Hosts(names, cluster, operator, size, progress).measure())


@dataclass
class _Starts:
    """The results of each start of the controller."""

    known: list[float] = field(default_factory=list)
    written: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)
    calls: list[Counter[str]] = field(default_factory=list)
    """Writes by resource until nothing more is written."""
    losses: list[float] = field(default_factory=list)
    """Of the Lease: each makes the controller begin anew."""


@dataclass(frozen=True)
class _Steady:
    """The results of some cycles in which nothing changes."""

    seconds: float
    questions: int
    rounds: float
    """How often a host was looked up, on average."""
    writes: Written
    processor: list[float]
    """Seconds; empty except on Linux, as the next one."""
    growth: list[float]
    """Megabytes."""


@dataclass(frozen=True)
class _Hosts:
    names: LocalDnsServer
    cluster: Cluster
    operator: LocalOperator
    size: Size
    progress: Progress

    async def measure(self) -> list[Figure]:
        """All of it."""
        starts = _Starts()
        records = _records(self.size.names, self.size.addresses)
        await asyncio.to_thread(self.names.update, records)
        async with connect(self.cluster) as server:
            await self._create(server)
            for number in range(self.size.repetitions):
                self.progress.begin(
                    f"egress: start the controller, {number + 1} of {self.size.repetitions}"
                )
                await self._start_afresh(server)
                await self._start(server, starts)
            steady = await self._stay(server)
            restart = await self._restart(server)
        return [*self._figures(starts, steady, restart)]

    async def _create(self, server: Server) -> None:
        self.progress.begin("egress: create policies and workloads")
        values = {"egress": egress_values(self.names)}
        await asyncio.to_thread(self.operator.install, values)
        await asyncio.to_thread(self.operator.start, "webhook")
        await asyncio.to_thread(self.operator.wait_until_ready)
        own = self.size.names[1:]
        for number in range(self.size.policies):
            place = fleet_namespace(number)
            await server.create(NAMESPACES, namespace(place))
            hosts = own[number :: self.size.policies]
            await server.create(_POLICIES, _policy(place, hosts))
            await server.create(deployments(place), deployment(DEPENDENCY_TRACK, name="dtrack"))

        async def run() -> bool:
            names = await server.names("/api/v1/pods?fieldSelector=status.phase%3DRunning")
            return len(names) >= self.size.policies

        await until("every workload's pod to run", _PODS_SECONDS, run)

    async def _start_afresh(self, server: Server) -> None:
        """Without a controller, and without anything that one before has found out."""
        if "controller" in self.operator.children.names():
            await asyncio.to_thread(self.operator.stop, "controller")
        await server.delete(_HOSTS)
        for number in range(self.size.policies):
            place = f"/namespaces/{fleet_namespace(number)}/"
            await server.delete(_NETWORK_POLICIES.replace("/networkpol", f"{place}networkpol"))

    async def _start(self, server: Server, starts: _Starts) -> None:
        before = await calls_by_operator(self.cluster)
        lost = self._losses()
        await self._run_controller()
        started = time.monotonic()
        await until(
            "every host to be known",
            _KNOWN_SECONDS,
            lambda: self._are_known(server),
            every=_POLL_SECONDS,
        )
        starts.known.append(time.monotonic() - started)
        await until(
            "every address to be denied",
            _KNOWN_SECONDS,
            lambda: self._are_denied(server),
            every=_POLL_SECONDS,
        )
        starts.written.append(time.monotonic() - started)
        await until_quiet(server, _KNOWN_SECONDS, self.progress)
        writes: Counter[str] = Counter()
        for (verb, resource), count in (await calls_by_operator(self.cluster) - before).items():
            if verb not in ("get", "list"):
                writes[resource] += count
        starts.calls.append(writes)
        starts.losses.append(self._losses() - lost)
        peak = memory(self._pid, PEAK)
        starts.memory += [] if peak is None else [peak]

    async def _run_controller(self) -> None:
        option = f"--dns-interval={self.size.interval}"
        await asyncio.to_thread(self.operator.start, "controller", extra=[option])

    def _losses(self) -> int:
        log = self.operator.log("controller")
        return log.read_text().count(_LOST) if log.exists() else 0

    @property
    def _pid(self) -> int:
        return self.operator.children.identities()["controller"].pid

    async def _are_known(self, server: Server) -> bool:
        names = await server.names(_HOSTS)
        self.progress.at(f"{len(names)} of {self.size.hosts} hosts are there")
        if len(names) < self.size.hosts:
            return False
        found = (await server.get(_HOSTS))["items"]
        return all(
            len(one.get("status", {}).get("addresses", ())) == self.size.addresses for one in found
        )

    async def _are_denied(self, server: Server) -> bool:
        denied: set[str] = set()
        for manifest in (await server.get(_NETWORK_POLICIES))["items"]:
            for rule in manifest["spec"].get("egress", ()):
                for peer in rule.get("to", ()):
                    denied.update(peer.get("ipBlock", {}).get("except", ()))
        wanted = self.size.hosts * self.size.addresses
        self.progress.at(f"{len(denied)} of {wanted} addresses are denied")
        return len(denied) == wanted

    async def _stay(self, server: Server) -> _Steady:
        self.progress.begin(f"egress: watch {self.size.cycles} cycles in which nothing changes")
        pid = self._pid
        before = await Written.so_far(server, self.cluster)
        asked = await self._questions()
        used, held = processor_seconds(pid), memory(pid, NOW)
        started = time.monotonic()
        await self._cycles(asked)
        seconds = time.monotonic() - started
        used_then, held_then = processor_seconds(pid), memory(pid, NOW)
        questions = await self._questions() - asked
        return _Steady(
            seconds=seconds,
            questions=questions.total(),
            rounds=questions.total() / len(questions),
            writes=(await Written.so_far(server, self.cluster)).since(before),
            processor=_difference(used, used_then),
            growth=_difference(held, held_then),
        )

    async def _cycles(self, asked: Counter[tuple[str, str]]) -> None:
        """Wait until every host has been looked up this often again, for both families."""
        cycles, questions = self.size.cycles, 2 * self.size.hosts

        async def over() -> bool:
            counts = await self._questions() - asked
            least = min(counts.values()) if len(counts) == questions else 0
            self.progress.at(f"cycle {least + 1}")
            return least >= cycles

        seconds = 3 * cycles * self.size.interval + 30
        await until("every host to be looked up", seconds, over, every=_POLL_SECONDS)

    async def _questions(self) -> Counter[tuple[str, str]]:
        """So far, by host and type."""
        asked = await asyncio.to_thread(self.names.questions)
        return Counter((one.host, one.type) for one in asked)

    async def _restart(self, server: Server) -> Written:
        """The writes of a controller that finds the hosts in their final state."""
        self.progress.begin("egress: start the controller again")
        await asyncio.to_thread(self.operator.stop, "controller")
        before = await Written.so_far(server, self.cluster)
        asked = await self._questions()
        await self._run_controller()
        await self._cycles(asked)
        return (await Written.so_far(server, self.cluster)).since(before)

    def _figures(self, starts: _Starts, steady: _Steady, restart: Written) -> Iterator[Figure]:
        size = self.size
        each = f"Egress: {size.hosts} hosts of {size.addresses} addresses"
        section = f"{each}, from the controller's start"
        what = f"{size.hosts} TelemetryHosts"
        yield Figure.of(section, f"until {what} have their addresses", "s", starts.known)
        name = f"until all addresses are denied, by {size.policies} NetworkPolicies"
        yield Figure.of(section, name, "s", starts.written)
        yield figure_on_linux(section, "peak memory", "MB", starts.memory, _MEMORY)
        for resource, kind in _KINDS.items():
            counts = [calls[resource] for calls in starts.calls]
            yield Figure.of(section, f"writes of {kind}", "", counts)
        yield Figure.of(section, "losses of the Lease", "", starts.losses, _NONE)
        section = f"{each}, {size.cycles} cycles in which nothing changes"
        cycle = steady.seconds / steady.rounds
        yield Figure.of(section, "lookups", "/s", [steady.questions / steady.seconds])
        yield Figure.of(section, "a cycle", "s", [cycle])
        work = [seconds / steady.rounds for seconds in steady.processor]
        yield figure_on_linux(section, "CPU time of a cycle", "s", work)
        yield figure_on_linux(section, "growth of memory", "MB", steady.growth, _GROWTH)
        yield from steady.writes.figures(section)
        section = f"{each}, the controller restarted, and {size.cycles} cycles"
        writes = Counter(restart.by_operator)
        for resource, kind in _KINDS.items():
            yield Figure.of(section, f"writes of {kind}", "", [writes.pop(resource, 0)], _NONE)
        del writes[LEASES]
        name = "other writes of the operator, except its Lease"
        yield Figure.of(section, name, "", [writes.total()], _NONE)
        for resource, count in writes.items():
            yield Figure.of(section, f"  {resource}", "", [count])


def _difference(before: float | None, after: float | None) -> list[float]:
    return [] if before is None or after is None else [after - before]


def _records(names: tuple[str, ...], addresses: int) -> Mapping[str, Records]:
    """Each host has addresses of its own, half of them IPv6, and no two of them neighbours: those
    would be denied as one range."""
    half = addresses // 2
    return {
        name: Records(
            a=[str(_FIRST_V4 + 2 * (number * half + n)) for n in range(half)],
            aaaa=[str(_FIRST_V6 + 2 * (number * half + n)) for n in range(half)],
            ttl=1,
        )
        for number, name in enumerate(names)
    }


def _policy(place: str, hosts: tuple[str, ...]) -> Manifest:
    """Off, and denied by the network, in one namespace. The hosts of a TelemetryPolicy would be
    limited in number."""
    egress: dict[str, Any] = {
        "action": "Deny",
        "sharedAddresses": "Accept",
        "hosts": [{"product": "dependency-track", "host": host} for host in hosts],
    }
    return {
        "apiVersion": "fleettelemetry.io/v1alpha1",
        "kind": "ClusterTelemetryPolicy",
        "metadata": {"name": f"opt-out-{place}"},
        "spec": {
            "submission": "Disabled",
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": place}},
            "egress": egress,
        },
    }
