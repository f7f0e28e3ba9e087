"""What the reconciler of workloads does with contacts, with the whole controller around it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from fleet_telemetry.controllers.observed.observer import Observer
from fleet_telemetry.controllers.observed.session import Pace
from fleet_telemetry.kube import kinds
from fleet_telemetry.kube.cache import ClusterCache
from fleet_telemetry.workloads.workload import WorkloadRef
from tests.support.loops import run_and_close
from tests.support.object_stub import ObjectStub
from tests.unit.controllers.observed.test_observer import (
    HOST,
    QUICK,
    REF,
    Kit,
    tapped,
    until,
    until_complete,
)
from tests.unit.controllers.test_leading import build

RECORD = {
    "host": HOST,
    "pod": "it-0",
    "podUid": "p0",
    "firstTime": "2026-01-01T00:00:00Z",
    "lastTime": "2026-01-02T00:00:00Z",
    "lookups": 5,
}
STORED = ("workloadtelemetries", REF.namespace, "statefulset-it")


@asynccontextmanager
async def leading(
    kit: Kit, cache: ClusterCache, *, observe: bool = True, pace: Pace = QUICK
) -> AsyncIterator[Observer | None]:
    """A controller that leads."""
    observers: list[Observer] = []

    def make(enqueue: Callable[[WorkloadRef], None]) -> Observer:
        now = partial(datetime.now, UTC)
        found = Observer(cache, kit.client, kit.options, now=now, enqueue=enqueue, pace=pace)
        observers.append(found)
        return found

    cache.synced.set()
    manager = build(cache, kit.client, CollectorRegistry(), make if observe else None)
    task = asyncio.create_task(manager.run_as_leader())
    try:
        yield observers[0] if observers else None
        assert not task.done(), "it ended by itself"
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def status(stub: ObjectStub) -> dict[str, Any]:
    found: dict[str, Any] = stub.objects.get(STORED, {}).get("status", {})
    return found


def writes(stub: ObjectStub) -> int:
    """Of the workload's record and of its status."""
    return sum(one.plural == "workloadtelemetries" for one in stub.writes)


def store_contacts(stub: ObjectStub, cache: ClusterCache, *records: dict[str, Any]) -> None:
    """As an earlier leader did it."""
    record = stub.objects[STORED]
    stub.objects[STORED] = {**record, "status": {**record["status"], "contacts": list(records)}}
    cache.upsert(kinds.WORKLOAD_TELEMETRY, stub.objects[STORED])


@pytest.mark.thorough
def test_a_contact_is_written_once_and_kept_by_the_next_leader() -> None:
    async def main() -> None:
        async with tapped() as (kit, server):
            async with leading(kit, kit.new_cache()) as observer:
                assert observer is not None
                await until_complete(observer)
                server.ask("10.1.2.3", HOST)
                await until(lambda: status(kit.stub).get("contacts"))
                (record,) = status(kit.stub)["contacts"]
                assert (record["host"], record["pod"], record["podUid"]) == (HOST, "it-0", "p0")
                # It goes on asking: that is written within the hour.
                for _ in range(10):
                    server.ask("10.1.2.3", HOST)
                    await asyncio.sleep(0.1)
                assert status(kit.stub)["contacts"] == [record]
            following = kit.new_cache()
            following.upsert(kinds.WORKLOAD_TELEMETRY, kit.stub.objects[STORED])
            before = writes(kit.stub)
            async with leading(kit, following) as observer:
                assert observer is not None
                await until_complete(observer)
                await asyncio.sleep(0.3)
                assert status(kit.stub)["contacts"] == [record]
                assert [one.host for one in observer.contacts_of(REF).seen] == [HOST]
                # Nothing was written before something was proven.
                assert writes(kit.stub) <= before + 1

    run_and_close(main())


def test_what_was_restored_is_not_counted_twice() -> None:
    async def main() -> None:
        async with tapped() as (kit, server):
            cache = kit.new_cache()
            async with leading(kit, cache):
                await until(lambda: status(kit.stub))
            store_contacts(kit.stub, cache, RECORD)
            async with leading(kit, cache) as observer:
                assert observer is not None
                await until_complete(observer)
                (contact,) = observer.contacts_of(REF).seen
                assert contact.lookups == 5
                kit.enqueued.clear()
                server.ask("10.1.2.3", HOST)
                # The last lookup is older than an hour, so this one is published at once.
                await until(lambda: observer.contacts_of(REF).seen[0].lookups != 5)
                assert observer.contacts_of(REF).seen[0].lookups == 6

    run_and_close(main())


@pytest.mark.thorough
def test_where_dns_is_not_observed_contacts_go_with_the_next_write() -> None:
    async def main() -> None:
        async with tapped() as (kit, _):
            cache = kit.new_cache()
            async with leading(kit, cache, observe=False):
                await until(lambda: status(kit.stub))
                await asyncio.sleep(0.3)
            store_contacts(kit.stub, cache, RECORD)
            before = writes(kit.stub)
            async with leading(kit, cache, observe=False):
                await asyncio.sleep(0.5)
                assert writes(kit.stub) == before
                assert status(kit.stub)["contacts"] == [RECORD]
                policy = {
                    "metadata": {"name": "all", "uid": "1", "generation": 1},
                    "spec": {"submission": "Disabled", "mode": "Audit"},
                }
                cache.upsert(kinds.CLUSTER_POLICY, policy)
                await until(lambda: "contacts" not in status(kit.stub))

    run_and_close(main())


@pytest.mark.thorough
def test_a_leader_who_sees_nothing_says_so_in_the_end() -> None:
    async def main() -> None:
        async with tapped(taps=False) as (kit, _):
            cache = kit.new_cache()
            async with leading(kit, cache):
                await until(lambda: status(kit.stub))
            channels = [
                {**one, "observed": "Quiet", "observedReason": "NoLookup"}
                for one in status(kit.stub)["channels"]
            ]
            kit.stub.objects[STORED]["status"]["channels"] = channels
            cache.upsert(kinds.WORKLOAD_TELEMETRY, kit.stub.objects[STORED])
            async with leading(kit, cache, pace=replace(QUICK, begin=1.0)) as observer:
                assert observer is not None
                await until(lambda: observer.is_beginning)
                await until(lambda: not observer.is_beginning)
                await until(
                    lambda: all(
                        one.get("observed", "Unknown") == "Unknown"
                        for one in status(kit.stub)["channels"]
                    )
                )

    run_and_close(main())
