"""The result of an audit: what every form of output shows. Its JSON is an interface of ours:
fields are added, never renamed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Any

import msgspec

from fleet_telemetry.api.policy import ChannelName, Submission
from fleet_telemetry.api.product.channel import Provenance
from fleet_telemetry.api.product.setting import Setting
from fleet_telemetry.api.workload_telemetry import (
    ChannelPolicy,
    EgressVerdict,
    ObservedVerdict,
    Sends,
    State,
)

API_VERSION = "audit.fleettelemetry.io/v1alpha1"


class ResultPart(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A part of the result; camelCase in JSON, and without fields that have their default."""


class Place(ResultPart, frozen=True, kw_only=True):
    """Where something was found. Lines count from 1; 0 if there is none."""

    cluster: str = ""
    """The name that the user gave to the cluster, else the context; empty in files."""
    context: str | None = None
    """The context of the kubeconfig, where that is not the cluster's name; empty in a pod, which
    has none."""
    file: str = ""
    """As the user named it, ``-`` for standard input; empty in clusters."""
    line: int = 0


class HostName(ResultPart, frozen=True, kw_only=True):
    """A host that a channel is sent to."""

    host: str
    port: int = 443
    sent_by_browser: bool = False
    also_serves: str = ""
    """What else the host serves, which a denial blocks, too."""


class Change(ResultPart, frozen=True, kw_only=True):
    """One thing to set or to remove, so that the channel is switched off."""

    container: str
    entry: str
    """``NAME=value`` of a variable, the word of an argument, or ``spec.suspend=true``."""
    removed: bool = False


class Obstacle(ResultPart, frozen=True, kw_only=True):
    """An entry that has to be changed by hand, and why."""

    container: str
    entry: str
    """The name of the variable or the flag."""
    message: str


class Finding(ResultPart, frozen=True, kw_only=True):
    """One channel of one product in one workload."""

    place: Place
    namespace: str
    kind: str
    name: str
    product: str
    title: str
    version: str = ""
    """Empty if it cannot be read."""
    channel: ChannelName
    sends: Sends
    reason: str
    """A word of docs/reasons.md."""
    message: str
    """The reason in a sentence."""
    policy: ChannelPolicy | None = None
    """The effective policy; None if none covers the channel."""
    desired: Submission | None = None
    state: State | None = None
    state_reason: str = ""
    state_message: str = ""
    declared: Setting = Setting.UNKNOWN
    running: Setting = Setting.UNKNOWN
    reported: Setting = Setting.UNKNOWN
    egress: EgressVerdict = EgressVerdict.UNKNOWN
    observed: ObservedVerdict = ObservedVerdict.UNKNOWN
    """Whether pods asked the cluster's DNS for the hosts, as an operator recorded it."""
    observed_reason: str = ""
    observed_message: str = ""
    observed_since: datetime | None = None
    """With Quiet: since when."""
    last_observed_time: datetime | None = None
    provenance: Provenance | None = None
    hosts: tuple[HostName, ...] = ()
    advice: str = ""
    """What to do about the reason; empty if the reason says so itself."""
    remedy: str = ""
    """What to do, where something is or may be sent; empty if nothing is to be done."""
    changes: tuple[Change, ...] = ()
    """What switches it off, if that is a setting."""
    obstacles: tuple[Obstacle, ...] = ()
    """What has to be changed by hand to switch it off."""


class PatchForm(StrEnum):
    """The kinds of patch, as ``kubectl patch --type`` names them."""

    STRATEGIC = "strategic"
    JSON = "json"


class FixOutcome(ResultPart, frozen=True, kw_only=True):
    """What an audit would say of a channel once the workload runs with the changes."""

    product: str
    channel: ChannelName
    before: Sends
    after: Sends
    reason: str
    """Of ``after``."""
    message: str


class Fix(ResultPart, frozen=True, kw_only=True):
    """What switches off, in one workload, every channel that sends or may send. Nothing applies
    it."""

    place: Place
    namespace: str
    api_version: str
    kind: str
    name: str
    changes: tuple[Change, ...] = ()
    obstacles: tuple[Obstacle, ...] = ()
    outcomes: tuple[FixOutcome, ...] = ()
    remedies: tuple[str, ...] = ()
    """What the vendor says to do, beside a setting or in its place."""
    notes: tuple[str, ...] = ()
    """What else happens, and what the changes do not reach."""
    patch_form: PatchForm | None = None
    """None if no patch makes the changes."""
    patch: Any = None
    """A strategic merge patch, or the operations of a JSON patch."""
    chart: str = ""
    """The Helm chart and its version, as a label of the workload says."""
    helm_values: dict[str, Any] | None = None
    """Values of the chart that make the changes; None if that is not known."""


class UnknownImage(ResultPart, frozen=True, kw_only=True):
    """An image that the catalogue does not know: nothing can be said of it."""

    image: str
    """Without its tag and digest."""
    containers: int


