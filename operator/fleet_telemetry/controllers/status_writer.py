"""Writes the status of the operator's own objects."""

from __future__ import annotations

from typing import Any

from fleet_telemetry.api.schema import ApiType
from fleet_telemetry.kube.cache import ClusterCache
from fleet_telemetry.kube.client import KubernetesClient
from fleet_telemetry.objects.kind import Kind
from fleet_telemetry.reporting.workload_status import status_manifest


async def write_status(
    client: KubernetesClient,
    cache: ClusterCache,
    kind: Kind,
    manifest: dict[str, Any],
    status: ApiType,
) -> None:
    """Apply the status of an object, and cache the result. Raises ApiError.

    ``manifest`` identifies the object. The watch event may be late, so the response is cached.
    """
    written = await client.apply(kind, status_manifest(manifest, status), subresource="status")
    cache.upsert(kind, written)
