"""The role ``controller``: leader election, and all that the leader runs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from ipaddress import ip_network
from pathlib import Path

from prometheus_client import CollectorRegistry

from fleet_telemetry.api.policy import EgressDialect
from fleet_telemetry.api.telemetry_host import AddressFamily
from fleet_telemetry.app.observed import observer_options
from fleet_telemetry.app.options import EgressSettings
from fleet_telemetry.app.parts import Common, RolePart
from fleet_telemetry.catalogue.catalogue import Catalogue
from fleet_telemetry.controllers.config_maps import ConfigMapReader
from fleet_telemetry.controllers.egress.allowlist import AllowlistReconciler, AllowlistWriter
from fleet_telemetry.controllers.egress.host_grants import HostGrants
from fleet_telemetry.controllers.egress.hosts import HostResolver
from fleet_telemetry.controllers.egress.reconciler import EgressOptions, EgressReconciler
from fleet_telemetry.controllers.enqueuer import Enqueuer
from fleet_telemetry.controllers.keys import ReconcileKey
from fleet_telemetry.controllers.manager import Manager
from fleet_telemetry.controllers.observed.observer import Observer
from fleet_telemetry.controllers.plans import Plans
from fleet_telemetry.controllers.policy import ExpiryReconciler, PolicyReconciler
from fleet_telemetry.controllers.product import ProductReconciler
from fleet_telemetry.controllers.product_webhooks import ProductWebhooksReconciler
from fleet_telemetry.controllers.reports import ReportWriter
from fleet_telemetry.controllers.resources.fields import ResourceFields
from fleet_telemetry.controllers.runtime.current_policies import is_still_asked
from fleet_telemetry.controllers.runtime.verifier import Verifier
from fleet_telemetry.controllers.workload import WorkloadReconciler, Writers
from fleet_telemetry.egress.addresses import OwnNetwork, read_nat64_prefix
from fleet_telemetry.egress.dns.resolver import (
    NameServer,
    Resolver,
    parse_name_server,
    read_name_servers,
)
from fleet_telemetry.egress.host_state import Retention
from fleet_telemetry.egress.perimeter import IncludedRequests
from fleet_telemetry.egress.ranges_client import RangesClient
from fleet_telemetry.kube.cache import ClusterCache
from fleet_telemetry.kube.client import KubernetesClient
from fleet_telemetry.kube.events import EventRecorder
from fleet_telemetry.kube.leader_election import LeaderElector
from fleet_telemetry.kube.work_queue import WorkQueue
from fleet_telemetry.policy.exclusion import ExcludedNamespaces
from fleet_telemetry.reporting.fleet_metrics import FleetCollector, FleetSource
from fleet_telemetry.reporting.host_metrics import HostCollector
from fleet_telemetry.reporting.metrics import ControllerMetrics, VerificationMetrics
from fleet_telemetry.reporting.namespace_metrics import NamespaceCollector
from fleet_telemetry.reporting.observed_metrics import ObservedCollector, render_lookups
from fleet_telemetry.reporting.policy_metrics import PolicyCollector
from fleet_telemetry.reporting.status_server import MetricsText
from fleet_telemetry.reporting.workload_metrics import render_workloads

_RESOLV_CONF = Path("/etc/resolv.conf")

Now = Callable[[], datetime]


class ControllerPart(RolePart):
    """Takes part in leader election, and reconciles as the leader."""

    def __init__(self, common: Common) -> None:
        """Raises ValueError, and OSError if the system's name servers cannot be read."""
        options, cache, client = common.options, common.cache, common.client
        queue: WorkQueue[ReconcileKey] = WorkQueue()
        plans = Plans()
        work = ControllerMetrics(common.metrics)
        egress = build_egress(options.egress, cache, client, common.now, queue.add)
        enqueuer = Enqueuer(cache, queue, egress)
        observer = build_observer(common, queue.add)
        events = EventRecorder(client, common.now)
        writers = Writers(
            egress=egress,
            verifier=Verifier(
                cache,
                client,
                VerificationMetrics(common.metrics, _products_with_api(cache.catalogue)),
                now=common.now,
                enqueue=queue.add,
                is_asked=partial(is_still_asked, cache, common.now),
                loopback=options.loopback_pods,
            ),
            reports=ReportWriter(
                client,
                options.reports,
                now=common.now,
                on_change=enqueuer.enqueue_all,
                cluster=options.cluster_name,
            ),
            events=events,
            fields=ResourceFields(
                client, events, enqueue=queue.add, interval=options.resource_interval
            ),
            observed=observer,
            config_maps=ConfigMapReader(client, queue.add) if options.read_config_maps else None,
        )
        self._manager = build_manager(
            common,
            queue,
            plans,
            enqueuer=enqueuer,
            writers=writers,
            metrics=work,
            observer=observer,
        )
        if observer is not None:
            # Before the enqueuer: what is decided next is to know what changed.
            cache.add_listener(observer.feed)
        cache.add_listener(enqueuer)
        self._elector = LeaderElector(
            client, namespace=options.namespace, name=options.lease, identity=options.identity
        )
        source = FleetSource(
            plans=plans.items,
            status_of=cache.status_by_name,
            checks=writers.verifier.last_checks,
            unmanaged=cache.fleet.unmanaged.all,
            visible=work.knows_fleet,
        )
        _register(common.metrics, source, cache, egress)
        common.metrics.register(
            NamespaceCollector(
                cache.seen_workloads,
                cache.labels_of,
                team_label=options.team_label,
                visible=work.knows_fleet,
            )
        )
        per_workload: list[MetricsText] = [lambda: render_workloads(source)]
        if observer is not None:
            common.metrics.register(ObservedCollector(observer.figures))
            per_workload.append(lambda: render_lookups(observer.figures, plans.items))
        self.metrics = tuple(per_workload) if options.per_workload_metrics else ()

    def tasks(self) -> Sequence[Awaitable[None]]:
        """See RolePart."""
        return (self._elector.run(self._manager.run_as_leader),)


