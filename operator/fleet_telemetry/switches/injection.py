"""Which desired variables are written now.

The desired variables do not depend on the trigger; ``when``, ``rollout`` and ``onConflict`` filter
them here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fleet_telemetry.api.policy import Rollout
from fleet_telemetry.api.product.switch import Switch
from fleet_telemetry.catalogue.matching import MatchedContainer
from fleet_telemetry.policy.precedence import EffectivePolicy
from fleet_telemetry.switches.argument_lists import argument_edit, outdated_lists, without_list
from fleet_telemetry.switches.desired import (
    DesiredVariable,
    EffectivePolicies,
    audited_names,
    desired_names,
    desired_variables,
    kept_names,
    refused_entries,
    refused_variables,
)
from fleet_telemetry.switches.earlier_settings import stays, stood_before, surely_stood_before
from fleet_telemetry.switches.edits import Edit, EditCause, SkippedEdit, Trigger
from fleet_telemetry.switches.injection_context import InjectionContext
from fleet_telemetry.switches.overrides import read_switch
from fleet_telemetry.switches.reading import ReadingSource
from fleet_telemetry.switches.removals import make_room, remove_exclusive, remove_refused
from fleet_telemetry.switches.reverting import kept_by_product, revert_injected
from fleet_telemetry.switches.skipped_edits import find_skipped, is_forbidden
from fleet_telemetry.switches.start import doubt_of_start
from fleet_telemetry.switches.write_timing import may_add, may_follow_policy, may_revert

_DOUBTFUL = "it may have been set by what cannot be read"


def plan_edits(
    context: InjectionContext, effective: EffectivePolicies
) -> tuple[Edit | SkippedEdit, ...]:
    """What to write now, and what to skip. After the edits are made, it plans none."""
    edits: list[Edit | SkippedEdit] = []
    handled: dict[int, set[str]] = {}
    for given in context.targets:
        outdated: tuple[Edit, ...] = ()
        if may_revert(context):
            outdated = tuple(outdated_lists(context.workload, given, context.recorded))
            edits.extend(outdated)
        target = without_list(given) if outdated else given
        desired = desired_variables(target, effective)
        refused = tuple(refused_variables(target))
        removals = (
            *remove_refused(context, target, refused, effective),
            *remove_exclusive(context, target),
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
    edits.extend(revert_injected(context, handled))
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
        if variable.met_in(container) or is_forbidden(target.product, variable, entry):
            continue
        obstacle = variable.obstacle_in(target)
        ours = entry is not None and context.injected(container, entry, switches)
        skipped = find_skipped(context, target, variable, entry, ours=ours)
        if skipped is not None:
            yield skipped
            continue
        may_write = (
            may_follow_policy(context, variable, rewriting=rewriting)
            if ours
            else may_add(context, target, variable, rewriting=rewriting)
        )
        stood = stood_before(context, target, variable)
        if not (may_write or (stood and stays(context, target, variable))):
            if stood and entry is None:
                doubt = "" if surely_stood_before(context, target, variable) else _DOUBTFUL
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
                note = kept_by_product(variable.name, [variable.switch])
            if entry is None and stood and surely_stood_before(context, target, variable):
                cause = EditCause.RESTORED
        yield from make_room(container, variable)
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
