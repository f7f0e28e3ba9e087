"""A replica that begins to lead, with an API server that takes its time."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import UTC, datetime

from kubernetes.aio import client as api
from prometheus_client import CollectorRegistry

from fleet_telemetry.app.assembly import build_containment
from fleet_telemetry.app.options import EgressSettings
from fleet_telemetry.catalogue.catalogue import builtin
from fleet_telemetry.controllers.controller import Controller
from fleet_telemetry.controllers.egress.allowlist import AllowlistWriter
from fleet_telemetry.controllers.reports import ReportWriter
from fleet_telemetry.controllers.runtime.verifier import Verifier
from fleet_telemetry.kube import kinds
from fleet_telemetry.kube.cache import ClusterCache
from fleet_telemetry.kube.client import KubernetesClient
from fleet_telemetry.reporting.metrics import ControllerMetrics, VerificationMetrics
from fleet_telemetry.reporting.reports_api import ReportsApi
from tests.support.builders import SONARQUBE, container, manifest


def now() -> datetime:
    return datetime.now(UTC)


def controller(
    cache: ClusterCache, client: KubernetesClient, registry: CollectorRegistry
) -> Controller:
    settings = EgressSettings(dns_servers=("127.0.0.1:9",), published_ranges="built-in")
    return Controller(
        cache,
        client,
        ControllerMetrics(registry),
        now=now,
        webhooks=None,
        verifier=Verifier(cache, client, VerificationMetrics(registry), now=now),
        containment=build_containment(settings, cache, client, now, lambda _: None),
        allowlist=AllowlistWriter(client, "fleet-telemetry", "fleet-telemetry-allowlist"),
        reports=ReportWriter(client, ReportsApi.OFF, now),
    )


def test_the_lease_may_be_lost_while_the_first_look_is_under_way() -> None:
    registry = CollectorRegistry()
    asked = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            asked.set()
            while await reader.read(1 << 16):
                pass
        writer.close()

    def leads() -> float | None:
        return registry.get_sample_value("fleet_telemetry_leader")

    async def main() -> None:
        server = await asyncio.start_server(silent, "127.0.0.1", 0)
        host, port = server.sockets[0].getsockname()
        client = KubernetesClient(api.ApiClient(api.Configuration(host=f"http://{host}:{port}")))
        cache = ClusterCache(builtin())
        cache.synced.set()
        leader = controller(cache, client, registry)
        for _ in range(2):
            asked.clear()
            leading = asyncio.create_task(leader.lead())
            await asyncio.wait_for(asked.wait(), 10)
            assert leads() == 1
            leading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await leading
            assert leads() == 0
            # Whoever does not lead has nothing to do, and gathers nothing.
            cache.upsert(kinds.WORKLOAD_BY_KIND["Deployment"], manifest(container(SONARQUBE)))
            assert registry.get_sample_value("fleet_telemetry_queue_depth") == 0
        await client.close()
        server.close()
        await server.wait_closed()
        await asyncio.sleep(0.05)

    asyncio.run(main())
