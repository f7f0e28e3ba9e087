"""The verdict on a channel, and the observations that it follows from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from fleet_telemetry.api.policy import ChannelName, Policy, Submission
from fleet_telemetry.api.product.channel import Provenance
from fleet_telemetry.api.product.setting import Setting
from fleet_telemetry.api.reasons import ObservedReason, Reason
from fleet_telemetry.api.workload_telemetry import EgressVerdict, ObservedVerdict, Sends, State
from fleet_telemetry.evidence.sends_sentences import sends_sentence


@dataclass(frozen=True, slots=True)
class ObservedFinding:
    """What the cluster's DNS showed of one channel, and why."""

    verdict: ObservedVerdict
    reason: ObservedReason
    detail: str = ""
    """The part of the message that the reason does not say by itself."""
    since: datetime | None = None
    """With Quiet: since when every lookup would have been seen, and there was none."""
    last: datetime | None = None
    """When one of the channel's hosts was last asked for; None if no time is known."""


@dataclass(frozen=True, slots=True)
class Observation:
    """What one evidence source shows."""

    setting: Setting = Setting.UNKNOWN
    effect: Setting = Setting.UNKNOWN
    """The setting, with an unset switch replaced by its default if that is known."""
    last_submission: datetime | None = None
    """When the product last sent something, if the source shows it."""
    inventory: tuple[str, ...] = ()
    """The names of the fields that are sent, if the source shows them."""
    reason: Reason | None = None
    """Why the setting is not known, if the source says so."""
    message: str = ""
    """The same in a sentence."""
    observed: ObservedFinding | None = None
    """What DNS showed, if the source shows it."""


_NOTHING = Observation()


@dataclass(frozen=True, slots=True)
class SendsFinding:
    """Whether a channel sends something, and why."""

    sends: Sends
    reason: Reason
    detail: str = ""
    what: str = ""
    """What is sent, in a sentence; empty if nothing is, or if that is not known."""

    @property
    def message(self) -> str:
        """For a person."""
        sentence = sends_sentence(self.sends, self.reason)
        return " ".join(filter(None, (sentence, self.detail, self.what)))


@dataclass(frozen=True, slots=True)
class Verdict:
    """The state of one channel of one product."""

    product: str
    channel: ChannelName
    observations: Mapping[str, Observation] = field(default_factory=dict, hash=False)
    """By the name of the evidence source."""
    sends: SendsFinding | None = None
    """Whether something is sent, also where no policy covers the channel."""
    policy: Policy | None = None
    desired: Submission | None = None
    state: State | None = None
    reason: Reason | None = None
    message: str = ""
    detail: str = ""
    """The part of the message that the reason does not say by itself."""
    seeded: tuple[str, ...] = ()
    """UIDs of volume claims whose data is proven to be initialised with the setting."""
    provenance: Provenance | None = None
    """Where the facts come from by which the workload is judged; None if there are none."""
    if_denied: StateFinding | None = None
    """The finding if the network is proven to deny the channel's hosts; None if that changes
    nothing."""

    def with_egress(self, verdict: EgressVerdict) -> Verdict:
        """The verdict where the network does this with the channel's hosts."""
        if verdict is not EgressVerdict.DENIED:
            return self
        found = self.with_finding(self.if_denied) if self.if_denied is not None else self
        if found.sends is None or found.sends.sends is Sends.NO:
            return found
        return replace(found, sends=SendsFinding(Sends.NO, Reason.HOSTS_DENIED))

    def with_finding(self, finding: StateFinding) -> Verdict:
        """The verdict with another finding."""
        return replace(
            self,
            state=finding.state,
            reason=finding.reason,
            message=f"{finding.reason.meaning} {finding.detail}".strip(),
            detail=finding.detail,
            seeded=finding.seeded,
        )

    def observed(self, source: str) -> Observation:
        """What an evidence source shows; an unknown setting if it shows nothing."""
        return self.observations.get(source, _NOTHING)

    @property
    def last_submission(self) -> datetime | None:
        """When the product last sent something, as far as any source shows it."""
        times = (seen.last_submission for seen in self.observations.values())
        return max(filter(None, times), default=None)


_WORST_FIRST = (
    State.NON_COMPLIANT,
    State.NOT_ENFORCEABLE,
    State.UNKNOWN,
    State.PENDING,
    State.COMPLIANT,
    State.EXEMPT,
)


def worst_state(states: Iterable[State]) -> State | None:
    """The state that needs attention most; None if there are none."""
    return min(states, key=_WORST_FIRST.index, default=None)


@dataclass(frozen=True, slots=True)
class StateFinding:
    """A state with its reason and detail."""

    state: State
    reason: Reason
    detail: str = ""
    seeded: tuple[str, ...] = ()
    """UIDs of volume claims whose data is proven to be initialised with the setting."""


def worst_finding(findings: Iterable[StateFinding]) -> StateFinding:
    """The finding that needs attention most. Raises ValueError if there are none."""
    return min(findings, key=lambda found: _WORST_FIRST.index(found.state))


_BEST_FIRST = (
    State.COMPLIANT,
    State.EXEMPT,
    State.PENDING,
    State.UNKNOWN,
    State.NOT_ENFORCEABLE,
    State.NON_COMPLIANT,
)


def best_finding(findings: Iterable[StateFinding]) -> StateFinding:
    """The finding that decides where one of several things suffices. Raises ValueError if there are
    none."""
    return min(findings, key=lambda found: _BEST_FIRST.index(found.state))
