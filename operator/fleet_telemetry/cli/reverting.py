"""What ``fleet-telemetry revert`` does in a cluster."""

from __future__ import annotations

import asyncio
import sys

import click

from fleet_telemetry.controllers.revert import (
    UnreadField,
    find_fields,
    find_leftovers,
    find_network_policies,
    policies_left,
    revert_field,
)
from fleet_telemetry.controllers.revert import revert as revert_one
from fleet_telemetry.kube.client import ApiError, KubernetesClient
from fleet_telemetry.kube.connecting import connect_current
from fleet_telemetry.kube.kubeconfig import KubeconfigError
from fleet_telemetry.objects.manifest import place_of


def run(kubeconfig: str | None, namespace: str, *, egress_only: bool, yes: bool) -> int:
    """Remove, or without ``yes`` list, and return the exit code. Ends the process with a sentence
    if the cluster cannot be asked."""
    try:
        return asyncio.run(_revert(kubeconfig, namespace, egress_only=egress_only, yes=yes))
    except (ApiError, KubeconfigError) as error:
        sys.exit(f"fleet-telemetry: {error}")


async def _revert(kubeconfig: str | None, namespace: str, *, egress_only: bool, yes: bool) -> int:
    client = (await connect_current(kubeconfig)).client
    try:
        left = () if egress_only else await policies_left(client)
        if left:
            click.echo(
                f"fleet-telemetry: there are policies ({', '.join(left)}), so everything would be "
                "injected again; delete them first",
                err=True,
            )
            return 1
        workloads = 0 if egress_only else await _revert_workloads(client, namespace, yes=yes)
        fields, unread = (0, 0) if egress_only else await _revert_fields(client, namespace, yes=yes)
        network_policies = await _delete_network_policies(client, namespace, yes=yes)
    finally:
        await client.close()
    if workloads or fields or network_policies:
        if not yes:
            pods = f" and replace the pods of {workloads} workloads" if workloads else ""
            click.echo(f"use --yes to remove this{pods}")
    elif not unread:
        click.echo("nothing is left to remove")
    return 1 if unread else 0


async def _revert_workloads(client: KubernetesClient, namespace: str, *, yes: bool) -> int:
    """Remove injected variables; return the number of workloads."""
    workloads = 0
    async for leftover in find_leftovers(client, namespace):
        workloads += 1
        for one in leftover.variables:
            what = f"{leftover.workload.ref}: {one.container}: {one.name}={one.value}"
            click.echo(f"{_verb(yes=yes)} {what}")
        if yes:
            await revert_one(client, leftover)
    return workloads


async def _revert_fields(client: KubernetesClient, namespace: str, *, yes: bool) -> tuple[int, int]:
    """Restore fields of custom resources; return their number, and how many cannot be read."""
    number = unread = 0
    async for found in find_fields(client, namespace):
        if isinstance(found, UnreadField):
            unread += 1
            click.echo(
                f"fleet-telemetry: {found.ref} cannot be read, and may still be as the operator "
                f"wrote it: {found.why}",
                err=True,
            )
            continue
        number += 1
        click.echo(f"{'restored' if yes else 'would restore'} {found.ref}")
        if yes:
            await revert_field(client, found)
    return number, unread


async def _delete_network_policies(client: KubernetesClient, namespace: str, *, yes: bool) -> int:
    """Delete network policies; return their number."""
    number = 0
    async for kind, manifest in find_network_policies(client, namespace):
        number += 1
        click.echo(f"{_verb(yes=yes)} {kind.kind} {place_of(manifest)}")
        if yes:
            await client.delete_this(kind, manifest)
    return number


def _verb(*, yes: bool) -> str:
    return "removed" if yes else "would remove"
