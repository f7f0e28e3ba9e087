"""The benchmark waits for what a watch reports."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from dev.bench.errors import BenchError
from dev.bench.progress import Progress
from dev.bench.records import Records, is_listed, wants

SECONDS = 0.05
DISABLED = {"channels": [{"name": "Usage"}], "desired": "Disabled"}
ENABLED = {"channels": [{"name": "Usage"}], "desired": "Enabled"}


def record(name: str, status: dict[str, Any] | None) -> dict[str, Any]:
    manifest: dict[str, Any] = {"metadata": {"namespace": "n", "name": name}}
    return manifest if status is None else {**manifest, "status": status}


def run(body: Callable[[Records], Awaitable[None]]) -> None:
    async def main() -> None:
        await body(Records(Progress()))

    asyncio.run(main())


def test_it_waits_until_every_record_is_as_expected() -> None:
    async def body(records: Records) -> None:
        waiting = asyncio.ensure_future(records.until("it", 2, wants("Disabled"), 10))
        for event, name, status in (
            ("ADDED", "a", None),
            ("MODIFIED", "a", DISABLED),
            ("ADDED", "b", {}),
            ("MODIFIED", "b", ENABLED),
        ):
            records.observe(event, record(name, status))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert not waiting.done()
        records.observe("MODIFIED", record("b", DISABLED))
        await waiting
        assert len(records) == 2

    run(body)


def test_what_came_before_counts() -> None:
    async def body(records: Records) -> None:
        records.observe("ADDED", record("a", DISABLED))
        await records.until("it", 1, is_listed, SECONDS)
        await records.until("it", 1, wants("Disabled"), SECONDS)
        with pytest.raises(BenchError, match="without success for it: 0 of 1"):
            await records.until("it", 1, wants("Enabled"), SECONDS)

    run(body)


def test_a_record_that_changes_back_or_goes_does_not_count() -> None:
    async def body(records: Records) -> None:
        waiting = asyncio.ensure_future(records.until("it", 2, wants("Enabled"), SECONDS))
        await asyncio.sleep(0)
        records.observe("ADDED", record("a", ENABLED))
        records.observe("MODIFIED", record("a", DISABLED))
        records.observe("ADDED", record("b", ENABLED))
        records.observe("DELETED", record("b", ENABLED))
        with pytest.raises(BenchError, match="0 of 2"):
            await waiting

    run(body)


def test_more_records_than_workloads_with_a_product_are_an_error() -> None:
    async def body(records: Records) -> None:
        for name in "abc":
            records.observe("ADDED", record(name, DISABLED))
        with pytest.raises(BenchError, match="3 workloads are listed, but 2 run products"):
            await records.until("it", 2, is_listed, SECONDS)

    run(body)


def test_a_watch_that_ends_ends_the_wait() -> None:
    async def body(records: Records) -> None:
        waiting = asyncio.ensure_future(records.until("it", 1, is_listed, 10))
        await asyncio.sleep(0)
        records.fail(BenchError("the watch ended"))
        with pytest.raises(BenchError, match="the watch ended"):
            await waiting

    run(body)


def test_it_waits_until_all_are_deleted() -> None:
    async def body(records: Records) -> None:
        records.observe("ADDED", record("a", DISABLED))
        with pytest.raises(BenchError, match="1 WorkloadTelemetries are not deleted"):
            await records.until_none(SECONDS)
        waiting = asyncio.ensure_future(records.until_none(10))
        await asyncio.sleep(0)
        records.observe("DELETED", record("a", DISABLED))
        await waiting

    run(body)
