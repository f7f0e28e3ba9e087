"""The manager: what becomes of a key whose reconcile succeeds, fails or never ends.

Time is the event loop's, and here it passes at once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, ClassVar

import pytest
from prometheus_client import CollectorRegistry

from fleet_telemetry.controllers.keys import ProductKey, ReconcileKey, WebhooksKey
from fleet_telemetry.controllers.manager import Manager
from fleet_telemetry.kube.client import ApiError
from fleet_telemetry.kube.work_queue import WorkQueue
from fleet_telemetry.reporting.metrics import ControllerMetrics
from tests.support.impatient import ImpatientLoop

ONE, OTHER = ProductKey("one"), ProductKey("other")
CONFLICT = ApiError(409, "Conflict", "the object has been modified")
REFUSED = ApiError(500, "InternalError", "etcdserver: request timed out")
ENDING = ApiError(403, "Forbidden", "is being terminated", frozenset({"NamespaceTerminating"}))


@dataclass
class Products:
    """Reconciles as ``answers`` says: one entry for each call with a key, then success."""

    key_type: ClassVar[type[Any]] = ProductKey
    name: ClassVar[str] = "product"
    answers: dict[ProductKey, list[Exception]] = field(default_factory=dict)
    calls: list[tuple[float, ProductKey]] = field(default_factory=list)

    async def reconcile(self, key: ProductKey) -> None:
        self.calls.append((round(asyncio.get_running_loop().time(), 1), key))
        if answers := self.answers.get(key):
            raise answers.pop(0)


@dataclass
class Webhooks:
    """Reconciles, and remembers the keys."""

    key_type: ClassVar[type[Any]] = WebhooksKey
    name: ClassVar[str] = "webhooks"
    calls: list[WebhooksKey] = field(default_factory=list)

    async def reconcile(self, key: WebhooksKey) -> None:
        self.calls.append(key)


@dataclass
class Bench:
    """A manager with two reconcilers, and the order of what it called besides."""

    products: Products = field(default_factory=Products)
    webhooks: Webhooks = field(default_factory=Webhooks)
    queue: WorkQueue[ReconcileKey] = field(default_factory=WorkQueue)
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    synced: asyncio.Event = field(default_factory=asyncio.Event)
    order: list[str] = field(default_factory=list)
    keys: tuple[ReconcileKey, ...] = (ONE, OTHER, WebhooksKey())
    background: list[Callable[[], Awaitable[None]]] = field(default_factory=list)

    def manager(self) -> Manager:
        return Manager(
            self.queue,
            [self.products, self.webhooks],
            ControllerMetrics(self.registry),
            synced=self.synced,
            prepare=[self._prepare],
            background=self.background,
            enqueue_all=self._enqueue_all,
            on_stop=lambda: self.order.append("stopped"),
        )

    async def _prepare(self) -> None:
        self.order.append("prepared")

    def _enqueue_all(self) -> None:
        self.order.append("enqueued")
        for key in self.keys:
            self.queue.add(key)

    def reconciles(self, result: str, subject: str = "product") -> float:
        labels = {"subject": subject, "result": result}
        return self.registry.get_sample_value("fleet_telemetry_reconciles_total", labels) or 0.0

    def is_leader(self) -> float | None:
        return self.registry.get_sample_value("fleet_telemetry_leader")


async def lead(bench: Bench, seconds: float) -> None:
    """Be the leader for some time."""
    bench.synced.set()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(seconds):
            await bench.manager().run_as_leader()


def run(body: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        await body()

    with asyncio.Runner(loop_factory=ImpatientLoop) as runner:
        runner.run(main())


def test_each_key_goes_to_the_reconciler_of_its_type() -> None:
    bench = Bench()
    run(lambda: lead(bench, 10))

    assert [key for _, key in bench.products.calls] == [ONE, OTHER]
    assert bench.webhooks.calls == [WebhooksKey()]
    assert bench.reconciles("ok") == 2
    assert bench.reconciles("ok", "webhooks") == 1


def test_nothing_is_done_before_the_cache_has_synced() -> None:
    bench = Bench()

    async def body() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(60):
                await bench.manager().run_as_leader()

    run(body)
    assert bench.order == []
    assert bench.products.calls == []


def test_it_prepares_then_enqueues_and_stops_at_the_end() -> None:
    bench = Bench()
    run(lambda: lead(bench, 10))

    assert bench.order == ["prepared", "enqueued", "stopped"]
    assert bench.is_leader() == 0


@pytest.mark.parametrize(
    ("error", "result", "level"),
    [
        (CONFLICT, "conflict", logging.DEBUG),
        (REFUSED, "error", logging.WARNING),
        (KeyError("a bug"), "bug", logging.ERROR),
    ],
    ids=["conflict", "error", "bug"],
)
def test_a_failed_key_is_retried_later_and_later(
    error: Exception, result: str, level: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "fleet_telemetry.controllers.manager")
    bench = Bench()
    bench.products.answers[ONE] = [error, error, error]
    run(lambda: lead(bench, 60))

    times = [time for time, key in bench.products.calls if key == ONE]
    waits = [after - before for before, after in pairwise(times)]
    assert len(times) == 4
    assert waits == sorted(waits)
    assert waits[0] > 0
    # The other keys did not wait for it.
    assert [time for time, key in bench.products.calls if key == OTHER] == [0.0]
    assert bench.reconciles(result) == 3
    assert bench.reconciles("ok") == 2
    logged = [entry for entry in caplog.records if "TelemetryProduct/one" in entry.getMessage()]
    assert [entry.levelno for entry in logged] == [level] * 3


def test_a_key_of_a_terminating_namespace_is_dropped() -> None:
    bench = Bench()
    bench.products.answers[ONE] = [ENDING]
    run(lambda: lead(bench, 600))

    assert [key for _, key in bench.products.calls] == [ONE, OTHER]
    assert bench.reconciles("namespace_ending") == 1


def test_a_background_task_that_fails_ends_leading() -> None:
    bench = Bench()

    async def fails() -> None:
        await asyncio.sleep(5)
        raise OSError("the background task")

    async def body() -> None:
        bench.synced.set()
        with pytest.raises(ExceptionGroup) as caught:
            await bench.manager().run_as_leader()
        assert isinstance(caught.value.exceptions[0], OSError)

    bench.background.append(fails)
    run(body)
    assert bench.order[-1] == "stopped"
    assert bench.is_leader() == 0


def test_a_second_term_starts_anew() -> None:
    bench = Bench()
    manager = bench.manager()
    bench.products.answers[ONE] = [REFUSED] * 20

    async def term() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(20):
                await manager.run_as_leader()

    async def body() -> None:
        bench.synced.set()
        await term()
        before = len(bench.products.calls)
        # Between two terms nothing is collected, and no timer of the first one is left.
        bench.queue.add(OTHER)
        await asyncio.sleep(100)
        assert len(bench.products.calls) == before
        assert len(bench.queue) == 0
        bench.products.answers.clear()
        await term()
        assert [key for _, key in bench.products.calls[before:]] == [ONE, OTHER]

    run(body)
    assert bench.order == ["prepared", "enqueued", "stopped"] * 2


@dataclass
class Slow(Products):
    """Each reconcile takes ten seconds."""

    async def reconcile(self, key: ProductKey) -> None:
        await asyncio.sleep(10)
        await super().reconcile(key)


def test_how_long_keys_wait_and_how_long_reconciles_last_is_counted() -> None:
    """Eight workers, so the ninth key waits for one of them."""
    bench = Bench(products=Slow(), keys=tuple(ProductKey(f"p{n}") for n in range(9)))

    def value(name: str, **labels: str) -> float | None:
        return bench.registry.get_sample_value(f"fleet_telemetry_{name}", labels)

    async def body() -> None:
        leading = asyncio.ensure_future(lead(bench, 30))
        await asyncio.sleep(7)
        assert value("reconcile_longest_running_seconds") == pytest.approx(7)
        assert value("queue_oldest_seconds") == pytest.approx(7)
        assert value("queue_duration_seconds_count") == 8
        await asyncio.sleep(5)
        assert value("reconcile_longest_running_seconds") == pytest.approx(2)
        assert value("queue_duration_seconds_bucket", le="5.0") == 8
        assert value("queue_duration_seconds_sum") == pytest.approx(10)
        await leading
        assert value("reconcile_longest_running_seconds") == 0

    run(body)
