"""A policy that nobody wrote, to ask the decision what it would say."""

from __future__ import annotations

from datetime import UTC, datetime

from fleet_telemetry.api.policy import ClusterTelemetryPolicySpec, Injection, Policy, PolicyKind
from fleet_telemetry.policy.precedence import EffectivePolicy

_EPOCH = datetime.fromtimestamp(0, UTC)


def imagined(spec: ClusterTelemetryPolicySpec) -> EffectivePolicy:
    """The effective policy, if a policy with this spec were the only one."""
    policy = Policy(PolicyKind.CLUSTER, "", "imagined", _EPOCH, spec)
    return EffectivePolicy(policy, spec.injection or Injection())
