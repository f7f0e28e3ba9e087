"""The state of one check: the accepted answer and its age, the failures, the remediations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from fleet_telemetry.api.policy import Submission
from fleet_telemetry.api.product.setting import Setting
from fleet_telemetry.api.reasons import Reason
from fleet_telemetry.backoff import backoff_seconds
from fleet_telemetry.controllers.daily_limit import DailyLimit
from fleet_telemetry.evidence.report import Reported
from fleet_telemetry.switches.reading import setting_of

_FIRST_RETRY_SECONDS = 10.0
_LONGEST_RETRY_SECONDS = 40960.0
_FAILURE_THRESHOLD = 3
"""After this many failures in a row, an earlier answer no longer counts."""
STALE_AFTER_INTERVALS = 3.0
"""After so many intervals an answer no longer counts, however many checks failed since."""
FIRST_ANSWER_SECONDS = 600.0
"""For so long after a check was planned, an answer that an earlier leader stored counts."""
_JITTER = 0.1


@dataclass
class CheckState:
    """The state of the check of one product. The caller passes the time, in seconds."""

    interval: float
    """Seconds between two checks."""
    planned: float
    """When the check was planned first."""
    result: Reported | None = None
    """The accepted answer, however old; None until the first."""
    _answered: float = 0.0
    """When the accepted answer came, or was confirmed by the same."""
    _last: Reported | None = None
    """The last answer, accepted or not."""
    _failures: int = 0
    """Answers in a row that carry a fault."""
    _unknowns: int = 0
    """Answers in a row that carry a fault and no setting."""
    remediations: DailyLimit = field(default_factory=DailyLimit)

    def record_answer(self, answer: Reported, now: float) -> bool:
        """Record an answer; whether it changes what counts.

        A few failures in a row do not replace an earlier answer that is not too old. If the product
        answered, and only its remediation failed, the answer counts at once.
        """
        before = self.current(now)
        self._last = answer
        self._failures = self._failures + 1 if answer.fault else 0
        self._unknowns = self._unknowns + 1 if _is_unknown(answer) else 0
        is_patient = 0 < self._unknowns < _FAILURE_THRESHOLD
        if is_patient and self.result and not _is_unknown(self.result) and not self._is_stale(now):
            return False
        self.result, self._answered = answer, now
        return self.current(now) != before

    def current(self, now: float) -> Reported | None:
        """What counts now: the accepted answer, or that it is too old; None before the first answer
        as long as one of an earlier leader may count."""
        if self.result is None:
            is_late = now >= self.planned + FIRST_ANSWER_SECONDS
            return Reported(fault=Reason.REPORT_STALE) if is_late else None
        if _is_unknown(self.result) or not self._is_stale(now):
            return self.result
        why = self._last.fault if self._last else None
        message = f"The last check: {why}. {self._last.message}" if why and self._last else ""
        return Reported(fault=Reason.REPORT_STALE, message=message.strip())

    def expires(self) -> float:
        """When ``current`` changes if no further answer comes."""
        if self.result is None:
            return self.planned + FIRST_ANSWER_SECONDS
        return self._answered + STALE_AFTER_INTERVALS * self.interval

    def _is_stale(self, now: float) -> bool:
        return now >= self.expires()

    def has_drifted(self, answer: Reported, desired: Submission) -> bool:
        """Whether the accepted answer was the desired setting and this one, which is not recorded
        yet, is the opposite."""
        wanted = setting_of(desired)
        was_right = self.result is not None and self.result.setting is wanted
        return was_right and answer.setting not in (wanted, Setting.UNKNOWN)

    def delay(self, retry_after: float, uniform: Callable[[float, float], float]) -> float:
        """Seconds until the next check: the interval, or after failures a delay that doubles from
        10 seconds up to the interval. Both have a jitter.

        A product may ask for more time by ``retry_after``, up to the interval.
        """
        asked = min(retry_after, self.interval)
        if not self._failures:
            return max(asked, self.interval * uniform(1 - _JITTER, 1 + _JITTER))
        longest = min(self.interval, _LONGEST_RETRY_SECONDS)
        retry = backoff_seconds(self._failures, _FIRST_RETRY_SECONDS, longest)
        return max(asked, retry * uniform(1, 1 + _JITTER))

    def reset(self, *, check_changed: bool) -> None:
        """Forget the failures, because a change may have ended them.

        If the check changed, also forget the remediations: they were of another desired setting.
        """
        self._failures = self._unknowns = 0
        if check_changed:
            self.remediations.clear()


def _is_unknown(answer: Reported) -> bool:
    return answer.fault is not None and answer.setting is Setting.UNKNOWN
