"""The WorkloadTelemetries, followed by one watch: a list would be counted with the operator's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any

from dev.bench.errors import BenchError
from dev.bench.progress import Progress
from dev.bench.server import Server, until

RECORDS = "/apis/fleettelemetry.io/v1alpha1/workloadtelemetries"
_SERVED_SECONDS = 60.0
Status = dict[str, Any]
Predicate = Callable[[Status], bool]


class Records:
    """The present status of each WorkloadTelemetry."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._found: dict[tuple[str, str], Status] = {}
        self._holds: Predicate = bool
        self._done: set[tuple[str, str]] = set()
        """The records for which the predicate holds."""
        self._changed = asyncio.Event()
        self._error: BenchError | None = None

    def __len__(self) -> int:
        return len(self._found)

    def observe(self, event: str, manifest: dict[str, Any]) -> None:
        """Note an event of the watch."""
        metadata = manifest["metadata"]
        key = (metadata["namespace"], metadata["name"])
        self._done.discard(key)
        if event == "DELETED":
            self._found.pop(key, None)
        else:
            self._found[key] = manifest.get("status", {})
            if self._holds(self._found[key]):
                self._done.add(key)
        self._changed.set()

    def fail(self, error: BenchError) -> None:
        """The watch has ended."""
        self._error = error
        self._changed.set()

    async def until(self, what: str, count: int, holds: Predicate, seconds: float) -> None:
        """Wait until there are so many records, and the predicate holds for each. Raises
        BenchError, also if there are more."""
        self._holds = holds
        self._done = {key for key, status in self._found.items() if holds(status)}
        try:
            async with asyncio.timeout(seconds):
                while not self._are(count):
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise BenchError(
                f"waited {seconds:.0f} s without success for {what}:"
                f" {len(self._done)} of {count} so far"
            ) from None

    async def until_none(self, seconds: float) -> None:
        """Wait until all have been deleted. Raises BenchError."""
        try:
            async with asyncio.timeout(seconds):
                while self._found:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise BenchError(f"{len(self._found)} WorkloadTelemetries are not deleted") from None

    def _are(self, count: int) -> bool:
        if self._error is not None:
            raise self._error
        if len(self._found) > count:
            raise BenchError(f"{len(self._found)} workloads are listed, but {count} run products")
        self._progress.at(f"{len(self._done)} of {count}")
        return len(self._done) == count


@asynccontextmanager
async def following(server: Server, progress: Progress) -> AsyncIterator[Records]:
    """Follow them for as long as the context lasts."""
    records = Records(progress)
    served = partial(server.serves, RECORDS)
    await until("WorkloadTelemetries to be served", _SERVED_SECONDS, served)

    async def follow() -> None:
        try:
            async for event, manifest in server.watch(RECORDS):
                records.observe(event, manifest)
        except BenchError as error:
            records.fail(error)

    task = asyncio.ensure_future(follow())
    try:
        yield records
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def is_listed(status: Status) -> bool:
    """Whether the operator has decided on the workload."""
    return "channels" in status


def wants(setting: str) -> Predicate:
    """Whether the policy that decides asks for this setting."""
    return lambda status: is_listed(status) and status.get("desired") == setting
