"""The evidence ``declared``: the setting in the pod template."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fleet_telemetry.api.policy import ChannelName
from fleet_telemetry.api.product.setting import DefaultState, Semantics, Setting
from fleet_telemetry.catalogue.matching import MatchedContainer
from fleet_telemetry.evidence.facts import Facts
from fleet_telemetry.evidence.readings import Readings
from fleet_telemetry.evidence.source import EvidenceSource
from fleet_telemetry.evidence.verdict import Observation
from fleet_telemetry.switches.reading import nearest_to_sending, with_default


class DeclaredSource(EvidenceSource):
    """The containers of the workload's pod template."""

    name = "declared"
    rank = 1

    def observe(self, facts: Facts, product: str, channel: ChannelName) -> Observation | None:
        """See EvidenceSource."""
        return observe_containers(facts.readings, facts.targets_of(product, channel), channel)


def observe_containers(
    readings: Readings, targets: Iterable[MatchedContainer], channel: ChannelName
) -> Observation:
    """The setting of several containers."""
    found = [pair for target in targets for pair in _settings(readings, target, channel)]
    return Observation(
        setting=nearest_to_sending(setting for setting, _ in found),
        effect=nearest_to_sending(effect for _, effect in found),
    )


def _settings(
    readings: Readings, target: MatchedContainer, channel: ChannelName
) -> Iterator[tuple[Setting, Setting]]:
    """The setting of each switch of a container, and its effect."""
    rule = readings.injectable_rule(target, channel)
    if rule is None:
        yield Setting.UNKNOWN, Setting.UNKNOWN
        return
    stopping = [s for s in rule.switches if s.sufficient]
    stops = [s for s in stopping if readings.reading(target, s).setting is Setting.DISABLED]
    # A switch that is sufficient alone decides if it disables, and says nothing if it does not.
    for switch in stops or [s for s in rule.switches if s not in stopping] or rule.switches:
        reading = readings.reading(target, switch)
        # An unset seed shows nothing about data that may have existed before.
        starts = switch.semantics is Semantics.START or switch.resource is not None
        persists = switch.env is not None and switch.env.persists
        effect = with_default(reading, rule.default, persists=persists) if starts else reading
        if readings.doubt(target, switch):
            yield _unless_enabled(reading.setting), _unless_enabled(effect.setting)
        else:
            yield reading.setting, effect.setting
    if not rule.switches:
        silent = rule.default is DefaultState.NO_TELEMETRY
        yield Setting.UNSET, Setting.DISABLED if silent else Setting.UNSET


def _unless_enabled(setting: Setting) -> Setting:
    """A setting that may not reach the product: that it sends is what has to be expected."""
    return setting if setting is Setting.ENABLED else Setting.UNKNOWN
