"""How what is known of a telemetry host changes with the answers of name servers.

``step_host`` is a function of the state, the answers of one round and the clock; whoever asks calls
it with all answers of a round at once (every view, every wanted family, failures too). The lists
are read from the state and change by nothing else: while nobody asks, nothing is dropped.

Of each family by itself, a round says one of these:

========== ================================== ======================= ========================
said       by whom                            in the allowlist        in the denylist
========== ================================== ======================= ========================
addresses  a view, and no responder failed      those told are renewed, as in the allowlist
                                              for others time passes
partly     a view, but a responder failed       those told are renewed, as in the allowlist, but
                                              for others time stands  time stands still for ever
                                              still, 24 h at most
nothing    every view that answered, and no   time stands still; said time stands still; but where
           responder failed                     3 times in a row over   it was said so often and the
                                              15 min, all leave       other family has addresses,
                                                                      it passes
no answer  all failed, or a responder did and   time stands still,      time stands still
           the others say nothing             24 h at most
========== ================================== ======================= ========================

A *responder* is a view that gave addresses within 24 h and has not said since that there are none:
where it fails, what only it knows is not gone. An answer with an address that can be no telemetry
host's counts as a failure, with everything else of that view in the round.

Time means the time in which somebody asked: between two rounds at most ``longest_gap`` passes.
Where the clock jumps, be it back or ahead, or the operator was away, all times of the state move
along with it. So no jump drops anything, and none keeps anything for ever.

- An address leaves the allowlist ``min(ttl, 24 h) + 1 h`` after it was last seen, the denylist
  after ``min(ttl, 24 h) + 7 d``. Time that stands still keeps no address in an allowlist for more
  than 25 h after it was last seen. No address leaves a denylist before DNS has given others after
  it.
- Losing more than half of an allowlist of 4 or more is held. A hold ends when no more than half is
  missing, or when 10 rounds over at least 1 h said so; rounds that do not say enough (time stands
  still) neither count nor end it. What is compared are the lists, not answers, so a host that shows
  8 of 64 addresses at a time is not held. A denylist needs no hold: 7 d of answers confirmed it.
- At most 64 addresses are kept. Those that are allowed go before those that only wait to leave the
  allowlist, and those before the ones that are only denied. Among the first, those that are there
  already go before new ones, so that a host with hundreds of addresses does not make the list
  change for ever; among the others, the ones last seen. Families take turns, so that neither crowds
  out the other.
- Additions take effect at once. Removals wait up to 10 min for others or for an addition.
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


# What belongs into lists


def allowlist(state: HostState, rules: Retention) -> tuple[Address, ...]:
    """The addresses that may be reached, in order. Empty means none, never all."""
    allowed = (known.address for known in state.known if known.expires_at is not None)
    seeds = (
        seed for seed in usable_seeds(state, rules) if not state.family(family_of(seed)).settled
    )
    return in_order((*_usable(allowed, rules), *seeds))


def denylist(state: HostState, rules: Retention) -> tuple[Address, ...]:
    """The addresses that may not be reached, in order. Empty means that none is known."""
    known = (known.address for known in state.known)
    return in_order((*_usable(known, rules), *usable_seeds(state, rules)))


def is_complete(state: HostState, rules: Retention) -> bool:
    """Whether the lists hold all addresses that were told, none left out as too many."""
    if state.capped_at is None or state.as_of is None:
        return True
    return state.as_of - state.capped_at >= rules.deny_grace


def shared_addresses(state: HostState, rules: Retention) -> Mapping[Address, str]:
    """Of the addresses in the denylist those that serve others too, with who serves them."""
    return _shared(denylist(state, rules))


def _shared(addresses: Iterable[Address]) -> Mapping[Address, str]:
    found = ((address, shared_by(address)) for address in addresses)
    return {address: provider for address, provider in found if provider is not None}


def host_facts(state: HostState, rules: Retention) -> HostFacts:
    """What decisions need to know of the host."""
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
    )


def usable_seeds(state: HostState, rules: Retention) -> tuple[Address, ...]:
    """The catalogue's addresses without those that are refused or of an unwanted family."""
    return in_order(_usable(map(unmapped, state.seeds), rules))


