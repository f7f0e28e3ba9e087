"""One process from start to stop."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack

from fleet_telemetry.app.parts import Common, RolePart
from fleet_telemetry.app.tasks import cancel, unless_stopped
from fleet_telemetry.kube.crds import wait_for_crds
from fleet_telemetry.kube.kinds import WATCHED_BY_KOPF
from fleet_telemetry.kube.kopf_watches import start_watches
from fleet_telemetry.kube.list_schedule import ListSchedule
from fleet_telemetry.kube.reflector import Reflector
from fleet_telemetry.kube.watch_heartbeat import WatchHeartbeat
from fleet_telemetry.reporting.metrics import WatchMetrics
from fleet_telemetry.reporting.status_server import StatusServer


class App:
    """The status server, the cache with its watches, and the parts of the role."""

    def __init__(self, common: Common, parts: Sequence[RolePart]) -> None:
        options = common.options
        self._common = common
        self._parts = parts
        self._stopping = False
        self._stack = AsyncExitStack()
        self._tasks: list[asyncio.Future[None]] = []
        self._heartbeat = WatchHeartbeat(
            common.client, namespace=options.namespace, lease=options.lease
        )
        self._watch_metrics = WatchMetrics(common.metrics)
        self._watch_metrics.set_sources(
            synced=common.cache.synced.is_set, alive=lambda: not self._heartbeat.is_dead
        )
        self._status = StatusServer(
            common.metrics,
            alive=self._not_alive,
            ready=self._not_ready,
            metrics_for_all=common.options.metrics_for == "All",
        )
        for part in parts:
            for text in part.metrics:
                self._status.add_metrics(text)

    async def start(self) -> None:
        """Start serving. Raises OSError if an address is in use or a file is missing."""
        options = self._common.options
        self._stack.push_async_callback(self._common.client.close)
        await self._status.start(options.http_host, options.http_port)
        self._stack.push_async_callback(self._status.stop)
        self._stack.push_async_callback(cancel, self._tasks)
        for part in self._parts:
            self._tasks += await part.start()
            self._stack.push_async_callback(part.stop)

    async def run(self) -> None:
        """Watch and work until a signal arrives or a task fails. Raises what the task raised."""
        common, tasks = self._common, self._tasks
        if not await unless_stopped(wait_for_crds(common.client)):
            return
        schedule = ListSchedule(asyncio.get_running_loop().time)
        metrics = self._watch_metrics
        watched = (kind for kind in common.cache.watched if kind not in WATCHED_BY_KOPF)
        metrics.declare(kind.kind for kind in watched)
        reflector = Reflector(common.cache, common.client, schedule, metrics.listed, metrics)
        # kopf handles the signals from here on: its task that waits for them ends first.
        watching = await start_watches(
            common.cache,
            self._heartbeat,
            schedule,
            lease=common.options.lease,
            on_event=self._watch_metrics.saw,
        )
        self._stack.push_async_callback(cancel, watching)
        tasks += map(asyncio.ensure_future, (reflector.run(), self._heartbeat.run()))
        for part in self._parts:
            tasks += map(asyncio.ensure_future, part.tasks())
        done, _ = await asyncio.wait([*watching, *tasks], return_when=asyncio.FIRST_COMPLETED)
        self._stopping = True
        for part in self._parts:
            await part.drain()
        for ended in done:
            ended.result()

    async def stop(self) -> None:
        """Stop what was started, in reverse order."""
        await self._stack.aclose()

    def _not_alive(self) -> str:
        return "the watch is dead" if self._heartbeat.is_dead else ""

    def _not_ready(self) -> str:
        """Why requests should go to other replicas; empty if they need not."""
        if self._stopping:
            return "it is stopping"
        for part in self._parts:
            if problem := part.not_ready():
                return problem
        return "" if self._common.cache.synced.is_set() else "the cache has not synced yet"
