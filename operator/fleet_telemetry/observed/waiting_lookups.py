"""Lookups that wait until it can be decided whose they are."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from fleet_telemetry.observed.lookup import LookupStage, ReportedLookup

MOST_WAITING = 20_000
"""Lookups that wait, by client, host and second; about 10 MB."""
MOST_DECIDED = 1_000
"""Lookups, as they wait, that one tick decides, so that it takes less than 50 ms."""

WaitingKey = tuple[str, str, str, datetime]
"""Client, host, the namespace in the search domain or nothing, second."""


@dataclass(slots=True)
class WaitingLookup:
    """Lookups of a host by a client within a second."""

    due: datetime
    arrived: datetime
    """When the last one arrived, by the operator's clock."""
    first: datetime
    last: datetime
    questions: int = 0
    answered: datetime | None = None
    refused: bool = False
    clock_wrong: bool = False


class WaitingLookups:
    """At most ``MOST_WAITING``, in the order in which they arrived."""

    def __init__(self, settled_after: timedelta) -> None:
        """``settled_after`` is how long each waits."""
        self._settled_after = settled_after
        self._waiting: dict[WaitingKey, WaitingLookup] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def add(
        self, key: WaitingKey, lookup: ReportedLookup, now: datetime, *, clock_wrong: bool
    ) -> bool:
        """Have a lookup wait. False if there are too many."""
        waiting = self._waiting.get(key)
        if waiting is None:
            if len(self._waiting) >= MOST_WAITING:
                return False
            due = now + self._settled_after
            waiting = self._waiting[key] = WaitingLookup(due, now, lookup.time, lookup.time)
        waiting.arrived = now
        waiting.clock_wrong |= clock_wrong
        if lookup.stage is LookupStage.QUESTION:
            waiting.questions += 1
            waiting.first = min(waiting.first, lookup.time)
            waiting.last = max(waiting.last, lookup.time)
        elif waiting.answered is None or lookup.time >= waiting.answered:
            waiting.answered, waiting.refused = lookup.time, lookup.refused
        return True

    def take_due(self, now: datetime) -> Iterator[tuple[WaitingKey, WaitingLookup]]:
        """Those that have waited long enough, at most ``MOST_DECIDED``. They wait no more."""
        first = itertools.islice(self._waiting.items(), MOST_DECIDED)
        for key, waiting in [(key, one) for key, one in first if one.due <= now]:
            del self._waiting[key]
            yield key, waiting
