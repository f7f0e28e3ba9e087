"""A second webhook configuration, for the images that TelemetryProducts add."""

from __future__ import annotations

from fleet_telemetry.kube.cache import ClusterCache
from fleet_telemetry.kube.client import KubernetesClient
from fleet_telemetry.kube.kinds import MUTATING_WEBHOOKS
from fleet_telemetry.kube.webhook_configuration import mutating_webhooks, products_configuration
from fleet_telemetry.objects.manifest import items_at, mapping_at, text_at

_LABELS = {"app.kubernetes.io/managed-by": "fleet-telemetry"}


class ProductWebhooks:
    """Keeps the configuration beside the chart's own, from which it takes where the webhook is."""

    def __init__(self, client: KubernetesClient, chart_configuration: str) -> None:
        self._client = client
        self._chart_configuration = chart_configuration
        self._name = products_configuration(chart_configuration)

    async def reconcile(self, cache: ClusterCache) -> None:
        """Write, update or remove it. Raises ApiError."""
        patterns = {
            image.pattern
            for entry in cache.products.values()
            if entry.product is not None
            for image in entry.product.spec.images
        }
        present = await self._client.find(MUTATING_WEBHOOKS, self._name)
        chart = await self._client.find(MUTATING_WEBHOOKS, self._chart_configuration)
        chart_webhooks = items_at(chart, "webhooks")
        if not patterns or not chart_webhooks:
            if present is not None:
                await self._client.delete(MUTATING_WEBHOOKS, self._name)
            return
        first = chart_webhooks[0]
        excluded = items_at(first, "namespaceSelector", "matchExpressions")
        webhooks = mutating_webhooks(
            patterns,
            mapping_at(first, "clientConfig"),
            suffix="products.fleettelemetry.io",
            excluded_namespaces=excluded[0].get("values", ()) if excluded else (),
        )
        # With the chart's it goes, so that nothing points at a webhook that is no more.
        owner = {
            "apiVersion": MUTATING_WEBHOOKS.api_version,
            "kind": MUTATING_WEBHOOKS.kind,
            "name": self._chart_configuration,
            "uid": text_at(chart, "metadata", "uid"),
        }
        manifest = {
            "apiVersion": MUTATING_WEBHOOKS.api_version,
            "kind": MUTATING_WEBHOOKS.kind,
            "metadata": {"name": self._name, "labels": _LABELS, "ownerReferences": [owner]},
            "webhooks": webhooks,
        }
        is_owned = items_at(present, "metadata", "ownerReferences") == [owner]
        if not is_owned or items_at(present, "webhooks") != webhooks:
            await self._client.apply(MUTATING_WEBHOOKS, manifest)
