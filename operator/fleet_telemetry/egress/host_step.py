"""The step of a telemetry host: how its state changes with the lookups of one round.

``step_host`` is a pure function of the state, the lookups of one round and the clock. The caller
passes all lookups of a round at once: every name server, every family, failures included. Only a
step changes the lists: while no lookups run, no address is removed.

For each family, a round has one of these results:

========== ================================== ======================= ========================
result     condition                          allowlist               denylist
========== ================================== ======================= ========================
addresses  a name server returned addresses,  returned addresses are  as in the allowlist
           and no responder failed            renewed; the others age
partly     a name server returned addresses,  returned addresses are  as in the allowlist, but
           but a responder failed             renewed; the others do  the others do not age,
                                              not age, 24 h at most   without limit
nothing    every name server that responded   no address ages; after  no address ages, except
           returned a negative result, and    3 times in a row over   after those 3 times if the
           no responder failed                15 min, all leave       other family has addresses
no answer  all failed, or a responder failed  no address ages, 24 h   no address ages
           and the others returned nothing    at most
========== ================================== ======================= ========================

A *responder* is a name server that returned addresses within 24 h and no negative result since. If
it fails, addresses that only it returns are not missing. A response with an address that no
telemetry host can have counts as a failure of that name server in the whole round.

Only the time in which lookups run counts: at most ``longest_gap`` between two rounds. If the clock
jumps back or ahead, or the operator was not running, all times of the state move with it. So a jump
neither removes an address nor keeps one forever.

- An address leaves the allowlist ``min(ttl, 24 h) + 1 h`` after it was last returned, and the
  denylist after ``min(ttl, 24 h) + 7 d``. An address that does not age stays in the allowlist for
  at most 25 h after it was last returned. An address leaves the denylist only after DNS has
  returned others.
- The loss of more than half of an allowlist of 4 or more addresses is held. A hold ends if no more
  than half is missing, or after 10 conclusive rounds over at least 1 h. Rounds that are not
  conclusive neither count nor end it. Lists are compared, not responses, so a host that returns 8
  of 64 addresses at a time is not held. A denylist needs no hold: 7 d of lookups confirmed it.
- At most 64 addresses are kept. Addresses that are returned now take precedence over allowed ones,
  these over those whose removal from the allowlist is pending, and these over denied addresses. So
  what DNS returns is denied at once, whatever the host had before. Among addresses that are
  returned now, known ones take precedence over new ones, so that a response with hundreds of
  addresses gives a stable list; among the others, those returned last. Families take turns, so that
  neither displaces the other.
- Additions take effect at once. Removals wait up to 10 min for other removals or an addition.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from ipaddress import ip_network
from math import ceil

from fleet_telemetry.api.telemetry_host import AddressFamily
from fleet_telemetry.egress.addresses import (
    as_networks,
    in_order,
    refusal_of,
    shared_by,
    unmapped,
)
from fleet_telemetry.egress.dns.summary import FamilyResult, FamilySummary, RoundSummary, summarize
from fleet_telemetry.egress.facts import HostFacts
from fleet_telemetry.egress.host_state import (
    QUIET,
    FamilyState,
    HostState,
    KnownAddress,
    Refusal,
    Responder,
    Retention,
    whole_seconds,
)
from fleet_telemetry.egress.model import Address, Lookup, family_of

_NOTHING = timedelta(0)
_MOST_REFUSALS = 16


# The lists


def allowlist(state: HostState, rules: Retention) -> tuple[Address, ...]:
    """The allowed addresses, in order. Empty means none, never all."""
    allowed = (known.address for known in state.known if known.expires_at is not None)
    seeds = (
        seed for seed in usable_seeds(state, rules) if not state.family(family_of(seed)).settled
    )
    return in_order((*_usable(allowed, rules), *seeds))


def denylist(state: HostState, rules: Retention) -> tuple[Address, ...]:
    """The denied addresses, in order. Empty means that none is known."""
    known = (known.address for known in state.known)
    return in_order((*_usable(known, rules), *usable_seeds(state, rules)))


def is_complete(state: HostState, rules: Retention) -> bool:
    """Whether the lists contain all addresses that DNS returned; none was left out as too many."""
    if state.capped_at is None or state.as_of is None:
        return True
    return state.as_of - state.capped_at >= rules.deny_grace


def shared_addresses(state: HostState, rules: Retention) -> Mapping[Address, str]:
    """The addresses of the denylist that also serve other hosts, each with its provider."""
    return _shared(denylist(state, rules))


def _shared(addresses: Iterable[Address]) -> Mapping[Address, str]:
    found = ((address, shared_by(address)) for address in addresses)
    return {address: provider for address, provider in found if provider is not None}


def host_facts(state: HostState, rules: Retention) -> HostFacts:
    """The facts about the host that decisions need."""
    allowed, denied = allowlist(state, rules), denylist(state, rules)
    deny = as_networks(denied)
    providers = set(_shared(denied).values())
    ranges: Iterable[str] = ()
    if state.ranges is not None:
        providers.add(state.ranges.provider)
        ranges = state.ranges.cidrs
    wanted = (one for one in map(ip_network, ranges) if family_of(one) in rules.families)
    return HostFacts(
        allow=deny if allowed == denied else as_networks(allowed),
        deny=deny,
        ranges=as_networks((), wanted),
        complete=is_complete(state, rules),
        shared_by=", ".join(sorted(providers)),
        unanswered=tuple(
            family
            for family in sorted(rules.families)
            if state.as_of is not None and state.family(family).answered_at is None
        ),
    )


def usable_seeds(state: HostState, rules: Retention) -> tuple[Address, ...]:
    """The catalogue's addresses without those that are refused or of a disabled family."""
    return in_order(_usable(map(unmapped, state.seeds), rules))


