"""What a rule of the linter finds in a product."""

from __future__ import annotations

from dataclasses import dataclass

from fleet_telemetry.linting.document import Document, Path
from fleet_telemetry.linting.problem import FileProblem


@dataclass(frozen=True, slots=True)
class LintFinding:
    """A fault at a path of a file."""

    path: Path
    what: str
    advice: str

    def in_document(self, document: Document) -> FileProblem:
        """The fault with the file and the line."""
        return document.problem(self.path, self.what, self.advice)


def channel_path(channel: int, *more: str | int) -> Path:
    """The path of a channel, or of something in it."""
    return ("spec", "channels", channel, *more)
