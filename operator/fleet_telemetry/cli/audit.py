"""The command ``fleet-telemetry audit``."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from pathlib import Path

import click
from msgspec.structs import replace

# The names of FORMATS; this module imports nothing heavy.
FORMAT_NAMES = ("table", "json", "yaml", "csv", "markdown", "sarif", "junit", "html")


@click.command
@click.argument("files", metavar="[FILE]...", nargs=-1, type=click.Path(path_type=Path))
@click.option("--output", "-o", type=click.Choice(FORMAT_NAMES), default=FORMAT_NAMES[0])
def audit(files: tuple[Path, ...], output: str) -> None:
    """Find out what phones home: in a cluster, or in FILEs of manifests (- for standard input).

    Nothing is changed, and nothing has to be installed.
    """
    # The other commands do without it.
    from fleet_telemetry.audit.auditing import audit as audit_sources  # noqa: PLC0415
    from fleet_telemetry.audit.files import gather_files  # noqa: PLC0415
    from fleet_telemetry.audit.sources import Definitions  # noqa: PLC0415
    from fleet_telemetry.audit.tool import this_tool  # noqa: PLC0415
    from fleet_telemetry.cli.audit_output import write  # noqa: PLC0415

    result = audit_sources([gather_files(files)], datetime.now(UTC), Definitions())
    write(replace(result, tool=this_tool()), output, os.environ)
    sys.exit(result.exit_code)