def is_usable(address: Address, rules: Retention) -> bool:
    """Whether the address may be in a list: of an enabled family, and not refused."""
    return family_of(address) in rules.families and refusal_of(address, rules.own) is None


def _usable(addresses: Iterable[Address], rules: Retention) -> Iterator[Address]:
    return (address for address in addresses if is_usable(address, rules))


# The next lookup


def next_lookup(state: HostState, rules: Retention, jitter: float) -> float:
    """Seconds from a round to the next lookup of the host.

    ``jitter`` is a random number in [0, 1). It makes the time up to a tenth shorter or longer, so
    that the lookups of hosts do not stay synchronized.
    """
    if not 0 <= jitter < 1:
        raise ValueError(f"jitter must be at least 0 and less than 1, not {jitter}")
    # Without any round, lookups must not run in a tight loop.
    interval = state.interval or rules.shortest_interval.total_seconds()
    return interval * (0.9 + 0.2 * jitter)


def _interval(summary: RoundSummary, allowed: int, quiet: int, rules: Retention) -> timedelta:
    """Half the TTL, within bounds; shorter while a rotating host returns new addresses.

    Such a host returns all of its n addresses in about n / (addresses of one response) rounds;
    discovery ends after twice as many rounds without a new one. The cap on addresses limits it.
    """
    returned = summary.addresses
    if returned and quiet < 2 * ceil(allowed / len(returned)):
        return min(rules.discovery_interval, rules.shortest_interval)
    families = summary.families.values()
    # Families without addresses count only if there are no others.
    ttls = [one.ttl for one in families if one.addresses] or [one.ttl for one in families]
    half = timedelta(seconds=min(ttls, default=0)) / 2
    return min(max(half, rules.shortest_interval), rules.longest_interval)


# The step


def step_host(
    state: HostState, answers: Sequence[Lookup], now: datetime, rules: Retention
) -> HostState:
    """The state after a round of lookups.

    ``answers`` are all lookups of the round, in any order; without any of an enabled family the
    state does not change. A name server that is missing is no longer in use.
    """
    answers = [answer for answer in answers if answer.family in rules.families]
    if not answers:
        return state
    now = whole_seconds(now)
    elapsed = _elapsed(state, now, rules)
    state = _moved(state, now, elapsed, rules)
    return _Round(state, summarize(state, answers, now, rules), elapsed, rules).result()


def _elapsed(state: HostState, now: datetime, rules: Retention) -> timedelta:
    """The time since the last round that counts."""
    if state.as_of is None:
        return _NOTHING
    return min(max(now - state.as_of, _NOTHING), rules.longest_gap)


def _moved(state: HostState, now: datetime, elapsed: timedelta, rules: Retention) -> HostState:
    """The state with its times moved to a clock at ``now``, without unusable addresses."""
    jump = now - state.as_of - elapsed if state.as_of is not None else _NOTHING
    return replace(
        state,
        as_of=now,
        known=tuple(
            _moved_address(one, jump, now, rules)
            for one in state.known
            if is_usable(one.address, rules)
        ),
        families=tuple(
            _moved_family(one, jump, now) for one in state.families if one.family in rules.families
        ),
        refusals=tuple(replace(one, at=min(one.at + jump, now)) for one in state.refusals),
        capped_at=_moved_time(state.capped_at, jump, now),
    )


