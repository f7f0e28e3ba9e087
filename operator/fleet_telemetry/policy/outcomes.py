"""What became of each policy on one channel of a workload, and why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from fleet_telemetry.api.policy import (
    ChannelName,
    Policy,
    PolicyException,
)
from fleet_telemetry.policy.precedence import (
    covers_channel,
    in_precedence,
    live_exception,
    namespace_selector_of,
    resolve_effective,
    select_policies,
    why_before,
)
from fleet_telemetry.workloads.workload import Workload


class PolicyEffect(StrEnum):
    """What became of a policy."""

    EFFECTIVE = "Effective"
    """It decides."""
    AGREES = "Agrees"
    """It asks for the same as the one that decides."""
    LOWER_PRECEDENCE = "LowerPrecedence"
    EXEMPT = "Exempt"
    """Its own exception exempts the workload."""
    NOT_COVERED = "NotCovered"
    """It selects the workload, and does not cover the channel of the product."""
    NOT_SELECTED = "NotSelected"
    """It does not select the workload."""


@dataclass(frozen=True, slots=True)
class PolicyOutcome:
    """One policy."""

    policy: Policy
    outcome: PolicyEffect
    why: str


def outcomes_of(
    policies: Iterable[Policy],
    workload: Workload,
    product: str,
    channel: ChannelName,
    *,
    namespace_labels: Mapping[str, str],
    now: datetime,
    built_in: bool,
) -> Iterator[PolicyOutcome]:
    """Every policy that applies to workloads of the namespace, in the order of precedence; what
    does not select the workload comes last."""
    in_scope = in_precedence(
        one for one in policies if one.namespace in ("", workload.ref.namespace)
    )
    selecting = select_policies(in_scope, workload, namespace_labels)
    effective = resolve_effective(selecting, workload.ref, product, channel, now, built_in=built_in)
    winner = effective.policy if effective is not None else None
    for policy in selecting:
        exception = live_exception(policy, workload.ref, now)
        if not covers_channel(policy, product, channel, built_in=built_in):
            yield PolicyOutcome(
                policy,
                PolicyEffect.NOT_COVERED,
                _why_not_covered(policy, product, channel, built_in=built_in),
            )
        elif exception is not None:
            yield PolicyOutcome(policy, PolicyEffect.EXEMPT, _exempting(exception))
        elif policy is winner:
            why = "no other policy covers the channel"
            others = [
                one
                for one in selecting
                if one is not policy
                and covers_channel(one, product, channel, built_in=built_in)
                and live_exception(one, workload.ref, now) is None
            ]
            if others:
                why = "; ".join(
                    dict.fromkeys(f"before {one}: {why_before(policy, one)}" for one in others)
                )
            yield PolicyOutcome(policy, PolicyEffect.EFFECTIVE, why)
        elif winner is not None:
            agrees = policy.spec.submission is winner.spec.submission
            outcome = PolicyEffect.AGREES if agrees else PolicyEffect.LOWER_PRECEDENCE
            yield PolicyOutcome(policy, outcome, f"{winner} decides: {why_before(winner, policy)}")
    for policy in in_scope:
        if policy not in selecting:
            why = _why_not_selected(policy, namespace_labels)
            yield PolicyOutcome(policy, PolicyEffect.NOT_SELECTED, why)


def _exempting(exception: PolicyException) -> str:
    until = f", until {exception.expires_at:%Y-%m-%d %H:%M}" if exception.expires_at else ""
    return f"its exception exempts the workload: {exception.reason}{until}"


def _why_not_covered(policy: Policy, product: str, channel: ChannelName, *, built_in: bool) -> str:
    channels = ", ".join(policy.spec.channels)
    if channel not in policy.spec.channels:
        return f"it covers the channels {channels}, and not {channel}"
    if policy.spec.products is None and not built_in:
        return f"{product} is not built in, and additionalProducts does not name it"
    return f"it does not name the product {product}"


def _why_not_selected(policy: Policy, namespace_labels: Mapping[str, str]) -> str:
    selector = namespace_selector_of(policy)
    if selector is not None and not selector.matches(namespace_labels):
        return "its namespaceSelector does not match the labels of the namespace"
    return "its selector does not match the labels of the workload"
