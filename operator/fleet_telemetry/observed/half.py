"""What one report of a name server holds."""

from __future__ import annotations

from typing import NamedTuple

from fleet_telemetry.observed.lookup import ReportedLookup


class QuestionKey(NamedTuple):
    """Which question it is; the answer's report has the same."""

    asked: tuple[int, int]
    """Seconds and nanoseconds, by the name server's clock."""
    address: bytes
    port: int


class Half(NamedTuple):
    """What one frame reports."""

    lookup: ReportedLookup
    question: QuestionKey
