"""Text that may contain what others wrote, for people to read on a terminal."""

from __future__ import annotations


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