class Problem(ResultPart, frozen=True, kw_only=True):
    """Something that could not be read. The rest of the result is right, and not complete."""

    place: Place
    what: str
    advice: str


class Unmanaged(ResultPart, frozen=True, kw_only=True):
    """An object that runs a product and is no workload of a kind that can be judged: a pod of its
    own, or a custom resource with a pod template. Nothing is proven for it."""

    place: Place
    namespace: str
    kind: str
    name: str
    products: tuple[str, ...]
    images: tuple[str, ...]
    advice: str


class PolicyAdvice(ResultPart, frozen=True, kw_only=True):
    """A likely mistake in a policy, which the API server would accept. It changes no judgement."""

    place: Place
    """The file of the policy, if it is in one, and the cluster in which it was looked at."""
    policy: ChannelPolicy
    message: str


class Coverage(ResultPart, frozen=True, kw_only=True):
    """What was looked at."""

    files: int = 0
    """Standard input is one; 0 in clusters."""
    objects: int = 0
    """Kubernetes objects of any kind in files."""
    not_objects: int = 0
    """Documents of files that are no Kubernetes object, such as the values of a chart."""
    workloads: int = 0
    workloads_with_product: int = 0
    containers: int = 0
    """Main containers and native sidecars. Init containers that end do not count: no product sends
    anything from one."""
    containers_with_product: int = 0
    unknown_images: int = 0
    """All that ``unknownImages`` would have if it were as long as need be."""


class Tool(ResultPart, frozen=True, kw_only=True):
    """What made the audit."""

    version: str = ""
    catalogue: str = ""
    """The first digits of the SHA-256 of the built-in products."""
    products: int = 0
    """How many built-in products there are."""


class ExitCode(IntEnum):
    """The statuses of the command."""

    NOTHING_FOUND = 0
    ERROR = 1
    VIOLATIONS = 2
    ONLY_UNKNOWN = 3


class Audit(ResultPart, frozen=True, kw_only=True, omit_defaults=False):
    """The whole result, its findings in the order in which they are shown."""

    api_version: str = msgspec.field(default=API_VERSION)
    kind: str = "TelemetryAudit"
    time: datetime
    tool: Tool = Tool()
    judged: bool = False
    """Whether policies were applied: a violation is then a channel that is NonCompliant or
    NotEnforceable, else one that sends."""
    unjudged_clusters: tuple[str, ...] = ()
    """Clusters of a judged audit that have no policy: there it is a channel that sends."""
    coverage: Coverage = Coverage()
    findings: tuple[Finding, ...] = ()
    fixes: tuple[Fix, ...] = ()
    """Only where they are asked for."""
    unmanaged: tuple[Unmanaged, ...] = ()
    unknown_images: tuple[UnknownImage, ...] = ()
    """The most frequent ones."""
    policy_advice: tuple[PolicyAdvice, ...] = ()
    """On the policies in files, which are not applied yet."""
    problems: tuple[Problem, ...] = ()

    @property
    def exit_code(self) -> ExitCode:
        """The status of the command: the first that applies of error, violations, unknown."""
        if self.problems:
            return ExitCode.ERROR
        if any(self.is_violation(one) for one in self.findings):
            return ExitCode.VIOLATIONS
        if self.unmanaged or any(self.is_unknown(one) for one in self.findings):
            return ExitCode.ONLY_UNKNOWN
        return ExitCode.NOTHING_FOUND

    def is_judged(self, one: Finding) -> bool:
        """Whether policies were applied where the finding is from."""
        return self.judged and one.place.cluster not in self.unjudged_clusters

    def is_violation(self, one: Finding) -> bool:
        """Whether a finding needs attention."""
        if self.is_judged(one):
            return one.state in (State.NON_COMPLIANT, State.NOT_ENFORCEABLE)
        return one.sends is Sends.YES

    def is_unknown(self, one: Finding) -> bool:
        """Whether nothing is proven for a finding."""
        if self.is_judged(one):
            return one.state in (State.UNKNOWN, State.PENDING)
        return one.sends is Sends.UNKNOWN

    def by_sends(self) -> Counter[Sends]:
        """The number of findings by answer."""
        return Counter(one.sends for one in self.findings)


_MOST_URGENT = (Sends.YES, Sends.UNKNOWN, Sends.NO)


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """What sends first; then by cluster, namespace, workload and channel."""
    return tuple(
        sorted(
            findings,
            key=lambda one: (
                _MOST_URGENT.index(one.sends),
                one.place.cluster,
                one.namespace,
                one.kind,
                one.name,
                one.product,
                one.channel,
                one.place.file,
                one.place.line,
            ),
        )
    )


def fixes_in_order(fixes: Iterable[Fix]) -> tuple[Fix, ...]:
    """By cluster, namespace and workload."""
    return tuple(
        sorted(
            fixes,
            key=lambda one: (
                one.place.cluster,
                one.namespace,
                one.kind,
                one.name,
                one.place.file,
                one.place.line,
            ),
        )
    )
