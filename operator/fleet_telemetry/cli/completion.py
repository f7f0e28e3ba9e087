"""The command ``fleet-telemetry completion``, and what kubectl asks for its plugin."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click
from click.shell_completion import CompletionItem, ShellComplete, get_completion_class

# What kubectl understands on the last line. The numbers are those of ShellCompDirective in
# https://pkg.go.dev/github.com/spf13/cobra#ShellCompDirective.
_FILES = 0
_NO_FILES = 4
_FOLDERS = 16


@click.command
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print a script that completes this command in a shell.

    \b
    bash: source <(fleet-telemetry completion bash)
    zsh:  source <(fleet-telemetry completion zsh)
    fish: fleet-telemetry completion fish | source

    kubectl completes `kubectl telemetry` by its own script, with the program
    kubectl_complete-telemetry, which is installed beside this one.
    """  # noqa: D301  # \b is what click asks for: the character and not two
    kind = get_completion_class(shell)
    assert kind is not None
    # The shell runs the command by its own name, also if this is the plugin.
    script = kind(main_command(), {}, "fleet-telemetry", "_FLEET_TELEMETRY_COMPLETE").source()
    click.echo(script)


def kubectl_complete() -> None:
    """The program ``kubectl_complete-telemetry``: its arguments are the words after
    ``kubectl telemetry``, the last of them the one to complete."""
    click.echo("\n".join(answer(sys.argv[1:])))


def answer(words: Sequence[str]) -> list[str]:
    """The lines that kubectl expects: values, each with its description, and a directive."""
    *given, incomplete = words or [""]
    asked = ShellComplete(main_command(), {}, "kubectl telemetry", "")
    items = asked.get_completions(given, incomplete)
    kinds = {item.type for item in items}
    directive = _FOLDERS if "dir" in kinds else _FILES if "file" in kinds else _NO_FILES
    return [*(_line(item) for item in items if item.type == "plain"), f":{directive}"]


def _line(item: CompletionItem) -> str:
    value = str(item.value)
    return f"{value}\t{' '.join(item.help.split())}" if item.help else value


def main_command() -> click.Group:
    """The whole command, which imports this module when it lists its own."""
    from fleet_telemetry.cli.main import main  # noqa: PLC0415

    return main
