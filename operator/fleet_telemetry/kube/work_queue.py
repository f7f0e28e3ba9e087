"""A work queue of reconcile keys, with the semantics of client-go's work queue.

A key waits at most once, one worker at a time works on it, and a key that failed comes back with
a growing delay.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

from fleet_telemetry.backoff import backoff_seconds

Key = TypeVar("Key", bound=Hashable)

_FIRST_DELAY = 0.2
_LONGEST_DELAY = 60.0


@dataclass(frozen=True, slots=True)
class _Work:
    """Work on a key."""

    began: float
    """The loop's time."""
    waited: float
    """Seconds that the key waited before."""


class WorkQueue(Generic[Key]):
    """Keys in the order of their arrival. It accepts keys between ``open`` and ``close`` only."""

    def __init__(self) -> None:
        self._is_open = False
        self._waiting: dict[Key, float] = {}
        """The loop's time at which each waiting key was added."""
        self._clock: Callable[[], float] = float
        self._active: dict[Key, _Work] = {}
        self._again: set[Key] = set()
        """Active keys that were added again."""
        self._failures: dict[Key, int] = {}
        self._timers: dict[Key, asyncio.TimerHandle] = {}
        self._arrived = asyncio.Event()

    def __len__(self) -> int:
        return len(self._waiting)

    def open(self) -> None:
        """Accept keys from now on."""
        self._is_open = True

    def close(self) -> None:
        """Drop all keys, their timers and failures, and ignore new keys.

        Call it after the workers have ended.
        """
        self._is_open = False
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        self._waiting.clear()
        self._active.clear()
        self._again.clear()
        self._failures.clear()

    def oldest_age(self) -> float:
        """Seconds that the oldest waiting key has waited; 0 if no key waits."""
        # A scrape calls this from its own thread: the copy makes that safe.
        waiting = list(self._waiting.values())
        return self._clock() - waiting[0] if waiting else 0.0

    def longest_running(self) -> float:
        """Seconds since the oldest work under way began; 0 if there is none."""
        began = [work.began for work in list(self._active.values())]
        return self._clock() - min(began) if began else 0.0

    def waited(self, key: Key) -> float:
        """Seconds for which an active key waited before ``get`` returned it."""
        return self._active[key].waited

    def add(self, key: Key) -> None:
        """Add a key. If a worker works on it now, it is added again after that."""
        if not self._is_open:
            return
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()
        if key in self._active:
            self._again.add(key)
        else:
            self._clock = asyncio.get_running_loop().time
            self._waiting.setdefault(key, self._clock())
            self._arrived.set()

    def add_after(self, key: Key, seconds: float) -> None:
        """Add a key after a delay. Of several delays the one that ends first counts."""
        if not self._is_open:
            return
        loop = asyncio.get_running_loop()
        timer = self._timers.get(key)
        if timer is not None:
            if timer.when() <= loop.time() + seconds:
                return
            timer.cancel()
        self._timers[key] = loop.call_later(seconds, self._add_due, key)

    def add_rate_limited(self, key: Key) -> float:
        """Finish work on a key that failed, and add it again after a delay, which is returned.

        The delay doubles with each failure, from 0.2 to 60 seconds, until ``done`` resets it.
        """
        self._failures[key] = self._failures.get(key, 0) + 1
        delay = backoff_seconds(self._failures[key], _FIRST_DELAY, _LONGEST_DELAY)
        self._finish(key)
        if key not in self._waiting:
            self.add_after(key, delay)
        return delay

    async def get(self) -> Key:
        """Wait for the next key. Call ``done`` or ``add_rate_limited`` after working on it."""
        while not self._waiting:
            self._arrived.clear()
            await self._arrived.wait()
        key = next(iter(self._waiting))
        now = self._clock()
        self._active[key] = _Work(now, now - self._waiting.pop(key))
        return key

    def done(self, key: Key) -> None:
        """Finish work on a key that succeeded, and forget its failures."""
        self._failures.pop(key, None)
        self._finish(key)

    def _add_due(self, key: Key) -> None:
        del self._timers[key]
        self.add(key)

    def _finish(self, key: Key) -> None:
        self._active.pop(key, None)
        if key in self._again:
            self._again.discard(key)
            self.add(key)
