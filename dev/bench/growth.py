"""How the cost of a start grows with what a cluster has, and what a larger cluster would need.

Each of four dimensions grows on a cluster of its own, while the others stay as they are. The
costs are compared by CPU time and peak memory, which depend little on the machine's other load.
"""

from __future__ import annotations

import asyncio
import json
import statistics
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path

import uvloop

from dev.bench.figures import Figure
from dev.bench.manifests import Manifest, fleet_namespace, policy
from dev.bench.population import EXTRA_ARGS, Population, pod, running
from dev.bench.progress import Progress
from dev.bench.records import following
from dev.bench.server import Server, connect, for_each
from dev.bench.start import OperatorStart, Starter
from dev.bench.writes import ROLES
from dev.cluster import Cluster
from dev.harness.operator import LocalOperator, Role

_CONNECTIONS = 64
_WORKLOADS, _PRODUCTS = "workloads without a product", "workloads with a product"
_POLICIES, _PODS = "policies", "pods"
DIMENSIONS = (_WORKLOADS, _PRODUCTS, _POLICIES, _PODS)
"""What grows."""
_PLANNED = {_PODS: 100_000, _WORKLOADS: 19_000, _PRODUCTS: 1000, _POLICIES: 100}
"""The larger cluster: five pods a workload, and one workload in twenty runs a product."""


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    workloads: int
    """Workloads without a product, where something else grows."""
    products: int
    """Workloads with one, likewise."""
    namespaces: int
    dimensions: Mapping[str, Sequence[int]]
    """The sizes, by what grows."""


@dataclass(frozen=True)
class _Point:
    size: int
    start: OperatorStart


def measure(directory: Path, size: Size, progress: Progress) -> list[Figure]:
    """Measure one dimension after the other. Raises BenchError, DevclusterError."""
    found = {
        dimension: _measure_one(directory, dimension, size, progress)
        for dimension in size.dimensions
    }
    figures = [
        figure
        for dimension, points in found.items()
        for figure in (*_measured(dimension, points), *_slopes(dimension, points))
    ]
    return [*figures, *_calculated(found, size)]


def _measure_one(directory: Path, dimension: str, size: Size, progress: Progress) -> list[_Point]:
    name = f"growth-{DIMENSIONS.index(dimension)}"
    with ExitStack() as stack:
        progress.begin(f"growth: start a cluster, in which {dimension} grow")
        cluster = Cluster(
            directory / name,
            controller_manager=False,
            audit=True,
            extra_apiserver_args=EXTRA_ARGS,
        )
        stack.enter_context(cluster)
        operator = LocalOperator(cluster, directory / f"{name}-operator")
        stack.callback(operator.children.kill_all)
        return uvloop.run(_grow(cluster, operator, dimension, size, progress))


async def _grow(
    cluster: Cluster, operator: LocalOperator, dimension: str, size: Size, progress: Progress
) -> list[_Point]:
    async with connect(cluster, _CONNECTIONS) as server:
        await asyncio.to_thread(operator.install)
        async with following(server, progress) as records:
            population = Population(server, size.namespaces, progress)
            await population.begin()
            policies = [] if dimension == _POLICIES else [policy()]
            starter = Starter(
                server, cluster, operator, records, progress, size.namespaces, policies
            )
            grown = _Grown(server, cluster, population, starter, progress)
            progress.begin("growth: create what does not grow")
            if dimension != _WORKLOADS:
                await population.add(size.workloads, products=False)
            if dimension != _PRODUCTS:
                await population.add(size.products, products=True)
            points: list[_Point] = []
            for target in size.dimensions[dimension]:
                progress.begin(f"growth: {target:,} {dimension}")
                await asyncio.to_thread(operator.stop_all)
                await grown.to(dimension, target)
                if not points:
                    # The first start of all also makes certificates, and is not measured.
                    await starter.start(population.products)
                points.append(_Point(target, await starter.start(population.products)))
            return points


