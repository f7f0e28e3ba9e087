"""The command ``fleet-telemetry audit``."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

import click

from fleet_telemetry.cli.cluster_options import (
    ALL_NAMESPACES_OPTION,
    CONTEXTS_OPTION,
    KUBECONFIG_OPTION,
    NAMESPACES_OPTION,
)

# The names of FORMATS; this module imports nothing heavy.
FORMAT_NAMES = ("json",)


@click.command
@click.argument("files", metavar="[FILE]...", nargs=-1, type=click.Path(path_type=Path))
@CONTEXTS_OPTION
@NAMESPACES_OPTION
@ALL_NAMESPACES_OPTION
@KUBECONFIG_OPTION
@click.option("--output", "-o", type=click.Choice(FORMAT_NAMES), default=FORMAT_NAMES[0])
def audit(
    files: tuple[Path, ...],
    contexts: tuple[str, ...],
    namespaces: tuple[str, ...],
    kubeconfig: str | None,
    output: str,
    *,
    all_namespaces: bool,
) -> None:
    """Find out what phones home: in a cluster, or in FILEs of manifests (- for standard input).

    Nothing is changed, and nothing has to be installed.
    """
    # The other commands do without it.
    from fleet_telemetry.audit.auditing import audit as audit_sources  # noqa: PLC0415
    from fleet_telemetry.audit.files import gather_files  # noqa: PLC0415
    from fleet_telemetry.audit.formats.format import Screen  # noqa: PLC0415
    from fleet_telemetry.audit.formats.registry import FORMATS  # noqa: PLC0415
    from fleet_telemetry.audit.sources import Definitions  # noqa: PLC0415
    from fleet_telemetry.cli.clusters import read_clusters  # noqa: PLC0415

    if files and (contexts or namespaces or all_namespaces):
        raise click.UsageError(
            "-A, -n and --context are for a cluster; leave them out, or the FILEs"
        )
    if all_namespaces and namespaces:
        raise click.UsageError("-A reads all namespaces; leave it out, or -n")
    now, definitions = datetime.now(UTC), Definitions()
    if files:
        sources = [gather_files(files)]
    else:
        sources = read_clusters(kubeconfig, contexts, namespaces, definitions, now)
    result = audit_sources(sources, now, definitions)
    click.echo(FORMATS[output].render(result, Screen()), nl=False)
    sys.exit(result.exit_code)
