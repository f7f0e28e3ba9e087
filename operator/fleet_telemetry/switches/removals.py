"""Removes variables that keep the product from starting, or only do harm."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fleet_telemetry.api.policy import OnConflict
from fleet_telemetry.api.product.channel import RefusedVariable
from fleet_telemetry.api.variable_names import is_refused_name
from fleet_telemetry.catalogue.matching import MatchedContainer
from fleet_telemetry.catalogue.product import Product
from fleet_telemetry.policy.precedence import EffectivePolicy
from fleet_telemetry.switches.desired import (
    DesiredVariable,
    EffectivePolicies,
    names_switch,
    refused_entries,
)
from fleet_telemetry.switches.edits import Edit, EditCause, SkippedEdit, Trigger
from fleet_telemetry.switches.exclusive import (
    entries_beside,
    exclusive_switches,
    may_be_beside,
    own_entries,
    pairs,
)
from fleet_telemetry.switches.injection_context import InjectionContext, target_before
from fleet_telemetry.switches.shared_values import may_replace
from fleet_telemetry.switches.write_timing import may_rewrite
from fleet_telemetry.workloads.workload import Container, EnvVar


def make_room(container: Container, variable: DesiredVariable) -> Iterator[Edit]:
    """Remove what was injected and excludes a switch that is written now. What others set has
    already kept the switch from being written."""
    if variable.switch is not None and variable.value is not None:
        for beside in entries_beside(container, variable.switch):
            yield _exclusive_removal(container, beside, variable.name)


def remove_refused(
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
            if context.trigger is Trigger.RECONCILE and not may_rewrite(context.workload, owner):
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


def remove_exclusive(context: InjectionContext, target: MatchedContainer) -> Iterator[Edit]:
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
    before = target_before(context, target)
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
