"""The evidence ``reported``: the setting that the product's own API reports."""

from __future__ import annotations

from fleet_telemetry.api.policy import ChannelName
from fleet_telemetry.api.reasons import Reason
from fleet_telemetry.evidence.egress import EgressFinding
from fleet_telemetry.evidence.facts import Facts
from fleet_telemetry.evidence.report import Reported
from fleet_telemetry.evidence.verdict import Observation, Verdict

_MOST_FIELDS = 256
_LONGEST_MESSAGE = 4096


class ReportedSource:
    """The last check of the product's API."""

    name = "reported"
    rank = 3

    def observe(self, facts: Facts, product: str, channel: ChannelName) -> Observation | None:
        """See EvidenceSource."""
        found = facts.reported.get((product, channel), Reported())
        reason = found.fault
        if reason is None and found.lacks_setting:
            reason = Reason.SETTING_NOT_REPORTED
        return Observation(
            setting=found.setting,
            effect=found.setting,
            last_submission=found.last_submission,
            inventory=found.inventory,
            reason=reason,
            message=f"{reason.meaning} {found.message}".strip() if reason else "",
        )

    def status(self, verdict: Verdict, finding: EgressFinding | None) -> dict[str, object]:
        """See EvidenceSource."""
        del finding
        seen = verdict.observed(self.name)
        return {
            self.name: seen.setting,
            "reported_reason": seen.reason,
            "reported_message": seen.message[:_LONGEST_MESSAGE] or None,
            "last_submission_time": seen.last_submission,
            "inventory": seen.inventory[:_MOST_FIELDS],
        }
