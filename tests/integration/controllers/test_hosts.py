"""How what is known of hosts is kept, with a real name server and without an API server; with one,
it is in tests/e2e."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from dev.harness.dns_server import DnsFault, LocalDnsServer, Records
from fleet_telemetry.catalogue.catalogue import builtin
from fleet_telemetry.controllers.egress.hosts import HostResolver
from fleet_telemetry.egress.dns.name_servers import parse_name_server
from fleet_telemetry.egress.dns.resolver import LookupLimits, Resolver
from fleet_telemetry.egress.facts import HostFacts
from fleet_telemetry.egress.host_state import Retention
from fleet_telemetry.egress.host_use import HostNeed
from fleet_telemetry.egress.published_ranges import Provider, Ranges, RangesError
from fleet_telemetry.egress.ranges_client import RangesClient
from fleet_telemetry.kube import kinds
from fleet_telemetry.kube.cache import ClusterCache
from fleet_telemetry.kube.client import KubernetesClient
from fleet_telemetry.kube.transport import Transport
from fleet_telemetry.workloads.registry import WorkloadKind
from fleet_telemetry.workloads.workload import WorkloadRef

ONE, TWO = (WorkloadRef("apps", WorkloadKind.DEPLOYMENT, name) for name in ("one", "two"))
HOST, OTHER = "telemetry.example.com", "other.example.com"
NOBODY = "127.0.0.1:9"
"""Nobody listens on this port."""
QUICKLY = LookupLimits(try_seconds=0.2, pause_seconds=0.01, total_seconds=0.5)
SEED = ip_address("34.36.231.254")


@dataclass
class Kit:
    """A keeper, and whom it told something."""

    server: str = NOBODY
    ranges: RangesClient | None = None
    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))

    def __post_init__(self) -> None:
        # There is no API server: what is known is kept in memory, and that is enough.
        self.client = KubernetesClient(Transport.to(f"http://{NOBODY}"))
        self.cache = ClusterCache(builtin())
        self.changed: list[WorkloadRef] = []
        resolver = Resolver([parse_name_server(self.server)], limits=QUICKLY)
        self.keeper = HostResolver(
            self.cache,
            self.client,
            resolver,
            rules=Retention(),
            now=self.now,
            ranges=self.ranges,
            on_change=self._on_change,
        )

    def _on_change(self, ref: WorkloadRef) -> None:
        self.changed.append(ref)

    @asynccontextmanager
    async def leading(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.keeper.run())
        await asyncio.sleep(0)
        try:
            yield
            assert not task.done(), "it ended by itself"
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def until(self, holds: Callable[[], object]) -> None:
        async with asyncio.timeout(10):
            while not holds():  # noqa: ASYNC110  # what it waits for tells nobody
                await asyncio.sleep(0.01)

    async def asked(self, ref: WorkloadRef = ONE) -> None:
        await self.until(lambda: not self.keeper.awaits(ref))

    def facts(self, host: str = HOST) -> HostFacts:
        return self.keeper.facts([host])[host]


Body = Callable[[Kit], Awaitable[None]]


def run(body: Body, server: str = NOBODY, **more: Any) -> None:
    """A body of a test, with a keeper of its own."""

    async def main() -> None:
        kit = Kit(server, **more)
        try:
            await body(kit)
        finally:
            await kit.client.close()
        # Nothing of it may be left over.
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalDnsServer]:
    with LocalDnsServer(tmp_path_factory.mktemp("names")) as names:
        yield names


def need(*hosts: str, **more: Any) -> frozenset[HostNeed]:
    return frozenset(HostNeed(host, **more) for host in hosts or (HOST,))


def tasks() -> int:
    return len(asyncio.all_tasks())


def test_while_dns_is_down_nobody_waits_and_nothing_is_concluded() -> None:
    async def body(kit: Kit) -> None:
        async with kit.leading():
            kit.keeper.need(ONE, need(seeds=frozenset({SEED})))
            assert kit.keeper.awaits(ONE)
            await kit.asked()
            assert kit.changed == [ONE]
            found = kit.facts()
            assert found.deny == (ip_network("34.36.231.254"),)
            assert found.unresolved

    run(body)


@pytest.mark.cluster
def test_an_answer_is_one_also_where_it_is_that_there_is_nothing(names: LocalDnsServer) -> None:
    names.set(HOST, DnsFault.NXDOMAIN)

    async def body(kit: Kit) -> None:
        async with kit.leading():
            kit.keeper.need(ONE, need())
            await kit.asked()
            assert not kit.facts().unresolved

    run(body, names.endpoint)


@pytest.mark.cluster
def test_of_a_hosts_addresses_it_is_known_which_are_shared(names: LocalDnsServer) -> None:
    names.set(HOST, Records(a=["8.8.4.4", "54.230.1.1"]))

    async def body(kit: Kit) -> None:
        async with kit.leading():
            kit.keeper.need(ONE, need())
            await kit.asked()
            found = kit.facts()
            assert found.shared == (ip_network("54.230.1.1"),)
            assert len(found.deny) == 2
            assert not found.unresolved

    run(body, names.endpoint)


def test_what_was_saved_is_known_at_once_and_dns_need_not_answer() -> None:
    async def body(kit: Kit) -> None:
        now = datetime.now(UTC).isoformat()
        saved = {"asOf": now, "addresses": [{"ip": "54.230.1.1", "seenAt": now}]}
        kit.cache.upsert(kinds.HOST, {"metadata": {"name": HOST}, "status": saved})
        async with kit.leading():
            kit.keeper.need(ONE, need())
            assert not kit.keeper.awaits(ONE)
            assert kit.facts().deny == (ip_network("54.230.1.1"),)
            assert not kit.facts().unresolved
            await asyncio.sleep(0.3)
            assert kit.facts().deny == (ip_network("54.230.1.1"),)

    run(body)


def test_a_host_that_cannot_be_asked_for_keeps_no_workload_waiting() -> None:
    # A bug, or a name that one part takes and another does not: its other hosts have to be denied.
    async def body(kit: Kit) -> None:
        async with kit.leading():
            kit.keeper.need(ONE, need("no host", HOST))
            await kit.asked()
            assert ONE in kit.changed

    run(body)


def test_what_one_workload_brings_along_is_told_to_the_others() -> None:
    async def body(kit: Kit) -> None:
        async with kit.leading():
            kit.keeper.need(ONE, need())
            await kit.asked()
            kit.changed.clear()
            kit.keeper.need(TWO, need(seeds=frozenset({SEED})))
            assert kit.facts().deny == (ip_network("34.36.231.254"),)
            assert kit.changed == [ONE]
            kit.keeper.need(TWO, need(seeds=frozenset({SEED})))
            assert kit.changed == [ONE]

    run(body)


def test_what_nobody_needs_any_more_is_not_asked_for() -> None:
    async def body(kit: Kit) -> None:
        async with kit.leading():
            before = tasks()
            kit.keeper.need(ONE, need(HOST, OTHER))
            kit.keeper.need(TWO, need(HOST))
            await kit.asked()
            await kit.until(lambda: tasks() == before + 2)
            kit.keeper.need(ONE, need(OTHER))
            assert kit.keeper.facts([HOST, OTHER]).keys() == {HOST, OTHER}
            kit.keeper.forget(TWO)
            kit.keeper.forget(ONE)
            await kit.until(lambda: tasks() == before)
            assert kit.keeper.facts([HOST, OTHER]) == {}

    run(body)


class Ranged(RangesClient):
    """Counts; what it is asked for, it cannot get, and sometimes it has a bug."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.asked = 0
        self._error = error

    async def fetch(self, provider: Provider) -> Ranges:
        del provider
        self.asked += 1
        raise self._error


