"""Which variables the containers of a workload should have, whatever may be written when."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from fleet_telemetry.api.policy import (
    ChannelName,
    Mode,
    OnConflict,
    Policy,
    Submission,
)
from fleet_telemetry.api.product.channel import ChannelRule, RefusedVariable
from fleet_telemetry.api.product.setting import Semantics, Setting
from fleet_telemetry.api.product.switch import Switch
from fleet_telemetry.api.reasons import Reason
from fleet_telemetry.api.variable_names import is_refused_name, is_refused_value
from fleet_telemetry.catalogue.matching import MatchedContainer
from fleet_telemetry.policy.precedence import EffectivePolicy
from fleet_telemetry.switches.exclusive import exclusive_switches, own_entries
from fleet_telemetry.switches.mechanism import has_desired_value
from fleet_telemetry.switches.overrides import read_overrides
from fleet_telemetry.switches.reading import setting_of
from fleet_telemetry.switches.registry import mechanism_of
from fleet_telemetry.workloads.workload import Container, EnvVar

_DO_NOT_TRACK = ("DO_NOT_TRACK", "1")
"""A convention of several vendors (https://consoledonottrack.com)."""

EffectivePolicies = Mapping[tuple[str, ChannelName], EffectivePolicy]
"""The effective policies by product and channel; channels without a policy are absent."""


@dataclass(frozen=True, slots=True)
class DesiredVariable:
    """A variable with its desired value; None if the variable has to be absent."""

    name: str
    value: str | None
    effective: EffectivePolicy
    switch: Switch | None = None
    """None for a related setting."""
    mechanism: str = "env"
    """The name of the mechanism that writes it."""

    @property
    def policy(self) -> Policy:
        """The policy that requires it."""
        return self.effective.policy

    @property
    def keeps_user_values(self) -> bool:
        """Whether another literal value of the user's is kept."""
        return self.effective.injection.on_conflict is OnConflict.KEEP

    def entry_in(self, container: Container) -> EnvVar | None:
        """The container's entry for it."""
        mechanism = mechanism_of(self.switch) if self.switch is not None else None
        if self.switch is None or mechanism is None:
            return container.variable(self.name)
        return mechanism.find(container, self.switch)

    @property
    def is_argument(self) -> bool:
        """Whether it is a word in ``args``; then ``value`` is the whole word."""
        return self.switch is not None and self.switch.argument is not None

    def met_in(self, container: Container) -> bool:
        """Whether the container has the desired setting."""
        mechanism = mechanism_of(self.switch) if self.switch is not None else None
        if self.switch is None or mechanism is None:
            return self.met_by(container.variable(self.name))
        return mechanism.is_met(container, self.switch, self.effective.desired)

    def obstacle_in(self, target: MatchedContainer) -> Reason | None:
        """Why it cannot be written; None if it can be."""
        mechanism = mechanism_of(self.switch) if self.switch is not None else None
        if self.switch is None or mechanism is None:
            return None
        if self.is_argument and read_overrides(target.container, self.switch) is not None:
            return Reason.SWITCH_OVERRIDDEN
        return mechanism.obstacle(target, self.switch, self.effective.desired)

    def met_by(self, entry: EnvVar | None) -> bool:
        """Whether an entry has the desired setting, in any spelling that the product accepts."""
        mechanism = mechanism_of(self.switch) if self.switch is not None else None
        if self.switch is not None and mechanism is not None:
            return has_desired_value(mechanism, self.switch, entry, self.effective.desired)
        if entry is None:
            return self.value is None
        return not entry.by_reference and entry.value == self.value


def desired_variables(
    target: MatchedContainer, effective: EffectivePolicies
) -> tuple[DesiredVariable, ...]:
    """What the enforcing policies require in a container. A switch overrides a related setting."""
    desired: dict[str, DesiredVariable] = {}
    for _, variable in _desired_switches(target, effective):
        desired.setdefault(variable.name, variable)
    settings: list[DesiredVariable] = []
    # A setting that is harmless to some versions may harm one that cannot be read.
    for _, in_effect, _ in enforced_rules(target, effective):
        settings.extend(related_settings(target, in_effect))
    refused = tuple(refused_variables(target))
    for variable in settings:
        if not any(refusal.is_named(variable.name) for refusal in refused) and not _is_excluded(
            target, variable.name, desired.values()
        ):
            desired.setdefault(variable.name, variable)
    return tuple(desired.values())


def enforced_rules(
    target: MatchedContainer, effective: EffectivePolicies
) -> Iterator[tuple[ChannelName, EffectivePolicy, ChannelRule]]:
    """The channels that a policy enforces, with the rule by which they are switched. None without a
    rule: which version runs cannot be read."""
    for channel in target.product.spec.channels:
        in_effect = effective.get((target.product.name, channel.name))
        if in_effect is not None and in_effect.enforced:
            rule = injectable_rule(target, channel.name)
            if rule is not None:
                yield channel.name, in_effect, rule


def _desired_switches(
    target: MatchedContainer, effective: EffectivePolicies
) -> Iterator[tuple[ChannelName, DesiredVariable]]:
    """The switches that the enforcing policies require, by channel. Two channels may have the same
    one; the first counts."""
    for channel, in_effect, rule in enforced_rules(target, effective):
        for switch in rule.switches:
            mechanism = mechanism_of(switch)
            if switch.resource is not None or not may_write(switch, in_effect):
                continue  # the controller sets the field of a custom resource
            if mechanism is not None and switch.semantics in (Semantics.SEED, Semantics.START):
                yield (
                    channel,
                    DesiredVariable(
                        name=mechanism.label(switch),
                        value=mechanism.value_for(switch, in_effect.desired),
                        effective=in_effect,
                        switch=switch,
                        mechanism=mechanism.name,
                    ),
                )


def contested_switches(
    target: MatchedContainer, effective: EffectivePolicies
) -> Iterator[tuple[ChannelName, str]]:
    """The switches, by channel, that are not set as the policy wants because another channel has
    the same one and is to have another setting."""
    first: dict[str, DesiredVariable] = {}
    for channel, variable in _desired_switches(target, effective):
        switch, written = variable.switch, first.setdefault(variable.name, variable).value
        if switch is None or written == variable.value:
            continue
        mechanism = mechanism_of(switch)
        read = Setting.UNSET
        if mechanism is not None and written is not None:
            read = mechanism.setting_of(switch, written)
        if read is not setting_of(variable.effective.desired):
            yield channel, variable.name


def may_write(switch: Switch, effective: EffectivePolicy) -> bool:
    """Whether the policy writes switches of this kind."""
    return switch.argument is None or effective.injection.arguments


def _is_excluded(target: MatchedContainer, name: str, desired: Iterable[DesiredVariable]) -> bool:
    """Whether the product does not start with a related setting and a switch that is to be set, or
    is set."""
    to_set = {one.name for one in desired if one.switch is not None and one.value is not None}
    return any(
        switch.env is not None
        and switch.env.excludes(name)
        and (switch.env.name in to_set or any(own_entries(target.container, switch)))
        for switch in exclusive_switches(target)
    )


def injectable_rule(target: MatchedContainer, channel: ChannelName) -> ChannelRule | None:
    """The rule for the version; if the version cannot be read, a rule that is harmless to all."""
    if not target.recognised or not target.product.has_channel(channel, target.image):
        return None
    found = target.rule(channel)
    return found.rule or target.product.harmless_rule(channel, target.image)


def related_settings(
    target: MatchedContainer, in_effect: EffectivePolicy
) -> Iterator[DesiredVariable]:
    """The policy's own settings for the product, then its conventions; without those that name a
    switch and those that no policy may set."""
    switches = list(target.product.switches(*in_effect.policy.spec.channels))
    for name, value in (*_own_settings(target, in_effect), *_conventions(in_effect)):
        refused = is_refused_name(name) or is_refused_value(value)
        if not refused and not any(names_switch(one, name) for one in switches):
            yield DesiredVariable(name, value, in_effect)


def _own_settings(
    target: MatchedContainer, in_effect: EffectivePolicy
) -> Iterator[tuple[str, str]]:
    for settings in in_effect.injection.settings:
        if settings.product == target.product.name:
            yield from ((setting.name, setting.value) for setting in settings.env)


def _conventions(in_effect: EffectivePolicy) -> Iterator[tuple[str, str]]:
    if in_effect.injection.do_not_track and in_effect.desired is Submission.DISABLED:
        yield _DO_NOT_TRACK


def names_switch(switch: Switch, name: str) -> bool:
    """Whether an entry of this name is the switch."""
    mechanism = mechanism_of(switch)
    return mechanism is not None and mechanism.is_named(switch, name)


def _names_beside_env(switch: Switch) -> Iterator[str]:
    """The name of a switch that is no variable."""
    mechanism = mechanism_of(switch)
    if mechanism is not None and switch.env is None and switch.resource is None:
        yield mechanism.label(switch)


def refused_variables(target: MatchedContainer) -> Iterator[RefusedVariable]:
    """The variables that the version refuses."""
    for channel in target.product.spec.channels:
        rule = target.product.rule_for(channel.name, target.image, target.version).rule
        if rule is not None:
            yield from rule.refuses


def refused_entries(container: Container, refusal: RefusedVariable) -> Iterator[EnvVar]:
    """The container's entries that are refused, in their spellings; of one name, the last."""
    yield from {e.name: e for e in container.env if refusal.is_named(e.name)}.values()


def kept_names(target: MatchedContainer, effective: EffectivePolicies) -> Iterator[str]:
    """The switches of a container whose version cannot be read: what was injected stays, unless a
    version that it may be refuses it."""
    for channel in target.product.spec.channels:
        in_effect = effective.get((target.product.name, channel.name))
        if in_effect is None or not in_effect.enforced:
            continue
        if injectable_rule(target, channel.name) is not None:
            continue
        rules = tuple(target.product.possible_rules(channel.name, target.image, target.version))
        refused = [refusal for rule in rules for refusal in rule.refuses]
        for switch in (switch for rule in rules for switch in rule.switches):
            yield from _names_beside_env(switch)
            for entry in target.container.env:
                is_refused = any(refusal.is_named(entry.name) for refusal in refused)
                if not is_refused and names_switch(switch, entry.name):
                    yield entry.name


def desired_names(target: MatchedContainer, desired: tuple[DesiredVariable, ...]) -> Iterator[str]:
    """The names of desired variables, in the spelling that the container has."""
    for variable in desired:
        entry = variable.entry_in(target.container)
        yield variable.name if entry is None else entry.name


def audited_names(target: MatchedContainer, effective: EffectivePolicies) -> Iterator[str]:
    """The variables that a policy with mode: Audit covers. It writes nothing, so they stay."""
    for (product, channel), in_effect in effective.items():
        if (
            product == target.product.name
            and in_effect.exempt is None
            and in_effect.policy.spec.mode is Mode.AUDIT
        ):
            yield from (variable.name for variable in related_settings(target, in_effect))
            for switch in target.product.switches(channel):
                yield from _names_beside_env(switch)
                env = target.container.env
                yield from (entry.name for entry in env if names_switch(switch, entry.name))
