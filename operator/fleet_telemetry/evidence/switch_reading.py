"""What a container's switch amounts to, by the version of the container."""

from __future__ import annotations

from fleet_telemetry.api.product.channel import ChannelRule
from fleet_telemetry.api.product.setting import Semantics, Setting
from fleet_telemetry.api.product.switch import Switch
from fleet_telemetry.catalogue.matching import MatchedContainer
from fleet_telemetry.evidence.case import Case
from fleet_telemetry.switches.reading import (
    ReadingSource,
    SwitchReading,
    farthest_from,
    with_default,
)
from fleet_telemetry.switches.registry import label_of, mechanism_of


def read_effect(
    case: Case, target: MatchedContainer, switch: Switch, rule: ChannelRule | None
) -> SwitchReading:
    """The effect of a container's switch, by the switch that its own version has in its place."""
    if rule is None:
        return SwitchReading(Setting.UNKNOWN, ReadingSource.UNREADABLE, target.reference)
    if not rule.switches:
        # That version reads no switch, whatever is set.
        return with_default(SwitchReading(Setting.UNSET, ReadingSource.NOTHING), rule.default)
    label = label_of(switch)
    same = [one for one in rule.switches if mechanism_of(one) and label_of(one) == label]
    switches = same or list(rule.switches)
    if switch.semantics is Semantics.START and any(s.semantics is Semantics.SEED for s in switches):
        # The pod's version reads it once only, so that it runs with the setting is not proven.
        return SwitchReading(Setting.UNKNOWN, ReadingSource.NOTHING)
    readings = []
    for one in switches:
        persists = one.env is not None and one.env.persists
        reading = case.facts.readings.reading(target, one)
        reading = with_default(reading, rule.default, persists=persists)
        doubt = case.facts.readings.doubt(target, one)
        readings.append(_doubted(reading, case.desired, doubt) if doubt else reading)
    return farthest_from(case.desired, readings)


def _doubted(reading: SwitchReading, desired: Setting, doubt: str) -> SwitchReading:
    """A reading of a container whose start may change variables: only the opposite stands."""
    if reading.setting is desired:
        return SwitchReading(Setting.UNKNOWN, ReadingSource.START, doubt)
    if reading.source is ReadingSource.DEFAULT:
        return SwitchReading(Setting.UNKNOWN, ReadingSource.START_UNSET, doubt)
    return reading
