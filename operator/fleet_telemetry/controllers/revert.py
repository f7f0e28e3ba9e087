"""Reverts all that the operator injected and wrote, for an uninstall.

The command ``fleet-telemetry revert`` does this, run by a person or by the chart's uninstall hook.
The controller never does it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import msgspec

from fleet_telemetry.api.workload_telemetry import InjectedVariable, WorkloadTelemetryStatus
from fleet_telemetry.controllers.egress.discovery import OURS
from fleet_telemetry.controllers.resources.writing import restore_field
from fleet_telemetry.controllers.workload_writer import write_edits
from fleet_telemetry.egress.dialects.common import workload_of
from fleet_telemetry.egress.dialects.registry import DIALECTS
from fleet_telemetry.kube import kinds
from fleet_telemetry.kube.client import ApiError, KubernetesClient
from fleet_telemetry.kube.resource_reading import get_field
from fleet_telemetry.objects.kind import Kind
from fleet_telemetry.objects.manifest import Manifest, place_of
from fleet_telemetry.switches.argument_lists import revert_arguments
from fleet_telemetry.switches.edits import Edit, EditCause
from fleet_telemetry.switches.ownership import injected_suspension, is_ours
from fleet_telemetry.switches.recorded import Recorded
from fleet_telemetry.switches.resource_plan import (
    FieldChange,
    is_written,
    plan_fields,
    ref_of,
)
from fleet_telemetry.switches.suspend import resumption
from fleet_telemetry.workloads.reading import read_owning_workloads, read_workload
from fleet_telemetry.workloads.resource_fields import FieldFault, FieldRef
from fleet_telemetry.workloads.workload import Workload

# All policies before the groups that they refer to.
_NETWORK_POLICIES = sorted(
    ((dialect, kind) for dialect in DIALECTS for kind in dialect.kinds),
    key=lambda pair: pair[1] == pair[0].group_kind,
)


@dataclass(frozen=True, slots=True)
class Leftover:
    """A workload with variables that the operator injected."""

    workload: Workload
    variables: tuple[InjectedVariable, ...]


def edits_for(workload: Workload, injected: tuple[InjectedVariable, ...]) -> tuple[Edit, ...]:
    """The edits that remove each variable that is recorded in the WorkloadTelemetry status, still
    has the recorded value, and has no field owner.

    A recorded argument goes if its word still stands there once. A variable that somebody else has
    applied or changed since then is theirs, and stays.
    """
    recorded = Recorded(injected)
    variables = (
        Edit(
            container=container.index,
            container_name=container.name,
            name=entry.name,
            value=None,
            cause=EditCause.REVERTED,
        )
        for container in workload.template.containers
        for entry in container.env
        if is_ours(workload, container, entry, switches=(), recorded=recorded)
    )
    arguments = (
        edit
        for container in workload.template.containers
        for edit in revert_arguments(workload, container, (), recorded)
    )
    suspensions = (
        resumption(container)
        for container in workload.template.containers
        if injected_suspension(workload, container, (), recorded) is not None
    )
    return (*variables, *arguments, *suspensions)


async def policies_left(client: KubernetesClient) -> tuple[str, ...]:
    """The policies in the cluster. While there is one, variables would be injected again.

    Raises ApiError.
    """
    return tuple(
        [
            place_of(one)
            for kind in (kinds.POLICY, kinds.CLUSTER_POLICY)
            async for one in client.list(kind)
        ]
    )


async def find_leftovers(client: KubernetesClient, namespace: str = "") -> AsyncIterator[Leftover]:
    """The workloads to revert, in all namespaces or in one. Raises ApiError."""
    async for telemetry in client.list(kinds.WORKLOAD_TELEMETRY, namespace):
        status = msgspec.convert(telemetry.get("status") or {}, WorkloadTelemetryStatus)
        for ref, uid in read_owning_workloads(telemetry) if status.injected else ():
            kind = kinds.WORKLOAD_BY_KIND[ref.kind]
            manifest = await client.find(kind, ref.name, ref.namespace)
            workload = read_workload({"kind": kind.kind, **manifest}) if manifest else None
            # A Job's template is immutable, another controller would restore its own, and one that
            # may be adopted has to stay as its pods were started with.
            if workload is None or workload.uid != uid or workload.template_immutable:
                continue
            if workload.is_injected_by_pod:
                continue
            if edits_for(workload, status.injected):
                yield Leftover(workload, status.injected)


async def revert(client: KubernetesClient, leftover: Leftover) -> None:
    """Remove the variables from one workload, which replaces its pods. Raises ApiError."""

    def plan(fresh: Workload) -> tuple[Edit, ...]:
        return edits_for(fresh, leftover.variables)

    await write_edits(client, leftover.workload, plan)


@dataclass(frozen=True, slots=True)
class UnreadField:
    """A field that the operator wrote and that cannot be read."""

    ref: FieldRef
    why: str


async def find_fields(
    client: KubernetesClient, namespace: str = ""
) -> AsyncIterator[FieldChange | UnreadField]:
    """The fields of custom resources to revert, of workloads in all namespaces or in one: those
    that still are as the operator wrote them, and those that may be. Raises ApiError."""
    async for telemetry in client.list(kinds.WORKLOAD_TELEMETRY, namespace):
        status = msgspec.convert(telemetry.get("status") or {}, WorkloadTelemetryStatus)
        records = [one for one in status.resources if is_written(one)]
        states = {ref: await get_field(client, ref) for ref in map(ref_of, records)}
        for change in plan_fields((), {}, "", states, records).changes:
            yield change
        for ref, state in states.items():
            if state.fault in (FieldFault.FORBIDDEN, FieldFault.UNREACHABLE):
                yield UnreadField(ref, state.detail)


async def revert_field(client: KubernetesClient, change: FieldChange) -> None:
    """Give a field the value of before. Raises ApiError."""
    await restore_field(client, change.ref, change.state, change.value)


async def find_network_policies(
    client: KubernetesClient, namespace: str = ""
) -> AsyncIterator[tuple[Kind, Manifest]]:
    """The network policies and CIDR groups that the operator wrote, for the workloads in all
    namespaces or in one. Raises ApiError."""
    for dialect, kind in _NETWORK_POLICIES:
        try:
            async for manifest in client.list(
                kind, namespace if kind.namespaced else "", selector=OURS
            ):
                ref = workload_of(manifest)
                is_wanted = not namespace or (ref is not None and ref.namespace == namespace)
                if is_wanted and dialect.is_ours(manifest):
                    yield kind, manifest
        except ApiError as error:
            # Most clusters serve only some of the kinds.
            if not error.is_not_found:
                raise
