"""Writes edits into workloads that belong to others.

The first write is a no-op patch. It makes the API server call the webhook, which makes the edits
without becoming a field owner, so the user's next apply meets no conflict. If that does not help,
because the webhook is not available, the controller patches the workload itself. That patch tests
the resource version that was read, and the controller then releases its field ownership.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from fleet_telemetry.kube.client import KubernetesClient
from fleet_telemetry.kube.field_ownership import release_field_ownership
from fleet_telemetry.kube.kinds import WORKLOAD_BY_KIND
from fleet_telemetry.switches.edits import Edit, name_entries
from fleet_telemetry.switches.patch import build_patch
from fleet_telemetry.workloads.reading import read_workload
from fleet_telemetry.workloads.workload import NO_OP_PATCH_MANAGER, Workload

_log = logging.getLogger(__name__)

PlanEdits = Callable[[Workload], tuple[Edit, ...]]
"""The edits for a workload in its current state."""


async def write_edits(
    client: KubernetesClient, workload: Workload, plan: PlanEdits
) -> dict[str, Any]:
    """Have the webhook make the edits, or make them directly; return the manifest after that.

    Raises ApiError. A conflict means that the workload changed meanwhile, and is no failure.
    """
    kind = WORKLOAD_BY_KIND[workload.ref.kind]
    same = {"op": "test", "path": "/metadata/uid", "value": workload.uid}
    manifest = await client.patch(
        kind, workload.ref.name, [same], workload.ref.namespace, field_manager=NO_OP_PATCH_MANAGER
    )
    fresh = read_workload(manifest)
    edits = plan(fresh) if fresh is not None else ()
    if not edits:
        _log.info("%s: written by the webhook", workload.ref)
        return manifest
    path = workload.ref.kind.type.template_path
    # The edits were decided for exactly this version, with its number of replicas.
    version = manifest["metadata"]["resourceVersion"]
    unchanged = {"op": "test", "path": "/metadata/resourceVersion", "value": version}
    operations = [unchanged, *build_patch(manifest, path, edits)]
    manifest = await client.patch(kind, workload.ref.name, operations, workload.ref.namespace)
    names = name_entries(edits)
    _log.info("%s: written directly, because the webhook did not: %s", workload.ref, names)
    return await release_field_ownership(client, kind, manifest)


async def finish_interrupted_write(client: KubernetesClient, workload: Workload) -> dict[str, Any]:
    """Release the field ownership that an interrupted write left; return the manifest after that.

    Raises ApiError.
    """
    kind = WORKLOAD_BY_KIND[workload.ref.kind]
    # RBAC does not allow to get a workload, but the response to a no-op patch contains it.
    same = {"op": "test", "path": "/metadata/uid", "value": workload.uid}
    manifest = await client.patch(kind, workload.ref.name, [same], workload.ref.namespace)
    return await release_field_ownership(client, kind, manifest)
