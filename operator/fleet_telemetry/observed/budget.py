"""A share of time, so that one piece of work leaves the rest to others."""

from __future__ import annotations

from collections.abc import Callable


class Budget:
    """Credit of seconds that grows by a share of the time, up to a burst. Use may overdraw it."""

    def __init__(self, share: float, burst: float, clock: Callable[[], float]) -> None:
        self._share = share
        self._burst = burst
        self._clock = clock
        self._credit = burst
        self._at = clock()

    def charge(self, seconds: float) -> None:
        """So much was used."""
        self._grow()
        self._credit -= seconds

    def wait(self) -> float:
        """Seconds until there is credit; 0 if there is."""
        self._grow()
        return max(0.0, -self._credit / self._share)

    def _grow(self) -> None:
        now = self._clock()
        self._credit = min(self._burst, self._credit + (now - self._at) * self._share)
        self._at = now
