"""The command ``fleet-telemetry revert``."""

from __future__ import annotations

import sys

import click

from fleet_telemetry.cli.cluster_options import KUBECONFIG_OPTION


@click.command
@click.option("--namespace", default="", help="Only this namespace. [default: all]")
@click.option(
    "--egress-only",
    is_flag=True,
    help="Only network policies, and even if there are policies. Use it after an uninstall: a "
    "running operator writes them again.",
)
@click.option("--yes", is_flag=True, help="Remove. Without it, only list what would be removed.")
@KUBECONFIG_OPTION
def revert(namespace: str, kubeconfig: str | None, *, egress_only: bool, yes: bool) -> None:
    """Remove all injected variables from the workloads, and all network policies that the operator
    wrote. Delete the policies first.

    Pods are replaced. A variable that somebody else has applied since then stays.
    """
    # The other commands do without the client of the cluster.
    from fleet_telemetry.cli.reverting import run  # noqa: PLC0415

    sys.exit(run(kubeconfig, namespace, egress_only=egress_only, yes=yes))
