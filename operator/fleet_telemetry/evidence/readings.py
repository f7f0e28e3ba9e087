"""What containers say, each read once: several verdicts of one decision ask for the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from fleet_telemetry.api.policy import ChannelName
from fleet_telemetry.api.product.channel import ChannelRule
from fleet_telemetry.api.product.switch import Switch
from fleet_telemetry.catalogue.matching import MatchedContainer
from fleet_telemetry.catalogue.product import RuleLookup
from fleet_telemetry.switches.desired import injectable_rule
from fleet_telemetry.switches.overrides import read_switch
from fleet_telemetry.switches.reading import SwitchReading
from fleet_telemetry.switches.start import doubt_of_start

_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True)
class Readings:
    """A memory of pure functions. It holds what it was asked about, so an id stays that of the
    same object."""

    _known: dict[tuple[object, ...], tuple[object, object]] = field(default_factory=dict)

    def rule(self, target: MatchedContainer, channel: ChannelName) -> RuleLookup:
        """The rule for a container's version."""

        def look_up() -> RuleLookup:
            return target.rule(channel)

        return self.once(("rule", id(target), channel), target, look_up)

    def injectable_rule(self, target: MatchedContainer, channel: ChannelName) -> ChannelRule | None:
        """The rule whose switches may be set in a container."""

        def look_up() -> ChannelRule | None:
            found = self.rule(target, channel).rule
            return found or injectable_rule(target, channel)

        return self.once(("injectable", id(target), channel), target, look_up)

    def possible_rules(
        self, target: MatchedContainer, channel: ChannelName
    ) -> tuple[ChannelRule, ...]:
        """The rules of all versions that a container may have."""

        def look_up() -> tuple[ChannelRule, ...]:
            return tuple(target.product.possible_rules(channel, target.image, target.version))

        return self.once(("possible", id(target), channel), target, look_up)

    def reading(self, target: MatchedContainer, switch: Switch) -> SwitchReading:
        """What a container declares by a switch."""

        def read() -> SwitchReading:
            return read_switch(target.container, switch)

        return self.once(("reading", id(target), id(switch)), (target, switch), read)

    def doubt(self, target: MatchedContainer, switch: Switch) -> str:
        """What may change that before the product reads it; empty if nothing may."""

        def read() -> str:
            return doubt_of_start(target, switch)

        return self.once(("doubt", id(target), id(switch)), (target, switch), read)

    def once(self, key: tuple[object, ...], kept: object, answer: Callable[[], _Answer]) -> _Answer:
        """An answer, found once. ``kept`` are the objects whose ids are in the key."""
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = (kept, answer())
        return found[1]  # type: ignore[return-value]  # the key has one type of answer
