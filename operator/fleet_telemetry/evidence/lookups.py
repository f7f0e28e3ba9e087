"""Which lookups concern a channel, and what keeps one from showing that the channel asked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from fleet_telemetry.api.policy import ChannelName
from fleet_telemetry.api.product.channel import Host, Sender
from fleet_telemetry.api.product.setting import Setting
from fleet_telemetry.catalogue.matching import MatchedContainer
from fleet_telemetry.evidence.contacts import Contact
from fleet_telemetry.evidence.facts import Facts
from fleet_telemetry.evidence.hosts import hosts_of_container, names_asked
from fleet_telemetry.evidence.pod_facts import PodFacts
from fleet_telemetry.evidence.report import Reported

COUNTS_FOR = timedelta(days=8)
"""After so long a lookup says nothing more of the workload. The products of the catalogue that ask
least often ask once a week."""
_CLOCKS_DIFFER = timedelta(minutes=5)
"""A time that is further in the future is not one that a clock in order has shown."""
_LONGEST_NOTE = 256


@dataclass(frozen=True, slots=True)
class HostUser:
    """A channel of a container that may send to a host."""

    target: MatchedContainer
    channel: ChannelName
    host: Host
    certain: bool
    """Whether its version surely does."""

    @property
    def key(self) -> tuple[str, ChannelName]:
        """Its product and its channel."""
        return self.target.product.name, self.channel


def users_of(targets: Iterable[MatchedContainer], name: str) -> Iterator[HostUser]:
    """The channels of containers that may send to the host of this name, on whichever port: DNS
    does not show it."""
    for target in targets:
        for channel in target.product.spec.channels:
            for host, certain in hosts_of_container(target, channel.name):
                if host.host.lower() == name:
                    yield HostUser(target, channel.name, host, certain and target.verified)


def channel_hosts(facts: Facts, product: str, channel: ChannelName) -> frozenset[str]:
    """The hosts that the workload's pods, or its next ones, may ask DNS for on a channel. Those
    that only browsers send to are not among them."""
    targets = facts.targets_of(product, channel)
    every = (*targets, *(found for _, found in facts.counterparts(targets, channel)))
    return names_asked(every, channel)


@dataclass(frozen=True, slots=True)
class Asked:
    """A lookup, and the pod that asked; None if it is not among those of the workload any more."""

    contact: Contact
    pod: PodFacts | None


def lookups_of(facts: Facts, hosts: frozenset[str]) -> tuple[Asked, ...]:
    """The lookups of some hosts, the newest first."""
    pods = {pod.uid: pod for pod in facts.pods if pod.uid}
    found = [one for one in facts.contacts.seen if one.host in hosts]
    found.sort(key=lambda one: (one.last, one.host, one.pod_uid), reverse=True)
    return tuple(Asked(one, pods.get(one.pod_uid)) for one in found)


def is_past(facts: Facts, asked: Asked) -> bool:
    """Whether a lookup no longer says what the workload does: it is old, or the pod that asked is
    gone and others run."""
    if facts.now is not None and facts.now - asked.contact.last > COUNTS_FOR:
        return True
    if asked.pod is not None or facts.pods_unread:
        return False
    return any(not pod.finished for pod in facts.pods)


def ends_counting(facts: Facts, contact: Contact) -> datetime:
    """When a lookup no longer counts if nothing else happens."""
    last = contact.last if facts.now is None else min(contact.last, facts.now)
    return last + COUNTS_FOR


def is_overtaken(report: Reported, contact: Contact) -> bool:
    """Whether the product has reported since that the channel is switched off."""
    is_off = report.setting is Setting.DISABLED and report.as_of is not None
    return is_off and report.as_of is not None and report.as_of >= contact.last


def doubt_of(facts: Facts, asked: Asked, product: str, channel: ChannelName) -> str:
    """Why a lookup does not show that the channel asked, in a sentence; empty if it does, unless
    another channel of the pod uses the host, too."""
    contact, pod = asked.contact, asked.pod
    if pod is None:
        return "The pod is gone, so it is not known how it was started."
    users = list(users_of(pod.targets, contact.host))
    own = [user for user in users if user.key == (product, channel)]
    if not own:
        return "The pod runs a version that is not known to send to this host."
    for user in users:
        if user.host.also_serves:
            serves = user.host.also_serves[:_LONGEST_NOTE].rstrip(".")
            return f"The host also serves something else ({serves})."
        if user.host.sent_by is Sender.BROWSER:
            return "Browsers, and not pods, are known to send to the host."
    if not any(user.certain for user in own):
        return "It is not certain that the version sends to this host."
    return _grace_doubt(facts, contact, pod, own)


def _grace_doubt(facts: Facts, contact: Contact, pod: PodFacts, own: list[HostUser]) -> str:
    seconds = max(
        rule.grace_seconds
        for user in own
        for rule in facts.readings.possible_rules(user.target, user.channel)
    )
    if not seconds:
        return ""
    grace = f"Within {seconds} s of its start, the product may ask for the host once more, although"
    grace += " it is switched off."
    if pod.started is None:
        return f"{grace} When the pod started is not known."
    if facts.now is not None and contact.last > facts.now + _CLOCKS_DIFFER:
        return f"{grace} The time of the lookup is in the future, so a clock is wrong."
    return grace if contact.last - pod.started <= timedelta(seconds=seconds) else ""


def sentence(contact: Contact) -> str:
    """What was asked, for people."""
    pod = contact.pod or contact.pod_uid
    last = _at(contact.last)
    if contact.lookups <= 1:
        often = f"once, on {last}"
    elif contact.first >= contact.last:
        often = f"{contact.lookups:,} times, on {last}"
    else:
        often = f"{contact.lookups:,} times, from {_at(contact.first)} to {last}"
    refused = " DNS refused the name." if contact.refused else ""
    return f"Pod {pod} asked for {contact.host} {often}.{refused}"


def _at(time: datetime) -> str:
    try:
        return f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    except OverflowError:  # at the ends of the calendar
        return time.isoformat()
