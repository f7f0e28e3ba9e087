"""Which variables a workload's containers should have, and what may be written when.

The wishes come first and know nothing of occasions; ``mode``, ``when``, ``rollout`` and
``onConflict`` are filters over them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from fleet_telemetry.api.policy import (
    ChannelName,
    Mode,
    OnConflict,
    Policy,
    Rollout,
    When,
)
from fleet_telemetry.api.product import (
    ChannelRule,
    EnvSwitch,
    RefusedVariable,
    Semantics,
)
from fleet_telemetry.api.workload_telemetry import InjectedVariable
from fleet_telemetry.catalogue.matching import MatchedContainer, version_changed
from fleet_telemetry.policy.precedence import EffectivePolicy
from fleet_telemetry.switches.edits import Cause, Edit, SkippedEdit, Trigger
from fleet_telemetry.switches.reading import find_variable, is_expanded, setting_of
from fleet_telemetry.workloads.workload import Container, EnvVar, Workload

EffectivePolicies = Mapping[tuple[str, ChannelName], EffectivePolicy]
"""Who decides, by product and channel; channels without a policy are absent."""


@dataclass(frozen=True, slots=True)
class Wish:
    """A variable that a policy wants to have a value, or to be absent (None)."""

    name: str
    value: str | None
    policy: Policy
    effective: EffectivePolicy
    switch: EnvSwitch | None = None
    """The switch, or None for a related setting."""

    @property
    def lets_users_keep(self) -> bool:
        """Whether a literal value that the user wrote to the contrary stays."""
        return self.effective.injection.on_conflict is OnConflict.KEEP

    def entry_in(self, container: Container) -> EnvVar | None:
        """The entry that stands for it in a container."""
        if self.switch is not None:
            return find_variable(container, self.switch)
        return container.variable(self.name)

    def met_by(self, entry: EnvVar | None) -> bool:
        """Whether an entry already says so, in whatever words the product accepts."""
        if entry is None:
            return self.value is None
        if entry.by_reference:
            return False
        if entry.value == self.value:
            return True
        if self.switch is None or is_expanded(entry.value):
            return False
        return self.switch.setting_of(entry.value) is setting_of(self.effective.desired)


@dataclass(frozen=True, slots=True)
class InjectionContext:
    """What gives the occasion to write, with what stood there before."""

    trigger: Trigger
    workload: Workload
    targets: tuple[MatchedContainer, ...]
    before: Workload | None = None
    targets_before: tuple[MatchedContainer, ...] = ()
    recorded: tuple[InjectedVariable, ...] = ()
    """What WorkloadTelemetry says stands there because of us."""


def plan_edits(
    occasion: InjectionContext, effective: EffectivePolicies
) -> tuple[Edit | SkippedEdit, ...]:
    """What to write now, and what to remark. Applied once, it plans nothing more to write."""
    edits: list[Edit | SkippedEdit] = []
    handled: dict[int, set[str]] = {}
    for target in occasion.targets:
        wishes = wishes_for(target, effective)
        refused = tuple(_refused_variables(target))
        removals = tuple(_remove_refused(occasion, target, refused, effective))
        edits.extend(removals)
        # Removing what keeps a product from starting replaces its pods anyway, so the setting of
        # the version it runs now may come along.
        rewriting = any(isinstance(removal, Edit) for removal in removals)
        edits.extend(_grant(occasion, target, wishes, rewriting=rewriting))
        handled[target.container.index] = {
            *_wished_names(target, wishes),
            *_audited_names(target, effective),
            *(refusal.env for refusal in refused),
        }
    edits.extend(_take_back(occasion, handled))
    return tuple(edits)


def wishes_for(target: MatchedContainer, effective: EffectivePolicies) -> tuple[Wish, ...]:
    """What the enforcing policies want this container to have. A switch beats a setting."""
    wishes: dict[str, Wish] = {}
    settings: list[Wish] = []
    for channel in target.product.spec.channels:
        in_effect = effective.get((target.product.name, channel.name))
        if in_effect is None or not in_effect.enforced:
            continue
        rule = injectable_rule(target, channel.name)
        if rule is None:
            continue  # what does no harm to some versions may harm the one that it is
        for switch in rule.switches:
            if switch.env is not None and switch.semantics in (Semantics.SEED, Semantics.START):
                value = switch.env.value_for(in_effect.desired)
                wish = Wish(switch.env.name, value, in_effect.policy, in_effect, switch.env)
                wishes.setdefault(wish.name, wish)
        settings.extend(_settings(target, in_effect))
    refused = {refusal.env for refusal in _refused_variables(target)}
    for wish in settings:
        if wish.name not in refused:
            wishes.setdefault(wish.name, wish)
    return tuple(wishes.values())


def injectable_rule(target: MatchedContainer, channel: ChannelName) -> ChannelRule | None:
    """The rule for the target's version; where that cannot be read, one that does no harm."""
    if not target.product.has_channel(channel, target.image):
        return None
    found = target.product.rule_for(channel, target.image, target.version)
    return found.rule or target.product.harmless_rule(channel, target.image)