def _moved_time(time: datetime | None, jump: timedelta, now: datetime) -> datetime | None:
    return None if time is None else min(time + jump, now)


def _moved_address(
    one: KnownAddress, jump: timedelta, now: datetime, rules: Retention
) -> KnownAddress:
    """The address with its times moved. No end is later than a new lookup could set it."""
    seen = min(one.seen_at + jump, now)
    expires = one.expires_at
    if expires is not None:
        expires = min(expires + jump, seen + rules.longest_allowed)
    deny_expires = min(one.deny_expires_at + jump, now + rules.longest_denied)
    moved = (seen, expires, deny_expires)
    if moved == (one.seen_at, one.expires_at, one.deny_expires_at):
        return one
    return KnownAddress(one.address, *moved)


def _moved_family(one: FamilyState, jump: timedelta, now: datetime) -> FamilyState:
    if not jump:
        return one
    return replace(
        one,
        answered_at=_moved_time(one.answered_at, jump, now),
        negative_since=_moved_time(one.negative_since, jump, now),
        held_since=_moved_time(one.held_since, jump, now),
        responders=tuple(
            Responder(responder.name_server, min(responder.answered_at + jump, now))
            for responder in one.responders
        ),
    )


# The changes of a round


class _Round:
    """One step, after the lookups are summarized."""

    def __init__(
        self, state: HostState, summary: RoundSummary, elapsed: timedelta, rules: Retention
    ) -> None:
        assert state.as_of is not None
        self._now = state.as_of
        self._before = state
        self._summary = summary
        self._elapsed = elapsed
        self._rules = rules
        self._returned = summary.addresses
        self._known = {one.address: one for one in state.known}
        self._added: set[Address] = set()
        """The addresses that were not in the allowlist before."""

    def result(self) -> HostState:
        """The state after the step."""
        self._renew()
        if self._elapsed:
            self._stop_time()
        is_capped = self._cap()
        # An address above the cap is no addition, so it does not hasten removals.
        added = any(address in self._known for address in self._added)
        before = self._count_allowed()
        families = tuple(
            self._let_go(family, added=added) for family in self._summary.families.values()
        )
        allowed = self._count_allowed()
        self._forget(hurry=added or allowed < before)
        # Of a host with more addresses than are kept, every round may return new ones.
        quiet = (
            0 if added and not is_capped else min(self._before.quiet + bool(self._returned), QUIET)
        )
        interval = _interval(self._summary, allowed, quiet, self._rules)
        return replace(
            self._before,
            known=tuple(self._known[address] for address in in_order(self._known)),
            families=families,
            refusals=self._remembered_refusals(),
            failures=self._summary.failures,
            capped_at=self._now if is_capped else self._before.capped_at,
            interval=interval.total_seconds(),
            quiet=quiet,
        )

    def _count_allowed(self) -> int:
        return sum(one.expires_at is not None for one in self._known.values())

    # Returned addresses

    def _renew(self) -> None:
        for family in self._summary.families.values():
            for address, seconds in family.addresses.items():
                self._known[address] = self._seen(address, timedelta(seconds=seconds))

    def _seen(self, address: Address, ttl: timedelta) -> KnownAddress:
        """The renewed address. A DNS cache returns the rest of a TTL, so a later lookup never makes
        the time in a list shorter."""
        expires = self._now + ttl + self._rules.allow_grace
        deny_expires = self._now + ttl + self._rules.deny_grace
        before = self._known.get(address)
        if before is not None:
            expires = max(before.expires_at or expires, expires)
            deny_expires = max(before.deny_expires_at, deny_expires)
        if before is None or before.expires_at is None:
            self._added.add(address)
        return KnownAddress(address, self._now, expires, deny_expires)

    # Addresses that were not returned

    def _stop_time(self) -> None:
        """Extend addresses that were not returned, unless the round is conclusive.

        The limit of the allowlist does not move.
        """
        for address, one in self._known.items():
            family = self._summary.families[family_of(address)]
            expires, deny_expires = one.expires_at, one.deny_expires_at
            if address in self._returned or (family.is_conclusive and self._denial_passes(family)):
                continue
            if expires is not None and not family.is_conclusive:
                limit = one.seen_at + self._rules.longest_allowed
                expires = min(expires + self._elapsed, limit)
            if not self._denial_passes(family):
                deny_expires += self._elapsed
            self._known[address] = KnownAddress(address, one.seen_at, expires, deny_expires)

    def _denial_passes(self, family: FamilySummary) -> bool:
        """Whether addresses age in the denylist: DNS returned others instead."""
        return family.result is FamilyResult.ADDRESSES or (
            family.is_gone and bool(self._summary.addresses)
        )

    # The cap

    def _cap(self) -> bool:
        """Remove addresses above the cap; whether there were any."""
        most = self._rules.most_addresses
        if len(self._known) <= most:
            return False
        places: dict[tuple[int, AddressFamily], int] = {}
        ranked = []
        for one in sorted(self._known.values(), key=self._rank):
            rank, family = self._rank(one)[0], family_of(one.address)
            places[rank, family] = place = places.get((rank, family), -1) + 1
            ranked.append(((rank, place, family), one))
        ranked.sort(key=lambda entry: entry[0])
        self._known = {one.address: one for _, one in ranked[:most]}
        return True

    def _rank(self, one: KnownAddress) -> tuple[int, bool, timedelta, int]:
        """Returned now, allowed, allowed with a pending removal, denied. Within each, known
        addresses first, then those returned last."""
        if one.address in self._returned:
            rank = 0
        elif one.expires_at is None:
            rank = 3
        else:
            rank = 1 + int(one.expires_at <= self._now)
        return rank, one.address in self._added, self._now - one.seen_at, int(one.address)

    # Expired addresses

    def _let_go(self, family: FamilySummary, *, added: bool) -> FamilyState:
        """Remove expired addresses of a family from the allowlist."""
        state = family.state
        mine = [
            one
            for one in self._known.values()
            if one.expires_at is not None and family_of(one.address) is state.family
        ]
        if not family.is_conclusive:
            limit = self._rules.longest_allowed
            if state.held_since is not None:
                limit += self._rules.hold_time
            ends = {one.address: one.seen_at + limit for one in mine}
            self._take_out(self._over(ends, hurry=added))
            return state if mine else replace(state, held_since=None, held_answers=0)
        ends = {one.address: self._end(one, family) for one in mine}
        due = self._over(ends, hurry=True)
        if len(mine) >= self._rules.hold_size and len(due) * 2 > len(mine):
            state = replace(
                state,
                held_since=state.held_since or self._now,
                held_answers=min(state.held_answers + 1, self._rules.hold_answers),
            )
            if not self._is_confirmed(state):
                return state
            self._take_out(due)
        else:
            self._take_out(self._over(ends, hurry=added or family.is_gone))
        return replace(state, held_since=None, held_answers=0)

    def _end(self, one: KnownAddress, family: FamilySummary) -> datetime:
        """When an address leaves the allowlist."""
        assert one.expires_at is not None
        if family.is_gone:
            return min(one.expires_at, self._now)
        return one.expires_at

    def _over(self, ends: Mapping[Address, datetime], *, hurry: bool) -> list[Address]:
        """The expired addresses; none while their removal may wait."""
        over = [address for address, end in ends.items() if end <= self._now]
        if over and not hurry:
            oldest = min(ends[address] for address in over)
            hurry = self._now - oldest >= self._rules.coalesce
        return over if hurry else []

    def _is_confirmed(self, state: FamilyState) -> bool:
        return (
            state.held_since is not None
            and self._now - state.held_since >= self._rules.hold_time
            and state.held_answers >= self._rules.hold_answers
        )

    def _take_out(self, gone: Iterable[Address]) -> None:
        for address in gone:
            self._known[address] = replace(self._known[address], expires_at=None)

    def _forget(self, *, hurry: bool) -> None:
        """Remove expired addresses from the denylist."""
        ends = {
            one.address: one.deny_expires_at
            for one in self._known.values()
            if one.expires_at is None
            and self._denial_passes(self._summary.families[family_of(one.address)])
        }
        for address in self._over(ends, hurry=hurry):
            del self._known[address]

    # Reporting

    def _remembered_refusals(self) -> tuple[Refusal, ...]:
        latest = {one.name_server: one for one in (*self._before.refusals, *self._summary.refusals)}
        kept = [one for one in latest.values() if self._now - one.at < self._rules.stale]
        # The newest, if there are too many.
        kept.sort(key=lambda one: (self._now - one.at, one.name_server))
        return tuple(sorted(kept[:_MOST_REFUSALS], key=lambda one: one.name_server))
