"""A command for which a wrong option has the status 1, because 2 has another meaning."""

from __future__ import annotations

from typing import Any

import click


class ExitOneCommand(click.Command):
    """Click gives every usage error the status 2."""

    def make_context(self, *given: Any, **options: Any) -> click.Context:
        """Parse the arguments."""
        try:
            return super().make_context(*given, **options)
        except click.UsageError as error:
            error.exit_code = 1
            raise

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except click.UsageError as error:
            error.exit_code = 1
            raise
