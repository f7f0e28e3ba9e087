"""One process in one of its roles, from start to end."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Callable, Collection, Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

import kopf
from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)

from fleet_telemetry.catalogue.catalogue import builtin
from fleet_telemetry.certificates.options import CertificateOptions
from fleet_telemetry.cluster.client import KubernetesClient
from fleet_telemetry.cluster.heartbeat import WatchHeartbeat
from fleet_telemetry.cluster.kinds import WATCHED_BY_CONTROLLER, WATCHED_BY_WEBHOOK
from fleet_telemetry.cluster.lease import Election
from fleet_telemetry.cluster.mirror import Mirror
from fleet_telemetry.cluster.watching import (
    build_registry,
    build_settings,
    keep_listed,
    wait_for_crds,
)
from fleet_telemetry.controller.allowlisting import AllowlistWriter
from fleet_telemetry.controller.controller import Controller
from fleet_telemetry.controller.egress_settings import EgressSettings
from fleet_telemetry.controller.reporting import ReportsApi, ReportWriter
from fleet_telemetry.controller.verification import Verifier
from fleet_telemetry.controller.webhooks import ProductWebhooks
from fleet_telemetry.egress.allowlist import NAME as ALLOWLIST
from fleet_telemetry.report.fleet_metrics import FleetCollector, FleetSource
from fleet_telemetry.report.host_metrics import HostCollector
from fleet_telemetry.report.http import StatusServer
from fleet_telemetry.report.metrics import (
    AdmissionMetrics,
    ApiMetrics,
    ControllerMetrics,
    VerificationMetrics,
    WatchMetrics,
    add_build_info,
)
from fleet_telemetry.report.policy_metrics import PolicyCollector
from fleet_telemetry.report.workload_metrics import render_workloads
from fleet_telemetry.webhook.server import AdmissionServer

_log = logging.getLogger(__name__)


class Role(StrEnum):
    """What a process does."""

    WEBHOOK = "webhook"
    CONTROLLER = "controller"
    ALL = "all"

    @property
    def admits(self) -> bool:
        """Whether it answers admission requests."""
        return self in (Role.WEBHOOK, Role.ALL)

    @property
    def controls(self) -> bool:
        """Whether it stands for election as the one that writes."""
        return self in (Role.CONTROLLER, Role.ALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Everything a process is told from outside."""

    role: Role
    namespace: str
    identity: str
    lease: str
    kubeconfig: str | None
    http_host: str
    http_port: int
    webhook_host: str = ""
    webhook_port: int = 0
    webhook_service: str = ""
    drain_seconds: float = 0.0
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    tls_secret: str = ""
    ca_secret: str = ""
    webhook_configuration: str = ""
    per_workload_metrics: bool = True
    reports: ReportsApi = ReportsApi.AUTO
    allowlist: str = ALLOWLIST
    egress: EgressSettings = field(default_factory=EgressSettings)

    @property
    def certificate(self) -> CertificateOptions:
        """Where the webhook's certificate comes from."""
        return CertificateOptions(
            namespace=self.namespace,
            host=f"{self.webhook_service}.{self.namespace}.svc",
            certificate=self.tls_certificate,
            key=self.tls_key,
            leaf_secret=self.tls_secret,
            authority_secret=self.ca_secret,
            configuration=self.webhook_configuration,
        )


class _Readiness:
    """Why requests are better sent elsewhere; the empty string if they are not."""

    def __init__(self, mirror: Mirror) -> None:
        self._mirror = mirror
        self.has_certificate: Callable[[], bool] = lambda: True
        self.stopping = False

    def __call__(self) -> str:
        if self.stopping:
            return "it is stopping"
        if not self.has_certificate():
            return "it has no certificate yet"
        return "" if self._mirror.synced.is_set() else "not everything has been listed yet"


def _now() -> datetime:
    return datetime.now(UTC)


async def run(options: Options) -> None:
    """Run until a signal ends it. Raises OSError where an address is taken or a file missing."""
    async with AsyncExitStack() as stack:
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
        mirror = Mirror(builtin(), watched)
        heartbeat = WatchHeartbeat(client, namespace=options.namespace, lease=options.lease)
        watches = WatchMetrics(metrics)
        watches.set_sources(synced=mirror.synced.is_set, alive=lambda: not heartbeat.is_dead)

        readiness = _Readiness(mirror)
        status = StatusServer(
            metrics,
            alive=lambda: "the watch is dead" if heartbeat.is_dead else "",
            ready=readiness,
        )
        await status.start(options.http_host, options.http_port)
        stack.push_async_callback(status.stop)
        working: list[asyncio.Future[None]] = []
        stack.push_async_callback(_cancel, working)
        admission = None
        if options.role.admits:
            # 10 MB that the controller does without.
            from fleet_telemetry.certificates.serving import keep_fresh  # noqa: PLC0415
            from fleet_telemetry.certificates.sources import certificate_from  # noqa: PLC0415

            serving, refresh = certificate_from(options.certificate, client, _now, metrics)
            readiness.has_certificate = lambda: serving.is_loaded
            working.append(asyncio.ensure_future(keep_fresh(refresh)))
            admission = AdmissionServer(mirror, AdmissionMetrics(metrics), _now, serving.context)
            await admission.start(options.webhook_host, options.webhook_port)
            stack.push_async_callback(admission.stop)

        tasks = [keep_listed(mirror, client, watches.listed), heartbeat.run()]
        if options.role.controls:
            controller = _controller(options, mirror, client, metrics, status)
            election = Election(
                client,
                namespace=options.namespace,
                name=options.lease,
                identity=options.identity,
            )
            tasks.append(election.run(controller.lead))
        if not await _unless_stopped(wait_for_crds(client)):
            return
        # kopf takes over the signals: the first of its tasks to end is the one that waits for them.
        watching = await kopf.spawn_tasks(
            registry=build_registry(mirror, heartbeat, watches.saw),
            settings=build_settings(options.lease),
            standalone=True,
            clusterwide=True,
        )
        stack.push_async_callback(_cancel, watching)
        working += [asyncio.ensure_future(task) for task in tasks]
        done, _ = await asyncio.wait([*watching, *working], return_when=asyncio.FIRST_COMPLETED)
        readiness.stopping = True
        if admission is not None:
            await admission.drain(options.drain_seconds)
        for ended in done:
            ended.result()


def _controller(
    options: Options,
    mirror: Mirror,
    client: KubernetesClient,
    metrics: CollectorRegistry,
    status: StatusServer,
) -> Controller:
    webhooks = (
        ProductWebhooks(client, options.webhook_configuration)
        if options.webhook_configuration
        else None
    )
    verifier = Verifier(mirror, client, VerificationMetrics(metrics), now=_now)
    work = ControllerMetrics(metrics)
    containment = options.egress.build(mirror, client, _now)
    controller = Controller(
        mirror,
        client,
        work,
        now=_now,
        webhooks=webhooks,
        verifier=verifier,
        containment=containment,
        allowlist=AllowlistWriter(client, options.namespace, options.allowlist),
        reports=ReportWriter(client, options.reports, _now),
    )
    source = FleetSource(
        plans=controller.plans,
        record_of=mirror.record_of,
        checks=verifier.last_checks,
        visible=work.knows_fleet,
    )
    metrics.register(FleetCollector(source))
    metrics.register(PolicyCollector(source, lambda: mirror.policies))
    metrics.register(HostCollector(containment.host_figures, visible=work.knows_fleet))
    if options.per_workload_metrics:
        status.add_metrics(lambda: render_workloads(source))
    return controller


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


async def _cancel(tasks: Collection[asyncio.Future[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
