"""What the name servers say of a host in one round, taken together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum, auto

from fleet_telemetry.api.telemetry_host import AddressFamily, LookupResult
from fleet_telemetry.egress.addresses import in_order, is_sinkhole, refusal_of, unmapped
from fleet_telemetry.egress.host_state import FamilyState, HostState, Refusal, Responder, Retention
from fleet_telemetry.egress.model import Address, Lookup, family_of

_NEGATIVE = (LookupResult.NO_DATA, LookupResult.NX_DOMAIN)


class FamilyResult(Enum):
    """What all name_servers together say of one family."""

    ADDRESSES = auto()
    """A name server has addresses, and no responder failed."""
    PARTLY = auto()
    """A name server has addresses, and a responder failed: what only it knows was not told."""
    NOTHING = auto()
    """Every name server that answered says that there is none, and no responder failed."""
    NO_ANSWER = auto()
    """All failed, or a responder did and the others have none."""


@dataclass(frozen=True, slots=True)
class FamilySummary:
    """What a round says of one family."""

    says: FamilyResult
    state: FamilyState
    """After the round, but for the hold."""
    told: Mapping[Address, int]
    """The addresses, each with its longest TTL in seconds. None of them is refused."""
    ttl: int
    """The shortest one of what was said, in seconds; 0 where nothing was."""
    is_gone: bool = False
    """It was said often enough that there is nothing."""

    @property
    def is_conclusive(self) -> bool:
        """Whether an address is missing that was not told."""
        return self.says is FamilyResult.ADDRESSES or self.is_gone


@dataclass(frozen=True, slots=True)
class RoundSummary:
    """What a round says of a host."""

    families: Mapping[AddressFamily, FamilySummary]
    """All wanted ones, in order."""
    refusals: tuple[Refusal, ...]
    """At most one of a name server."""

    @property
    def told(self) -> frozenset[Address]:
        """The addresses of all families."""
        return frozenset(address for family in self.families.values() for address in family.told)


def summarize(
    state: HostState, answers: Sequence[Lookup], now: datetime, rules: Retention
) -> RoundSummary:
    """Make sense of the answers of one round; the state is of the same time."""
    refusals = _refusals(answers, now, rules)
    refused = {refusal.name_server for refusal in refusals}
    by_family = tuple(_by_family(answers))
    families = {}
    for family in sorted(rules.families):
        mine = [answer for answer in by_family if answer.family is family]
        families[family] = _summarize_family(
            state.family(family), _sort(mine, refused, rules), now, rules
        )
    return RoundSummary(families, refusals)


def _refusals(answers: Iterable[Lookup], now: datetime, rules: Retention) -> tuple[Refusal, ...]:
    """One of each name server that gave an address that can be no telemetry host's."""
    name_servers: dict[str, set[Address]] = {}
    for answer in answers:
        if answer.outcome is LookupResult.OK:
            name_servers.setdefault(answer.name_server, set()).update(answer.addresses)
    found = []
    for name_server in sorted(name_servers):
        # A sinkhole says most, so it is the one that is told.
        ordered = sorted(
            in_order(name_servers[name_server]), key=lambda address: not is_sinkhole(address)
        )
        for address in ordered:
            why = refusal_of(address, rules.own_ranges)
            if why is not None:
                found.append(Refusal(name_server, why, is_sinkhole(address), now))
                break
    return tuple(found)


def _by_family(answers: Iterable[Lookup]) -> Iterator[Lookup]:
    """The answers, each with addresses of its family only: IPv4 addresses that are mapped into IPv6
    ones are taken out, and count as if they had been asked for."""
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
class _Sorted:
    """One family's answers by what they say."""

    told: dict[Address, int] = field(default_factory=dict)
    ttls: list[int] = field(default_factory=list)
    good: set[str] = field(default_factory=set)
    negative: set[LookupResult] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)


def _sort(answers: Iterable[Lookup], refused: set[str], rules: Retention) -> _Sorted:
    """Of several answers of a name server, the one with addresses counts, else the negative."""
    found = _Sorted()
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
                    found.told[address] = max(found.told.get(address, 0), _ttl(one, rules))
    return found


def _ttl(answer: Lookup, rules: Retention) -> int:
    return min(max(answer.ttl, 0), int(rules.longest_ttl.total_seconds()))


def _summarize_family(
    before: FamilyState, found: _Sorted, now: datetime, rules: Retention
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
            FamilyResult.PARTLY if missed else FamilyResult.ADDRESSES, state, found.told, ttl
        )
    if not found.negative:
        return FamilySummary(FamilyResult.NO_ANSWER, state, found.told, ttl)
    outcome = (
        LookupResult.NX_DOMAIN if LookupResult.NX_DOMAIN in found.negative else LookupResult.NO_DATA
    )
    state = replace(state, answered_at=now, outcome=outcome)
    if missed:
        return FamilySummary(FamilyResult.NO_ANSWER, state, found.told, ttl)
    since = before.negative_since or now
    count = min(before.negatives + 1, rules.negatives)
    is_gone = count >= rules.negatives and now - since >= rules.negative_time
    state = replace(
        state,
        negatives=count,
        negative_since=since,
        settled=before.settled or is_gone,
    )
    return FamilySummary(FamilyResult.NOTHING, state, found.told, ttl, is_gone)
