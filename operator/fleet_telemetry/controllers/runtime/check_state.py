"""The state of one check: the accepted answer, the failures, the remediations, the next delay."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from fleet_telemetry.api.policy import Submission
from fleet_telemetry.api.product import Setting
from fleet_telemetry.backoff import backoff_seconds
from fleet_telemetry.evidence.report import Reported
from fleet_telemetry.switches.reading import setting_of

_FIRST_RETRY_SECONDS = 10.0
_LONGEST_RETRY_SECONDS = 40960.0
_FAILURE_THRESHOLD = 3
"""After this many failures in a row, an earlier answer no longer counts."""
REMEDIATIONS_PER_DAY = 3
"""After this many remediations within a day, somebody else is assumed to set the opposite."""
_DAY_SECONDS = 86400.0
_JITTER = 0.1


@dataclass
class CheckState:
    """The state of the check of one product. The caller passes the time."""

    result: Reported | None = None
    """The accepted answer; None until the first."""
    _failures: int = 0
    """Answers in a row that carry a fault."""
    _unknowns: int = 0
    """Answers in a row that carry a fault and no setting."""
    _remediated: list[float] = field(default_factory=list)
    """The times of the remediations within the last day."""

    def record_answer(self, answer: Reported) -> bool:
        """Record an answer; whether it is accepted and differs from the one before.

        A few failures in a row do not replace an earlier answer. If the product answered, and only
        its remediation failed, the answer counts at once.
        """
        before = self.result
        self._failures = self._failures + 1 if answer.fault else 0
        self._unknowns = self._unknowns + 1 if _is_unknown(answer) else 0
        if before and not _is_unknown(before) and 0 < self._unknowns < _FAILURE_THRESHOLD:
            return False
        self.result = answer
        return answer != before

    def has_drifted(self, answer: Reported, desired: Submission) -> bool:
        """Whether the accepted answer was the desired setting and this one, which is not recorded
        yet, is the opposite."""
        wanted = setting_of(desired)
        was_right = self.result is not None and self.result.setting is wanted
        return was_right and answer.setting not in (wanted, Setting.UNKNOWN)

    def delay(
        self, interval: float, retry_after: float, uniform: Callable[[float, float], float]
    ) -> float:
        """Seconds until the next check, at least ``retry_after``.

        After failures the delay doubles from 10 seconds up to the interval. Both have a jitter.
        """
        if not self._failures:
            return max(retry_after, interval * uniform(1 - _JITTER, 1 + _JITTER))
        longest = min(interval, _LONGEST_RETRY_SECONDS)
        retry = backoff_seconds(self._failures, _FIRST_RETRY_SECONDS, longest)
        return max(retry_after, retry * uniform(1, 1 + _JITTER))

    def may_remediate(self, now: float) -> bool:
        """Whether the limit of remediations within a day is not reached."""
        self._remediated = [when for when in self._remediated if when > now - _DAY_SECONDS]
        return len(self._remediated) < REMEDIATIONS_PER_DAY

    def count_remediation(self, now: float) -> bool:
        """Count a remediation; whether it was the last one for now."""
        self._remediated.append(now)
        return len(self._remediated) == REMEDIATIONS_PER_DAY

    def reset(self, *, check_changed: bool) -> None:
        """Forget the failures, because a change may have ended them.

        If the check changed, also forget the remediations: they were of another desired setting.
        """
        self._failures = self._unknowns = 0
        if check_changed:
            self._remediated.clear()


def _is_unknown(answer: Reported) -> bool:
    return answer.fault is not None and answer.setting is Setting.UNKNOWN