def build_manager(
    common: Common,
    queue: WorkQueue[ReconcileKey],
    plans: Plans,
    *,
    enqueuer: Enqueuer,
    writers: Writers,
    metrics: ControllerMetrics,
    observer: Observer | None = None,
) -> Manager:
    """The manager with all reconcilers. A new reconciler is added to the list here."""
    options, cache, client, now = common.options, common.cache, common.client, common.now
    allowlist = AllowlistWriter(client, options.namespace, options.allowlist)
    excluded = ExcludedNamespaces(
        frozenset({options.namespace, *options.excluded_namespaces}), options.namespace_selector
    )
    workloads = WorkloadReconciler(cache, client, queue, plans, writers, now=now, excluded=excluded)
    background = [
        writers.verifier.run,
        writers.egress.run,
        writers.reports.run,
        writers.fields.run,
    ]
    prepare = [writers.egress.begin, writers.reports.discover, workloads.resume_rollouts]
    if writers.config_maps is not None:
        background.append(writers.config_maps.run)
    if observer is not None:
        background.append(observer.run)
        prepare.append(observer.begin)
    return Manager(
        queue,
        (
            workloads,
            PolicyReconciler(
                cache,
                client,
                queue,
                plans,
                writers.events,
                hosts_not_looked_up=writers.egress.hosts_not_looked_up,
                now=now,
            ),
            ExpiryReconciler(enqueuer.policy_changed),
            ProductReconciler(cache, client, queue, writers.events, now=now),
            ProductWebhooksReconciler(cache, client, queue, options.webhook_configuration),
            AllowlistReconciler(allowlist, writers.egress.allowlist),
        ),
        metrics,
        synced=cache.synced,
        prepare=prepare,
        background=background,
        enqueue_all=enqueuer.enqueue_all,
        on_stop=plans.clear,
    )


def build_observer(common: Common, enqueue: Callable[[ReconcileKey], None]) -> Observer | None:
    """The observer of DNS; None if it is off. Raises ValueError."""
    options = observer_options(common.options)
    if options is None:
        return None
    return Observer(common.cache, common.client, options, now=common.now, enqueue=enqueue)


def _register(
    metrics: CollectorRegistry, source: FleetSource, cache: ClusterCache, egress: EgressReconciler
) -> None:
    metrics.register(FleetCollector(source))
    metrics.register(PolicyCollector(source, lambda: cache.policies))
    metrics.register(HostCollector(egress.host_figures, visible=source.visible))


def build_egress(
    settings: EgressSettings,
    cache: ClusterCache,
    client: KubernetesClient,
    now: Now,
    enqueue: Callable[[ReconcileKey], None],
) -> EgressReconciler:
    """Raises as ``ControllerPart`` does."""
    families = frozenset(map(AddressFamily, settings.egress_families))
    hosts = HostResolver(
        cache,
        client,
        Resolver(_name_servers(settings), families),
        rules=Retention(
            families=families,
            own=_own_network(settings),
            shortest_interval=timedelta(seconds=settings.dns_interval),
        ),
        now=now,
        ranges=RangesClient() if settings.published_ranges == "fetch" else None,
        on_change=enqueue,
    )
    enforced = frozenset(map(EgressDialect, settings.egress_enforced))
    options = EgressOptions(
        families,
        enforced,
        IncludedRequests(settings.allowlist_requests),
        settings.egress_interval,
    )
    grants = HostGrants(cache, enqueue)
    return EgressReconciler(cache, client, hosts, options, grants, enqueue=enqueue)


def check_egress(settings: EgressSettings) -> None:
    """Check the settings. Raises ValueError with a message for a person, and OSError as above."""
    _name_servers(settings)
    _own_network(settings)


def _name_servers(settings: EgressSettings) -> tuple[NameServer, ...]:
    if settings.dns_servers:
        return tuple(map(parse_name_server, settings.dns_servers))
    return read_name_servers(_RESOLV_CONF.read_text())


def _own_network(settings: EgressSettings) -> OwnNetwork:
    return OwnNetwork(
        ranges=tuple(map(ip_network, settings.cluster_ranges)),
        nat64=tuple(map(read_nat64_prefix, settings.nat64_prefixes)),
    )


def _products_with_api(catalogue: Catalogue) -> list[str]:
    return [name for name, product in catalogue.products.items() if product.spec.api is not None]
