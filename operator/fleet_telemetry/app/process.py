"""One process in one of its roles, from start to end."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Callable, Collection, Coroutine
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)

from fleet_telemetry.admission.server import AdmissionServer
from fleet_telemetry.app.options import Options
from fleet_telemetry.catalogue.catalogue import builtin
from fleet_telemetry.kube.cache import ClusterCache
from fleet_telemetry.kube.client import KubernetesClient
from fleet_telemetry.kube.crds import wait_for_crds
from fleet_telemetry.kube.kinds import WATCHED_BY_CONTROLLER, WATCHED_BY_WEBHOOK
from fleet_telemetry.kube.kopf_watches import start_watches
from fleet_telemetry.kube.leader_election import LeaderElector
from fleet_telemetry.kube.list_schedule import ListSchedule
from fleet_telemetry.kube.reflector import Reflector
from fleet_telemetry.kube.watch_heartbeat import WatchHeartbeat
from fleet_telemetry.reporting.metrics import (
    AdmissionMetrics,
    ApiMetrics,
    WatchMetrics,
    add_build_info,
)
from fleet_telemetry.reporting.status_server import StatusServer

_log = logging.getLogger(__name__)

_ATTEMPTS = 100
_ATTEMPT_SECONDS = 0.05
_END_SECONDS = 5.0
"""The longest that tasks end by themselves: the Lease is given back in a request."""


class _Readiness:
    """Why requests are better sent elsewhere; the empty string if they are not."""

    def __init__(self, cache: ClusterCache) -> None:
        self._cache = cache
        self.has_certificate: Callable[[], bool] = lambda: True
        self.stopping = False

    def __call__(self) -> str:
        if self.stopping:
            return "it is stopping"
        if not self.has_certificate():
            return "it has no certificate yet"
        return "" if self._cache.synced.is_set() else "not everything has been listed yet"


def _now() -> datetime:
    return datetime.now(UTC)


async def run(options: Options) -> None:
    """Run until a signal ends it. Raises OSError where an address is taken or a file missing."""
    async with AsyncExitStack() as stack:
        stack.push_async_callback(end_all_tasks)
        disable_created_metrics()  # a series more per counter, and nobody looks at them
        metrics = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=metrics)
        add_build_info(metrics, options.role)
        api_metrics = ApiMetrics(metrics)
        if options.kubeconfig:
            os.environ["KUBECONFIG"] = options.kubeconfig  # kopf reads it from there only
        client = await KubernetesClient.connect(options.kubeconfig, api_metrics.observe)
        stack.push_async_callback(client.close)
        watched = WATCHED_BY_CONTROLLER if options.role.controls else WATCHED_BY_WEBHOOK
        cache = ClusterCache(builtin(), watched)
        heartbeat = WatchHeartbeat(client, namespace=options.namespace, lease=options.lease)
        watches = WatchMetrics(metrics)
        watches.set_sources(synced=cache.synced.is_set, alive=lambda: not heartbeat.is_dead)

        readiness = _Readiness(cache)
        status = StatusServer(
            metrics,
            alive=lambda: "the watch is dead" if heartbeat.is_dead else "",
            ready=readiness,
        )
        await status.start(options.http_host, options.http_port)
        stack.push_async_callback(status.stop)
        working: list[asyncio.Future[None]] = []
        stack.push_async_callback(cancel, working)
        admission = None
        if options.role.admits:
            # 10 MB that the controller does without.
            from fleet_telemetry.admission.certificates.serving import keep_fresh  # noqa: PLC0415
            from fleet_telemetry.admission.certificates.sources import certificate_from  # noqa: PLC0415

            serving, refresh = certificate_from(options.certificate, client, _now, metrics)
            readiness.has_certificate = lambda: serving.is_loaded
            working.append(asyncio.ensure_future(keep_fresh(refresh)))
            admission = AdmissionServer(cache, AdmissionMetrics(metrics), _now, serving.context)
            await admission.start(options.webhook_host, options.webhook_port)
            stack.push_async_callback(admission.stop)

        schedule = ListSchedule(asyncio.get_running_loop().time)
        tasks = [Reflector(cache, client, schedule, watches.listed).run(), heartbeat.run()]
        if options.role.controls:
            # 10 MB that the webhook does without.
            from fleet_telemetry.app.assembly import build_controller  # noqa: PLC0415

            controller = build_controller(options, cache, client, metrics, status, now=_now)
            election = LeaderElector(
                client,
                namespace=options.namespace,
                name=options.lease,
                identity=options.identity,
            )
            tasks.append(election.run(controller.lead))
        if not await _unless_stopped(wait_for_crds(client)):
            return
        # kopf takes over the signals: the first of its tasks to end is the one that waits for them.
        watching = await start_watches(
            cache, heartbeat, schedule, lease=options.lease, on_event=watches.saw
        )
        stack.push_async_callback(cancel, watching)
        working += [asyncio.ensure_future(task) for task in tasks]
        done, _ = await asyncio.wait([*watching, *working], return_when=asyncio.FIRST_COMPLETED)
        readiness.stopping = True
        if admission is not None:
            await admission.drain(options.drain_seconds)
        for ended in done:
            ended.result()


async def _unless_stopped(work: Coroutine[None, None, None]) -> bool:
    """Whether the work ended before a signal came."""
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(work)
    signals = (signal.SIGINT, signal.SIGTERM)
    for number in signals:
        loop.add_signal_handler(number, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        return False
    finally:
        for number in signals:
            loop.remove_signal_handler(number)
    return True


async def end_all_tasks() -> None:
    """Cancel every other task until it has ended, for some seconds at most.

    A watcher of kopf's that is cancelled together with its pause-waiter, while it waits for the
    first byte of a watch, takes that for a pause and goes on (kopf 1.45.2,
    kopf/_cogs/clients/api.py: stream). The process would never end, and nobody would start it anew.
    """
    for _ in range(_ATTEMPTS):
        others = _other_tasks()
        if not others:
            return
        for task in others:
            task.cancel()
        await asyncio.wait(others, timeout=_ATTEMPT_SECONDS)
    _log.error("%d tasks do not end", len(_other_tasks()))


def _other_tasks() -> set[asyncio.Task[Any]]:
    return {task for task in asyncio.all_tasks() if task is not asyncio.current_task()}


async def cancel(tasks: Collection[asyncio.Future[None]]) -> None:
    """Cancel tasks and wait until they have ended, but not for ever: see end_all_tasks."""
    for task in tasks:
        task.cancel()
    if tasks:
        done, _ = await asyncio.wait(tasks, timeout=_END_SECONDS)
        for task in done:
            if not task.cancelled():
                task.exception()  # who failed first has been told; asyncio need not warn of others
