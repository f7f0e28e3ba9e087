"""The status of policies and products."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from fleet_telemetry.api.conditions import ConditionStatus, ObservedCondition, merge_conditions
from fleet_telemetry.api.policy import (
    ChannelName,
    Mode,
    Policy,
    PolicyStatus,
    PolicySummary,
    RuntimeAction,
    When,
)
from fleet_telemetry.api.product.setting import Setting
from fleet_telemetry.api.product.spec import TelemetryProductStatus
from fleet_telemetry.api.reasons import EgressReason, PolicyReason, Reason
from fleet_telemetry.api.workload_telemetry import State
from fleet_telemetry.catalogue.catalogue import Catalogue
from fleet_telemetry.catalogue.combining import Rejection
from fleet_telemetry.decision import PolicyVerdict
from fleet_telemetry.egress.host_quota import QUOTA
from fleet_telemetry.egress.host_use import Key
from fleet_telemetry.evidence.egress import EgressFinding
from fleet_telemetry.evidence.verdict import Verdict, worst_state
from fleet_telemetry.policy.precedence import has_expired
from fleet_telemetry.reporting.messages import cut
from fleet_telemetry.switches.policy_problems import find_problems, warn_of_clear_text
from fleet_telemetry.workloads.workload import WorkloadRef

_NAMED = 5
"""How many workloads a message names; WorkloadTelemetry names all."""
_NOT_WRITTEN = {
    Reason.AWAITING_UPGRADE,
    Reason.AWAITING_ROLLOUT,
    Reason.ROLLOUT_QUEUED,
    Reason.MISSED_ADMISSION,
    Reason.PRODUCT_ADDED_LATER,
    Reason.TEMPLATE_IMMUTABLE,
}


_EGRESS_NOT_WRITTEN = {
    EgressReason.AWAITING_WRITE,
    EgressReason.NEGATED_BY_POLICY,
    EgressReason.HOSTS_NOT_RESOLVED,
    EgressReason.TOO_MANY_ADDRESSES,
    EgressReason.FAMILY_NOT_ANSWERED,
    EgressReason.TOO_MANY_HOSTS,
    EgressReason.SHARED_ADDRESSES,
    EgressReason.ALSO_SERVES,
    EgressReason.NEEDED_BY_OTHER_CHANNEL,
    EgressReason.WOULD_WIDEN,
    EgressReason.POLICY_NOT_READABLE,
    EgressReason.IN_REACHABLE_RANGE,
    EgressReason.VERSION_UNREADABLE,
    EgressReason.DIALECT_NOT_SERVED,
    EgressReason.DIALECT_CANNOT,
    EgressReason.PODS_NOT_SELECTABLE,
    EgressReason.HOST_NETWORK,
    EgressReason.NAME_TAKEN,
}


@dataclass(frozen=True, slots=True)
class Covered:
    """A workload that a policy covers, and what the policy makes of it."""

    ref: WorkloadRef
    verdict: PolicyVerdict
    egress: Mapping[Key, EgressFinding] = field(default_factory=dict)
    """What the network does with each of its channels."""

    @property
    def state(self) -> State:
        """The state that needs attention most."""
        states = (found.state for found in self.verdict.verdicts if found.state is not None)
        return worst_state(states) or State.UNKNOWN


def build_policy_status(
    policy: Policy,
    covered: Iterable[Covered],
    catalogue: Catalogue,
    before: PolicyStatus,
    now: datetime,
    *,
    hosts_not_looked_up: Sequence[str] = (),
) -> PolicyStatus:
    """The status to show; equal to ``before`` where nothing changed.

    ``hosts_not_looked_up`` are hosts of the policy beyond the number that is allowed.
    """
    workloads = sorted(covered, key=lambda found: found.ref)
    active = [found for found in workloads if not found.verdict.idle]
    states = Counter(found.state for found in active)
    observations = (
        _accepted(policy, catalogue, hosts_not_looked_up),
        _programmed(policy, workloads),
        _compliant(active, states, [found for found in workloads if found.verdict.idle]),
        *_verified(policy, workloads),
        _conflicted(workloads),
        _exception_expired(policy, now),
    )
    return PolicyStatus(
        observed_generation=policy.generation,
        conditions=merge_conditions(
            before.conditions, observations, now=now, generation=policy.generation
        ),
        summary=PolicySummary(
            matched=len(workloads),
            compliant=states[State.COMPLIANT],
            non_compliant=states[State.NON_COMPLIANT],
            pending=states[State.PENDING],
            unknown=states[State.UNKNOWN],
            not_enforceable=states[State.NOT_ENFORCEABLE],
            exempt=states[State.EXEMPT],
            idle=len(workloads) - len(active),
        ),
    )


def build_invalid_status(
    problem: str, generation: int, before: PolicyStatus, now: datetime
) -> PolicyStatus:
    """The status of a policy whose spec cannot be read."""
    seen = ObservedCondition(
        type="Accepted",
        status=ConditionStatus.FALSE,
        reason=PolicyReason.INVALID_SPEC,
        message=cut(problem),
    )
    return PolicyStatus(
        observed_generation=generation,
        conditions=merge_conditions(before.conditions, [seen], now=now, generation=generation),
    )


def find_product_problem(invalid: str, rejection: Rejection | None) -> Rejection | None:
    """Why a TelemetryProduct is not in effect: ``invalid`` says why it is not valid by itself."""
    return Rejection(PolicyReason.INVALID_PRODUCT, invalid) if invalid else rejection


def build_product_status(
    problem: Rejection | None,
    generation: int,
    before: TelemetryProductStatus,
    now: datetime,
    *,
    overrides: bool,
    covered: bool,
) -> TelemetryProductStatus:
    """The status of a product. ``problem`` is None if it is in effect, ``overrides`` says whether
    it replaces a built-in product, ``covered`` whether any policy covers one of its channels."""
    accepted = PolicyReason.VALID if problem is None else problem.reason
    replaced = PolicyReason.OVERRIDES_BUILTIN if overrides else PolicyReason.OVERRIDES_NOTHING
    message = problem.message if problem is not None else ""
    seen = (
        _seen("Accepted", holds=problem is None, reason=accepted, message=message),
        _seen(
            "Covered",
            holds=covered,
            reason=PolicyReason.NAMED_BY_POLICY if covered else PolicyReason.NOT_NAMED_BY_POLICY,
        ),
        _seen("OverridesBuiltin", holds=overrides, reason=replaced),
    )
    return TelemetryProductStatus(
        observed_generation=generation,
        conditions=merge_conditions(before.conditions, seen, now=now, generation=generation),
    )


def next_expiry(policy: Policy, now: datetime) -> datetime | None:
    """When the policy's next exception ends."""
    ends = (exception.expires_at for exception in policy.spec.exceptions)
    return min((end for end in ends if end is not None and end > now), default=None)