def _settings(target: MatchedContainer, in_effect: EffectivePolicy) -> Iterator[Wish]:
    switches = target.product.switches(*in_effect.policy.spec.channels)
    variables = [switch.env for switch in switches if switch.env is not None]
    for settings in in_effect.injection.settings:
        if settings.product == target.product.name:
            for setting in settings.env:
                if not any(variable.is_named(setting.name) for variable in variables):
                    yield Wish(setting.name, setting.value, in_effect.policy, in_effect)


def _refused_variables(target: MatchedContainer) -> Iterator[RefusedVariable]:
    for channel in target.product.spec.channels:
        rule = target.product.rule_for(channel.name, target.image, target.version).rule
        if rule is not None:
            yield from rule.refuses


def _grant(
    occasion: InjectionContext, target: MatchedContainer, wishes: Iterable[Wish], *, rewriting: bool
) -> Iterator[Edit | SkippedEdit]:
    container = target.container
    for wish in wishes:
        entry = wish.entry_in(container)
        if wish.met_by(entry):
            continue
        switches = target.product.variables
        ours = entry is not None and _is_ours(occasion, container, entry, switches)
        if entry is not None and entry.by_reference:
            yield SkippedEdit(container.name, entry.name, Cause.BY_REFERENCE, wish.policy)
        elif entry is not None and not ours and wish.lets_users_keep:
            yield SkippedEdit(container.name, entry.name, Cause.KEPT, wish.policy)
        elif (
            (ours and _may_turn(occasion, wish, rewriting=rewriting))
            or _may_add(occasion, target, wish, rewriting=rewriting)
            or _is_kept(occasion, target, wish)
        ):
            name = entry.name if entry is not None else wish.name
            replaces = entry is not None and not ours
            cause = Cause.OVERRIDDEN if replaces else Cause.INJECTED
            note = ""
            if wish.switch is None:
                cause, note = Cause.SETTING, "replacing another value" if replaces else ""
            yield Edit(container.index, container.name, name, wish.value, cause, wish.policy, note)


def _may_add(
    occasion: InjectionContext, target: MatchedContainer, wish: Wish, *, rewriting: bool
) -> bool:
    """Whether the occasion is one at which the policy adds settings."""
    injection = wish.effective.injection
    if injection.when is When.NEVER:
        return False
    match occasion.trigger:
        case Trigger.CREATE:
            return True
        case Trigger.UPDATE:
            return (
                injection.when is When.ALWAYS
                or version_changed(_target_before(occasion, target), target)
                or missed_admission(occasion.workload, wish.policy)
            )
        case Trigger.RECONCILE:
            return rewriting or _may_rewrite(occasion.workload, wish.effective)


def _may_turn(occasion: InjectionContext, wish: Wish, *, rewriting: bool) -> bool:
    """Whether a value of ours may follow its policy, which now wishes something else."""
    return (
        occasion.trigger is not Trigger.RECONCILE
        or rewriting
        or _may_rewrite(occasion.workload, wish.effective)
    )


def _may_rewrite(workload: Workload, effective: EffectivePolicy) -> bool:
    """Whether the controller may write between admissions."""
    return effective.injection.rollout is Rollout.IMMEDIATE or workload.restarts_no_pod


def missed_admission(workload: Workload, policy: Policy) -> bool:
    """Whether the workload was created under the policy, so that its first install is not over
    until it has the setting: it came while the webhook was away, or while it was exempt."""
    return workload.created is not None and workload.created >= policy.created


def _is_kept(occasion: InjectionContext, target: MatchedContainer, wish: Wish) -> bool:
    """Whether the setting stood there before the update because of us."""
    if occasion.trigger is not Trigger.UPDATE or occasion.before is None:
        return False
    before = _target_before(occasion, target)
    if before is None:
        return False
    old = wish.entry_in(before.container)
    if old is None or not wish.met_by(old):
        return False
    # With a claim it was overridden, or the user's own: what they then remove stays removed,
    # but what they turn to the contrary is overridden again.
    unclaimed = not occasion.before.field_owners.covers(before.container.name, old.name)
    return unclaimed or wish.entry_in(target.container) is not None


