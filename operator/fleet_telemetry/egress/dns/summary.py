"""Combines the lookups of one round into a summary for each address family."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum, auto

from fleet_telemetry.api.telemetry_host import AddressFamily, LookupResult
from fleet_telemetry.egress.addresses import in_order, is_sinkhole, refusal_of, unmapped
from fleet_telemetry.egress.host_state import (
    FamilyState,
    HostState,
    LookupFailure,
    Refusal,
    Responder,
    Retention,
)
from fleet_telemetry.egress.model import Address, Lookup, family_of

_FAILED = (LookupResult.TRANSIENT, LookupResult.FAULT)
_NEGATIVE = (LookupResult.NO_DATA, LookupResult.NX_DOMAIN)


class FamilyResult(Enum):
    """The combined result of all name servers for one family."""

    ADDRESSES = auto()
    """A name server returned addresses, and no responder failed."""
    PARTLY = auto()
    """A name server returned addresses, and a responder failed: its addresses may be missing."""
    NOTHING = auto()
    """Every name server that responded says that there is none, and no responder failed."""
    NO_ANSWER = auto()
    """All lookups failed, or a responder failed and the others have no address."""


@dataclass(frozen=True, slots=True)
class FamilySummary:
    """The result of a round for one family."""

    result: FamilyResult
    state: FamilyState
    """After the round, except for the hold."""
    addresses: Mapping[Address, int]
    """Each with its longest TTL in seconds. Refused addresses are not included."""
    ttl: int
    """The shortest TTL of the round in seconds; 0 without a response."""
    is_gone: bool = False
    """The negative result was repeated often enough to be accepted."""

    @property
    def is_conclusive(self) -> bool:
        """Whether an address that was not returned counts as missing."""
        return self.result is FamilyResult.ADDRESSES or self.is_gone


@dataclass(frozen=True, slots=True)
class RoundSummary:
    """The result of a round for a host."""

    families: Mapping[AddressFamily, FamilySummary]
    """All families of the rules, in order."""
    refusals: tuple[Refusal, ...]
    """At most one for each name server."""
    failures: tuple[LookupFailure, ...] = ()
    """The failed lookups, in order."""

    @property
    def addresses(self) -> frozenset[Address]:
        """The addresses of all families."""
        return frozenset(
            address for family in self.families.values() for address in family.addresses
        )


def summarize(
    state: HostState, answers: Sequence[Lookup], now: datetime, rules: Retention
) -> RoundSummary:
    """Summarize the lookups of one round. The times of the state are relative to ``now``."""
    refusals = _refusals(answers, now, rules)
    refused = {refusal.name_server for refusal in refusals}
    by_family = tuple(_by_family(answers))
    families = {}
    for family in sorted(rules.families):
        mine = [answer for answer in by_family if answer.family is family]
        families[family] = _summarize_family(
            state.family(family), _group(mine, refused, rules), now, rules
        )
    return RoundSummary(families, refusals, _failures(answers))


def _failures(answers: Iterable[Lookup]) -> tuple[LookupFailure, ...]:
    failed = (one for one in answers if one.outcome in _FAILED)
    return tuple(sorted(LookupFailure(one.name_server, one.family, one.detail) for one in failed))


def _refusals(answers: Iterable[Lookup], now: datetime, rules: Retention) -> tuple[Refusal, ...]:
    """One for each name server that returned an address that no telemetry host can have."""
    name_servers: dict[str, set[Address]] = {}
    for answer in answers:
        if answer.outcome is LookupResult.OK:
            name_servers.setdefault(answer.name_server, set()).update(answer.addresses)
    found = []
    for name_server in sorted(name_servers):
        # A sinkhole is the most useful message, so it comes first.
        ordered = sorted(
            in_order(name_servers[name_server]),
            key=lambda address: not is_sinkhole(address, rules.own),
        )
        for address in ordered:
            why = refusal_of(address, rules.own)
            if why is not None:
                found.append(Refusal(name_server, why, is_sinkhole(address, rules.own), now))
                break
    return tuple(found)


def _by_family(answers: Iterable[Lookup]) -> Iterator[Lookup]:
    """The lookups, each with addresses of its own family only. IPv4-mapped IPv6 addresses count as
    results of a lookup of IPv4 addresses."""
    for answer in answers:
        found: dict[AddressFamily, list[Address]] = {}
        for address in map(unmapped, answer.addresses):
            found.setdefault(family_of(address), []).append(address)
        mine = found.pop(answer.family, [])
        has_others_only = bool(found) and not mine
        yield replace(
            answer,
            outcome=LookupResult.NO_DATA if has_others_only else answer.outcome,
            addresses=tuple(mine),
        )
        for family, addresses in found.items():
            yield replace(answer, family=family, addresses=tuple(addresses))


@dataclass(slots=True)
class _Grouped:
    """The lookups of one family, grouped by result."""

    addresses: dict[Address, int] = field(default_factory=dict)
    ttls: list[int] = field(default_factory=list)
    good: set[str] = field(default_factory=set)
    negative: set[LookupResult] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)


def _group(answers: Iterable[Lookup], refused: set[str], rules: Retention) -> _Grouped:
    """Of several lookups of a name server, those with addresses count, else the negative ones."""
    found = _Grouped()
    name_servers: dict[str, list[Lookup]] = {}
    for answer in answers:
        name_servers.setdefault(answer.name_server, []).append(answer)
    for name_server, mine in name_servers.items():
        full = [one for one in mine if one.outcome is LookupResult.OK and one.addresses]
        empty = [one for one in mine if one.outcome in _NEGATIVE]
        if name_server in refused or not (full or empty):
            found.failed.add(name_server)
        elif full:
            found.good.add(name_server)
        else:
            found.negative.update(one.outcome for one in empty)
        if name_server not in refused:
            found.ttls += (_ttl(one, rules) for one in full or empty)
            for one in full:
                for address in one.addresses:
                    ttl = _ttl(one, rules)
                    found.addresses[address] = max(found.addresses.get(address, 0), ttl)
    return found


def _ttl(answer: Lookup, rules: Retention) -> int:
    return min(max(answer.ttl, 0), int(rules.longest_ttl.total_seconds()))


def _summarize_family(
    before: FamilyState, found: _Grouped, now: datetime, rules: Retention
) -> FamilySummary:
    missed = [
        responder
        for responder in before.responders
        if responder.name_server in found.failed and now - responder.answered_at < rules.freeze
    ]
    responders = [*missed, *(Responder(name_server, now) for name_server in found.good)]
    state = replace(before, responders=tuple(sorted(responders, key=lambda one: one.name_server)))
    ttl = min(found.ttls, default=0)
    if found.good:
        state = replace(
            state,
            settled=True,
            answered_at=now,
            outcome=LookupResult.OK,
            negatives=0,
            negative_since=None,
        )
        return FamilySummary(
            FamilyResult.PARTLY if missed else FamilyResult.ADDRESSES, state, found.addresses, ttl
        )
    if not found.negative:
        return FamilySummary(FamilyResult.NO_ANSWER, state, found.addresses, ttl)
    outcome = (
        LookupResult.NX_DOMAIN if LookupResult.NX_DOMAIN in found.negative else LookupResult.NO_DATA
    )
    state = replace(state, answered_at=now, outcome=outcome)
    if missed:
        return FamilySummary(FamilyResult.NO_ANSWER, state, found.addresses, ttl)
    since = before.negative_since or now
    count = min(before.negatives + 1, rules.negatives)
    is_gone = count >= rules.negatives and now - since >= rules.negative_time
    state = replace(
        state,
        negatives=count,
        negative_since=since,
        settled=before.settled or is_gone,
    )
    return FamilySummary(FamilyResult.NOTHING, state, found.addresses, ttl, is_gone)
