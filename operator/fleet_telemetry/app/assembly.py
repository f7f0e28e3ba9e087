"""Puts the controller together, from what the process is told."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from ipaddress import ip_network
from pathlib import Path

from prometheus_client import CollectorRegistry

from fleet_telemetry.api.policy import EgressDialect
from fleet_telemetry.api.telemetry_host import AddressFamily
from fleet_telemetry.app.options import EgressSettings, Options
from fleet_telemetry.controllers.controller import Controller
from fleet_telemetry.controllers.egress.allowlist import AllowlistWriter
from fleet_telemetry.controllers.egress.hosts import HostResolver
from fleet_telemetry.controllers.egress.reconciler import EgressOptions, EgressReconciler
from fleet_telemetry.controllers.product_webhooks import ProductWebhooks
from fleet_telemetry.controllers.reports import ReportWriter
from fleet_telemetry.controllers.runtime.verifier import Verifier
from fleet_telemetry.egress.dns.resolver import (
    NameServer,
    Resolver,
    parse_name_server,
    read_name_servers,
)
from fleet_telemetry.egress.host_state import Retention
from fleet_telemetry.egress.model import Network
from fleet_telemetry.egress.ranges_client import RangesClient
from fleet_telemetry.kube.cache import ClusterCache
from fleet_telemetry.kube.client import KubernetesClient
from fleet_telemetry.reporting.fleet_metrics import FleetCollector, FleetSource
from fleet_telemetry.reporting.host_metrics import HostCollector
from fleet_telemetry.reporting.metrics import ControllerMetrics, VerificationMetrics
from fleet_telemetry.reporting.policy_metrics import PolicyCollector
from fleet_telemetry.reporting.status_server import StatusServer
from fleet_telemetry.reporting.workload_metrics import render_workloads
from fleet_telemetry.workloads.workload import WorkloadRef

_RESOLV_CONF = Path("/etc/resolv.conf")

Now = Callable[[], datetime]


def build_controller(
    options: Options,
    cache: ClusterCache,
    client: KubernetesClient,
    metrics: CollectorRegistry,
    status: StatusServer,
    *,
    now: Now,
) -> Controller:
    """Raises ValueError, and OSError where the system's name servers cannot be read."""
    webhooks = (
        ProductWebhooks(client, options.webhook_configuration)
        if options.webhook_configuration
        else None
    )
    verifier = Verifier(cache, client, VerificationMetrics(metrics), now=now)
    work = ControllerMetrics(metrics)

    def enqueue(ref: WorkloadRef) -> None:
        controller.workload_changed(ref)

    containment = build_containment(options.egress, cache, client, now, enqueue)
    controller = Controller(
        cache,
        client,
        work,
        now=now,
        webhooks=webhooks,
        verifier=verifier,
        containment=containment,
        allowlist=AllowlistWriter(client, options.namespace, options.allowlist),
        reports=ReportWriter(client, options.reports, now),
    )
    source = FleetSource(
        plans=controller.plans,
        status_of=cache.status_of,
        checks=verifier.last_checks,
        visible=work.knows_fleet,
    )
    metrics.register(FleetCollector(source))
    metrics.register(PolicyCollector(source, lambda: cache.policies))
    metrics.register(HostCollector(containment.host_figures, visible=work.knows_fleet))
    if options.per_workload_metrics:
        status.add_metrics(lambda: render_workloads(source))
    return controller


def build_containment(
    settings: EgressSettings,
    cache: ClusterCache,
    client: KubernetesClient,
    now: Now,
    enqueue: Callable[[WorkloadRef], None],
) -> EgressReconciler:
    """Raises as ``build_controller`` does."""
    families = frozenset(map(AddressFamily, settings.egress_families))
    hosts = HostResolver(
        cache,
        client,
        Resolver(_views(settings), families),
        rules=Retention(
            families=families,
            own_ranges=_own_ranges(settings),
            shortest_interval=timedelta(seconds=settings.dns_interval),
        ),
        now=now,
        ranges=RangesClient() if settings.published_ranges == "fetch" else None,
    )
    enforced = frozenset(map(EgressDialect, settings.egress_enforced))
    options = EgressOptions(families, enforced, settings.egress_interval)
    hosts.told = enqueue
    return EgressReconciler(cache, client, hosts, options, enqueue=enqueue)


def check_egress(settings: EgressSettings) -> None:
    """Raises ValueError with a sentence for a person, and OSError as above."""
    _views(settings)
    _own_ranges(settings)


def _views(settings: EgressSettings) -> tuple[NameServer, ...]:
    if settings.dns_servers:
        return tuple(map(parse_name_server, settings.dns_servers))
    return read_name_servers(_RESOLV_CONF.read_text())


def _own_ranges(settings: EgressSettings) -> tuple[Network, ...]:
    return tuple(map(ip_network, settings.cluster_ranges))
