"""The steps of one round of lookups, each a pure function of the addresses that are known.

The rules are in ``host_step.py``, which takes the steps in order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from fleet_telemetry.api.telemetry_host import AddressFamily
from fleet_telemetry.egress.dns.summary import FamilyResult, FamilySummary, RoundSummary
from fleet_telemetry.egress.host_state import FamilyState, KnownAddress, Refusal, Retention
from fleet_telemetry.egress.model import Address, family_of

Known = Mapping[Address, KnownAddress]
"""The known addresses. Steps return another mapping and do not change the given one."""

_MOST_REFUSALS = 16


@dataclass(frozen=True, slots=True)
class Round:
    """What is the same in all steps of a round."""

    now: datetime
    elapsed: timedelta
    """The time since the last round that counts."""
    summary: RoundSummary
    returned: frozenset[Address]
    """The addresses that DNS returned in the round."""
    added: frozenset[Address]
    """Those of them that were not in the allowlist before."""
    rules: Retention

    @classmethod
    def of(
        cls,
        now: datetime,
        elapsed: timedelta,
        summary: RoundSummary,
        before: Known,
        rules: Retention,
    ) -> Round:
        """The round after lookups with this summary; ``before`` are the known addresses."""
        returned = summary.addresses
        added = frozenset(
            address
            for address in returned
            if address not in before or before[address].expires_at is None
        )
        return cls(now, elapsed, summary, returned, added, rules)

    def family_of(self, address: Address) -> FamilySummary:
        """The result for the family of an address."""
        return self.summary.families[family_of(address)]

    def denial_passes(self, family: FamilySummary) -> bool:
        """Whether addresses age in the denylist: DNS returned others instead."""
        return family.result is FamilyResult.ADDRESSES or (family.is_gone and bool(self.returned))


# Returned addresses


def renewed(this: Round, known: Known) -> Known:
    """With the returned addresses. A DNS cache returns the rest of a TTL, so a later lookup never
    makes the time in a list shorter."""
    found = dict(known)
    for family in this.summary.families.values():
        for address, seconds in family.addresses.items():
            ttl = timedelta(seconds=seconds)
            found[address] = _seen(this, address, found.get(address), ttl)
    return found


def _seen(
    this: Round, address: Address, before: KnownAddress | None, ttl: timedelta
) -> KnownAddress:
    expires = this.now + ttl + this.rules.allow_grace
    deny_expires = this.now + ttl + this.rules.deny_grace
    if before is not None:
        expires = max(before.expires_at or expires, expires)
        deny_expires = max(before.deny_expires_at, deny_expires)
    return KnownAddress(address, this.now, expires, deny_expires)


# Addresses that were not returned


def held_up(this: Round, known: Known) -> Known:
    """With more time for addresses that were not returned, unless the round is conclusive. The
    limit of the allowlist does not move."""
    if not this.elapsed:
        return known
    return {
        address: one if address in this.returned else _held_up(this, one)
        for address, one in known.items()
    }


def _held_up(this: Round, one: KnownAddress) -> KnownAddress:
    family = this.family_of(one.address)
    passes = this.denial_passes(family)
    expires, deny_expires = one.expires_at, one.deny_expires_at
    if expires is not None and not family.is_conclusive:
        expires = min(expires + this.elapsed, one.seen_at + this.rules.longest_allowed)
    if not passes:
        deny_expires += this.elapsed
    if (expires, deny_expires) == (one.expires_at, one.deny_expires_at):
        return one
    return replace(one, expires_at=expires, deny_expires_at=deny_expires)


# The cap


def capped(this: Round, known: Known) -> Known:
    """Without the addresses above the cap."""
    most = this.rules.most_addresses
    if len(known) <= most:
        return known
    places: dict[tuple[int, AddressFamily], int] = {}
    ranked = []
    for one in sorted(known.values(), key=lambda one: _rank(this, one)):
        rank, family = _rank(this, one)[0], family_of(one.address)
        places[rank, family] = place = places.get((rank, family), -1) + 1
        ranked.append(((rank, place, family), one))
    ranked.sort(key=lambda entry: entry[0])
    return {one.address: one for _, one in ranked[:most]}


def _rank(this: Round, one: KnownAddress) -> tuple[int, bool, timedelta, int]:
    """Returned now, allowed, allowed with a pending removal, denied. Within each, known addresses
    first, then those returned last."""
    if one.address in this.returned:
        rank = 0
    elif one.expires_at is None:
        rank = 3
    else:
        rank = 1 + int(one.expires_at <= this.now)
    return rank, one.address in this.added, this.now - one.seen_at, int(one.address)


# Expired addresses


def released(
    this: Round, known: Known, family: FamilySummary, *, added: bool
) -> tuple[Known, FamilyState]:
    """Without expired addresses of a family in the allowlist, and the family's state. ``added``:
    the allowlist has grown in this round."""
    state = family.state
    mine = [
        one
        for one in known.values()
        if one.expires_at is not None and family_of(one.address) is state.family
    ]
    ended = replace(state, held_since=None, held_answers=0)
    if not family.is_conclusive:
        limit = this.rules.longest_allowed
        if state.held_since is not None:
            limit += this.rules.hold_time
        over = _over(this, {one.address: one.seen_at + limit for one in mine}, hurry=added)
        return _only_denied(known, over), state if mine else ended
    ends = {one.address: _end(this, one, family) for one in mine}
    due = _over(this, ends, hurry=True)
    if len(mine) >= this.rules.hold_size and len(due) * 2 > len(mine):
        held = replace(
            state,
            held_since=state.held_since or this.now,
            held_answers=min(state.held_answers + 1, this.rules.hold_answers),
        )
        if not _is_confirmed(this, held):
            return known, held
        return _only_denied(known, due), ended
    return _only_denied(known, _over(this, ends, hurry=added or family.is_gone)), ended


def _end(this: Round, one: KnownAddress, family: FamilySummary) -> datetime:
    """When an address leaves the allowlist."""
    assert one.expires_at is not None
    return min(one.expires_at, this.now) if family.is_gone else one.expires_at


def _over(this: Round, ends: Mapping[Address, datetime], *, hurry: bool) -> frozenset[Address]:
    """The expired addresses; none while their removal may wait."""
    over = frozenset(address for address, end in ends.items() if end <= this.now)
    if over and not hurry:
        oldest = min(ends[address] for address in over)
        hurry = this.now - oldest >= this.rules.coalesce
    return over if hurry else frozenset()


def _is_confirmed(this: Round, state: FamilyState) -> bool:
    return (
        state.held_since is not None
        and this.now - state.held_since >= this.rules.hold_time
        and state.held_answers >= this.rules.hold_answers
    )


def _only_denied(known: Known, gone: frozenset[Address]) -> Known:
    return {
        address: replace(one, expires_at=None) if address in gone else one
        for address, one in known.items()
    }


def forgotten(this: Round, known: Known, *, hurry: bool) -> Known:
    """Without expired addresses of the denylist."""
    ends = {
        one.address: one.deny_expires_at
        for one in known.values()
        if one.expires_at is None and this.denial_passes(this.family_of(one.address))
    }
    over = _over(this, ends, hurry=hurry)
    return {address: one for address, one in known.items() if address not in over}


# Reporting


def remembered(this: Round, before: tuple[Refusal, ...]) -> tuple[Refusal, ...]:
    """The refusals of late, the latest one of each name server."""
    latest = {one.name_server: one for one in (*before, *this.summary.refusals)}
    kept = [one for one in latest.values() if this.now - one.at < this.rules.stale]
    # The newest, if there are too many.
    kept.sort(key=lambda one: (this.now - one.at, one.name_server))
    return tuple(sorted(kept[:_MOST_REFUSALS], key=lambda one: one.name_server))
