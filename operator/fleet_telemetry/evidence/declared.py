"""The evidence ``declared``: the setting in the pod template."""

from __future__ import annotations

from collections.abc import Iterable

from fleet_telemetry.api.policy import ChannelName
from fleet_telemetry.api.product import DefaultState, Semantics, Setting
from fleet_telemetry.catalogue.matching import MatchedContainer
from fleet_telemetry.evidence.egress import EgressFinding
from fleet_telemetry.evidence.facts import Facts
from fleet_telemetry.evidence.verdict import Observation, Verdict
from fleet_telemetry.switches.desired import injectable_rule
from fleet_telemetry.switches.overrides import read_switch
from fleet_telemetry.switches.reading import nearest_to_sending, with_default


class DeclaredSource:
    """The containers of the workload's pod template."""

    name = "declared"
    rank = 1

    def observe(self, facts: Facts, product: str, channel: ChannelName) -> Observation | None:
        """See EvidenceSource."""
        return observe_containers(facts.targets_of(product, channel), channel)

    def status(self, verdict: Verdict, finding: EgressFinding | None) -> dict[str, object]:
        """See EvidenceSource."""
        del finding
        return {self.name: verdict.observed(self.name).setting}


def observe_containers(targets: Iterable[MatchedContainer], channel: ChannelName) -> Observation:
    """The setting of several containers."""
    every = tuple(targets)
    return Observation(
        setting=_setting(every, channel, effect=False), effect=_setting(every, channel, effect=True)
    )


def _setting(targets: Iterable[MatchedContainer], channel: ChannelName, *, effect: bool) -> Setting:
    settings = []
    for target in targets:
        rule = injectable_rule(target, channel)
        if rule is None:
            settings.append(Setting.UNKNOWN)
            continue
        for switch in rule.switches:
            reading = read_switch(target.container, switch)
            # An unset seed shows nothing about data that may have existed before.
            if effect and switch.semantics is Semantics.START:
                reading = with_default(reading, rule.default)
            settings.append(reading.setting)
        if not rule.switches:
            silent = effect and rule.default is DefaultState.NO_TELEMETRY
            settings.append(Setting.DISABLED if silent else Setting.UNSET)
    return nearest_to_sending(settings)
