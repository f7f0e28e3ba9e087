"""The evidence ``egress``: what the network does with a channel."""

from __future__ import annotations

from dataclasses import dataclass

from fleet_telemetry.api.reasons import EgressReason
from fleet_telemetry.api.workload_telemetry import EgressVerdict


@dataclass(frozen=True, slots=True)
class EgressFinding:
    """What the network does with one channel, and why."""

    verdict: EgressVerdict
    reason: EgressReason
    detail: str = ""

    @property
    def message(self) -> str:
        """For a person."""
        return f"{self.reason.meaning} {self.detail}".strip()
