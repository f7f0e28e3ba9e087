"""The command ``fleet-telemetry explain``."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from fleet_telemetry.cli.cluster_options import KUBECONFIG_OPTION
from fleet_telemetry.cli.completing import contexts, workload_kinds

if TYPE_CHECKING:
    from fleet_telemetry.audit.explaining.explanation import Explanation
    from fleet_telemetry.audit.explaining.reference import Reference

FORMAT_NAMES = ("text", "json", "yaml")


@click.command
@click.argument("workload", metavar="KIND/NAME", shell_complete=workload_kinds)
@click.option(
    "--filename",
    "-f",
    "files",
    multiple=True,
    type=click.Path(),
    help="A file or folder of manifests with the workload, - for standard input. May be given "
    "several times. "
    "[default: the cluster]",
)
@click.option("--namespace", "-n", default="", help="[default: that of the context]")
@click.option(
    "--context",
    default="",
    shell_complete=contexts,
    help="A context of the kubeconfig. [default: the current one]",
)
@KUBECONFIG_OPTION
@click.option(
    "--output",
    "-o",
    type=click.Choice(FORMAT_NAMES),
    default=FORMAT_NAMES[0],
    show_default=True,
    help="The form of the explanation.",
)
def explain(
    workload: str,
    files: tuple[str, ...],
    *,
    namespace: str,
    context: str,
    kubeconfig: str | None,
    output: str,
) -> None:
    """Explain why a workload is judged as it is: KIND/NAME, such as deploy/sonarqube.

    It says which policies matched, which one decides on each channel and why, each piece of
    evidence with where it was seen, and what is missing to prove it. Nothing is changed.
    """
    from fleet_telemetry.audit.explaining.reference import (  # noqa: PLC0415
        ReferenceProblem,
        parse_reference,
    )

    if files and context:
        raise click.UsageError("--context is for a cluster; leave it or -f out")
    try:
        reference = parse_reference(workload)
    except ReferenceProblem as error:
        raise click.UsageError(str(error)) from None
    if files:
        found = _in_files(files, reference, namespace)
    else:
        found = _in_cluster(kubeconfig, context, namespace, reference)
    _write(found, output)
    sys.exit(1 if found.problems else 0)


def _in_files(files: tuple[str, ...], reference: Reference, namespace: str) -> Explanation:
    from fleet_telemetry.audit.explaining.in_files import explain_in_files  # noqa: PLC0415
    from fleet_telemetry.audit.files import gather_files  # noqa: PLC0415

    now = datetime.now(UTC)
    source = gather_files(files, sys.stdin.buffer, namespace or "default", now)
    return explain_in_files(source, reference, namespace, now)


def _in_cluster(
    kubeconfig: str | None, context: str, namespace: str, reference: Reference
) -> Explanation:
    from fleet_telemetry.audit.cluster.explaining import explain_in_cluster  # noqa: PLC0415
    from fleet_telemetry.audit.cluster.gathering import Request  # noqa: PLC0415
    from fleet_telemetry.cli.clusters import progress_here  # noqa: PLC0415
    from fleet_telemetry.kube.client import find_kubeconfig  # noqa: PLC0415

    request = Request(
        kubeconfig=find_kubeconfig(kubeconfig),
        contexts=(context,) if context else (),
        namespaces=(namespace,) if namespace else (),
        now=datetime.now(UTC),
    )
    return explain_in_cluster(request, reference, progress_here())


def _write(found: Explanation, output: str) -> None:
    from fleet_telemetry.audit.explaining.forms import FORMS  # noqa: PLC0415
    from fleet_telemetry.cli.audit_output import screen_of  # noqa: PLC0415

    width = screen_of(sys.stdout, os.environ).width
    click.echo(FORMS[output](found, width), nl=False)
