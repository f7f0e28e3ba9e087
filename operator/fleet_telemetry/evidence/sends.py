"""Whether a workload sends something on a channel, whatever policies say.

The answer is that of the verdict under an imagined policy: what would be Compliant with Disabled
sends nothing, and what would be Compliant with Enabled sends. There is no second set of rules.
"""

from __future__ import annotations

from datetime import UTC, datetime

from fleet_telemetry.api.policy import (
    ChannelName,
    ClusterTelemetryPolicySpec,
    Injection,
    Mode,
    Policy,
    PolicyKind,
    Submission,
)
from fleet_telemetry.api.workload_telemetry import Sends, State
from fleet_telemetry.evidence.facts import Facts
from fleet_telemetry.evidence.judge import judge
from fleet_telemetry.evidence.verdict import SendsFinding
from fleet_telemetry.policy.precedence import EffectivePolicy

_EPOCH = datetime.fromtimestamp(0, UTC)


def find_sends(facts: Facts, product: str, channel: ChannelName) -> SendsFinding | None:
    """Whether a channel of a product sends something; None if the workload does not use it."""
    disabled = judge(facts, product, channel, _imagined(channel, Submission.DISABLED))
    if disabled is None or disabled.reason is None:
        return None
    if disabled.state is State.COMPLIANT:
        return SendsFinding(Sends.NO, disabled.reason)
    enabled = judge(facts, product, channel, _imagined(channel, Submission.ENABLED))
    if enabled is not None and enabled.state is State.COMPLIANT and enabled.reason is not None:
        return SendsFinding(Sends.YES, enabled.reason)
    return SendsFinding(Sends.UNKNOWN, disabled.reason)


def _imagined(channel: ChannelName, submission: Submission) -> EffectivePolicy:
    spec = ClusterTelemetryPolicySpec(submission=submission, channels=(channel,), mode=Mode.AUDIT)
    policy = Policy(PolicyKind.CLUSTER, "", "imagined", _EPOCH, spec)
    return EffectivePolicy(policy, Injection())
