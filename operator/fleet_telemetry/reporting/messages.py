"""Sentences that are put together from what users wrote, and so may become endless, or contain
characters that are no text."""

from __future__ import annotations

from fleet_telemetry.objects.text import printable

_LONGEST = 4096
"""What the schemas allow. A longer one would be refused, and with it all of the status."""


def cut(message: str) -> str:
    """A message that fits into a status, on one line."""
    return printable(message, _LONGEST)
