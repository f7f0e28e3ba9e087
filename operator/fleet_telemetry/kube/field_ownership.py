"""Releasing field ownership."""

from __future__ import annotations

from typing import Any

from fleet_telemetry.kube.client import KubernetesClient
from fleet_telemetry.objects.kind import Kind
from fleet_telemetry.objects.manifest import Manifest, items_at
from fleet_telemetry.workloads.workload import FIELD_MANAGER


async def release_field_ownership(
    client: KubernetesClient, kind: Kind, manifest: Manifest
) -> dict[str, Any]:
    """Remove the operator from the managed fields of a foreign object that it patched, so that no
    later apply conflicts with it. Returns the object. Raises ApiError."""
    metadata = manifest["metadata"]
    for index, entry in enumerate(items_at(metadata, "managedFields")):
        if entry.get("manager") == FIELD_MANAGER and entry.get("operation") == "Update":
            pointer = f"/metadata/managedFields/{index}"
            operations = [
                {"op": "test", "path": f"{pointer}/manager", "value": FIELD_MANAGER},
                {"op": "remove", "path": pointer},
            ]
            namespace = metadata.get("namespace", "")
            return await client.patch(kind, metadata["name"], operations, namespace)
    return dict(manifest)
