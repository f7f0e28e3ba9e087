"""A replica that becomes the leader while the API server is slow."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from datetime import UTC, datetime

from prometheus_client import CollectorRegistry

from fleet_telemetry.app.controller import build_egress, build_manager
from fleet_telemetry.app.options import EgressSettings, Options, Role
from fleet_telemetry.app.parts import Common
from fleet_telemetry.catalogue.catalogue import builtin
from fleet_telemetry.controllers.enqueuer import Enqueuer
from fleet_telemetry.controllers.keys import ReconcileKey
from fleet_telemetry.controllers.manager import Manager
from fleet_telemetry.controllers.observed.observer import Observer
from fleet_telemetry.controllers.plans import Plans
from fleet_telemetry.controllers.reports import ReportWriter
from fleet_telemetry.controllers.resources.fields import ResourceFields
from fleet_telemetry.controllers.runtime.verifier import Verifier
from fleet_telemetry.controllers.workload import Writers
from fleet_telemetry.kube import kinds
from fleet_telemetry.kube.cache import ClusterCache
from fleet_telemetry.kube.client import KubernetesClient
from fleet_telemetry.kube.events import EventRecorder
from fleet_telemetry.kube.transport import Transport
from fleet_telemetry.kube.work_queue import WorkQueue
from fleet_telemetry.reporting.metrics import ControllerMetrics, VerificationMetrics
from fleet_telemetry.reporting.reports_api import ReportsApi
from fleet_telemetry.workloads.workload import WorkloadRef
from tests.support.builders import SONARQUBE, container, manifest


def now() -> datetime:
    return datetime.now(UTC)


def build(
    cache: ClusterCache,
    client: KubernetesClient,
    registry: CollectorRegistry,
    observe: Callable[[Callable[[WorkloadRef], None]], Observer] | None = None,
) -> Manager:
    settings = EgressSettings(dns_servers=("127.0.0.1:9",), published_ranges="built-in")
    options = Options(
        role=Role.CONTROLLER,
        namespace="fleet-telemetry",
        identity="one",
        lease="fleet-telemetry",
        kubeconfig=None,
        http_host="",
        http_port=0,
        egress=settings,
    )
    common = Common(options=options, client=client, cache=cache, metrics=registry, now=now)
    queue: WorkQueue[ReconcileKey] = WorkQueue()
    egress = build_egress(settings, cache, client, now, queue.add)
    enqueuer = Enqueuer(cache, queue, egress)
    observer = observe(queue.add) if observe else None
    if observer is not None:
        cache.add_listener(observer.feed)
    cache.add_listener(enqueuer)
    events = EventRecorder(client, now)
    writers = Writers(
        egress=egress,
        verifier=Verifier(
            cache,
            client,
            VerificationMetrics(registry),
            now=now,
            enqueue=queue.add,
            is_asked=lambda _ref, _check: True,
        ),
        reports=ReportWriter(client, ReportsApi.OFF, now=now, on_change=enqueuer.enqueue_all),
        events=events,
        fields=ResourceFields(client, events, enqueue=queue.add, interval=60.0),
        observed=observer,
    )
    work = ControllerMetrics(registry)
    return build_manager(
        common,
        queue,
        Plans(),
        enqueuer=enqueuer,
        writers=writers,
        metrics=work,
        observer=observer,
    )


def test_the_lease_may_be_lost_while_the_leader_prepares() -> None:
    registry = CollectorRegistry()
    requested = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            requested.set()
            while await reader.read(1 << 16):
                pass
        writer.close()

    def is_leader() -> float | None:
        return registry.get_sample_value("fleet_telemetry_leader")

    async def main() -> None:
        server = await asyncio.start_server(silent, "127.0.0.1", 0)
        host, port = server.sockets[0].getsockname()
        client = KubernetesClient(Transport.to(f"http://{host}:{port}"))
        cache = ClusterCache(builtin())
        cache.synced.set()
        manager = build(cache, client, registry)
        for _ in range(2):
            requested.clear()
            leading = asyncio.create_task(manager.run_as_leader())
            await asyncio.wait_for(requested.wait(), 10)
            assert is_leader() == 1
            leading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await leading
            assert is_leader() == 0
            # A replica that is not the leader collects no keys.
            cache.upsert(kinds.WORKLOAD_BY_KIND["Deployment"], manifest(container(SONARQUBE)))
            assert registry.get_sample_value("fleet_telemetry_queue_depth") == 0
        await client.close()
        server.close()
        await server.wait_closed()
        await asyncio.sleep(0.05)

    asyncio.run(main())
