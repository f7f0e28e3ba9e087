"""The evidence ``egress``: what network policies do with the channel's hosts.

It does not show the setting: a host that is denied may still be contacted, without success.
It is known only after network policies are written, so ``decide`` does not have it; ``with_egress``
adds it, and it completes a verdict on what a rule ``leaves``.
"""

from __future__ import annotations

from dataclasses import dataclass

from fleet_telemetry.api.policy import ChannelName
from fleet_telemetry.api.reasons import EgressReason
from fleet_telemetry.api.workload_telemetry import EgressVerdict
from fleet_telemetry.evidence.facts import Facts
from fleet_telemetry.evidence.verdict import Observation, Verdict

_LONGEST_MESSAGE = 4096


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


class EgressSource:
    """The finding of the egress reconciler."""

    name = "egress"
    rank = 0

    def observe(self, facts: Facts, product: str, channel: ChannelName) -> Observation | None:
        """See EvidenceSource."""
        del facts, product, channel
        return None

    def status(self, verdict: Verdict, finding: EgressFinding | None) -> dict[str, object]:
        """See EvidenceSource."""
        del verdict
        return {
            "egress": finding.verdict if finding else EgressVerdict.UNKNOWN,
            "egress_reason": finding.reason if finding else None,
            "egress_message": finding.message[:_LONGEST_MESSAGE] if finding else None,
        }
