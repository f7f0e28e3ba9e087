"""Sentences that are put together from what users wrote, and so may become endless."""

from __future__ import annotations

_LONGEST = 4096
"""What the schemas allow. A longer one would be refused, and with it all of the status."""


def cut(message: str) -> str:
    """A message that fits into a status."""
    return message if len(message) <= _LONGEST else f"{message[: _LONGEST - 3]}..."
