"""The command ``fleet-telemetry audit``."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime

import click
from click.core import ParameterSource

from fleet_telemetry.cli.cluster_options import ClusterChoice, with_clusters
from fleet_telemetry.cli.exit_one import ExitOneCommand

# The names of FORMATS; this module imports nothing heavy.
FORMAT_NAMES = ("table", "json", "yaml", "csv", "markdown", "sarif", "junit", "html")
# The names of FIX_FORMATS.
FIX_FORMAT_NAMES = ("text", "kustomize")
_NAMESPACE = "default"


@click.command(cls=ExitOneCommand)
@click.argument("files", metavar="[FILE]...", nargs=-1)
@with_clusters
@click.option("--output", "-o", type=click.Choice(FORMAT_NAMES), default=FORMAT_NAMES[0])
@click.option(
    "--policy",
    "-p",
    "policies",
    multiple=True,
    metavar="FILE",
    help="Judge by the policies and products in FILE, too, as if they were applied. It may be a "
    "folder, and stand several times. Those among the audited manifests count in any case.",
)
@click.option("--all", "every", is_flag=True, help="List channels that need no attention, too.")
@click.option(
    "--fix",
    is_flag=True,
    help="Print what would switch telemetry off in each workload: settings, a patch, "
    "what an audit would say then. Nothing is applied. With --output, the fixes are part of that.",
)
@click.option(
    "--fix-format",
    type=click.Choice(FIX_FORMAT_NAMES),
    help="Like --fix, in this form: text, or a kustomize component.",
)
@click.pass_context
def audit(
    context: click.Context,
    files: tuple[str, ...],
    output: str,
    policies: tuple[str, ...],
    *,
    clusters: ClusterChoice,
    every: bool,
    fix: bool,
    fix_format: str | None,
) -> None:
    """Find out what phones home: in a cluster, or in FILEs of manifests (- for standard input).

    FILE may be a folder. Nothing is changed, and nothing has to be installed. The status is 0 if
    nothing is sent, or everything is as the policies demand; 1 if something could not be read; 2 if
    something is sent, or is not as demanded; and 3 if that is not known of something.
    """
    # The other commands do without it.
    from msgspec.structs import replace  # noqa: PLC0415

    from fleet_telemetry.audit.auditing import audit as audit_sources  # noqa: PLC0415
    from fleet_telemetry.audit.files import gather_files, read_definitions  # noqa: PLC0415
    from fleet_telemetry.audit.formats.registry import FIX_FORMATS, FORMATS  # noqa: PLC0415
    from fleet_telemetry.audit.sources import Gathered  # noqa: PLC0415
    from fleet_telemetry.audit.tool import this_tool  # noqa: PLC0415
    from fleet_telemetry.cli.audit_output import write  # noqa: PLC0415

    if "-" in files and "-" in policies:
        raise click.UsageError("standard input is either the manifests or the policies")
    now = datetime.now(UTC)
    namespace = _namespace_of_files(clusters) if files else _NAMESPACE
    definitions, problems = read_definitions(policies, sys.stdin.buffer, namespace, now)
    if files:
        sources = [gather_files(files, sys.stdin.buffer, namespace, now)]
    else:
        from fleet_telemetry.cli.clusters import read_clusters  # noqa: PLC0415  # 300 ms

        sources = read_clusters(clusters, definitions, now)
    result = audit_sources(
        [Gathered((), problems=problems), *sources],
        now,
        definitions,
        with_fixes=fix or fix_format is not None,
    )
    form = FORMATS[output]
    is_chosen = context.get_parameter_source("output") is not ParameterSource.DEFAULT
    if fix_format is not None or (fix and not is_chosen):
        form = FIX_FORMATS[fix_format or FIX_FORMAT_NAMES[0]]
    write(replace(result, tool=this_tool()), form, os.environ, every=every)
    sys.exit(result.exit_code)


def _namespace_of_files(clusters: ClusterChoice) -> str:
    """The namespace of objects that name none."""
    is_of_files = len(clusters.namespaces) == 1 and not (clusters.contexts or clusters.names)
    if clusters.is_given and not is_of_files:
        raise click.UsageError(
            "-A, --context, --cluster-name and several -n are for clusters; leave them or the "
            "FILEs out"
        )
    return clusters.namespaces[0] if clusters.namespaces else _NAMESPACE
