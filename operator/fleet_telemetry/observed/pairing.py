"""Whether a name server dropped reports before it sent them.

CoreDNS reports a question before it is answered, and drops what its queue does not hold, silently.
An answer whose question was not reported shows that. A dropped question with a dropped answer shows
nothing, but a queue that overflows drops many.
"""

from __future__ import annotations

from fleet_telemetry.observed.half import Half, QuestionKey
from fleet_telemetry.observed.lookup import LookupStage

MOST_QUESTIONS = 4096
"""Of a connection, less than 1 MB. Answers to questions before these are not judged."""


class Pairing:
    """The latest questions of one connection."""

    def __init__(self, most: int = MOST_QUESTIONS) -> None:
        self._most = most
        self._questions: dict[QuestionKey, None] = {}
        self._since: tuple[int, int] | None = None
        """The time of the questions from which on answers are judged; None if there is none."""

    def is_missing_its_question(self, half: Half) -> bool:
        """Whether the half is the answer to a question that should have been reported."""
        key = half.question
        if half.lookup.stage is LookupStage.ANSWER:
            # Some plugins answer more than once, so the question stays.
            is_judged = self._since is not None and key.asked > self._since
            return is_judged and key not in self._questions
        if self._since is None:
            # Questions before the connection was made were dropped, which is no loss of it.
            self._since = key.asked
        self._questions[key] = None
        if len(self._questions) > self._most:
            oldest = next(iter(self._questions))
            del self._questions[oldest]
            self._since = max(self._since, oldest.asked)
        return False

    def restart(self) -> None:
        """Reports were lost on our side, so what follows is judged anew."""
        self._questions.clear()
        self._since = None