def _remove_refused(
    occasion: InjectionContext,
    target: MatchedContainer,
    refused: Iterable[RefusedVariable],
    effective: EffectivePolicies,
) -> Iterator[Edit | SkippedEdit]:
    """A refused variable only does harm. Ours goes at once, the user's own under Override."""
    container = target.container
    for refusal in refused:
        entry = container.variable(refusal.env)
        if entry is None:
            continue
        owner = None
        if not _is_ours(occasion, container, entry, target.product.variables):
            owner = _strictest(target, effective)
            if owner is None:
                continue
            if owner.injection.on_conflict is OnConflict.KEEP:
                yield SkippedEdit(
                    container.name, entry.name, Cause.KEPT, owner.policy, refusal.effect
                )
                continue
            if occasion.trigger is Trigger.RECONCILE and not _may_rewrite(occasion.workload, owner):
                continue
        yield Edit(
            container=container.index,
            container_name=container.name,
            name=entry.name,
            value=None,
            cause=Cause.REFUSED,
            policy=owner.policy if owner else None,
            note=refusal.effect,
        )


def _strictest(target: MatchedContainer, effective: EffectivePolicies) -> EffectivePolicy | None:
    """Who decides on a variable of no single channel: whoever overrides, else whoever keeps."""
    enforcing = [
        in_effect
        for (product, _), in_effect in effective.items()
        if product == target.product.name and in_effect.enforced
    ]
    overriding = (g for g in enforcing if g.injection.on_conflict is OnConflict.OVERRIDE)
    return next(overriding, enforcing[0] if enforcing else None)


def _wished_names(target: MatchedContainer, wishes: Iterable[Wish]) -> Iterator[str]:
    """Variables that a policy wishes, in the spelling that they have."""
    for wish in wishes:
        entry = wish.entry_in(target.container)
        yield wish.name if entry is None else entry.name


def _audited_names(target: MatchedContainer, effective: EffectivePolicies) -> Iterator[str]:
    """Variables that an auditing policy speaks of: it writes nothing, so they stay as they are."""
    for (product, channel), in_effect in effective.items():
        if (
            product == target.product.name
            and in_effect.exempt is None
            and in_effect.policy.spec.mode is Mode.AUDIT
        ):
            yield from (wish.name for wish in _settings(target, in_effect))
            for switch in target.product.switches(channel):
                if switch.env is not None:
                    env = target.container.env
                    yield from (entry.name for entry in env if switch.env.is_named(entry.name))


def _take_back(occasion: InjectionContext, handled: Mapping[int, set[str]]) -> Iterator[Edit]:
    """What we put there and nobody wishes any more goes, at an occasion that restarts nothing
    that would not have restarted anyway. So it also goes from a container that ran a product
    before the update."""
    if occasion.trigger is Trigger.CREATE or (
        occasion.trigger is Trigger.RECONCILE and not occasion.workload.restarts_no_pod
    ):
        return
    variables: dict[str, list[EnvSwitch]] = {}
    for target in (*occasion.targets, *occasion.targets_before):
        variables.setdefault(target.container.name, []).extend(target.product.variables)
    for container in occasion.workload.template.containers:
        if container.name not in variables:
            continue
        switches = variables[container.name]
        for entry in container.env:
            if entry.name in handled.get(container.index, ()):
                continue
            if _is_ours(occasion, container, entry, switches):
                yield Edit(container.index, container.name, entry.name, None, Cause.TAKEN_BACK)


def _is_ours(
    occasion: InjectionContext, container: Container, entry: EnvVar, switches: Sequence[EnvSwitch]
) -> bool:
    """Whether we put the entry there: a switch, or a related setting that was recorded."""
    return is_ours(occasion.workload, container, entry, switches) or (
        InjectedVariable(container=container.name, name=entry.name, value=entry.value)
        in occasion.recorded
        and not entry.by_reference
        and not occasion.workload.field_owners.covers(container.name, entry.name)
    )


def is_ours(
    workload: Workload, container: Container, entry: EnvVar, switches: Sequence[EnvSwitch]
) -> bool:
    """Whether admission put the entry there for us: a catalogue name, one of our values, and no
    manager that claims it."""
    return (
        not entry.by_reference
        and not workload.field_owners.covers(container.name, entry.name)
        and any(
            switch.is_named(entry.name) and entry.value in (switch.disabled, switch.enabled)
            for switch in switches
        )
    )


def _target_before(occasion: InjectionContext, target: MatchedContainer) -> MatchedContainer | None:
    """The container that this one was before the update."""
    same_name = [
        before
        for before in occasion.targets_before
        if before.container.name == target.container.name
    ]
    return same_name[0] if same_name else None
