"""What lookups show of a channel, whatever the settings of the workload say.

A lookup shows that a channel asked if its host serves this channel alone and certainly belongs to
the pod's version, if it came after the product's own grace, and if every other channel of the pod
that uses the host is proven to be off. It shows that a setting had no effect if the pod was started
with the channel switched off. Of a pod that was started otherwise, it shows nothing that
``running`` does not show.

A lookup only ever makes a verdict worse, and none changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

from fleet_telemetry.api.policy import ChannelName, ClusterTelemetryPolicySpec, Mode, Submission
from fleet_telemetry.api.reasons import Reason
from fleet_telemetry.api.workload_telemetry import Sends, State
from fleet_telemetry.evidence.case import Case
from fleet_telemetry.evidence.contacts import Contact
from fleet_telemetry.evidence.facts import Facts
from fleet_telemetry.evidence.judge import with_rest
from fleet_telemetry.evidence.lookups import (
    HostUser,
    channel_hosts,
    doubt_of,
    ends_counting,
    is_overtaken,
    is_past,
    lookups_of,
    sentence,
    users_of,
)
from fleet_telemetry.evidence.pod_facts import PodFacts
from fleet_telemetry.evidence.report import Reported
from fleet_telemetry.evidence.verdict import SendsFinding, StateFinding, Verdict
from fleet_telemetry.evidence.workload_checks import judge_workload
from fleet_telemetry.policy.imagined import imagined

_TO_BE_OFF = imagined(
    ClusterTelemetryPolicySpec(submission=Submission.DISABLED, mode=Mode.AUDIT),
)
_KEPT = "Network policies deny every known address of the channel's hosts: it is kept from them."
_ANSWERS = frozenset({State.COMPLIANT, State.UNKNOWN, State.PENDING})
"""The states that a lookup may show to be wrong. Others say already that something is sent."""


@dataclass(frozen=True, slots=True)
class Contacted:
    """The newest lookups that show that a channel asked, by how the pod was started; None if there
    are none."""

    by_any: Contact | None = None
    """By any pod."""
    by_disabled: Contact | None = None
    """By a pod that was certainly started with the channel switched off."""
    by_undecided: Contact | None = None
    """By a pod of which it is not known how it was started."""
    until: datetime | None = None
    """When the first of them no longer counts, if nothing else happens."""


@dataclass(frozen=True, slots=True)
class ContactJudge:
    """Finds what the lookups of one workload show, each thing once."""

    facts: Facts
    _states: dict[tuple[str, int, ChannelName], State] = field(default_factory=dict)
    """How a pod was started, by its uid and the container."""
    _found: dict[tuple[str, ChannelName], Contacted] = field(default_factory=dict)

    def find(self, product: str, channel: ChannelName) -> Contacted:
        """What they show of one channel."""
        key = product, channel
        if not self.facts.contacts.seen:
            return Contacted()
        if key not in self._found:
            self._found[key] = self._find(product, channel)
        return self._found[key]

    def _find(self, product: str, channel: ChannelName) -> Contacted:
        facts = self.facts
        report = facts.reported.get((product, channel), Reported())
        found: dict[State, Contact] = {}
        for asked in lookups_of(facts, channel_hosts(facts, product, channel)):
            contact, pod = asked.contact, asked.pod
            if (
                pod is None
                or is_past(facts, asked)
                or is_overtaken(report, contact)
                or doubt_of(facts, asked, product, channel)
            ):
                continue
            users = list(users_of(pod.targets, contact.host))
            others = [user for user in users if user.key != (product, channel)]
            if all(self._started(pod, user) is State.COMPLIANT for user in others):
                found.setdefault(self._how_started(pod, users, (product, channel)), contact)
        return Contacted(
            by_any=max(found.values(), key=lambda one: one.last, default=None),
            by_disabled=found.get(State.COMPLIANT),
            by_undecided=found.get(State.UNKNOWN),
            until=min((ends_counting(facts, one) for one in found.values()), default=None),
        )

    def _how_started(
        self, pod: PodFacts, users: Iterable[HostUser], key: tuple[str, ChannelName]
    ) -> State:
        """Compliant if every container of the channel was started with it switched off; Unknown if
        that is not known of some; else NonCompliant."""
        states = {self._started(pod, user) for user in users if user.key == key}
        if states == {State.COMPLIANT}:
            return State.COMPLIANT
        is_undecided = states <= {State.COMPLIANT, State.UNKNOWN}
        return State.UNKNOWN if is_undecided else State.NON_COMPLIANT

    def _started(self, pod: PodFacts, user: HostUser) -> State:
        """The state of a channel of one container in one pod by itself, if it were to be off."""
        key = pod.uid, user.target.container.index, user.channel
        if key not in self._states:
            alone = replace(self.facts.of_pod(pod), pods_unread=False, contested=frozenset())
            case = Case(alone, user.target, user.channel, _TO_BE_OFF, imagined=True)
            self._states[key] = with_rest(case, judge_workload(case)).state
        return self._states[key]


def with_contacts(verdict: Verdict, found: Contacted) -> Verdict:
    """The verdict in the light of lookups. It is never better than before."""
    if verdict.desired is not Submission.DISABLED or verdict.policy is None:
        return verdict
    if verdict.state is State.NOT_ENFORCEABLE and found.by_any is not None:
        return _with_note(verdict, found.by_any)
    contact = _decisive(verdict, found)
    if contact is None:
        return verdict
    otherwise = f"By its settings it would be {verdict.state}, {verdict.reason}."
    detail = f"{sentence(contact)} {otherwise}"
    judged = StateFinding(State.NON_COMPLIANT, Reason.OBSERVED_CONTACT, detail, verdict.seeded)
    denied = replace(judged, detail=f"{sentence(contact)} {_KEPT} {otherwise}")
    return replace(verdict.with_finding(judged), if_denied=denied)


def _decisive(verdict: Verdict, found: Contacted) -> Contact | None:
    """The lookup that shows the state to be wrong."""
    if verdict.state not in _ANSWERS or verdict.reason is Reason.RESTART_NEEDED:
        return None
    if verdict.state is State.PENDING:
        # That some pods were not started with the setting is known.
        return found.by_disabled
    candidates = [found.by_disabled, found.by_undecided]
    created = verdict.policy.created if verdict.policy is not None else None
    if found.by_undecided is not None and created and found.by_undecided.last < created:
        # Nobody wanted it to be off at that time.
        candidates.pop()
    return max(filter(None, candidates), key=lambda one: one.last, default=None)


def _with_note(verdict: Verdict, contact: Contact) -> Verdict:
    """The same verdict, whose message says what was seen."""
    seen = StateFinding(
        verdict.state or State.NOT_ENFORCEABLE,
        verdict.reason or Reason.NO_EFFECTIVE_SWITCH,
        f"{verdict.detail} {sentence(contact)}".strip(),
        verdict.seeded,
    )
    noted = verdict.with_finding(seen)
    denied = verdict.if_denied
    if denied is None:
        return noted
    detail = f"{denied.detail} {sentence(contact)} {_KEPT}".strip()
    return replace(noted, if_denied=replace(denied, detail=detail))


def sends_with_contacts(found: SendsFinding | None, contacted: Contacted) -> SendsFinding | None:
    """Whether something is sent, in the light of lookups: an attempt shows that it is, also where
    the settings say that it is not."""
    if found is None or found.sends is Sends.YES or contacted.by_any is None:
        return found
    return SendsFinding(Sends.YES, Reason.OBSERVED_CONTACT, sentence(contacted.by_any))
