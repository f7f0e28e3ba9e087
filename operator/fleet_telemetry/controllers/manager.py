"""Runs the reconcilers while this replica is the leader."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, ClassVar, Protocol, TypeVar

from fleet_telemetry.controllers.keys import ReconcileKey
from fleet_telemetry.kube.client import ApiError
from fleet_telemetry.kube.work_queue import WorkQueue
from fleet_telemetry.reporting.metrics import ControllerMetrics, QueueState

_log = logging.getLogger(__name__)

WORKERS = 8
"""So many keys are reconciled at the same time."""

KeyT_contra = TypeVar("KeyT_contra", contravariant=True)
Run = Callable[[], Awaitable[None]]


class Reconciler(Protocol[KeyT_contra]):
    """Reconciles one concern. It is called with keys of one type."""

    key_type: ClassVar[type[Any]]
    """The type of the keys that it reconciles."""
    name: ClassVar[str]
    """Its label in the metrics."""

    async def reconcile(self, key: KeyT_contra) -> None:
        """Bring the object of a key into its desired state. Raises ApiError to be called again."""


class Manager:
    """Owns the work queue and its workers."""

    def __init__(
        self,
        queue: WorkQueue[ReconcileKey],
        reconcilers: Iterable[Reconciler[Any]],
        metrics: ControllerMetrics,
        *,
        synced: asyncio.Event,
        prepare: Sequence[Run] = (),
        background: Sequence[Run] = (),
        enqueue_all: Callable[[], None],
        on_stop: Callable[[], None],
    ) -> None:
        """Dispatch each key to the reconciler of its type.

        ``prepare`` runs first, in order, each time that this replica becomes the leader.
        ``background`` runs beside the workers until it is no longer the leader. ``on_stop`` drops
        what was known as the leader.
        """
        self._queue = queue
        self._reconcilers = {reconciler.key_type: reconciler for reconciler in reconcilers}
        self._metrics = metrics
        self._synced = synced
        self._prepare = prepare
        self._background = background
        self._enqueue_all = enqueue_all
        self._on_stop = on_stop
        metrics.declare(reconciler.name for reconciler in self._reconcilers.values())
        metrics.set_queue(
            lambda: QueueState(len(queue), queue.oldest_age(), queue.longest_running())
        )

    async def run_as_leader(self) -> None:
        """Reconcile until cancelled. May be called again after that."""
        await self._synced.wait()
        try:
            self._queue.open()
            self._metrics.set_leading(leading=True)
            for prepare in self._prepare:
                await prepare()
            self._enqueue_all()
            async with asyncio.TaskGroup() as group:
                for run in self._background:
                    group.create_task(_coroutine(run))
                for _ in range(WORKERS):
                    group.create_task(self._work())
        finally:
            self._metrics.set_leading(leading=False)
            self._queue.close()
            self._on_stop()

    async def _work(self) -> None:
        while True:
            key = await self._queue.get()
            self._metrics.observe_wait(self._queue.waited(key))
            reconciler = self._reconcilers[type(key)]
            started = time.perf_counter()
            result = "ok"
            try:
                await reconciler.reconcile(key)
            except ApiError as error:
                result = self._handle_api_error(key, error)
            except Exception:  # noqa: BLE001  # a bug, which is logged and counted
                # A bug that concerns one object must not stop the work on all others.
                result = "bug"
                delay = self._queue.add_rate_limited(key)
                _log.exception("%s: reconcile failed, retrying in %.1f s", key, delay)
            else:
                self._queue.done(key)
            self._metrics.observe(reconciler.name, result, time.perf_counter() - started)

    def _handle_api_error(self, key: ReconcileKey, error: ApiError) -> str:
        """Requeue the key unless its namespace is terminating; return the result for metrics."""
        if error.is_ending_namespace:
            # The workload is deleted with its namespace, and that is an event of its own.
            self._queue.done(key)
            return "namespace_ending"
        delay = self._queue.add_rate_limited(key)
        level = logging.DEBUG if error.is_conflict else logging.WARNING
        _log.log(level, "%s: %s; retrying in %.1f s", key, error, delay)
        return "conflict" if error.is_conflict else "error"


async def _coroutine(run: Run) -> None:
    await run()
