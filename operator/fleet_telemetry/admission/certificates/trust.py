"""Writes the CA bundle into the webhook configurations: one field of each webhook, nothing else."""

from __future__ import annotations

import base64
import logging
from typing import Any

from fleet_telemetry.kube.client import KubernetesClient
from fleet_telemetry.kube.field_ownership import release_field_ownership
from fleet_telemetry.kube.kinds import MUTATING_WEBHOOKS, VALIDATING_WEBHOOKS
from fleet_telemetry.kube.webhook_configuration import products_configuration
from fleet_telemetry.objects.manifest import Manifest, dig, items_at

_log = logging.getLogger(__name__)


async def trust(client: KubernetesClient, configuration: str, bundle: str) -> None:
    """Write the PEM bundle into the configurations of the chart and of the controller that exist.

    Raises ApiError; a conflict if one of them changed meanwhile.
    """
    encoded = base64.b64encode(bundle.encode()).decode()
    for kind, name in (
        (MUTATING_WEBHOOKS, configuration),
        (MUTATING_WEBHOOKS, products_configuration(configuration)),
        (VALIDATING_WEBHOOKS, configuration),
    ):
        manifest = await client.find(kind, name)
        operations = trust_operations(manifest, encoded) if manifest else []
        if operations:
            patched = await client.patch(kind, name, operations)
            # A later version of the chart, or cert-manager, may set the field itself.
            await release_field_ownership(client, kind, patched)
            _log.info("%s %s: wrote caBundle", kind.kind, name)


def trust_operations(manifest: Manifest, encoded: str) -> list[dict[str, Any]]:
    """A JSON patch for the webhooks that do not have the bundle (Base64) yet."""
    operations: list[dict[str, Any]] = []
    for index, webhook in enumerate(items_at(manifest, "webhooks")):
        if dig(webhook, "clientConfig", "caBundle") == encoded:
            continue
        path = f"/webhooks/{index}"
        operations += [
            {"op": "test", "path": f"{path}/name", "value": webhook.get("name")},
            {"op": "add", "path": f"{path}/clientConfig/caBundle", "value": encoded},
        ]
    return operations
