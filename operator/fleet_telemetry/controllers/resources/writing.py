"""Writes one field of a custom resource of somebody else, and reverts it.

Every write names the resourceVersion that was read, so it changes the object as it was decided on,
and never creates one.
"""

from __future__ import annotations

from typing import Any

from fleet_telemetry.kube.client import KubernetesClient
from fleet_telemetry.objects.manifest import Manifest, items_at
from fleet_telemetry.workloads.resource_fields import FieldRef, FieldState, Value


async def set_field(
    client: KubernetesClient, ref: FieldRef, state: FieldState, value: Value, *, force: bool
) -> dict[str, Any]:
    """Set the field by server-side apply, or remove it; return the object. ``force``: whether the
    value of another field manager may be replaced. Raises ApiError."""
    if value is None:
        return await _edit(client, ref, state, {"op": "remove", "path": _pointer(ref)})
    manifest = _object(ref, state)
    inner = manifest
    for name in ref.names[:-1]:
        inner = inner.setdefault(name, {})
    inner[ref.names[-1]] = value
    return await client.apply(ref.api, manifest, force=force, field_manager=ref.manager)


async def restore_field(
    client: KubernetesClient, ref: FieldRef, state: FieldState, value: Value
) -> dict[str, Any]:
    """Give the field the value of before, and to nobody: whoever owns it beside the operator wants
    the present value, which then stays. Return the object. Raises ApiError."""
    is_shared = any(one.manager != ref.manager for one in state.owners)
    if value is None and not is_shared and state.value is not None:
        # An apply without the field removes it if nobody else owns it.
        return await client.apply(ref.api, _object(ref, state), field_manager=ref.manager)
    manifest: Manifest | None = None
    if value is not None and not is_shared and value != state.value:
        # What a user removed meanwhile is added again only if the operator had removed it.
        operation = {"op": "add", "path": _pointer(ref), "value": value}
        manifest = await _edit(client, ref, state, operation)
    if manifest is None:
        manifest = await client.get(ref.api, ref.name, ref.namespace)
    return await _release(client, ref, manifest)


async def _edit(
    client: KubernetesClient, ref: FieldRef, state: FieldState, operation: dict[str, Any]
) -> dict[str, Any]:
    unchanged = {
        "op": "test",
        "path": "/metadata/resourceVersion",
        "value": state.resource_version,
    }
    return await client.patch(
        ref.api, ref.name, [unchanged, operation], ref.namespace, field_manager=ref.manager
    )


async def _release(client: KubernetesClient, ref: FieldRef, manifest: Manifest) -> dict[str, Any]:
    """Remove the operator from the managed fields, so that no later apply conflicts with it."""
    metadata = manifest["metadata"]
    entries = [
        index
        for index, entry in enumerate(items_at(metadata, "managedFields"))
        if entry.get("manager") == ref.manager
    ]
    if not entries:
        return dict(manifest)
    operations: list[dict[str, Any]] = [
        {
            "op": "test",
            "path": "/metadata/resourceVersion",
            "value": metadata["resourceVersion"],
        }
    ]
    operations.extend(
        {"op": "remove", "path": f"/metadata/managedFields/{index}"} for index in reversed(entries)
    )
    return await client.patch(
        ref.api, ref.name, operations, ref.namespace, field_manager=ref.manager
    )


def _object(ref: FieldRef, state: FieldState) -> dict[str, Any]:
    metadata = {
        "name": ref.name,
        "uid": state.uid,
        "resourceVersion": state.resource_version,
        **({"namespace": ref.namespace} if ref.namespace else {}),
    }
    return {"apiVersion": ref.api.api_version, "kind": ref.kind, "metadata": metadata}


def _pointer(ref: FieldRef) -> str:
    """The names have neither a tilde nor a slash."""
    return "".join(f"/{name}" for name in ref.names)
