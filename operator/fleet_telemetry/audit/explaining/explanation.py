"""Why a workload is judged as it is: what the forms of output show. Its JSON is an interface of
ours: fields are added, never renamed."""

from __future__ import annotations

from datetime import datetime

from fleet_telemetry.api.policy import Mode, Submission
from fleet_telemetry.api.workload_telemetry import ChannelPolicy
from fleet_telemetry.audit.result import (
    API_VERSION,
    Finding,
    Place,
    PolicyAdvice,
    Problem,
    ResultPart,
)
from fleet_telemetry.policy.outcomes import PolicyEffect


class ExplainedWorkload(ResultPart, frozen=True, kw_only=True):
    """A workload, or a pod that belongs to none."""

    namespace: str
    kind: str
    name: str


class ContainerExplained(ResultPart, frozen=True, kw_only=True):
    """A container of the pod template."""

    name: str
    image: str
    product: str = ""
    """Empty if the catalogue knows no product for the image."""
    title: str = ""
    version: str = ""
    """Empty if it cannot be read."""
    message: str = ""
    """Why it cannot be read, or is not verified."""


class PolicyExplained(ResultPart, frozen=True, kw_only=True):
    """What became of one policy on a channel."""

    policy: ChannelPolicy
    submission: Submission
    mode: Mode
    outcome: PolicyEffect
    why: str


class EvidenceSeen(ResultPart, frozen=True, kw_only=True):
    """One piece of evidence."""

    source: str
    """declared, running, reported, egress or observed."""
    where: str
    """The container of the template or of a pod, the product's report, or the network."""
    entry: str = ""
    """The variable or argument, if the source is a container."""
    shows: str
    """A setting, or what the network does."""
    message: str = ""
    time: datetime | None = None
    """When it was recorded; absent if it is as of now."""


class ChannelExplained(ResultPart, frozen=True, kw_only=True):
    """One channel of one product."""

    finding: Finding
    policies: tuple[PolicyExplained, ...] = ()
    evidence: tuple[EvidenceSeen, ...] = ()
    missing: tuple[str, ...] = ()
    """What to do so that it is proven; empty if it is."""


class Happened(ResultPart, frozen=True, kw_only=True):
    """An Event that an operator wrote about the workload."""

    time: datetime | None = None
    reason: str
    note: str
    warning: bool = False


class Explanation(ResultPart, frozen=True, kw_only=True, omit_defaults=False):
    """All of it."""

    api_version: str = API_VERSION
    kind: str = "TelemetryExplanation"
    time: datetime
    place: Place
    workload: ExplainedWorkload
    message: str = ""
    """Why nothing is decided, if that is so."""
    containers: tuple[ContainerExplained, ...] = ()
    channels: tuple[ChannelExplained, ...] = ()
    policy_advice: tuple[PolicyAdvice, ...] = ()
    """On the policies that meet the workload, and on those that are not applied yet."""
    history: tuple[Happened, ...] = ()
    """The newest last."""
    problems: tuple[Problem, ...] = ()
