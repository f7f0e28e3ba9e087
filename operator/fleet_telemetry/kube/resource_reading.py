"""Reads one field of a custom resource by one GET."""

from __future__ import annotations

from fleet_telemetry.kube.client import ApiError, KubernetesClient
from fleet_telemetry.objects.text import printable
from fleet_telemetry.workloads.resource_fields import (
    FieldFault,
    FieldRef,
    FieldState,
    is_of,
    read_field,
)

_LONGEST_DETAIL = 300


async def fetch_field(client: KubernetesClient, ref: FieldRef) -> FieldState:
    """The state of the field, or why it cannot be read."""
    try:
        return await get_field(client, ref)
    except ApiError as error:
        return unreachable(error)


def unreachable(error: ApiError) -> FieldState:
    """The state of a field that could not be read."""
    return FieldState(FieldFault.UNREACHABLE, detail=in_words(error))


async def get_field(client: KubernetesClient, ref: FieldRef) -> FieldState:
    """The same. Raises ApiError for what says nothing of the field."""
    try:
        manifest = await client.get(ref.api, ref.name, ref.namespace)
    except ApiError as error:
        return await _without_object(client, ref, error)
    if not is_of(manifest, ref):
        return FieldState(FieldFault.UNREACHABLE, detail="The answer is not the object.")
    return read_field(manifest, ref)


async def _without_object(client: KubernetesClient, ref: FieldRef, error: ApiError) -> FieldState:
    if error.is_forbidden:
        return FieldState(FieldFault.FORBIDDEN, detail=in_words(error))
    if not error.is_not_found:
        raise error
    served = await client.served_plurals(ref.group, ref.version)
    return FieldState() if ref.plural in served else FieldState(FieldFault.KIND_MISSING)


def in_words(error: ApiError) -> str:
    """What the API server said, on one line."""
    return printable(str(error), _LONGEST_DETAIL)
