"""Builds the process of a role. Each role imports only the parts that it needs."""

from __future__ import annotations

import os
from datetime import UTC, datetime

from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)

from fleet_telemetry.app.app import App
from fleet_telemetry.app.options import Options
from fleet_telemetry.app.parts import Common, RolePart
from fleet_telemetry.catalogue.catalogue import builtin
from fleet_telemetry.kube.cache import ClusterCache
from fleet_telemetry.kube.client import KubernetesClient
from fleet_telemetry.kube.kinds import WATCHED_BY_CONTROLLER, WATCHED_BY_WEBHOOK
from fleet_telemetry.reporting.metrics import ApiMetrics, add_build_info, add_cluster_info


async def build(options: Options) -> App:
    """Connect to the API server, and build the parts of the role.

    Raises KubeconfigError, OSError, ValueError.
    """
    metrics = _registry(options)
    if options.kubeconfig:
        os.environ["KUBECONFIG"] = options.kubeconfig  # kopf reads only the environment
    client = await KubernetesClient.connect(options.kubeconfig, ApiMetrics(metrics).observe)
    watched = WATCHED_BY_CONTROLLER if options.role.runs_controller else WATCHED_BY_WEBHOOK
    common = Common(
        options=options,
        client=client,
        cache=ClusterCache(builtin(), watched),
        metrics=metrics,
        now=lambda: datetime.now(UTC),
    )
    try:
        return App(common, _parts(common))
    except Exception:
        await client.close()
        raise


def _parts(common: Common) -> list[RolePart]:
    parts: list[RolePart] = []
    if common.options.role.serves_webhook:
        # 10 MB that the controller does not need.
        from fleet_telemetry.app.webhook import WebhookPart  # noqa: PLC0415

        parts.append(WebhookPart(common))
    if common.options.role.runs_controller:
        # 10 MB that the webhook does not need.
        from fleet_telemetry.app.controller import ControllerPart  # noqa: PLC0415

        parts.append(ControllerPart(common))
    return parts


def _registry(options: Options) -> CollectorRegistry:
    disable_created_metrics()  # they add a series to each counter, which nothing uses
    metrics = CollectorRegistry()
    for collector in (ProcessCollector, PlatformCollector, GCCollector):
        collector(registry=metrics)
    add_build_info(metrics, options.role)
    add_cluster_info(metrics, options.cluster_name)
    return metrics
