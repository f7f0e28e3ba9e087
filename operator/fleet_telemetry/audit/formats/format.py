"""What a form of output is. It never raises for what an audit holds, and prints no control
character of foreign text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from fleet_telemetry.audit.result import Audit


@dataclass(frozen=True, slots=True)
class Screen:
    """Where the text goes."""

    width: int = 0
    """Columns of the terminal; 0 if it is none, so nothing is cut."""
    colour: bool = False
    every: bool = False
    """Whether channels that send nothing are listed, too."""


class OutputFormat(Protocol):
    """One form of output."""

    name: str
    """As ``--output`` takes it."""

    def render(self, audit: Audit, screen: Screen) -> str:
        """The whole text, with a newline at its end."""
