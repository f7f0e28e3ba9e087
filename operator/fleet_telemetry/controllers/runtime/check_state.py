"""What is believed of one product, by its answers one after the other, and when to ask again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from fleet_telemetry.api.policy import Submission
from fleet_telemetry.api.product import Setting
from fleet_telemetry.evidence.reported import Reported
from fleet_telemetry.switches.reading import setting_of

_FIRST_RETRY_SECONDS = 10.0
_DOUBLINGS = 12
_PATIENCE = 3
"""So many failures in a row until an earlier answer counts no more."""
ROUNDS = 3
"""So often a setting is put right within a day before somebody else is believed to fight for it."""
_DAY_SECONDS = 86400.0
_JITTER = 0.1


@dataclass
class Standing:
    """Where one product stands. Knows no clock; it is told the time."""

    result: Reported | None = None
    """What is believed; None until it was asked."""
    _failures: int = 0
    """In a row."""
    _silences: int = 0
    """Failures in a row with which it told nothing."""
    _put_right: list[float] = field(default_factory=list)
    """When, within the last day."""

    def hear(self, answer: Reported) -> bool:
        """Take an answer; whether it is believed and says something new.

        A few failures in a row leave an earlier answer fakeg. Where the product did tell, and
        only could not be put right, what it told counts at once.
        """
        before = self.result
        self._failures = self._failures + 1 if answer.fault else 0
        self._silences = self._silences + 1 if _is_silent(answer) else 0
        if before and not _is_silent(before) and 0 < self._silences < _PATIENCE:
            return False
        self.result = answer
        return answer != before

    def has_drifted(self, answer: Reported, wish: Submission) -> bool:
        """Whether what was as wished no longer is, by an answer not yet heard."""
        wanted = setting_of(wish)
        was_right = self.result is not None and self.result.setting is wanted
        return was_right and answer.setting not in (wanted, Setting.UNKNOWN)

    def delay(
        self, interval: float, patience: float, uniform: Callable[[float, float], float]
    ) -> float:
        """Seconds until the next question; ``patience`` is what the product asks for."""
        if not self._failures:
            return max(patience, interval * uniform(1 - _JITTER, 1 + _JITTER))
        doublings = min(self._failures - 1, _DOUBLINGS)
        retry = min(_FIRST_RETRY_SECONDS * 2.0**doublings, interval)
        return max(patience, retry * uniform(1, 1 + _JITTER))

    def may_be_put_right(self, now: float) -> bool:
        """Whether it was not put right too often within the last day."""
        self._put_right = [when for when in self._put_right if when > now - _DAY_SECONDS]
        return len(self._put_right) < ROUNDS

    def count_round(self, now: float) -> bool:
        """Note that it was put right; whether that was the last time for now."""
        self._put_right.append(now)
        return len(self._put_right) == ROUNDS

    def begin_anew(self, *, another_wish: bool) -> None:
        """Something changed that may end the failures, or even who asks for what."""
        self._failures = self._silences = 0
        if another_wish:
            self._put_right.clear()


def _is_silent(answer: Reported) -> bool:
    return answer.fault is not None and answer.setting is Setting.UNKNOWN
