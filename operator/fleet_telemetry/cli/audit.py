"""The command ``fleet-telemetry audit``."""

from __future__ import annotations

import sys
from datetime import UTC, datetime

import click

# The names of FORMATS; this module imports nothing heavy.
FORMAT_NAMES = ("json",)


@click.command
@click.argument("files", metavar="[FILE]...", nargs=-1)
@click.option("--output", "-o", type=click.Choice(FORMAT_NAMES), default=FORMAT_NAMES[0])
def audit(files: tuple[str, ...], output: str) -> None:
    """Find out what phones home: in a cluster, or in FILEs of manifests (- for standard input).

    Nothing is changed, and nothing has to be installed.
    """
    # The other commands do without it.
    from fleet_telemetry.audit.auditing import audit as audit_sources  # noqa: PLC0415
    from fleet_telemetry.audit.files import gather_files  # noqa: PLC0415
    from fleet_telemetry.audit.formats.format import Screen  # noqa: PLC0415
    from fleet_telemetry.audit.formats.registry import FORMATS  # noqa: PLC0415
    from fleet_telemetry.audit.sources import Definitions  # noqa: PLC0415

    now = datetime.now(UTC)
    sources = [gather_files(files, sys.stdin.buffer, "default", now)]
    result = audit_sources(sources, now, Definitions())
    click.echo(FORMATS[output].render(result, Screen()), nl=False)
    sys.exit(result.exit_code)
