"""The evidence ``running``: the setting that the pods were started with."""

from __future__ import annotations

from fleet_telemetry.api.policy import ChannelName
from fleet_telemetry.evidence.declared import observe_containers
from fleet_telemetry.evidence.facts import Facts, counterparts
from fleet_telemetry.evidence.source import EvidenceSource
from fleet_telemetry.evidence.verdict import Observation


class RunningSource(EvidenceSource):
    """The containers of the workload's pods."""

    name = "running"
    rank = 2

    def observe(self, facts: Facts, product: str, channel: ChannelName) -> Observation | None:
        """See EvidenceSource."""
        targets = facts.targets_of(product, channel)
        found = (target for _, target in counterparts(facts.pods, targets))
        return observe_containers(found, channel)
