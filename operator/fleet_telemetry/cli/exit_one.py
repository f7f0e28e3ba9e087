"""A command for which a wrong option has the status 1, because 2 has another meaning."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click


class ExitOneCommand(click.Command):
    """Click gives every usage error the status 2."""

    def make_context(self, *given: Any, **options: Any) -> click.Context:
        """Parse the arguments."""
        with _exit_one():
            return super().make_context(*given, **options)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        with _exit_one():
            return super().invoke(ctx)


@contextmanager
def _exit_one() -> Iterator[None]:
    try:
        yield
    except click.UsageError as error:
        vars(error)["exit_code"] = 1  # of this error, and not of its class
        raise