def test_ranges_are_fetched_only_while_a_host_needs_them() -> None:
    ranges = Ranged(RangesError("Cloudflare", "there is no way out"))

    async def body(kit: Kit) -> None:
        async with kit.leading():
            before = tasks()
            kit.keeper.need(ONE, need())
            await kit.asked()
            assert ranges.asked == 0
            kit.keeper.need(TWO, need(OTHER, provider="Cloudflare"))
            await kit.until(lambda: ranges.asked)
            await kit.until(lambda: tasks() == before + 3)
            # Those that came with the operator count.
            assert ip_network("104.16.0.0/13") in kit.facts(OTHER).ranges
            kit.keeper.forget(TWO)
            await kit.until(lambda: tasks() == before + 1)
            kit.keeper.need(TWO, need(OTHER, provider="Cloudflare"))
            await kit.until(lambda: ranges.asked == 2)

    run(body, ranges=ranges)


def test_a_bug_with_ranges_ends_nothing_else() -> None:
    ranges = Ranged(KeyError("a bug"))

    async def body(kit: Kit) -> None:
        async with kit.leading():
            kit.keeper.need(ONE, need(provider="Cloudflare"))
            await kit.until(lambda: ranges.asked)
            await kit.asked()
            assert ip_network("104.16.0.0/13") in kit.facts().ranges

    run(body, ranges=ranges)


@pytest.mark.cluster
def test_whoever_leads_again_begins_anew(names: LocalDnsServer) -> None:
    names.set(HOST, Records(a=["54.230.1.1"]))
    ranges = Ranged(RangesError("Cloudflare", "there is no way out"))

    async def body(kit: Kit) -> None:
        for number in (1, 2):
            assert kit.keeper.facts([HOST]) == {}
            assert not kit.keeper.awaits(ONE)
            async with kit.leading():
                kit.keeper.need(ONE, need(provider="Cloudflare"))
                assert kit.keeper.awaits(ONE)
                await kit.asked()
                assert ip_network("54.230.1.1") in kit.facts().deny
                await kit.until(lambda number=number: ranges.asked == number)
            await asyncio.sleep(0)
            assert tasks() <= 2

    run(body, names.endpoint, ranges=ranges)


def test_a_need_from_before_the_asking_begins_is_met() -> None:
    async def body(kit: Kit) -> None:
        kit.keeper.need(ONE, need(provider="Cloudflare"))
        assert ip_network("104.16.0.0/13") in kit.facts().ranges
        async with kit.leading():
            await kit.asked()

    run(body)
