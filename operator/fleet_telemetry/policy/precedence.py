"""The effective policy for a channel of a workload, if several policies select it.

``Disabled`` has precedence over ``Enabled``, then a cluster policy over a namespaced one, then the
older policy, then the name. An Audit policy is effective only if no enforcing policy is.
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
from fleet_telemetry.api.selector import LabelSelector
from fleet_telemetry.workloads.workload import Workload, WorkloadRef

_NO_RUNTIME = Runtime()


@dataclass(frozen=True, slots=True)
class EgressSection:
    """An egress section and its policy."""

    policy: Policy
    egress: Egress


@dataclass(frozen=True, slots=True)
class EffectivePolicy:
    """The effective policy for one channel of one product in one workload."""

    policy: Policy
    injection: Injection
    runtime: Runtime = _NO_RUNTIME
    runtime_policy: Policy | None = None
    """The policy that the runtime section is from; None if no policy has one."""
    exempt: PolicyException | None = None
    """Set if an exception exempts the workload from every policy that covers it."""
    egress: EgressSection | None = None
    """None if no policy with the same submission has the section."""
    injection_policy: Policy | None = None
    """The policy whose injection section is used; None if it is the same policy."""
    overruled: bool = False
    """A policy of higher precedence asks for the opposite setting. Only for the policy's status."""

    @property
    def desired(self) -> Submission:
        """The desired submission."""
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


def namespace_selector_of(policy: Policy) -> LabelSelector | None:
    """By which labels of namespaces a policy selects them; None if it does not."""
    spec = policy.spec
    return spec.namespace_selector if isinstance(spec, ClusterTelemetryPolicySpec) else None


def selects_namespaces(policy: Policy) -> bool:
    """Whether it applies by the labels of namespaces."""
    selector = namespace_selector_of(policy)
    return selector is not None and not selector.is_empty


def _selects(policy: Policy, workload: Workload, namespace_labels: Mapping[str, str]) -> bool:
    if policy.kind is PolicyKind.NAMESPACED and policy.namespace != workload.ref.namespace:
        return False
    of_namespaces = namespace_selector_of(policy)
    if of_namespaces is not None and not of_namespaces.matches(namespace_labels):
        return False
    selector = policy.spec.selector
    return selector is None or selector.matches(workload.labels)


def covers_channel(
    policy: Policy, product: str, channel: ChannelName, *, built_in: bool = True
) -> bool:
    """Whether a policy covers this channel of this product.

    A product that is not built in has to be named: otherwise, whoever writes TelemetryProducts
    would set variables with the rights of whoever wrote the policy.
    """
    spec = policy.spec
    if channel not in spec.channels:
        return False
    if spec.products is None:
        return built_in or product in spec.additional_products
    return product in spec.products or product in spec.additional_products


def live_exception(policy: Policy, ref: WorkloadRef, now: datetime) -> PolicyException | None:
    """The exception that exempts a workload from the policy now."""
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
    """Whether an exception has expired."""
    return exception.expires_at is not None and exception.expires_at <= now


def resolve_effective(
    policies: Iterable[Policy],
    ref: WorkloadRef,
    product: str,
    channel: ChannelName,
    now: datetime,
    *,
    built_in: bool = True,
) -> EffectivePolicy | None:
    """The effective policy, of those that ``select_policies`` found; None if there is none.

    ``built_in``: the product is built in, or takes the place of a built-in one.
    """
    in_effect: list[Policy] = []
    exempting: list[tuple[Policy, PolicyException]] = []
    for policy in in_precedence(policies):
        if covers_channel(policy, product, channel, built_in=built_in):
            exception = live_exception(policy, ref, now)
            if exception is None:
                in_effect.append(policy)
            else:
                exempting.append((policy, exception))
    if in_effect:
        winner = in_effect[0]
        agreeing = [policy for policy in in_effect if _agree(policy, winner)]
        injecting = next((p for p in agreeing if p.spec.injection), winner)
        asking = next((p for p in agreeing if p.spec.runtime is not None), None)
        return EffectivePolicy(
            policy=winner,
            injection=injecting.injection,
            injection_policy=injecting if injecting is not winner else None,
            runtime=(asking.spec.runtime if asking else None) or _NO_RUNTIME,
            runtime_policy=asking,
            egress=next((EgressSection(p, p.spec.egress) for p in agreeing if p.spec.egress), None),
        )
    if exempting:
        policy, exception = exempting[0]
        return EffectivePolicy(policy=policy, injection=policy.injection, exempt=exception)
    return None


def _agree(policy: Policy, winner: Policy) -> bool:
    """A section comes whole from the highest of the policies that ask for the same."""
    return (policy.spec.mode, policy.spec.submission) == (
        winner.spec.mode,
        winner.spec.submission,
    )


_WHY = (
    "it enforces, and the other has mode: Audit",
    "Disabled comes before Enabled",
    "a ClusterTelemetryPolicy comes before a TelemetryPolicy",
    "it is older",
    "its name comes first",
)
"""Why a policy comes before another, by the first part of their ranks that differs."""


def why_before(winner: Policy, other: Policy) -> str:
    """Why a policy has precedence over another one."""
    ranks = zip(_rank(winner), _rank(other), _WHY, strict=True)
    return next((why for one, two, why in ranks if one != two), _WHY[-1])


def in_precedence(policies: Iterable[Policy]) -> list[Policy]:
    """The policies, the one that has precedence over all others first."""
    return sorted(policies, key=_rank)


def _rank(policy: Policy) -> tuple[bool, bool, bool, datetime, str]:
    return (
        policy.spec.mode is Mode.AUDIT,
        policy.spec.submission is Submission.ENABLED,
        policy.kind is PolicyKind.NAMESPACED,
        policy.created,
        policy.name,
    )
