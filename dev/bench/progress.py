"""Reports progress on stderr, so that stdout contains only the table."""

from __future__ import annotations

import shutil
import sys
import time

_SPARSE_SECONDS = 15.0


class Progress:
    """On a terminal one line that changes; otherwise a line for each step, and periodic ones."""

    def __init__(self) -> None:
        self._live = sys.stderr.isatty()
        self._step = ""
        self._printed_at = 0.0

    def begin(self, step: str) -> None:
        """Begin a step, and end the one before."""
        self.end()
        self._step = step
        self._print(f"{step} ...")

    def at(self, state: str) -> None:
        """Report the progress of the step."""
        if self._live or time.monotonic() - self._printed_at > _SPARSE_SECONDS:
            self._print(f"{self._step}: {state}")

    def end(self) -> None:
        """End the last step."""
        if self._step and self._live:
            print(file=sys.stderr)
        self._step = ""

    def _print(self, line: str) -> None:
        self._printed_at = time.monotonic()
        if self._live:
            width = shutil.get_terminal_size().columns - 1
            print(f"\r\033[K{line[:width]}", end="", file=sys.stderr, flush=True)
        else:
            print(line, file=sys.stderr, flush=True)
