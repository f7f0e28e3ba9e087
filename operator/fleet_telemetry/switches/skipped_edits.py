"""Why an entry, or its absence, stays as it is, although a policy desires another value."""

from __future__ import annotations

from fleet_telemetry.api.argument_names import is_refused_flag
from fleet_telemetry.api.variable_names import is_refused_name
from fleet_telemetry.catalogue.matching import MatchedContainer
from fleet_telemetry.catalogue.product import Product
from fleet_telemetry.switches.desired import DesiredVariable
from fleet_telemetry.switches.edits import EditCause, SkippedEdit
from fleet_telemetry.switches.exclusive import entries_beside, may_be_beside
from fleet_telemetry.switches.injection_context import InjectionContext
from fleet_telemetry.switches.shared_values import may_replace
from fleet_telemetry.workloads.workload import EnvVar


def _is_kept(variable: DesiredVariable, entry: EnvVar) -> bool:
    """Whether the policy keeps the user's entry. An argument with the desired setting that stands
    where the product may not read it is no other value: a word is added, and it stays."""
    if variable.is_argument and variable.value is not None and variable.met_by(entry):
        return False
    return variable.keeps_user_values


def find_skipped(
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


def is_forbidden(product: Product, variable: DesiredVariable, entry: EnvVar | None) -> bool:
    """Whether only a reviewed product may set the variable. The loader refuses other products that
    would; this is the second line."""
    name = variable.name if entry is None else entry.name
    if variable.is_argument:
        flag = variable.switch.argument if variable.switch is not None else None
        return product.origin is not None and flag is not None and is_refused_flag(flag.flag)
    return product.origin is not None and is_refused_name(name)


def _holds_more(product: Product, variable: DesiredVariable, entry: EnvVar) -> bool:
    return variable.switch is not None and not may_replace(product, variable.switch, entry.value)
