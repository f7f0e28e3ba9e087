"""The leader is killed, in a fleet of some size: at rest, and in the middle of its first pass.

The benchmark does the first with 10,000 workloads (`python -m dev.bench --only scale`).
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from dev.bench.counting import LEASES
from dev.bench.manifests import policy
from dev.bench.population import EXTRA_ARGS, Population
from dev.bench.progress import Progress
from dev.bench.records import Records, following, is_listed
from dev.bench.server import Server, connect
from dev.bench.start import Starter
from dev.bench.takeover import ANSWER_SECONDS, take_over
from dev.bench.writes import until_quiet
from dev.cluster import Cluster
from dev.harness.operator import LocalOperator
from fleet_telemetry.controllers.manager import WORKERS
from tests.support.faults import writes
from tests.support.forked_operator import local_operator

pytestmark = [pytest.mark.cluster, pytest.mark.fault]

WORKLOADS, NAMESPACES = 300, 10
"""A fifth of the workloads run a product."""
SECONDS = 60.0


@dataclass(frozen=True)
class Fleet:
    cluster: Cluster
    operator: LocalOperator
    server: Server
    population: Population
    records: Records
    progress: Progress


@asynccontextmanager
async def fleet(cluster: Cluster, directory: Path) -> AsyncIterator[Fleet]:
    """A cluster with the fleet and the chart; no process of the operator runs."""
    operator, progress = local_operator(cluster, directory / "operator"), Progress()
    try:
        await asyncio.to_thread(operator.install)
        async with connect(cluster) as server, following(server, progress) as records:
            population = Population(server, NAMESPACES, progress)
            await population.begin()
            await population.grow(WORKLOADS)
            yield Fleet(cluster, operator, server, population, records, progress)
    finally:
        operator.children.kill_all()


@pytest.fixture
def run(tmp_path: Path) -> Callable[[Callable[[Fleet], Awaitable[None]]], None]:
    def run_it(body: Callable[[Fleet], Awaitable[None]]) -> None:
        async def main() -> None:
            async with fleet(cluster, tmp_path) as found:
                await body(found)

        with Cluster(
            tmp_path / "cluster",
            controller_manager=False,
            audit=True,
            extra_apiserver_args=EXTRA_ARGS,
        ) as cluster:
            asyncio.run(main())

    return run_it


Run = Callable[[Callable[[Fleet], Awaitable[None]]], None]


def test_the_next_leader_answers_in_time_and_writes_nothing(run: Run) -> None:
    async def body(fleet: Fleet) -> None:
        operator, population = fleet.operator, fleet.population
        starter = Starter(
            fleet.server,
            fleet.cluster,
            operator,
            fleet.records,
            fleet.progress,
            NAMESPACES,
            [policy()],
        )
        await starter.start(population.products)
        await asyncio.to_thread(operator.start, "controller", name="standby")
        await asyncio.to_thread(operator.wait_until_ready, "standby")
        found = await take_over(
            fleet.server,
            fleet.cluster,
            operator,
            fleet.progress,
            leader="controller",
            standby="standby",
            seconds=SECONDS,
        )
        assert 0 <= found.led <= found.answered < ANSWER_SECONDS
        for counted in (found.written.by_operator, found.written.by_anybody):
            assert {resource for resource, count in counted.items() if count} == {LEASES}
        # It leads in earnest: what comes now is listed.
        await population.grow(WORKLOADS + 1)
        await fleet.records.until("the new one", population.products, is_listed, SECONDS)

    run(body)


def test_a_leader_killed_in_its_first_pass_leaves_nothing_undone_and_nothing_to_do_twice(
    run: Run,
) -> None:
    async def body(fleet: Fleet) -> None:
        operator, records = fleet.operator, fleet.records
        await asyncio.to_thread(operator.start, "controller")
        async with asyncio.timeout(SECONDS):
            while not len(records):  # noqa: ASYNC110  # it is to be killed as early as that
                await asyncio.sleep(0.002)
        operator.kill("controller")
        assert len(records) < fleet.population.products, "it was not killed in its first pass"
        await asyncio.to_thread(operator.start, "controller", name="next")
        await records.until("all", fleet.population.products, is_listed, SECONDS)
        await until_quiet(fleet.server, SECONDS, fleet.progress)
        written = Counter(
            name for _, resource, name in writes(fleet.cluster) if resource == "workloadtelemetries"
        )
        # An object and its status. What the killed one had sent is sent again: by each worker one.
        assert len(written) == fleet.population.products
        assert sum(count > 2 for count in written.values()) <= WORKERS
        assert max(written.values()) <= 4

    run(body)
