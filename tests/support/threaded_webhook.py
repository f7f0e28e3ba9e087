"""The admission server in a thread, for an API server on the same machine."""

from __future__ import annotations

import asyncio
import base64
import threading
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry

from fleet_telemetry.admission.certificates.material import new_authority, new_leaf
from fleet_telemetry.admission.certificates.serving import ServingCertificate
from fleet_telemetry.admission.server import AdmissionServer
from fleet_telemetry.admission.trace import AdmissionTrace
from fleet_telemetry.catalogue.catalogue import builtin
from fleet_telemetry.kube.webhook_configuration import mutating_webhooks
from fleet_telemetry.reporting.events import Notice
from fleet_telemetry.reporting.metrics import AdmissionMetrics
from fleet_telemetry.workloads.workload import WorkloadRef
from tests.support.admission_requests import cache_with, policy_manifest
from tests.support.builders import Manifest
from tests.support.loops import abort_connections

TODAY = datetime.now(UTC)


class ThreadedWebhook:
    """The admission server in a thread, with a cluster policy that opts out."""

    def __init__(
        self, *, client_ca: Path | None = None, client_names: Collection[str] = ()
    ) -> None:
        self._client_names = client_names
        self.registry = CollectorRegistry()
        self.authority = new_authority(TODAY)
        self._certificate = ServingCertificate(
            "localhost", lambda: TODAY, lambda _: None, client_ca
        )
        self._certificate.load(new_leaf(self.authority, "localhost", TODAY))
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.server = self._run(self._start())

    def _run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    async def _start(self) -> AdmissionServer:
        cache = cache_with(policy_manifest(cluster=True))
        server = AdmissionServer(
            cache,
            AdmissionMetrics(self.registry),
            lambda: TODAY,
            self._certificate.context,
            AdmissionTrace(cache.fleet, _no_event, lambda: 0.0),
            client_names=self._client_names,
        )
        await server.start("127.0.0.1", 0)
        return server

    def stop(self) -> None:
        self._run(self.server.stop())
        self._run(abort_connections())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def calls(self) -> float:
        """Requests so far."""
        metric = "fleet_telemetry_admission_duration_seconds_count"
        return self.registry.get_sample_value(metric, {"path": "mutate"}) or 0.0

    def configuration(self, name: str, patterns: Collection[str] = ()) -> Manifest:
        """The webhook configuration that makes an API server call it."""
        client = {
            "url": f"https://localhost:{self.server.port}/mutate",
            "caBundle": base64.b64encode(self.authority.certificate.encode()).decode(),
        }
        return {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "MutatingWebhookConfiguration",
            "metadata": {"name": name},
            "webhooks": mutating_webhooks(
                [*builtin().patterns(), *patterns],
                client,
                suffix=f"{name}.io",
                like={"namespaceSelector": {"matchExpressions": [_NOT_IN_KUBE_SYSTEM]}},
            ),
        }


_NOT_IN_KUBE_SYSTEM = {
    "key": "kubernetes.io/metadata.name",
    "operator": "NotIn",
    "values": ["kube-system"],
}


async def _no_event(_ref: WorkloadRef, _uid: str, _notice: Notice) -> None:
    pass
