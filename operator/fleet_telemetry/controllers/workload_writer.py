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

from fleet_telemetry.kube.client import KubernetesClient
from fleet_telemetry.kube.field_ownership import release_field_ownership
from fleet_telemetry.kube.kinds import WORKLOAD_BY_KIND
from fleet_telemetry.switches.edits import Edit
from fleet_telemetry.switches.patch import build_patch
from fleet_telemetry.workloads.reading import read_workload
from fleet_telemetry.workloads.workload import NO_OP_PATCH_MANAGER, Workload

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
        kind, workload.ref.name, [same], workload.ref.namespace, field_manager=NO_OP_PATCH_MANAGER
    )
    fresh = read_workload(manifest)
    edits = plan(fresh) if fresh is not None else ()
    if not edits:
        _log.info("%s: written by admission", workload.ref)
        return manifest
    path = workload.ref.kind.type.template_path
    # Nothing of what was decided upon may have changed, the number of replicas included.
    version = manifest["metadata"]["resourceVersion"]
    unchanged = {"op": "test", "path": "/metadata/resourceVersion", "value": version}
    operations = [unchanged, *build_patch(manifest, path, edits)]
    manifest = await client.patch(kind, workload.ref.name, operations, workload.ref.namespace)
    names = ", ".join(f"{edit.container_name}: {edit.name}" for edit in edits)
    _log.info("%s: written directly, admission did not: %s", workload.ref, names)
    return await release_field_ownership(client, kind, manifest)


async def finish_interrupted_write(client: KubernetesClient, workload: Workload) -> dict[str, Any]:
    """Finish a write that was cut short when our name still stood there; the workload as it is
    then. Raises ApiError."""
    kind = WORKLOAD_BY_KIND[workload.ref.kind]
    # There is no right to read a single workload, but a patch that changes nothing shows it.
    same = {"op": "test", "path": "/metadata/uid", "value": workload.uid}
    manifest = await client.patch(kind, workload.ref.name, [same], workload.ref.namespace)
    return await release_field_ownership(client, kind, manifest)
