"""Sentences that are put together from what users wrote, and so may become endless, or contain
characters that are no text."""

from __future__ import annotations

_LONGEST = 4096
"""What the schemas allow. A longer one would be refused, and with it all of the status."""


def cut(message: str) -> str:
    """A message that fits into a status."""
    return message if len(message) <= _LONGEST else f"{message[: _LONGEST - 3]}..."


def printable(text: str, longest: int) -> str:
    r"""A text on one line, of at most so many characters. Control characters, line breaks,
    invisible characters and those that turn the direction of the text are escaped, as in ``\n``."""
    text = text[: longest + 1]
    if not text.isprintable():
        text = "".join(
            character
            if character.isprintable()
            else character.encode("unicode_escape", "backslashreplace").decode("ascii")
            for character in text
        )
    return text if len(text) <= longest else f"{text[: longest - 3]}..."
