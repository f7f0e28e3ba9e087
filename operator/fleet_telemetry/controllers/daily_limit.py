"""How often the operator sets something in a day that something else sets back."""

from __future__ import annotations

from dataclasses import dataclass, field

TIMES_PER_DAY = 3
"""After setting something this often within a day, somebody else is assumed to set the opposite."""
_DAY_SECONDS = 86400.0


@dataclass
class DailyLimit:
    """Counts within the last day. The caller passes the time, in seconds."""

    times: list[float] = field(default_factory=list)

    def is_reached(self, now: float) -> bool:
        """Whether it must not be set again for now."""
        self.times = [when for when in self.times if when > now - _DAY_SECONDS]
        return len(self.times) >= TIMES_PER_DAY

    def count(self, now: float) -> bool:
        """Count once more; whether it was the last time for now."""
        self.times.append(now)
        return len(self.times) == TIMES_PER_DAY

    def clear(self) -> None:
        """Something else is to be set."""
        self.times.clear()


def conflict_note(subject: str) -> str:
    """What an Event says when the limit is reached. ``subject`` is what was set."""
    return (
        f"{subject} had to be set {TIMES_PER_DAY} times within a day, because something sets it "
        "back. The operator does not set it again until the day is over or the policy changes"
    )
