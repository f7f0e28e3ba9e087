"""The command ``fleet-telemetry audit``."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from pathlib import Path

import click
from click.core import ParameterSource

from fleet_telemetry.cli.cluster_options import ClusterChoice, with_clusters

# The names of FORMATS; this module imports nothing heavy.
FORMAT_NAMES = ("table", "json", "yaml", "csv", "markdown", "sarif", "junit", "html")
# The names of FIX_FORMATS.
FIX_FORMAT_NAMES = ("text", "kustomize")


@click.command
@click.argument("files", metavar="[FILE]...", nargs=-1, type=click.Path(path_type=Path))
@with_clusters
@click.option("--output", "-o", type=click.Choice(FORMAT_NAMES), default=FORMAT_NAMES[0])
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
    files: tuple[Path, ...],
    output: str,
    *,
    clusters: ClusterChoice,
    fix: bool,
    fix_format: str | None,
) -> None:
    """Find out what phones home: in a cluster, or in FILEs of manifests (- for standard input).

    Nothing is changed, and nothing has to be installed.
    """
    # The other commands do without it.
    from msgspec.structs import replace  # noqa: PLC0415

    from fleet_telemetry.audit.auditing import audit as audit_sources  # noqa: PLC0415
    from fleet_telemetry.audit.files import gather_files  # noqa: PLC0415
    from fleet_telemetry.audit.formats.registry import FIX_FORMATS, FORMATS  # noqa: PLC0415
    from fleet_telemetry.audit.sources import Definitions  # noqa: PLC0415
    from fleet_telemetry.audit.tool import this_tool  # noqa: PLC0415
    from fleet_telemetry.cli.audit_output import write  # noqa: PLC0415

    if files and clusters.is_given:
        raise click.UsageError("-A, -n and --context are for clusters; leave them or the FILEs out")
    now, definitions = datetime.now(UTC), Definitions()

    if files:
        sources = [gather_files(files)]
    else:
        from fleet_telemetry.cli.clusters import read_clusters  # noqa: PLC0415  # 300 ms

        sources = read_clusters(clusters, definitions, now)
    result = audit_sources(
        sources,
        now,
        definitions,
        with_fixes=fix or fix_format is not None,
    )
    form = FORMATS[output]
    is_chosen = context.get_parameter_source("output") is not ParameterSource.DEFAULT
    if fix_format is not None or (fix and not is_chosen):
        form = FIX_FORMATS[fix_format or FIX_FORMAT_NAMES[0]]
    write(replace(result, tool=this_tool()), form, os.environ)
    sys.exit(result.exit_code)
