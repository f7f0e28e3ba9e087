"""A queue of subjects: each waits at most once, is worked on by one worker at a time, and comes
back with a growing delay when it fails."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Subject = TypeVar("Subject", bound=Hashable)

_FIRST_DELAY = 0.2
_LONGEST_DELAY = 60.0
_DOUBLINGS = 10  # more would change nothing, until they overflow


class WorkQueue(Generic[Subject]):
    """Subjects in the order of their arrival."""

    def __init__(self) -> None:
        self._waiting: dict[Subject, float] = {}
        """Since when."""
        self._clock: Callable[[], float] = float
        self._active: set[Subject] = set()
        self._again: set[Subject] = set()
        self._failures: dict[Subject, int] = {}
        self._timers: dict[Subject, asyncio.TimerHandle] = {}
        self._arrived = asyncio.Event()

    def __len__(self) -> int:
        return len(self._waiting)

    def oldest_age(self) -> float:
        """How many seconds the subject has waited that waits longest; 0 where none does."""
        # Asked from the thread of a scrape: the copy is what makes that safe.
        waiting = list(self._waiting.values())
        return self._clock() - waiting[0] if waiting else 0.0

    def add(self, subject: Subject) -> None:
        """Have a subject worked on, once more if it is being worked on now."""
        timer = self._timers.pop(subject, None)
        if timer is not None:
            timer.cancel()
        if subject in self._active:
            self._again.add(subject)
        else:
            self._clock = asyncio.get_running_loop().time
            self._waiting.setdefault(subject, self._clock())
            self._arrived.set()

    def add_later(self, subject: Subject, seconds: float) -> None:
        """Have a subject worked on after a while, or earlier if something else adds it."""
        loop = asyncio.get_running_loop()
        timer = self._timers.get(subject)
        if timer is not None:
            if timer.when() <= loop.time() + seconds:
                return
            timer.cancel()
        self._timers[subject] = loop.call_later(seconds, self._due, subject)

    def _due(self, subject: Subject) -> None:
        del self._timers[subject]
        self.add(subject)

    async def take(self) -> Subject:
        """The next subject; ``done`` or ``failed`` has to follow."""
        while not self._waiting:
            self._arrived.clear()
            await self._arrived.wait()
        subject = next(iter(self._waiting))
        del self._waiting[subject]
        self._active.add(subject)
        return subject

    def done(self, subject: Subject) -> None:
        """The subject is as it should be."""
        self._failures.pop(subject, None)
        self._finish(subject)

    def failed(self, subject: Subject) -> float:
        """The subject has to come back; the seconds until then."""
        failures = self._failures.get(subject, 0)
        self._failures[subject] = failures + 1
        delay: float = min(_FIRST_DELAY * 2.0 ** min(failures, _DOUBLINGS), _LONGEST_DELAY)
        self._finish(subject)
        if subject not in self._waiting:
            self.add_later(subject, delay)
        return delay

    def _finish(self, subject: Subject) -> None:
        self._active.discard(subject)
        if subject in self._again:
            self._again.discard(subject)
            self.add(subject)

    def close(self) -> None:
        """Stop the timers."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