def _seen(
    kind: str, *, holds: bool | None, reason: PolicyReason, message: str = ""
) -> ObservedCondition:
    status = {
        True: ConditionStatus.TRUE,
        False: ConditionStatus.FALSE,
        None: ConditionStatus.UNKNOWN,
    }[holds]
    said = cut(message or reason.meaning)
    return ObservedCondition(type=kind, status=status, reason=reason, message=said)


def _accepted(
    policy: Policy, catalogue: Catalogue, not_looked_up: Sequence[str]
) -> ObservedCondition:
    problems = [
        (problem.reason, problem.message) for problem in find_problems(policy.spec, catalogue)
    ]
    if not_looked_up:
        problems.append((PolicyReason.TOO_MANY_HOSTS, _over_quota(not_looked_up)))
    clear = warn_of_clear_text(policy.spec)
    clear = f" {clear}." if clear else ""
    if not problems:
        message = f"{PolicyReason.VALID.meaning}{clear}"
        return _seen("Accepted", holds=True, reason=PolicyReason.VALID, message=message)
    messages = "; ".join(message for _, message in problems)
    message = f"{messages}. The rest of the policy is in force.{clear}"
    return _seen("Accepted", holds=False, reason=problems[0][0], message=message)


def _over_quota(hosts: Sequence[str]) -> str:
    more = f" and {len(hosts) - _NAMED} more" if len(hosts) > _NAMED else ""
    return (
        f"spec.egress.hosts: not looked up: {', '.join(hosts[:_NAMED])}{more}; the "
        f"TelemetryPolicies of a namespace may name {QUOTA.of_namespace} hosts, those of all "
        f"namespaces {QUOTA.in_total}, and older policies come first: remove hosts, or name them "
        f"in a ClusterTelemetryPolicy"
    )


def _programmed(policy: Policy, workloads: list[Covered]) -> ObservedCondition:
    if policy.spec.mode is Mode.AUDIT:
        return _seen("Programmed", holds=False, reason=PolicyReason.AUDIT)
    if not workloads:
        return _seen("Programmed", holds=None, reason=PolicyReason.NOTHING_MATCHED)
    missing = [found for found in workloads if any(map(_is_missing, found.verdict.verdicts))]
    if missing:
        return _seen(
            "Programmed",
            holds=False,
            reason=PolicyReason.SETTINGS_MISSING,
            message=f"without the setting: {_names(missing)}",
        )
    if policy.spec.egress is not None:
        lacking = [found for found in workloads if _lacks_egress(found) is not None]
        if lacking:
            finding = _lacks_egress(lacking[0])
            assert finding is not None
            return _seen(
                "Programmed",
                holds=False,
                reason=PolicyReason.EGRESS_MISSING,
                message=f"{_names(lacking)}: {finding.reason}: {finding.message}",
            )
    return _seen("Programmed", holds=True, reason=PolicyReason.EVERYTHING_WRITTEN)


