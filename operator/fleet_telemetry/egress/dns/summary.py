"""What the name servers say of a host in one round, taken together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum, auto

from fleet_telemetry.api.telemetry_host import AddressFamily, LookupResult
from fleet_telemetry.egress.addresses import in_order, is_sinkhole, refusal_of, unmapped
from fleet_telemetry.egress.host_state import FamilyState, HostState, Refusal, Retention, Witness
from fleet_telemetry.egress.model import Address, Answer, family_of

_NEGATIVE = (LookupResult.NO_DATA, LookupResult.NX_DOMAIN)


class Says(Enum):
    """What all views together say of one family."""

    ADDRESSES = auto()
    """A view has addresses, and no witness failed."""
    PARTLY = auto()
    """A view has addresses, and a witness failed: what only it knows was not told."""
    NOTHING = auto()
    """Every view that answered says that there is none, and no witness failed."""
    NO_ANSWER = auto()
    """All failed, or a witness did and the others have none."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What a round says of one family."""

    says: Says
    state: FamilyState
    """After the round, but for the hold."""
    told: Mapping[Address, int]
    """The addresses, each with its longest TTL in seconds. None of them is refused."""
    ttl: int
    """The shortest one of what was said, in seconds; 0 where nothing was."""
    is_gone: bool = False
    """It was said often enough that there is nothing."""

    @property
    def is_telling(self) -> bool:
        """Whether an address is missing that was not told."""
        return self.says is Says.ADDRESSES or self.is_gone


@dataclass(frozen=True, slots=True)
class Hearing:
    """What a round says of a host."""

    families: Mapping[AddressFamily, Heard]
    """All wanted ones, in order."""
    refusals: tuple[Refusal, ...]
    """At most one of a view."""

    @property
    def told(self) -> frozenset[Address]:
        """The addresses of all families."""
        return frozenset(address for heard in self.families.values() for address in heard.told)


def listen(state: HostState, answers: Sequence[Answer], now: datetime, rules: Retention) -> Hearing:
    """Make sense of the answers of one round; the state is of the same time."""
    refusals = _refusals(answers, now, rules)
    refused = {refusal.view for refusal in refusals}
    by_family = tuple(_by_family(answers))
    families = {}
    for family in sorted(rules.families):
        mine = [answer for answer in by_family if answer.family is family]
        families[family] = _hear(state.family(family), _sort(mine, refused, rules), now, rules)
    return Hearing(families, refusals)


def _refusals(answers: Iterable[Answer], now: datetime, rules: Retention) -> tuple[Refusal, ...]:
    """One of each view that gave an address that can be no telemetry host's."""
    views: dict[str, set[Address]] = {}
    for answer in answers:
        if answer.outcome is LookupResult.OK:
            views.setdefault(answer.view, set()).update(answer.addresses)
    found = []
    for view in sorted(views):
        # A sinkhole says most, so it is the one that is told.
        ordered = sorted(in_order(views[view]), key=lambda address: not is_sinkhole(address))
        for address in ordered:
            why = refusal_of(address, rules.own_ranges)
            if why is not None:
                found.append(Refusal(view, why, is_sinkhole(address), now))
                break
    return tuple(found)


def _by_family(answers: Iterable[Answer]) -> Iterator[Answer]:
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


def _sort(answers: Iterable[Answer], refused: set[str], rules: Retention) -> _Sorted:
    """Of several answers of one view, the one with addresses counts, or else the negative one."""
    found = _Sorted()
    views: dict[str, list[Answer]] = {}
    for answer in answers:
        views.setdefault(answer.view, []).append(answer)
    for view, mine in views.items():
        full = [one for one in mine if one.outcome is LookupResult.OK and one.addresses]
        empty = [one for one in mine if one.outcome in _NEGATIVE]
        if view in refused or not (full or empty):
            found.failed.add(view)
        elif full:
            found.good.add(view)
        else:
            found.negative.update(one.outcome for one in empty)
        if view not in refused:
            found.ttls += (_ttl(one, rules) for one in full or empty)
            for one in full:
                for address in one.addresses:
                    found.told[address] = max(found.told.get(address, 0), _ttl(one, rules))
    return found


def _ttl(answer: Answer, rules: Retention) -> int:
    return min(max(answer.ttl, 0), int(rules.longest_ttl.total_seconds()))


def _hear(before: FamilyState, found: _Sorted, now: datetime, rules: Retention) -> Heard:
    missed = [
        witness
        for witness in before.witnesses
        if witness.view in found.failed and now - witness.answered_at < rules.freeze
    ]
    witnesses = [*missed, *(Witness(view, now) for view in found.good)]
    state = replace(before, witnesses=tuple(sorted(witnesses, key=lambda one: one.view)))
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
        return Heard(Says.PARTLY if missed else Says.ADDRESSES, state, found.told, ttl)
    if not found.negative:
        return Heard(Says.NO_ANSWER, state, found.told, ttl)
    outcome = (
        LookupResult.NX_DOMAIN if LookupResult.NX_DOMAIN in found.negative else LookupResult.NO_DATA
    )
    state = replace(state, answered_at=now, outcome=outcome)
    if missed:
        return Heard(Says.NO_ANSWER, state, found.told, ttl)
    since = before.negative_since or now
    count = min(before.negatives + 1, rules.negatives)
    is_gone = count >= rules.negatives and now - since >= rules.negative_time
    state = replace(
        state,
        negatives=count,
        negative_since=since,
        settled=before.settled or is_gone,
    )
    return Heard(Says.NOTHING, state, found.told, ttl, is_gone)