def is_usable(address: Address, rules: Retention) -> bool:
    """Whether the address may be in a list: of a wanted family, and not refused."""
    return family_of(address) in rules.families and refusal_of(address, rules.own_ranges) is None


def _usable(addresses: Iterable[Address], rules: Retention) -> Iterator[Address]:
    return (address for address in addresses if is_usable(address, rules))


# When to ask


def next_lookup(state: HostState, rules: Retention, jitter: float) -> float:
    """How many seconds after a round the host is to be asked for again.

    ``jitter`` is a random number in [0, 1); it makes the time up to a tenth shorter or longer, so
    that hosts that were asked for together do not stay together.
    """
    if not 0 <= jitter < 1:
        raise ValueError(f"jitter is to be at least 0 and less than 1, not {jitter}")
    # Where no round was ever taken in, nobody is to ask in a loop.
    interval = state.interval or rules.shortest_interval.total_seconds()
    return interval * (0.9 + 0.2 * jitter)


def _interval(summary: RoundSummary, allowed: int, quiet: int, rules: Retention) -> timedelta:
    """Half the TTL, within bounds; sooner while a host that rotates shows new addresses.

    Such a host shows all of its n addresses in about n / (those of one answer) answers; twice as
    many without a new one end the search. The cap on addresses bounds it.
    """
    told = summary.told
    if told and quiet < 2 * ceil(allowed / len(told)):
        return min(rules.discovery_interval, rules.shortest_interval)
    families = summary.families.values()
    # Where nothing was said, waiting is of no use: the next answer may be a good one.
    ttls = [one.ttl for one in families if one.told] or [one.ttl for one in families]
    half = timedelta(seconds=min(ttls, default=0)) / 2
    return min(max(half, rules.shortest_interval), rules.longest_interval)


# The step


def step_host(
    state: HostState, answers: Sequence[Lookup], now: datetime, rules: Retention
) -> HostState:
    """What is known after a round of answers.

    ``answers`` are all of the round, in any order; without any of a wanted family nothing changes.
    A view that is missing from them is taken for one that is no longer asked.
    """
    answers = [answer for answer in answers if answer.family in rules.families]
    if not answers:
        return state
    now = whole_seconds(now)
    elapsed = _elapsed(state, now, rules)
    state = _moved(state, now, elapsed, rules)
    return _Round(state, summarize(state, answers, now, rules), elapsed, rules).result()


def _elapsed(state: HostState, now: datetime, rules: Retention) -> timedelta:
    """How much time has passed since the last round, as far as it counts."""
    if state.as_of is None:
        return _NOTHING
    return min(max(now - state.as_of, _NOTHING), rules.longest_gap)


def _moved(state: HostState, now: datetime, elapsed: timedelta, rules: Retention) -> HostState:
    """The state in the time of a clock that says ``now``, with only what the rules let stand."""
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
    """No end lies further ahead than a new answer could set it, whatever was saved."""
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


# What a round changes


