"""The evidence ``observed``: what the pods asked of the cluster's DNS.

It does not show the setting: a lookup is an attempt, and the network may keep it from the host.
What a lookup shows all the same is in ``contact_evidence.py``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from fleet_telemetry.api.policy import ChannelName
from fleet_telemetry.api.reasons import ObservedReason, Reason
from fleet_telemetry.api.workload_telemetry import EgressVerdict, ObservedVerdict
from fleet_telemetry.evidence.egress import EgressFinding
from fleet_telemetry.evidence.facts import Facts
from fleet_telemetry.evidence.lookups import (
    Asked,
    channel_hosts,
    doubt_of,
    is_past,
    lookups_of,
    sentence,
    users_of,
)
from fleet_telemetry.evidence.verdict import Observation, ObservedFinding, Verdict
from fleet_telemetry.objects.text import printable

_LONGEST_MESSAGE = 4096
_SHOWN = 3
"""How many lookups a message names; status.contacts has more."""
_BEST = (
    "No switch of this version is known to work, so what its pods ask for is the best evidence "
    "there is."
)
_KEPT = "Network policies deny the hosts: it is kept from what it asked for."
_NOTHING = ObservedFinding(ObservedVerdict.UNKNOWN, ObservedReason.NOT_OBSERVED)


class ObservedSource:
    """The lookups of the workload's pods."""

    name = "observed"
    rank = 0

    def observe(self, facts: Facts, product: str, channel: ChannelName) -> Observation | None:
        """See EvidenceSource."""
        return Observation(observed=_find(facts, product, channel))

    def status(self, verdict: Verdict, finding: EgressFinding | None) -> dict[str, object]:
        """See EvidenceSource."""
        found = observed_of(verdict)
        return {
            "observed": found.verdict,
            "observed_reason": found.reason,
            "observed_message": observed_message(verdict, finding),
            "observed_since": found.since.replace(microsecond=0) if found.since else None,
            "last_observed_time": found.last.replace(microsecond=0) if found.last else None,
        }


def observed_of(verdict: Verdict) -> ObservedFinding:
    """What DNS showed of a channel."""
    return verdict.observed(ObservedSource.name).observed or _NOTHING


def observed_message(verdict: Verdict, finding: EgressFinding | None) -> str:
    """The reason and what was seen, for people, with what else is known of the channel."""
    found = observed_of(verdict)
    notes = []
    if found.verdict is not ObservedVerdict.UNKNOWN and Reason.NO_EFFECTIVE_SWITCH in (
        verdict.reason,
        verdict.sends.reason if verdict.sends else None,
    ):
        notes.append(_BEST)
    is_denied = finding is not None and finding.verdict is EgressVerdict.DENIED
    if found.verdict is ObservedVerdict.CONTACTED and is_denied:
        notes.append(_KEPT)
    text = " ".join(filter(None, (found.reason.meaning, found.detail, *notes)))
    return printable(text, _LONGEST_MESSAGE)


def _find(facts: Facts, product: str, channel: ChannelName) -> ObservedFinding:
    known = facts.contacts
    if not known.seen and known.complete_since is None:
        reason = known.reason or ObservedReason.NOT_OBSERVED
        return ObservedFinding(ObservedVerdict.UNKNOWN, reason, known.detail)
    seen = lookups_of(facts, channel_hosts(facts, product, channel))
    last = _no_later(seen[0].contact.last if seen else None, facts.now)
    counting = [one for one in seen if not is_past(facts, one)]
    if counting:
        detail = _describe(facts, counting, product, channel)
        return ObservedFinding(
            ObservedVerdict.CONTACTED, ObservedReason.LOOKED_UP, detail, last=last
        )
    earlier = f"Before that: {sentence(seen[0].contact)}" if seen else ""
    unknown = _why_unknown(facts, product, channel)
    if unknown is not None:
        text = f"{known.detail} {earlier}".strip()
        return ObservedFinding(ObservedVerdict.UNKNOWN, unknown, text, last=last)
    begins = (known.complete_since, last, facts.workload.created)
    since = _no_later(max(filter(None, begins), default=None), facts.now)
    return ObservedFinding(
        ObservedVerdict.QUIET, ObservedReason.NO_LOOKUP, earlier, since=since, last=last
    )


def _why_unknown(facts: Facts, product: str, channel: ChannelName) -> ObservedReason | None:
    """Why it is not known that nothing was asked for; None if it is."""
    if facts.contacts.complete_since is None:
        return facts.contacts.reason or ObservedReason.NOT_OBSERVED
    if not channel_hosts(facts, product, channel):
        return ObservedReason.NO_HOST_KNOWN
    return None


def _no_later(time: datetime | None, now: datetime | None) -> datetime | None:
    """A time of another clock, which may be ahead of this one."""
    return min(time, now) if time is not None and now is not None else time


def _describe(facts: Facts, seen: Sequence[Asked], product: str, channel: ChannelName) -> str:
    text = " ".join(
        part for one in seen[:_SHOWN] for part in _sentences(facts, one, product, channel) if part
    )
    more = len(seen) - _SHOWN
    return f"{text} And {more} more by host and pod." if more > 0 else text


def _sentences(facts: Facts, asked: Asked, product: str, channel: ChannelName) -> Iterator[str]:
    yield sentence(asked.contact)
    yield doubt_of(facts, asked, product, channel)
    targets = asked.pod.targets if asked.pod is not None else ()
    others = {
        f"{user.channel} of {user.key[0]}"
        for user in users_of(targets, asked.contact.host)
        if user.key != (product, channel)
    }
    if others:
        yield f"The host is also that of {', '.join(sorted(others))}."
