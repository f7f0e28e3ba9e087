"""When a kind has to be listed again because its watch started anew.

When kopf starts to watch a kind, at the start or after it gave up on a watch, it lists the objects
that exist. It does not report what was deleted since the previous list. Only a full list of our own
finds those deletions.
"""

from __future__ import annotations

from collections.abc import Callable

from fleet_telemetry.objects.kind import Kind

_QUIET_SECONDS = 5.0
"""The list of a new watch is over this long after its last object."""
_MAX_DELAY_SECONDS = 30.0
"""The longest delay while new watches keep listing."""


class ListSchedule:
    """Which kinds are due for a list, from the lists of the watches and our own lists."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """``clock`` returns monotonic seconds."""
        self._clock = clock
        self._restarted: dict[Kind, tuple[float, float]] = {}
        """The first and the last time a watch listed an object since our last list started."""

    def watch_listed(self, kind: Kind) -> None:
        """A new watch of a kind listed an object. Call it for each object."""
        now = self._clock()
        first, _ = self._restarted.get(kind, (now, now))
        self._restarted[kind] = first, now

    def begin(self, kind: Kind) -> None:
        """Our own list of a kind starts. It is at least as new as what a watch listed before."""
        self._restarted.pop(kind, None)

    def due(self) -> tuple[Kind, ...]:
        """The kinds to list now."""
        now = self._clock()
        return tuple(
            kind
            for kind, (first, last) in self._restarted.items()
            if now - last >= _QUIET_SECONDS or now - first >= _MAX_DELAY_SECONDS
        )
