"""The role ``webhook``: the admission server and its certificate."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from fleet_telemetry.admission.certificates.serving import keep_fresh
from fleet_telemetry.admission.certificates.sources import certificate_from
from fleet_telemetry.admission.server import AdmissionServer
from fleet_telemetry.admission.trace import AdmissionTrace
from fleet_telemetry.app.parts import Common, RolePart
from fleet_telemetry.kube.events import EventRecorder, regarding_workload
from fleet_telemetry.reporting.events import Notice
from fleet_telemetry.reporting.metrics import AdmissionMetrics
from fleet_telemetry.workloads.workload import WorkloadRef


class WebhookPart(RolePart):
    """Serves admission requests, and renews the serving certificate."""

    def __init__(self, common: Common) -> None:
        options = common.options
        self._address = options.webhook_host, options.webhook_port
        self._drain_seconds = options.drain_seconds
        self._serving, self._refresh = certificate_from(
            options.certificate, common.client, common.now, common.metrics
        )
        events = EventRecorder(common.client, common.now)

        async def report(ref: WorkloadRef, uid: str, notice: Notice) -> None:
            regarding = regarding_workload(ref, uid)
            await events.event(regarding, notice.reason, notice.note, warning=notice.warning)

        self._trace = AdmissionTrace(common.cache.fleet, report, time.monotonic)
        self._server = AdmissionServer(
            common.cache,
            AdmissionMetrics(common.metrics),
            common.now,
            self._serving.context,
            self._trace,
            client_names=options.client_names,
        )

    def not_ready(self) -> str:
        """See RolePart."""
        return "" if self._serving.is_loaded else "it has no certificate yet"

    async def start(self) -> Sequence[asyncio.Future[None]]:
        """See RolePart."""
        await self._server.start(*self._address)
        return (
            asyncio.ensure_future(keep_fresh(self._refresh)),
            asyncio.ensure_future(self._trace.run()),
        )

    async def drain(self) -> None:
        """See RolePart."""
        await self._server.drain(self._drain_seconds)

    async def stop(self) -> None:
        """See RolePart."""
        await self._server.stop()
