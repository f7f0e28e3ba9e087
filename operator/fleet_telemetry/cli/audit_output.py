"""Writes an audit to standard output, as the terminal wants it, if there is one."""

from __future__ import annotations

import io
import shutil
import sys
from collections.abc import Mapping
from typing import TextIO

import click

from fleet_telemetry.audit.formats import wording
from fleet_telemetry.audit.formats.format import OutputFormat, Screen
from fleet_telemetry.audit.result import Audit


def write(
    audit: Audit, form: OutputFormat, environment: Mapping[str, str], *, every: bool = False
) -> None:
    """Write the result in a form of output. Where standard output is no terminal, what could not
    be read is written to standard error, too."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A character that the terminal's encoding lacks does not end the command.
            stream.reconfigure(errors="backslashreplace")
    screen = screen_of(sys.stdout, environment, every=every)
    if not screen.width:
        for one in audit.problems:
            click.echo(wording.problem(one), err=True)
    # click.echo would take the colours out where it thinks that there are none.
    sys.stdout.write(form.render(audit, screen))


def screen_of(stream: TextIO, environment: Mapping[str, str], *, every: bool = False) -> Screen:
    """How wide the terminal is, and whether it has colours (https://no-color.org)."""
    if not stream.isatty():
        return Screen(every=every)
    width = shutil.get_terminal_size().columns
    plain = bool(environment.get("NO_COLOR")) or environment.get("TERM") == "dumb"
    return Screen(width=width, colour=not plain, every=every)