class _Round:
    """One step, after what was said is understood."""

    def __init__(
        self, state: HostState, summary: RoundSummary, elapsed: timedelta, rules: Retention
    ) -> None:
        assert state.as_of is not None
        self._now = state.as_of
        self._before = state
        self._hearing = summary
        self._elapsed = elapsed
        self._rules = rules
        self._told = summary.told
        self._known = {one.address: one for one in state.known}
        self._added: set[Address] = set()
        """What was not in the allowlist before."""

    def result(self) -> HostState:
        """The state after the step."""
        self._renew()
        if self._elapsed:
            self._stop_time()
        is_capped = self._cap()
        # What the cap keeps out is no addition, so it hurries nothing.
        added = any(address in self._known for address in self._added)
        before = self._count_allowed()
        families = tuple(
            self._let_go(family, added=added) for family in self._hearing.families.values()
        )
        allowed = self._count_allowed()
        self._forget(hurry=added or allowed < before)
        quiet = 0 if added else min(self._before.quiet + bool(self._told), QUIET)
        interval = _interval(self._hearing, allowed, quiet, self._rules)
        return replace(
            self._before,
            known=tuple(self._known[address] for address in in_order(self._known)),
            families=families,
            refusals=self._remembered_refusals(),
            capped_at=self._now if is_capped else self._before.capped_at,
            interval=interval.total_seconds(),
            quiet=quiet,
        )

    def _count_allowed(self) -> int:
        return sum(one.expires_at is not None for one in self._known.values())

    # What was told

    def _renew(self) -> None:
        for family in self._hearing.families.values():
            for address, seconds in family.told.items():
                self._known[address] = self._seen(address, timedelta(seconds=seconds))

    def _seen(self, address: Address, ttl: timedelta) -> KnownAddress:
        """A cache tells what is left of a TTL, so a later answer never shortens a stay."""
        expires = self._now + ttl + self._rules.allow_grace
        deny_expires = self._now + ttl + self._rules.deny_grace
        before = self._known.get(address)
        if before is not None:
            expires = max(before.expires_at or expires, expires)
            deny_expires = max(before.deny_expires_at, deny_expires)
        if before is None or before.expires_at is None:
            self._added.add(address)
        return KnownAddress(address, self._now, expires, deny_expires)

    # What was not told

    def _stop_time(self) -> None:
        """Move on the ends of what was not told, where the round does not say that it is missing.

        The limit of the allowlist stays.
        """
        for address, one in self._known.items():
            family = self._hearing.families[family_of(address)]
            expires, deny_expires = one.expires_at, one.deny_expires_at
            if address in self._told or (family.is_conclusive and self._denial_passes(family)):
                continue
            if expires is not None and not family.is_conclusive:
                limit = one.seen_at + self._rules.longest_allowed
                expires = min(expires + self._elapsed, limit)
            if not self._denial_passes(family):
                deny_expires += self._elapsed
            self._known[address] = KnownAddress(address, one.seen_at, expires, deny_expires)

    def _denial_passes(self, family: FamilySummary) -> bool:
        """Whether time passes in the denylist: DNS has addresses, and not these."""
        return family.says is FamilyResult.ADDRESSES or (
            family.is_gone and bool(self._hearing.told)
        )

    # What is too much

    def _cap(self) -> bool:
        """Leave out what is too many; whether anything was."""
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
        """Allowed and in time, allowed and only waiting to leave, denied. Among them what was there
        before first, then what was seen last."""
        rank = 2 if one.expires_at is None else int(one.expires_at <= self._now)
        return rank, one.address in self._added, self._now - one.seen_at, int(one.address)

    # What is over

    def _let_go(self, family: FamilySummary, *, added: bool) -> FamilyState:
        """Take a family's addresses from the allowlist whose time is over."""
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
        """What has come to its end; none of it while all may wait and there is no hurry."""
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
        """Take addresses from the denylist whose time is over."""
        ends = {
            one.address: one.deny_expires_at
            for one in self._known.values()
            if one.expires_at is None
            and self._denial_passes(self._hearing.families[family_of(one.address)])
        }
        for address in self._over(ends, hurry=hurry):
            del self._known[address]

    # What is told to people

    def _remembered_refusals(self) -> tuple[Refusal, ...]:
        views = {one.name_server: one for one in (*self._before.refusals, *self._hearing.refusals)}
        kept = [one for one in views.values() if self._now - one.at < self._rules.stale]
        # The newest, where there are too many.
        kept.sort(key=lambda one: (self._now - one.at, one.name_server))
        return tuple(sorted(kept[:_MOST_REFUSALS], key=lambda one: one.name_server))
