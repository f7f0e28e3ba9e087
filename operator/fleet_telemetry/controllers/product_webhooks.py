"""Writes the second webhook configuration, for the images that TelemetryProducts add."""

from __future__ import annotations

import logging
import re
from typing import ClassVar

from fleet_telemetry.catalogue.catalogue import Catalogue
from fleet_telemetry.catalogue.image import ImageReference
from fleet_telemetry.catalogue.matching import match_containers
from fleet_telemetry.controllers.keys import ReconcileKey, WebhooksKey
from fleet_telemetry.kube.cache import ClusterCache
from fleet_telemetry.kube.client import KubernetesClient
from fleet_telemetry.kube.kinds import MUTATING_WEBHOOKS
from fleet_telemetry.kube.webhook_configuration import mutating_webhooks, products_configuration
from fleet_telemetry.kube.work_queue import WorkQueue
from fleet_telemetry.objects.manifest import Manifest, items_at, mapping_at
from fleet_telemetry.workloads.workload import PodTemplate

_log = logging.getLogger(__name__)

_LONGEST_PATTERN = 256
_LITERAL = re.compile(r"[A-Za-z0-9._/-]+")
_RESYNC_SECONDS = 300.0
"""The chart's configuration, which the CA is copied from, is not watched."""


def pattern_of(image: str) -> str:
    """A pattern of a workload's own image, for one whose product is no longer known: what was
    injected goes with the next change, so admission has to see it. Empty if it cannot be one."""
    last = "/".join(ImageReference.parse(image).path.split("/")[-2:])
    return last if len(last) <= _LONGEST_PATTERN and _LITERAL.fullmatch(last) else ""


def patterns_left(template: PodTemplate, recorded: set[str], catalogue: Catalogue) -> set[str]:
    """Patterns for the containers whose variables are ``recorded`` as injected, and whose product
    is no longer known."""
    known = {target.container.name for target in match_containers(template, catalogue)}
    return {
        pattern
        for container in template.containers
        if container.name in recorded - known
        if (pattern := pattern_of(container.image))
    }


class ProductWebhooksReconciler:
    """Writes the webhooks of the chart's second configuration, which the chart itself leaves out.
    Client config,
    namespaces, failure policy and timeout are those of the first one.

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
        catalogue = self._cache.catalogue
        patterns = {
            image.pattern
            for product in catalogue.products.values()
            if product.origin is not None
            for image in product.spec.images
        }
        for workload in self._cache.fleet.workloads.values():
            recorded = {one.container for one in self._cache.injected_into(workload)}
            patterns |= patterns_left(workload.template, recorded, catalogue)
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
        return {
            **desired,
            "webhooks": mutating_webhooks(
                patterns,
                mapping_at(webhooks[0], "clientConfig"),
                suffix="products.fleettelemetry.io",
                like=webhooks[0],
            ),
        }
