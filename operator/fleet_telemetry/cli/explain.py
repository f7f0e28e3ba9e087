"""The command ``fleet-telemetry explain``."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from fleet_telemetry.cli.cluster_name import check_cluster_name
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
@click.option(
    "--policy",
    "-p",
    "policies",
    multiple=True,
    metavar="FILE",
    help="Explain by the policies and products in FILE, too, as if they were applied. It may be a "
    "folder, and stand several times.",
)
@click.option("--namespace", "-n", default="", help="[default: that of the context]")
@click.option(
    "--context",
    default="",
    shell_complete=contexts,
    help="A context of the kubeconfig. [default: the current one]",
)
@click.option(
    "--cluster-name",
    default="",
    callback=lambda _, __, name: check_cluster_name(name) if name else "",
    help="The name that is shown for the cluster. [default: the context]",
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
    policies: tuple[str, ...],
    *,
    namespace: str,
    context: str,
    cluster_name: str,
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

    if files and (context or cluster_name):
        option = "--context" if context else "--cluster-name"
        raise click.UsageError(f"{option} is for a cluster; leave it or -f out")
    if "-" in files and "-" in policies:
        raise click.UsageError("standard input is either the manifests or the policies")
    try:
        reference = parse_reference(workload)
    except ReferenceProblem as error:
        raise click.UsageError(str(error)) from None
    if files:
        found = _in_files(files, policies, reference, namespace)
    else:
        names = {context: cluster_name} if cluster_name else {}
        found = _in_cluster(
            reference,
            policies,
            kubeconfig=kubeconfig,
            context=context,
            names=names,
            namespace=namespace,
        )
    _write(found, output)
    sys.exit(1 if found.problems else 0)


def _in_files(
    files: tuple[str, ...], policies: tuple[str, ...], reference: Reference, namespace: str
) -> Explanation:
    from msgspec.structs import replace  # noqa: PLC0415

    from fleet_telemetry.audit.explaining.in_files import explain_in_files  # noqa: PLC0415
    from fleet_telemetry.audit.files import gather_files, read_definitions  # noqa: PLC0415

    now = datetime.now(UTC)
    default = namespace or "default"
    applied, problems = read_definitions(policies, sys.stdin.buffer, default, now)
    source = gather_files(files, sys.stdin.buffer, default, now)
    found = explain_in_files(source, reference, namespace, now, applied)
    return replace(found, problems=(*problems, *found.problems))


def _in_cluster(
    reference: Reference,
    policies: tuple[str, ...],
    *,
    kubeconfig: str | None,
    context: str,
    names: Mapping[str, str],
    namespace: str,
) -> Explanation:
    from fleet_telemetry.audit.cluster.explaining import explain_in_cluster  # noqa: PLC0415
    from fleet_telemetry.audit.cluster.gathering import GatheringRequest  # noqa: PLC0415
    from fleet_telemetry.audit.files import read_definitions  # noqa: PLC0415
    from fleet_telemetry.cli.clusters import progress_here  # noqa: PLC0415
    from fleet_telemetry.kube.client import find_kubeconfig  # noqa: PLC0415

    now = datetime.now(UTC)
    request = GatheringRequest(
        kubeconfig=find_kubeconfig(kubeconfig),
        contexts=(context,) if context else (),
        namespaces=(namespace,) if namespace else (),
        names=names,
        now=now,
    )
    return explain_in_cluster(
        request,
        reference,
        progress_here(),
        lambda default: read_definitions(policies, sys.stdin.buffer, default, now),
    )


def _write(found: Explanation, output: str) -> None:
    from fleet_telemetry.audit.explaining.forms import FORMS  # noqa: PLC0415
    from fleet_telemetry.cli.audit_output import screen_of  # noqa: PLC0415

    width = screen_of(sys.stdout, os.environ).width
    click.echo(FORMS[output](found, width), nl=False)
