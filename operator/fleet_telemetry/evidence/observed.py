"""The evidence ``observed``: what the pods asked of the cluster's DNS.

It does not show the setting: a lookup is an attempt, and the network may keep it from the host.
"""

from __future__ import annotations

from fleet_telemetry.api.policy import ChannelName
from fleet_telemetry.evidence.egress import EgressFinding
from fleet_telemetry.evidence.facts import Facts
from fleet_telemetry.evidence.verdict import Observation, Verdict


class ObservedSource:
    """The lookups of the workload's pods."""

    name = "observed"
    rank = 0

    def observe(self, facts: Facts, product: str, channel: ChannelName) -> Observation | None:
        """See EvidenceSource."""
        del facts, product, channel
        return None

    def status(self, verdict: Verdict, finding: EgressFinding | None) -> dict[str, object]:
        """See EvidenceSource."""
        del verdict, finding
        return {}
