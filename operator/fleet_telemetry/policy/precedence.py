"""Which policy decides for a workload's channel, when several select it.

``Disabled`` beats ``Enabled``; then a cluster policy beats a namespaced one; then the older one,
then the name. An Audit policy decides only where no enforcing one does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from fleet_telemetry.api.policy import (
    ChannelName,
    ClusterTelemetryPolicySpec,
    ClusterWorkloadReference,
    Egress,
    Injection,
    Mode,
    Policy,
    PolicyException,
    PolicyKind,
    Runtime,
    Submission,
)
from fleet_telemetry.workloads.workload import Workload, WorkloadRef

_NO_RUNTIME = Runtime()


@dataclass(frozen=True, slots=True)
class EgressSection:
    """What the network is to do, and the policy that says so."""

    policy: Policy
    egress: Egress


@dataclass(frozen=True, slots=True)
class EffectivePolicy:
    """Who decides for one channel of one product in one workload, and what is wished."""

    policy: Policy
    injection: Injection
    runtime: Runtime = _NO_RUNTIME
    exempt: PolicyException | None = None
    """Set where every policy that covers the workload is lifted by an exception."""
    egress: EgressSection | None = None
    """None where no policy that asks for the same has the section."""
    overruled: bool = False
    """The policy does not decide: another one wishes the contrary. Only its own status is meant."""

    @property
    def desired(self) -> Submission:
        """What is wished."""
        return self.policy.spec.submission

    @property
    def enforced(self) -> bool:
        """Whether anything may be written."""
        return self.exempt is None and self.policy.spec.mode is Mode.ENFORCE


def select_policies(
    policies: Iterable[Policy], workload: Workload, namespace_labels: Mapping[str, str]
) -> tuple[Policy, ...]:
    """The policies that cover the workload, whatever it runs."""
    return tuple(policy for policy in policies if _selects(policy, workload, namespace_labels))


def _selects(policy: Policy, workload: Workload, namespace_labels: Mapping[str, str]) -> bool:
    spec = policy.spec
    if policy.kind is PolicyKind.NAMESPACED:
        if policy.namespace != workload.ref.namespace:
            return False
    elif (
        isinstance(spec, ClusterTelemetryPolicySpec)
        and spec.namespace_selector is not None
        and not spec.namespace_selector.matches(namespace_labels)
    ):
        return False
    return spec.selector is None or spec.selector.matches(workload.labels)


def covers_channel(policy: Policy, product: str, channel: ChannelName) -> bool:
    """Whether a policy speaks of this channel of this product."""
    spec = policy.spec
    return channel in spec.channels and (spec.products is None or product in spec.products)


def live_exception(policy: Policy, ref: WorkloadRef, now: datetime) -> PolicyException | None:
    """The exception that lifts the policy from a workload now."""
    for exception in policy.spec.exceptions:
        workload = exception.workload
        namespace = (
            workload.namespace
            if isinstance(workload, ClusterWorkloadReference)
            else policy.namespace
        )
        if (namespace, workload.kind, workload.name) == (
            ref.namespace,
            ref.kind,
            ref.name,
        ) and not has_expired(exception, now):
            return exception
    return None


def has_expired(exception: PolicyException, now: datetime) -> bool:
    """Whether an exception has ended."""
    return exception.expires_at is not None and exception.expires_at <= now


def resolve_effective(
    policies: Iterable[Policy],
    ref: WorkloadRef,
    product: str,
    channel: ChannelName,
    now: datetime,
) -> EffectivePolicy | None:
    """Who decides; ``policies`` are those that ``select_policies`` found. None: nobody."""
    in_force: list[Policy] = []
    lifted: list[tuple[Policy, PolicyException]] = []
    for policy in sorted(policies, key=_rank):
        if covers_channel(policy, product, channel):
            exception = live_exception(policy, ref, now)
            if exception is None:
                in_force.append(policy)
            else:
                lifted.append((policy, exception))
    if in_force:
        winner = in_force[0]
        agreeing = [policy for policy in in_force if _agree(policy, winner)]
        return EffectivePolicy(
            policy=winner,
            injection=next(filter(None, (p.spec.injection for p in agreeing)), Injection()),
            runtime=next(filter(None, (p.spec.runtime for p in agreeing)), _NO_RUNTIME),
            egress=next((EgressSection(p, p.spec.egress) for p in agreeing if p.spec.egress), None),
        )
    if lifted:
        policy, exception = lifted[0]
        return EffectivePolicy(policy=policy, injection=policy.injection, exempt=exception)
    return None


def _agree(policy: Policy, winner: Policy) -> bool:
    """Of the policies that ask for the same, the highest that has a section gives all of it."""
    return (policy.spec.mode, policy.spec.submission) == (
        winner.spec.mode,
        winner.spec.submission,
    )


def _rank(policy: Policy) -> tuple[bool, bool, bool, datetime, str]:
    return (
        policy.spec.mode is Mode.AUDIT,
        policy.spec.submission is Submission.ENABLED,
        policy.kind is PolicyKind.NAMESPACED,
        policy.created,
        policy.name,
    )