@dataclass
class _Grown:
    """The cluster in which one dimension grows."""

    server: Server
    cluster: Cluster
    population: Population
    starter: Starter
    progress: Progress
    reached: int = 0

    async def to(self, dimension: str, size: int) -> None:
        """Add what is missing."""
        more = size - self.reached
        add: Mapping[str, Callable[[int], Awaitable[None]]] = {
            _PODS: self._add_pods,
            _WORKLOADS: self._add_workloads,
            _PRODUCTS: self._add_products,
            _POLICIES: self._add_policies,
        }
        await add[dimension](more)
        self.reached = size

    async def _add_workloads(self, count: int) -> None:
        await self.population.add(count, products=False)

    async def _add_products(self, count: int) -> None:
        await self.population.add(count, products=True)

    async def _add_policies(self, count: int) -> None:
        for number in range(self.reached, self.reached + count):
            self.starter.policies.append(_policy(number))

    async def _add_pods(self, count: int) -> None:
        members = self.population.members
        addresses = IPv4Network(self.cluster.pod_cidr)

        async def create(number: int) -> None:
            member, name = members[number % len(members)], f"pod-{number:06}"
            where = f"/api/v1/namespaces/{member.namespace}/pods"
            await self.server.post(where, json.dumps(pod(member, name)).encode())
            status = running(member, str(addresses[number + 1]))
            await self.server.merge(f"{where}/{name}/status", status)

        await for_each(
            range(self.reached, self.reached + count),
            create,
            lambda done: self.progress.at(f"{done} of {count} pods"),
            at_once=_CONNECTIONS // 2,
        )


def _policy(number: int) -> Manifest:
    """One that decides for a namespace, if there is one of that number."""
    manifest = policy()
    manifest["metadata"]["name"] = f"policy-{number:04}"
    labels = {"kubernetes.io/metadata.name": fleet_namespace(number)}
    manifest["spec"]["namespaceSelector"] = {"matchLabels": labels}
    return manifest


_COSTS: Mapping[tuple[str, str], Callable[[OperatorStart, Role], float | None]] = {
    ("CPU time of a start", "s"): lambda start, role: start.processor.get(role),
    ("peak memory", "MB"): lambda start, role: start.memory.get(role),
}


def _values(points: Sequence[_Point], cost: tuple[str, str], role: Role) -> list[float]:
    found = (_COSTS[cost](point.start, role) for point in points)
    return [value for value in found if value is not None]


def _measured(dimension: str, points: Sequence[_Point]) -> Iterator[Figure]:
    section = f"Growth with {dimension}"
    for name, unit in _COSTS:
        for role in ROLES:
            for point, value in zip(points, _values(points, (name, unit), role), strict=False):
                yield Figure.of(section, f"{role}: {name}", unit, [value], size=point.size)
    for point in points:
        yield Figure.of(section, "webhook ready", "s", [point.start.ready], size=point.size)
    for point in points:
        yield Figure.of(section, "all listed", "s", [point.start.listed], size=point.size)


def _slope(points: Sequence[_Point], cost: tuple[str, str], role: Role) -> float | None:
    """The cost of one more; None where it was not measured."""
    values = _values(points, cost, role)
    sizes = [point.size for point in points]
    if len(values) != len(sizes) or len(set(sizes)) < 2:  # noqa: PLR2004  # a line needs two points
        return None
    return statistics.linear_regression(sizes, values).slope


def _slopes(dimension: str, points: Sequence[_Point]) -> Iterator[Figure]:
    section = f"Growth with {dimension}, for each 1,000 more"
    for cost in _COSTS:
        for role in ROLES:
            slope = _slope(points, cost, role)
            if slope is not None:
                name, unit = cost
                yield Figure.of(section, f"{role}: {name}", unit, [1000 * slope])


def _calculated(found: Mapping[str, Sequence[_Point]], size: Size) -> Iterator[Figure]:
    """The straight lines, prolonged to the larger cluster, from the first point on."""
    if set(found) != set(_PLANNED):
        return
    parts = ", ".join(f"{count:,} {dimension}" for dimension, count in _PLANNED.items())
    base = found[_PODS][0]
    first = {_PODS: base.size, _WORKLOADS: size.workloads, _PRODUCTS: size.products, _POLICIES: 1}
    for cost in _COSTS:
        for role in ROLES:
            slopes = {dimension: _slope(points, cost, role) for dimension, points in found.items()}
            start = _COSTS[cost](base.start, role)
            if start is None or None in slopes.values():
                continue
            value = start + sum(
                (slope or 0.0) * (_PLANNED[dimension] - first[dimension])
                for dimension, slope in slopes.items()
            )
            name, unit = cost
            yield Figure.of(f"Calculated for {parts}", f"{role}: {name}", unit, [value])
