"""Writes the second webhook configuration, for the images that TelemetryProducts add."""

from __future__ import annotations

from typing import ClassVar

from fleet_telemetry.controllers.keys import ReconcileKey, WebhooksKey
from fleet_telemetry.kube.cache import ClusterCache
from fleet_telemetry.kube.client import KubernetesClient
from fleet_telemetry.kube.kinds import MUTATING_WEBHOOKS
from fleet_telemetry.kube.webhook_configuration import mutating_webhooks, products_configuration
from fleet_telemetry.kube.work_queue import WorkQueue
from fleet_telemetry.objects.manifest import Manifest, items_at, mapping_at, text_at

_LABELS = {"app.kubernetes.io/managed-by": "fleet-telemetry"}
_RESYNC_SECONDS = 300.0
"""The chart's configuration, which the CA is copied from, is not watched."""


class ProductWebhooksReconciler:
    """Writes a configuration beside the chart's own, from which it copies the client config.

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
        """Write, update or delete the configuration. Raises ApiError."""
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
        chart = await self._client.find(MUTATING_WEBHOOKS, self._chart_configuration)
        if not patterns or not items_at(chart, "webhooks"):
            if live is not None:
                await self._client.delete(MUTATING_WEBHOOKS, self._name)
            return
        desired = self._desired(patterns, chart)
        owners = desired["metadata"]["ownerReferences"]
        is_owned = items_at(live, "metadata", "ownerReferences") == owners
        if not is_owned or items_at(live, "webhooks") != desired["webhooks"]:
            await self._client.apply(MUTATING_WEBHOOKS, desired)

    def _desired(self, patterns: set[str], chart: Manifest | None) -> Manifest:
        first = items_at(chart, "webhooks")[0]
        excluded = items_at(first, "namespaceSelector", "matchExpressions")
        # It is deleted with the chart's configuration, so that it never names a missing webhook.
        owner = {
            "apiVersion": MUTATING_WEBHOOKS.api_version,
            "kind": MUTATING_WEBHOOKS.kind,
            "name": self._chart_configuration,
            "uid": text_at(chart, "metadata", "uid"),
        }
        return {
            "apiVersion": MUTATING_WEBHOOKS.api_version,
            "kind": MUTATING_WEBHOOKS.kind,
            "metadata": {"name": self._name, "labels": _LABELS, "ownerReferences": [owner]},
            "webhooks": mutating_webhooks(
                patterns,
                mapping_at(first, "clientConfig"),
                suffix="products.fleettelemetry.io",
                excluded_namespaces=excluded[0].get("values", ()) if excluded else (),
            ),
        }
