"""Writes the second webhook configuration, for the images that TelemetryProducts add."""

from __future__ import annotations

import logging
from typing import ClassVar

from fleet_telemetry.controllers.keys import ReconcileKey, WebhooksKey
from fleet_telemetry.kube.cache import ClusterCache
from fleet_telemetry.kube.client import KubernetesClient
from fleet_telemetry.kube.kinds import MUTATING_WEBHOOKS
from fleet_telemetry.kube.webhook_configuration import mutating_webhooks, products_configuration
from fleet_telemetry.kube.work_queue import WorkQueue
from fleet_telemetry.objects.manifest import Manifest, items_at, mapping_at

_log = logging.getLogger(__name__)

_RESYNC_SECONDS = 300.0
"""The chart's configuration, which the CA is copied from, is not watched."""


class ProductWebhooksReconciler:
    """Writes the webhooks of the chart's second configuration, which the chart itself leaves out.
    The client config is that of the first one.

    It does nothing if ``chart_configuration``, the name of the chart's configuration, is empty.
    """

    key_type: ClassVar = WebhooksKey
    name: ClassVar = "webhooks"

    def __init__(
        self,
        cache: ClusterCache,
        client: KubernetesClient,
        queue: WorkQueue[ReconcileKey],
        chart_configuration: str,
    ) -> None:
        self._cache = cache
        self._client = client
        self._queue = queue
        self._chart_configuration = chart_configuration
        self._name = products_configuration(chart_configuration)

    async def reconcile(self, key: WebhooksKey) -> None:
        """Write the webhooks if they differ. Raises ApiError."""
        if not self._chart_configuration:
            return
        await self._reconcile()
        self._queue.add_after(key, _RESYNC_SECONDS)

    async def _reconcile(self) -> None:
        patterns = {
            image.pattern
            for product in self._cache.catalogue.products.values()
            if product.origin is not None
            for image in product.spec.images
        }
        live = await self._client.find(MUTATING_WEBHOOKS, self._name)
        if live is None:
            if patterns:
                text = (
                    "%s %s does not exist, so the images of TelemetryProducts are not injected at "
                )
                text += "admission; install the chart again"
                _log.warning(text, MUTATING_WEBHOOKS.kind, self._name)
            return
        chart = await self._client.find(MUTATING_WEBHOOKS, self._chart_configuration)
        desired = self._desired(patterns, chart)
        if items_at(live, "webhooks") != desired.get("webhooks", []):
            await self._client.apply(MUTATING_WEBHOOKS, desired)

    def _desired(self, patterns: set[str], chart: Manifest | None) -> Manifest:
        """Without webhooks if there is no image, or no webhook that it could name."""
        desired = {
            "apiVersion": MUTATING_WEBHOOKS.api_version,
            "kind": MUTATING_WEBHOOKS.kind,
            "metadata": {"name": self._name},
        }
        webhooks = items_at(chart, "webhooks")
        if not patterns or not webhooks:
            return desired
        excluded = items_at(webhooks[0], "namespaceSelector", "matchExpressions")
        return {
            **desired,
            "webhooks": mutating_webhooks(
                patterns,
                mapping_at(webhooks[0], "clientConfig"),
                suffix="products.fleettelemetry.io",
                excluded_namespaces=excluded[0].get("values", ()) if excluded else (),
            ),
        }
