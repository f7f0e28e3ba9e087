"""Writes the status of TelemetryProducts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import ClassVar

from fleet_telemetry.api.policy import Policy
from fleet_telemetry.api.resources import API_VERSION
from fleet_telemetry.catalogue.product import Product
from fleet_telemetry.controllers.keys import ProductKey, ReconcileKey, WebhooksKey
from fleet_telemetry.controllers.status_writer import write_status
from fleet_telemetry.kube import kinds
from fleet_telemetry.kube.cache import ClusterCache
from fleet_telemetry.kube.client import KubernetesClient
from fleet_telemetry.kube.events import EventRecorder, Regarding
from fleet_telemetry.kube.work_queue import WorkQueue
from fleet_telemetry.policy.precedence import covers_channel
from fleet_telemetry.reporting.events import product_notices
from fleet_telemetry.reporting.policy_status import build_product_status, find_product_problem


def is_covered(product: Product, policies: Iterable[Policy]) -> bool:
    """Whether a policy covers a channel of the product."""
    return any(
        covers_channel(policy, product.name, channel.name, built_in=product.has_builtin_name)
        for policy in policies
        for channel in product.spec.channels
    )


class ProductReconciler:
    """Writes the status and the Events of a TelemetryProduct, and enqueues the webhooks."""

    key_type: ClassVar = ProductKey
    name: ClassVar = "product"

    def __init__(
        self,
        cache: ClusterCache,
        client: KubernetesClient,
        queue: WorkQueue[ReconcileKey],
        events: EventRecorder,
        *,
        now: Callable[[], datetime],
    ) -> None:
        self._cache = cache
        self._client = client
        self._queue = queue
        self._events = events
        self._now = now

    async def reconcile(self, key: ProductKey) -> None:
        """Write the status if it changed. Raises ApiError."""
        entry = self._cache.products.get(key.name)
        self._queue.add(WebhooksKey())
        if entry is None:
            return
        product = self._cache.catalogue.products.get(key.name)
        status = build_product_status(
            find_product_problem(entry.problem, self._cache.rejected_products.get(key.name)),
            entry.generation,
            entry.status,
            self._now(),
            overrides=product is not None
            and product.origin is not None
            and product.origin.replaces_builtin,
            covered=product is not None and is_covered(product, self._cache.policies_in_force()),
        )
        if status == entry.status:
            return
        manifest = {
            "apiVersion": API_VERSION,
            "kind": kinds.PRODUCT.kind,
            "metadata": {"name": key.name},
        }
        await write_status(self._client, self._cache, kinds.PRODUCT, manifest, status)
        regarding = Regarding(API_VERSION, kinds.PRODUCT.kind, "", key.name, entry.uid)
        for notice in product_notices(entry.status.conditions, status.conditions):
            await self._events.event(regarding, notice.reason, notice.note, warning=True)
