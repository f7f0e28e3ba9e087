"""Which desired variables may be written now.

The desired variables do not depend on the trigger; ``when``, ``rollout`` and ``onConflict`` filter
them here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from fleet_telemetry.api.argument_names import is_refused_flag
from fleet_telemetry.api.policy import OnConflict, Policy, Rollout, When
from fleet_telemetry.api.product import RefusedVariable, Setting, Switch
from fleet_telemetry.api.variable_names import is_refused_name
from fleet_telemetry.api.workload_telemetry import InjectedVariable
from fleet_telemetry.catalogue.matching import MatchedContainer, version_changed
from fleet_telemetry.catalogue.product import Product
from fleet_telemetry.policy.precedence import EffectivePolicy
from fleet_telemetry.switches.argument_lists import (
    argument_edit,
    outdated_lists,
    revert_arguments,
    without_list,
)
from fleet_telemetry.switches.desired import (
    DesiredVariable,
    EffectivePolicies,
    audited_names,
    desired_names,
    desired_variables,
    kept_names,
    names_switch,
    refused_entries,
    refused_variables,
)
from fleet_telemetry.switches.edits import Edit, EditCause, SkippedEdit, Trigger
from fleet_telemetry.switches.exclusive import (
    entries_beside,
    exclusive_switches,
    may_be_beside,
    own_entries,
    pairs,
)
from fleet_telemetry.switches.overrides import read_switch
from fleet_telemetry.switches.ownership import injected_suspension, is_ours
from fleet_telemetry.switches.reading import ReadingSource, setting_of
from fleet_telemetry.switches.shared_values import may_replace
from fleet_telemetry.switches.start import doubt_of_start
from fleet_telemetry.switches.suspend import resumption
from fleet_telemetry.workloads.workload import Container, EnvVar, Workload

_DOUBTFUL = "it may have been set by what cannot be read"


@dataclass(frozen=True, slots=True)
class InjectionContext:
    """What triggers the decision, and the workload before it."""

    trigger: Trigger
    workload: Workload
    targets: tuple[MatchedContainer, ...]
    before: Workload | None = None
    targets_before: tuple[MatchedContainer, ...] = ()
    recorded: tuple[InjectedVariable, ...] = ()
    """What WorkloadTelemetry lists as injected, now or earlier."""

    def injected(self, container: Container, entry: EnvVar, switches: Iterable[Switch]) -> bool:
        """Whether the operator injected the entry."""
        return is_ours(self.workload, container, entry, switches, self.recorded)


def plan_edits(
    context: InjectionContext, effective: EffectivePolicies
) -> tuple[Edit | SkippedEdit, ...]:
    """What to write now, and what to skip. After the edits are made, it plans none."""
    edits: list[Edit | SkippedEdit] = []
    handled: dict[int, set[str]] = {}
    for given in context.targets:
        outdated: tuple[Edit, ...] = ()
        if _may_revert(context):
            outdated = tuple(outdated_lists(context.workload, given, context.recorded))
            edits.extend(outdated)
        target = without_list(given) if outdated else given
        desired = desired_variables(target, effective)
        refused = tuple(refused_variables(target))
        removals = (
            *_remove_refused(context, target, refused, effective),
            *_remove_exclusive(context, target),
        )
        edits.extend(removals)
        # Removing a variable that prevents the product from starting replaces its pods anyway, so
        # the setting of the present version may be added at the same time.
        rewriting = any(isinstance(removal, Edit) for removal in removals)
        removed = {edit.name for edit in removals}
        injected = tuple(
            edit
            for edit in _inject(context, target, desired, rewriting=rewriting)
            if not (isinstance(edit, Edit) and edit.value is None and edit.name in removed)
        )
        edits.extend(injected)
        handled[target.container.index] = {
            *desired_names(target, desired),
            *audited_names(target, effective),
            *kept_names(target, effective),
            *(entry.name for one in refused for entry in refused_entries(target.container, one)),
            *(edit.name for edit in (*removals, *injected)),
        }
    edits.extend(_revert(context, handled))
    return tuple(edits)


def _inject(
    context: InjectionContext,
    target: MatchedContainer,
    desired: Iterable[DesiredVariable],
    *,
    rewriting: bool,
) -> Iterator[Edit | SkippedEdit]:
    container, switches = target.container, target.product.all_switches
    for variable in desired:
        entry = variable.entry_in(container)
        if variable.met_in(container) or _is_forbidden(target.product, variable, entry):
            continue
        obstacle = variable.obstacle_in(target)
        ours = entry is not None and context.injected(container, entry, switches)
        skipped = _skip(context, target, variable, entry, ours=ours)
        if skipped is not None:
            yield skipped
            continue
        may_write = (
            _may_follow_policy(context, variable, rewriting=rewriting)
            if ours
            else _may_add(context, target, variable, rewriting=rewriting)
        )
        stood = _stood_before(context, target, variable)
        if not (may_write or (stood and _stays(context, target, variable))):
            if stood and entry is None:
                doubt = "" if _surely_stood_before(context, target, variable) else _DOUBTFUL
                yield SkippedEdit(
                    container.name,
                    variable.name,
                    EditCause.DROPPED,
                    variable.policy,
                    doubt,
                    mechanism=variable.mechanism,
                )
            continue
        if obstacle is not None:
            yield SkippedEdit(
                container.name,
                variable.name,
                EditCause.NOT_WRITABLE,
                variable.policy,
                note=obstacle,
                mechanism=variable.mechanism,
            )
            continue
        replaces = entry is not None and not ours and not variable.met_by(entry)
        cause = EditCause.OVERRIDDEN if replaces else EditCause.INJECTED
        note = ""
        if variable.switch is None:
            cause, note = EditCause.SETTING, "replacing another value" if replaces else ""
        else:
            note = _why_without_effect(target, variable.switch)
            if variable.value is None:
                note = _kept_by_product(variable.name, [variable.switch])
            if entry is None and stood and _surely_stood_before(context, target, variable):
                cause = EditCause.RESTORED
        yield from _make_room(container, variable)
        yield Edit(
            container=container.index,
            container_name=container.name,
            name=entry.name if entry is not None else variable.name,
            value=variable.value,
            cause=cause,
            policy=variable.policy,
            note=note,
            mechanism=variable.mechanism,
            argument=argument_edit(context.workload, target, variable.switch, context.recorded),
            section=_section(context, variable.effective),
        )


def _is_kept(variable: DesiredVariable, entry: EnvVar) -> bool:
    """Whether the policy keeps the user's entry. An argument with the desired setting that stands
    where the product may not read it is no other value: a word is added, and it stays."""
    if variable.is_argument and variable.value is not None and variable.met_by(entry):
        return False
    return variable.keeps_user_values


def _skip(
    context: InjectionContext,
    target: MatchedContainer,
    variable: DesiredVariable,
    entry: EnvVar | None,
    *,
    ours: bool,
) -> SkippedEdit | None:
    """Why an entry, or its absence, stays as it is at every trigger; None if nothing forbids it."""
    cause, note = None, ""
    if entry is not None and entry.by_reference:
        cause = EditCause.BY_REFERENCE
    elif entry is not None and not ours and _is_kept(variable, entry):
        cause = EditCause.KEPT
    elif entry is not None and not ours and _holds_more(target.product, variable, entry):
        cause = EditCause.HOLDS_MORE
    else:
        note = _unsafe_beside(context, target, variable, entry)
        cause = EditCause.NOT_BESIDE if note else None
    if cause is None:
        return None
    name = entry.name if entry is not None else variable.name
    return SkippedEdit(
        target.container.name,
        name,
        cause,
        variable.policy,
        note,
        mechanism=variable.mechanism,
    )


def _make_room(container: Container, variable: DesiredVariable) -> Iterator[Edit]:
    """Remove what was injected and excludes a switch that is written now. What others set has
    already kept the switch from being written."""
    if variable.switch is not None and variable.value is not None:
        for beside in entries_beside(container, variable.switch):
            yield _exclusive_removal(container, beside, variable.name)


def _unsafe_beside(
    context: InjectionContext,
    target: MatchedContainer,
    variable: DesiredVariable,
    entry: EnvVar | None,
) -> str:
    """What of the user's keeps the product from starting if the variable is set; empty if nothing
    does. A variable that is there already makes no new pair with what an ``envFrom`` may hold."""
    if variable.switch is None or variable.value is None:
        return ""
    container, switches = target.container, target.product.all_switches
    for beside in entries_beside(container, variable.switch):
        if not context.injected(container, beside, switches):
            return beside.name
    unread = may_be_beside(container, variable.switch) if entry is None else ""
    return f"{unread}, which the envFrom may hold" if unread else ""


def _is_forbidden(product: Product, variable: DesiredVariable, entry: EnvVar | None) -> bool:
    """Whether only a reviewed product may set the variable. The loader refuses other products that
    would; this is the second line."""
    name = variable.name if entry is None else entry.name
    if variable.is_argument:
        flag = variable.switch.argument if variable.switch is not None else None
        return product.origin is not None and flag is not None and is_refused_flag(flag.flag)
    return product.origin is not None and is_refused_name(name)


def _holds_more(product: Product, variable: DesiredVariable, entry: EnvVar) -> bool:
    return variable.switch is not None and not may_replace(product, variable.switch, entry.value)


def _may_add(
    context: InjectionContext,
    target: MatchedContainer,
    variable: DesiredVariable,
    *,
    rewriting: bool,
) -> bool:
    """Whether the policy adds settings at this trigger."""
    injection = variable.effective.injection
    if injection.when is When.NEVER:
        return False
    match context.trigger:
        case Trigger.CREATE:
            return True
        case Trigger.UPDATE:
            return (
                injection.when is When.ALWAYS
                or version_changed(_target_before(context, target), target)
                or missed_admission(context.workload, variable.policy)
            )
        case Trigger.RECONCILE:
            return rewriting or _may_rewrite(context.workload, variable.effective)


def _may_follow_policy(
    context: InjectionContext, variable: DesiredVariable, *, rewriting: bool
) -> bool:
    """Whether an injected value may change because its policy now asks for another one."""
    return (
        context.trigger is not Trigger.RECONCILE
        or rewriting
        or _may_rewrite(context.workload, variable.effective)
    )


def _may_rewrite(workload: Workload, effective: EffectivePolicy) -> bool:
    """Whether the controller may write between admissions."""
    return effective.injection.rollout is Rollout.IMMEDIATE or workload.restarts_no_pod


def missed_admission(workload: Workload, policy: Policy) -> bool:
    """Whether the workload was created under the policy: then its first install lasts until it has
    the setting. It was created while the webhook was unavailable, or while it was exempt."""
    return workload.created is not None and workload.created >= policy.created


def _why_without_effect(target: MatchedContainer, switch: Switch) -> str:
    """What keeps the switch from taking effect, if the container shows it."""
    reading = read_switch(target.container, switch)
    if reading.source is ReadingSource.OVERRIDE:
        return f"{reading.detail} overrides it"
    doubt = doubt_of_start(target, switch)
    return f"it may not reach the product, because of {doubt}" if doubt else ""


def _section(context: InjectionContext, effective: EffectivePolicy) -> str:
    """The field that permits an edit now, and its policy if that is another one."""
    injection, source = effective.injection, effective.injection_policy
    field = f"spec.injection.when: {injection.when}"
    if context.trigger is Trigger.RECONCILE and injection.rollout is Rollout.IMMEDIATE:
        field = f"spec.injection.rollout: {injection.rollout}"
    return f"{field} of {source}" if source is not None else field


def _stood_before(
    context: InjectionContext, target: MatchedContainer, variable: DesiredVariable
) -> bool:
    """Whether the container had the desired setting before the update, or may have had it."""
    if context.trigger is not Trigger.UPDATE or context.before is None:
        return False
    before = _target_before(context, target)
    if before is None:
        return False
    old = variable.entry_in(before.container)
    if old is not None and variable.met_by(old):
        return True
    if variable.is_argument and variable.value is None:
        return variable.met_in(before.container)
    if variable.switch is None or variable.value is None:
        return False
    # It may have stood there in another form: an argument, a reference, or a whole ConfigMap.
    reading = read_switch(before.container, variable.switch)
    return reading.setting in (setting_of(variable.effective.desired), Setting.UNKNOWN)


def _surely_stood_before(
    context: InjectionContext, target: MatchedContainer, variable: DesiredVariable
) -> bool:
    """Whether the container that had the setting, or may have had it, shows that it was written:
    whether a whole ConfigMap held it is not known."""
    before = _target_before(context, target)
    if before is None:
        return False
    if variable.switch is None:
        return True
    return read_switch(before.container, variable.switch).source is not ReadingSource.ENV_FROM


def _stays(context: InjectionContext, target: MatchedContainer, variable: DesiredVariable) -> bool:
    """Whether a setting that stood before the update stays, whoever drops it or turns it.

    Only with when: Never, what somebody else had written and drops is not added.
    """
    if variable.effective.injection.when is not When.NEVER:
        return True
    before = _target_before(context, target)
    old = variable.entry_in(before.container) if before is not None else None
    if before is None or context.before is None or old is None or not variable.met_by(old):
        return False
    was_ours = is_ours(
        context.before, before.container, old, target.product.all_switches, context.recorded
    )
    return was_ours or variable.entry_in(target.container) is not None


def _remove_refused(
    context: InjectionContext,
    target: MatchedContainer,
    refused: Iterable[RefusedVariable],
    effective: EffectivePolicies,
) -> Iterator[Edit | SkippedEdit]:
    """A refused variable only does harm. An injected one is removed at once, the user's own only
    with onConflict: Override."""
    container = target.container
    present = ((one, entry) for one in refused for entry in refused_entries(container, one))
    for refusal, entry in present:
        owner = None
        if not context.injected(container, entry, target.product.all_switches):
            owner = _strictest(target, effective)
            if owner is None:
                continue
            if _refused_value_holds_more(target.product, entry):
                yield SkippedEdit(
                    container.name, entry.name, EditCause.HOLDS_MORE, owner.policy, refusal.effect
                )
                continue
            if owner.injection.on_conflict is OnConflict.KEEP:
                yield SkippedEdit(
                    container.name, entry.name, EditCause.KEPT, owner.policy, refusal.effect
                )
                continue
            if context.trigger is Trigger.RECONCILE and not _may_rewrite(context.workload, owner):
                continue
        yield Edit(
            container=container.index,
            container_name=container.name,
            name=entry.name,
            value=None,
            cause=EditCause.REFUSED,
            policy=owner.policy if owner else None,
            note=refusal.effect,
            section="spec.injection.onConflict: Override" if owner else "",
        )


def _remove_exclusive(context: InjectionContext, target: MatchedContainer) -> Iterator[Edit]:
    """Of two variables with which the product does not start, an injected one is removed at once;
    so is an injected switch where an update adds an ``envFrom``. The user's own pair is reported.
    """
    container, switches = target.container, target.product.all_switches
    removed: dict[str, str] = {}
    for switch in exclusive_switches(target):
        ours = [
            own
            for own in own_entries(container, switch)
            if context.injected(container, own, switches)
        ]
        for own, beside in pairs(container, [switch]):
            if context.injected(container, beside, switches):
                removed.setdefault(beside.name, own.name)
            elif own in ours:
                removed.setdefault(own.name, beside.name)
        unread = may_be_beside(container, switch)
        if unread and _adds_env_from(context, target):
            for own in ours:
                removed.setdefault(own.name, f"{unread}, which the added envFrom may hold")
    for entry in container.env:
        if entry.name in removed:
            yield _exclusive_removal(container, entry, removed.pop(entry.name))


def _adds_env_from(context: InjectionContext, target: MatchedContainer) -> bool:
    """Whether an update adds an ``envFrom`` to a container that had none."""
    if context.trigger is not Trigger.UPDATE:
        return False
    before = _target_before(context, target)
    return target.container.has_env_from and not (before and before.container.has_env_from)


def _exclusive_removal(container: Container, entry: EnvVar, beside: str) -> Edit:
    return Edit(
        container=container.index,
        container_name=container.name,
        name=entry.name,
        value=None,
        cause=EditCause.EXCLUSIVE,
        note=f"the product does not start with it and {beside}",
    )


def _refused_value_holds_more(product: Product, entry: EnvVar) -> bool:
    """Whether removing a user's variable loses more than a switch. What a built-in product lists as
    refused is reviewed; a TelemetryProduct may only name its own switches."""
    if product.origin is None:
        return False
    own = [switch for switch in product.all_switches if names_switch(switch, entry.name)]
    return (
        not own
        or entry.by_reference
        or is_refused_name(entry.name)
        or not all(may_replace(product, switch, entry.value) for switch in own)
    )


def _strictest(target: MatchedContainer, effective: EffectivePolicies) -> EffectivePolicy | None:
    """The policy that decides on a variable of no single channel: one that overrides, else one
    that keeps."""
    enforcing = [
        in_effect
        for (product, _), in_effect in effective.items()
        if product == target.product.name and in_effect.enforced
    ]
    overriding = (e for e in enforcing if e.injection.on_conflict is OnConflict.OVERRIDE)
    return next(overriding, enforcing[0] if enforcing else None)


def _may_revert(context: InjectionContext) -> bool:
    """Whether removing something restarts no pod that would not restart anyway."""
    if context.trigger is Trigger.RECONCILE:
        return context.workload.restarts_no_pod
    return context.trigger is not Trigger.CREATE


def _revert(context: InjectionContext, handled: Mapping[int, set[str]]) -> Iterator[Edit]:
    """Remove what was injected and no policy asks for any more, if that restarts no pod that would
    not restart anyway; also from a container that ran a product before the update, or one that is
    no longer known, of which only the record is left."""
    if not _may_revert(context):
        return
    switches: dict[str, list[Switch]] = {}
    for target in (*context.targets, *context.targets_before):
        switches.setdefault(target.container.name, []).extend(target.product.all_switches)
    for container in context.workload.template.containers:
        for entry in container.env:
            if entry.name in handled.get(container.index, ()):
                continue
            if context.injected(container, entry, switches.get(container.name, ())):
                kept = _kept_by_product(entry.name, switches.get(container.name, ()))
                yield Edit(
                    container.index, container.name, entry.name, None, EditCause.REVERTED, note=kept
                )
        own = switches.get(container.name, ())
        suspension = injected_suspension(context.workload, container, own, context.recorded)
        if suspension is not None and suspension.name not in handled.get(container.index, ()):
            yield resumption(container)
        yield from revert_arguments(
            context.workload,
            container,
            switches.get(container.name, ()),
            context.recorded,
            handled.get(container.index, ()),
        )


def _kept_by_product(name: str, switches: Iterable[Switch]) -> str:
    """That a variable goes and its value stays, because starts store it; else empty."""
    for switch in switches:
        if switch.env is not None and switch.env.persists and switch.env.is_named(name):
            return "the product keeps the setting in its own data, so this does not revert it"
    return ""


def _target_before(context: InjectionContext, target: MatchedContainer) -> MatchedContainer | None:
    """The container before the update."""
    same_name = [
        before
        for before in context.targets_before
        if before.container.name == target.container.name
    ]
    return same_name[0] if same_name else None