def _lacks_egress(covered: Covered) -> EgressFinding | None:
    """Why the policy's egress section is not written, or not in full."""
    if covered.verdict.overruled_by or covered.state is State.EXEMPT:
        return None
    findings = (
        covered.egress.get((verdict.product, verdict.channel))
        for verdict in covered.verdict.verdicts
    )
    return next((one for one in findings if one and one.reason in _EGRESS_NOT_WRITTEN), None)


def _is_missing(verdict: Verdict) -> bool:
    """Whether the policy still has to write. Of a seed, the reason speaks of the data first."""
    if verdict.reason is Reason.SEED_NOT_PROVEN and verdict.policy is not None:
        may_add = verdict.policy.injection.when is not When.NEVER
        return may_add and verdict.observed("declared").setting is Setting.UNSET
    return verdict.reason in _NOT_WRITTEN


def _compliant(
    workloads: list[Covered], states: Counter[State], idle: list[Covered]
) -> ObservedCondition:
    """``workloads`` are those that are not idle: where nothing runs and nothing will, nothing is
    sent, and there is nothing to prove."""
    if not workloads:
        reason = PolicyReason.NOTHING_RUNS if idle else PolicyReason.NOTHING_MATCHED
        return _seen("Compliant", holds=None, reason=reason)
    bad = [w for w in workloads if w.state in (State.NON_COMPLIANT, State.NOT_ENFORCEABLE)]
    if bad:
        message = f"{len(bad)} of {len(workloads)}: {_names(bad)}"
        reason = PolicyReason.WORKLOADS_NOT_COMPLIANT
        return _seen("Compliant", holds=False, reason=reason, message=message)
    if states[State.UNKNOWN] or states[State.PENDING]:
        unproven = [w for w in workloads if w.state in (State.UNKNOWN, State.PENDING)]
        message = f"{len(unproven)} of {len(workloads)}: {_names(unproven)}"
        return _seen("Compliant", holds=None, reason=PolicyReason.NOT_PROVEN, message=message)
    return _seen("Compliant", holds=True, reason=PolicyReason.EVERY_WORKLOAD_COMPLIANT)


def _verified(policy: Policy, workloads: list[Covered]) -> Iterator[ObservedCondition]:
    """Whether the products report; absent if the policy has no credentials. It may be compliant all
    the same, because a switch in every pod is proof enough."""
    runtime = policy.spec.runtime
    if runtime is None or runtime.action is RuntimeAction.OFF or not runtime.credentials:
        return
    checked = [
        (covered, verdict.product, verdict.observed("reported"))
        for covered in workloads
        for verdict in covered.verdict.verdicts
        if verdict.channel is ChannelName.USAGE and verdict.product in covered.verdict.checked
    ]
    failing = [one for one in checked if one[2].reason is not None]
    if failing:
        counts = Counter(str(seen.reason) for _, _, seen in failing)
        reasons = ", ".join(f"{reason} ({count})" for reason, count in sorted(counts.items()))
        covered, product, seen = failing[0]
        message = (
            f"the checks of {len(failing)} of {len(checked)} products fail: {reasons}; for example "
            f"{product} of {covered.ref}: {seen.message}"
        )
        yield _seen("Verified", holds=False, reason=PolicyReason.CHECKS_FAIL, message=message)
    elif not checked:
        yield _seen("Verified", holds=None, reason=PolicyReason.NOTHING_TO_CHECK)
    elif any(seen.setting is Setting.UNKNOWN for _, _, seen in checked):
        yield _seen("Verified", holds=None, reason=PolicyReason.NOT_CHECKED_YET)
    else:
        yield _seen("Verified", holds=True, reason=PolicyReason.EVERY_PRODUCT_REPORTS)


def _conflicted(workloads: list[Covered]) -> ObservedCondition:
    winners = sorted({str(winner) for w in workloads for winner in w.verdict.overruled_by})
    if not winners:
        return _seen("Conflicted", holds=False, reason=PolicyReason.NO_CONFLICT)
    overruled = [w for w in workloads if w.verdict.overruled_by]
    message = f"overruled by {', '.join(winners)} for {_names(overruled)}"
    return _seen("Conflicted", holds=True, reason=PolicyReason.OVERRULED, message=message)


def _exception_expired(policy: Policy, now: datetime) -> ObservedCondition:
    expired = [
        f"{exception.workload.kind}/{exception.workload.name}"
        for exception in policy.spec.exceptions
        if has_expired(exception, now)
    ]
    if not expired:
        return _seen("ExceptionExpired", holds=False, reason=PolicyReason.NOT_EXPIRED)
    message = f"ended, and the policy applies again: {', '.join(expired)}"
    return _seen("ExceptionExpired", holds=True, reason=PolicyReason.EXPIRED, message=message)


def _names(workloads: list[Covered]) -> str:
    names: Iterator[str] = (str(found.ref) for found in workloads[:_NAMED])
    more = len(workloads) - _NAMED
    return ", ".join(names) + (f" and {more} more" if more > 0 else "")
