"""One container of a workload that is to be judged, with its effective policy."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from fleet_telemetry.api.policy import ChannelName
from fleet_telemetry.api.product.channel import ChannelRule
from fleet_telemetry.api.product.setting import Setting
from fleet_telemetry.catalogue.matching import MatchedContainer
from fleet_telemetry.catalogue.product import RuleLookup
from fleet_telemetry.evidence.facts import Facts
from fleet_telemetry.evidence.pod_facts import PodFacts
from fleet_telemetry.evidence.report import Reported
from fleet_telemetry.policy.precedence import EffectivePolicy
from fleet_telemetry.switches.reading import setting_of

_NOT_REPORTED = Reported()


@dataclass(frozen=True)
class Case:
    """One container of the pod template, with its effective policy."""

    facts: Facts
    target: MatchedContainer
    channel: ChannelName
    effective: EffectivePolicy
    imagined: bool = False
    """The policy is imagined, to find out whether something is sent. Then nothing is said of a
    policy, and one switch that is on decides: all of them would have to be off."""
    new_data: bool = False
    """The product's data is taken to begin with the pods, as in a new installation."""

    @property
    def desired(self) -> Setting:
        """The setting that the policy asks for."""
        return setting_of(self.effective.desired)

    @property
    def report(self) -> Reported:
        """What the product reports."""
        return self.facts.reported.get((self.target.product.name, self.channel), _NOT_REPORTED)

    @cached_property
    def lookup(self) -> RuleLookup:
        """The rule for the container's version."""
        return self.facts.readings.rule(self.target, self.channel)

    @property
    def rule(self) -> ChannelRule:
        """The same, after the first workload check: there is one."""
        assert self.lookup.rule is not None, "the check _without_rule came first"
        return self.lookup.rule

    @cached_property
    def counterparts(self) -> list[tuple[PodFacts, MatchedContainer]]:
        """The pods' containers that run the same component."""
        return list(self.facts.counterparts([self.target], self.channel))
