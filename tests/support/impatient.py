"""An event loop whose time passes at once: nobody waits for a timer, the clock is put forward."""

from __future__ import annotations

import asyncio
import selectors
from typing import Any


class _Selector(selectors.SelectSelector):
    """Does not wait for a timer; it puts the clock forward instead."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        found = super().select(0)
        assert found or timeout is not None, "everybody waits for ever"
        if not found and timeout:
            self.now += timeout
        return found


class ImpatientLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._clock = _Selector()
        super().__init__(self._clock)

    def time(self) -> float:
        return self._clock.now
