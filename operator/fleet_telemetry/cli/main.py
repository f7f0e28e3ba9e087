"""The command ``fleet-telemetry``. Each subcommand is in a file of its own."""

from __future__ import annotations

import click

from fleet_telemetry import __version__
from fleet_telemetry.cli.allowlist import allowlist
from fleet_telemetry.cli.audit import audit
from fleet_telemetry.cli.catalogue import catalogue
from fleet_telemetry.cli.revert import revert
from fleet_telemetry.cli.serve import all_roles, controller, webhook


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def main() -> None:
    """Control and verify whether the vendor software in your clusters sends telemetry."""


for command in (webhook, controller, all_roles, allowlist, audit, catalogue, revert):
    main.add_command(command)


if __name__ == "__main__":
    main()
