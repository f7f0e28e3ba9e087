"""How far the reading of clusters is, on a terminal."""

from __future__ import annotations

import time
from typing import IO

_WIDTH = 30
_EVERY_SECONDS = 0.1


class GatheringProgress:
    """Counts objects, and draws nothing."""

    def __init__(self) -> None:
        self.read = 0
        self.expected = 0

    def page(self, objects: int, *, first: bool, left: int) -> None:
        """A page of a list was read, and so many objects are left of it."""
        self.read += objects
        if first:
            self.expected += objects + left
        self.expected = max(self.expected, self.read)
        self.draw()

    def draw(self) -> None:
        """Show it."""

    def clear(self) -> None:
        """Remove what was shown."""


class ProgressBar(GatheringProgress):
    """A bar in one line of a terminal."""

    def __init__(self, terminal: IO[str], columns: int) -> None:
        super().__init__()
        self._terminal = terminal
        self._columns = columns
        self._drawn = 0.0
        self._shown = False

    def draw(self) -> None:
        """See GatheringProgress."""
        now = time.monotonic()
        if now - self._drawn < _EVERY_SECONDS:
            return
        self._drawn, self._shown = now, True
        self._terminal.write(f"\r{bar(self.read, self.expected, self._columns)}\x1b[K")
        self._terminal.flush()

    def clear(self) -> None:
        """See GatheringProgress."""
        if self._shown:
            self._terminal.write("\r\x1b[K")
            self._terminal.flush()
            self._shown = False


def bar(read: int, expected: int, columns: int) -> str:
    """The line, in at most so many columns."""
    share = read / expected if expected else 0.0
    full = round(share * _WIDTH)
    text = f"[{'#' * full}{'.' * (_WIDTH - full)}] {read:,} of {expected:,} objects read"
    return text[: max(columns - 1, 0)]


def progress_on(terminal: IO[str], columns: int, *, dumb: bool) -> GatheringProgress:
    """A bar on a terminal that can draw one; nothing elsewhere."""
    return ProgressBar(terminal, columns) if terminal.isatty() and not dumb else GatheringProgress()
