"""Time between two rounds of lookups: how much of it counts, and what a clock that jumps moves."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from fleet_telemetry.egress.host_lists import is_usable
from fleet_telemetry.egress.host_state import (
    FamilyState,
    HostState,
    KnownAddress,
    Responder,
    Retention,
)

_NOTHING = timedelta(0)


def elapsed_time(state: HostState, now: datetime, rules: Retention) -> timedelta:
    """The time since the last round that counts."""
    if state.as_of is None:
        return _NOTHING
    return min(max(now - state.as_of, _NOTHING), rules.longest_gap)


def moved_state(state: HostState, now: datetime, elapsed: timedelta, rules: Retention) -> HostState:
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
