"""Which kinds have to be listed again, because their watch has begun anew.

When kopf begins to watch a kind, at the start or where it had to give up, it lists what is there.
Of what was deleted since anybody listed the kind before, it tells nothing.
"""

from __future__ import annotations

from collections.abc import Callable

from fleet_telemetry.objects.kind import Kind

_QUIET_SECONDS = 5.0
"""So long after the last object of kopf's list: then that list is over."""
_LONGEST_SECONDS = 30.0
"""Where list follows upon list."""


class Relists:
    """Told of each object that kopf lists, and of each list of ours."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """``clock`` tells seconds."""
        self._clock = clock
        self._told: dict[Kind, tuple[float, float]] = {}
        """When kopf listed an object since our last list began: first and last."""

    def told(self, kind: Kind) -> None:
        """Kopf has listed an object."""
        now = self._clock()
        first, _ = self._told.get(kind, (now, now))
        self._told[kind] = first, now

    def begin(self, kind: Kind) -> None:
        """We begin to list the kind: all that kopf listed so far is no newer."""
        self._told.pop(kind, None)

    def due(self) -> tuple[Kind, ...]:
        """What is to be listed now."""
        now = self._clock()
        return tuple(
            kind
            for kind, (first, last) in self._told.items()
            if now - last >= _QUIET_SECONDS or now - first >= _LONGEST_SECONDS
        )
