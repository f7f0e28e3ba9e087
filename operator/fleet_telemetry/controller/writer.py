"""Writing into workloads that belong to others.

First a patch that changes nothing: admission sees the workload and does what it would have done,
and leaves nobody's name on it. So the user's next apply meets no conflict. Only where that does
not help, because the webhook is away, the controller writes itself, guarded by what it read, and
then takes its name off again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from fleet_telemetry.cluster.client import KubernetesClient
from fleet_telemetry.cluster.kinds import WORKLOAD_BY_KIND
from fleet_telemetry.cluster.managed_fields import take_name_off
from fleet_telemetry.decide.patch import build_patch
from fleet_telemetry.model.manifest import TEMPLATE_PATHS, read_workload
from fleet_telemetry.model.plan import Edit
from fleet_telemetry.model.workload import NUDGE_MANAGER, Workload

_log = logging.getLogger(__name__)

PlanEdits = Callable[[Workload], tuple[Edit, ...]]
"""What is to be written into a workload as it is."""


async def write_edits(
    client: KubernetesClient, workload: Workload, plan: PlanEdits
) -> dict[str, Any]:
    """Have the edits made, by admission or by ourselves; the workload as it is then.

    Raises ApiError: a conflict where the workload changed meanwhile, which is no failure.
    """
    kind = WORKLOAD_BY_KIND[workload.ref.kind]
    same = {"op": "test", "path": "/metadata/uid", "value": workload.uid}
    manifest = await client.patch(
        kind, workload.ref.name, [same], workload.ref.namespace, field_manager=NUDGE_MANAGER
    )
    fresh = read_workload(manifest)
    edits = plan(fresh) if fresh is not None else ()
    if not edits:
        _log.info("%s: written by admission", workload.ref)
        return manifest
    path = TEMPLATE_PATHS[workload.ref.kind]
    # Nothing of what was decided upon may have changed, the number of replicas included.
    version = manifest["metadata"]["resourceVersion"]
    unchanged = {"op": "test", "path": "/metadata/resourceVersion", "value": version}
    operations = [unchanged, *build_patch(manifest, path, edits)]
    manifest = await client.patch(kind, workload.ref.name, operations, workload.ref.namespace)
    names = ", ".join(f"{edit.container_name}: {edit.name}" for edit in edits)
    _log.info("%s: written directly, admission did not: %s", workload.ref, names)
    return await take_name_off(client, kind, manifest)


async def take_signature_off(client: KubernetesClient, workload: Workload) -> dict[str, Any]:
    """Finish a write that was cut short when our name still stood there; the workload as it is
    then. Raises ApiError."""
    kind = WORKLOAD_BY_KIND[workload.ref.kind]
    # There is no right to read a single workload, but a patch that changes nothing shows it.
    same = {"op": "test", "path": "/metadata/uid", "value": workload.uid}
    manifest = await client.patch(kind, workload.ref.name, [same], workload.ref.namespace)
    return await take_name_off(client, kind, manifest)
