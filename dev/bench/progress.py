"""Tells on stderr how far a long step is, so that stdout has the table only."""

from __future__ import annotations

import shutil
import sys
import time

_SPARSE_SECONDS = 15.0


class Progress:
    """On a terminal one line that changes; elsewhere a line per step, and one now and then."""

    def __init__(self) -> None:
        self._live = sys.stderr.isatty()
        self._step = ""
        self._told = 0.0

    def begin(self, step: str) -> None:
        """A step begins, and the one before is done."""
        self.end()
        self._step = step
        self._tell(f"{step} ...")

    def at(self, state: str) -> None:
        """How far the step is."""
        if self._live or time.monotonic() - self._told > _SPARSE_SECONDS:
            self._tell(f"{self._step}: {state}")

    def end(self) -> None:
        """The last step is done."""
        if self._step and self._live:
            print(file=sys.stderr)
        self._step = ""

    def _tell(self, line: str) -> None:
        self._told = time.monotonic()
        if self._live:
            width = shutil.get_terminal_size().columns - 1
            print(f"\r\033[K{line[:width]}", end="", file=sys.stderr, flush=True)
        else:
            print(line, file=sys.stderr, flush=True)
