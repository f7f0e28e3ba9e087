"""Whether the trigger of a decision permits to write now: the fields ``when`` and ``rollout``."""

from __future__ import annotations

from fleet_telemetry.api.policy import Policy, Rollout, When
from fleet_telemetry.catalogue.matching import MatchedContainer, version_changed
from fleet_telemetry.policy.precedence import EffectivePolicy
from fleet_telemetry.switches.desired import DesiredVariable
from fleet_telemetry.switches.edits import Trigger
from fleet_telemetry.switches.injection_context import InjectionContext, target_before
from fleet_telemetry.workloads.workload import Workload


def may_add(
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
                or version_changed(target_before(context, target), target)
                or missed_admission(context.workload, variable.policy)
            )
        case Trigger.RECONCILE:
            return rewriting or may_rewrite(context.workload, variable.effective)


def may_follow_policy(
    context: InjectionContext, variable: DesiredVariable, *, rewriting: bool
) -> bool:
    """Whether an injected value may change because its policy now asks for another one."""
    return (
        context.trigger is not Trigger.RECONCILE
        or rewriting
        or may_rewrite(context.workload, variable.effective)
    )


def may_rewrite(workload: Workload, effective: EffectivePolicy) -> bool:
    """Whether the controller may write between admissions."""
    return effective.injection.rollout is Rollout.IMMEDIATE or workload.restarts_no_pod


def missed_admission(workload: Workload, policy: Policy) -> bool:
    """Whether the workload was created under the policy: then its first install lasts until it has
    the setting. It was created while the webhook was unavailable, or while it was exempt."""
    return workload.created is not None and workload.created >= policy.created


def may_revert(context: InjectionContext) -> bool:
    """Whether removing something restarts no pod that would not restart anyway."""
    if context.trigger is Trigger.RECONCILE:
        return context.workload.restarts_no_pod
    return context.trigger is not Trigger.CREATE
