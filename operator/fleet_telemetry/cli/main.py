"""The command ``fleet-telemetry``. Each subcommand is in a file of its own."""

from __future__ import annotations

import click

from fleet_telemetry import __version__
from fleet_telemetry.cli.lazy import LazyGroup

COMMANDS = {
    "all": "serve:all_roles",
    "allowlist": "allowlist:allowlist",
    "audit": "audit:audit",
    "catalogue": "catalogue:catalogue",
    "completion": "completion:completion",
    "controller": "serve:controller",
    "corefile": "corefile:corefile",
    "hosts": "hosts:hosts",
    "explain": "explain:explain",
    "revert": "revert:revert",
    "test": "test:test",
    "webhook": "serve:webhook",
}
"""The file in this folder and the function of each command."""


@click.group(
    cls=LazyGroup,
    places={name: f"fleet_telemetry.cli.{place}" for name, place in COMMANDS.items()},
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__)
def main() -> None:
    """Control and verify whether the vendor software in your clusters sends telemetry."""


def kubectl_plugin() -> None:
    """The same command as kubectl runs it: the usage says ``kubectl telemetry``."""
    main(prog_name="kubectl telemetry")


if __name__ == "__main__":
    main()
