"""The name that a user gives to a cluster."""

from __future__ import annotations

import re

import click

_NAME = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.:/@]{0,126}[A-Za-z0-9])?")


def check_cluster_name(name: str) -> str:
    """The name, if it is one. Raises click.BadParameter."""
    if not _NAME.fullmatch(name):
        raise click.BadParameter(
            "up to 128 letters, digits and characters of -_.:/@, with a letter or a digit at both "
            "ends"
        )
    return name
