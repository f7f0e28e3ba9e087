"""The whole command: what it lists, and by which name it is known."""

from __future__ import annotations

import subprocess
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from fleet_telemetry import __version__
from fleet_telemetry.cli.main import COMMANDS, main
from tests.support.programs import entry_points, environment, write_programs


def test_help_lists_every_command_with_what_it_does() -> None:
    lines = CliRunner().invoke(main, ["--help"]).output.partition("Commands:\n")[2].splitlines()
    listed = {name: text for name, _, text in (line.strip().partition(" ") for line in lines)}
    assert list(listed) == sorted(COMMANDS)
    for name, text in listed.items():
        command = main.get_command(click.Context(main), name)
        assert command is not None
        assert command.name == name
        assert text.strip().removesuffix("...")
        assert command.get_short_help_str(200).startswith(text.strip().removesuffix("..."))


def test_a_command_that_is_not_there_is_named() -> None:
    done = CliRunner().invoke(main, ["audti"])
    assert done.exit_code == 2
    assert "No such command 'audti'" in done.output


def test_the_version_is_told() -> None:
    done = CliRunner().invoke(main, ["--version"], prog_name="fleet-telemetry")
    assert done.output == f"fleet-telemetry, version {__version__}\n"


@pytest.mark.parametrize(
    ("program", "usage"),
    [
        ("fleet-telemetry", "Usage: fleet-telemetry catalogue lint "),
        ("kubectl-telemetry", "Usage: kubectl telemetry catalogue lint "),
    ],
)
def test_the_usage_says_what_was_typed(tmp_path: Path, program: str, usage: str) -> None:
    assert program in entry_points()
    folder = write_programs(tmp_path)
    done = subprocess.run(
        [folder / program, "catalogue", "lint", "--help"],
        env=environment(folder),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith(usage)
