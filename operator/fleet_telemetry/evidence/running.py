"""The evidence ``running``: the setting that the pods were started with."""

from __future__ import annotations

from fleet_telemetry.api.policy import ChannelName
from fleet_telemetry.catalogue.matching import MatchedContainer
from fleet_telemetry.evidence.declared import observe_containers
from fleet_telemetry.evidence.facts import Facts
from fleet_telemetry.evidence.source import EvidenceSource
from fleet_telemetry.evidence.verdict import Observation
from fleet_telemetry.switches.suspend import is_suspended


class RunningSource(EvidenceSource):
    """The containers of the workload's pods."""

    name = "running"
    rank = 2

    def observe(self, facts: Facts, product: str, channel: ChannelName) -> Observation | None:
        """See EvidenceSource."""
        targets = facts.targets_of(product, channel)
        found = (
            target
            for pod, target in facts.counterparts(targets, channel)
            # What has finished says nothing of a CronJob that starts nothing more.
            if not (pod.finished and _is_suspended_by_switch(facts, target, channel))
        )
        return observe_containers(facts.readings, found, channel)


def _is_suspended_by_switch(facts: Facts, target: MatchedContainer, channel: ChannelName) -> bool:
    rules = facts.readings.possible_rules(target, channel)
    by_switch = any(switch.suspend for rule in rules for switch in rule.switches)
    return by_switch and any(map(is_suspended, facts.workload.template.containers))
