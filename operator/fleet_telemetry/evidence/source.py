"""What the operator needs to know of a source of evidence.

A source is one file beside this one, one line in ``registry.py``, and its fields in
``ChannelStatus``.
"""

from __future__ import annotations

from typing import Protocol

from fleet_telemetry.api.policy import ChannelName
from fleet_telemetry.evidence.egress import EgressFinding
from fleet_telemetry.evidence.facts import Facts
from fleet_telemetry.evidence.verdict import Observation, Verdict


class EvidenceSource(Protocol):
    """One source of evidence on a channel."""

    name: str
    """The field of ``ChannelStatus`` with its setting, and the label ``evidence`` of metrics."""
    rank: int
    """A source overrides those of a lower rank. 0: it does not speak of the setting at all."""

    def observe(self, facts: Facts, product: str, channel: ChannelName) -> Observation | None:
        """What it shows of a channel; None if it never shows a setting."""

    def status(self, verdict: Verdict, finding: EgressFinding | None) -> dict[str, object]:
        """Its fields of ``ChannelStatus``, by their Python names. Default: its setting alone."""
        del finding
        return {self.name: verdict.observed(self.name).setting}
