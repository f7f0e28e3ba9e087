"""Encodes the state of a host as the status of a TelemetryHost, and decodes it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from fleet_telemetry.api.conditions import Condition, ConditionStatus, merge_conditions
from fleet_telemetry.api.telemetry_host import (
    HostAddress,
    HostFamily,
    HostNameServer,
    TelemetryHostStatus,
)
from fleet_telemetry.egress.addresses import in_order, read_address
from fleet_telemetry.egress.host_conditions import FRESH, observe
from fleet_telemetry.egress.host_lists import is_usable
from fleet_telemetry.egress.host_state import (
    FamilyState,
    HostState,
    KnownAddress,
    Responder,
    Retention,
    whole_seconds,
)
from fleet_telemetry.egress.model import Address, family_of

_LONGEST_NAME = 253
_MOST_NAME_SERVERS = 64
_OLDEST = timedelta(days=366)


def encode_status(
    state: HostState,
    rules: Retention,
    before: Iterable[Condition] = (),
    *,
    now: datetime | None = None,
) -> TelemetryHostStatus:
    """Encode the state.

    ``before`` are the conditions of the saved status. ``now`` is the time of conditions that
    change; by default the time of the state.
    """
    at = state.as_of if now is None else now
    conditions: tuple[Condition, ...] = ()
    if at is not None:
        conditions = merge_conditions(before, observe(state, rules), now=at)
    return TelemetryHostStatus(
        as_of=state.as_of,
        addresses=tuple(
            HostAddress(
                ip=str(one.address),
                seen_at=one.seen_at,
                expires_at=one.expires_at,
                deny_expires_at=one.deny_expires_at,
            )
            for one in state.known
        ),
        families=tuple(map(_encode_family, state.families)),
        capped_at=state.capped_at,
        ranges=state.ranges,
        conditions=conditions,
    )


def _encode_family(state: FamilyState) -> HostFamily:
    answered = {
        one.name_server[:_LONGEST_NAME]: one.answered_at
        for one in state.responders
        if one.name_server
    }
    return HostFamily(
        family=state.family,
        settled=state.settled,
        last_answered_at=state.answered_at,
        last_outcome=state.outcome,
        negatives=state.negatives,
        negative_since=state.negative_since,
        held_since=state.held_since,
        held_answers=state.held_answers,
        views=tuple(
            HostNameServer(name=name, answered_at=answered[name])
            for name in sorted(answered)[:_MOST_NAME_SERVERS]
        ),
    )


# Whether to write


def status_to_write(
    saved: TelemetryHostStatus | None, state: HostState, now: datetime, rules: Retention
) -> TelemetryHostStatus | None:
    """The status to write; None if the saved one is still valid.

    A status is written if its content differs from the state, or if half of the time has passed
    until its addresses expire. Changed times alone are no reason.
    """
    if saved is None:
        return encode_status(state, rules, now=now)
    if state.as_of is None:
        return None
    status = encode_status(state, rules, saved.conditions, now=now)
    is_due = (
        _content(status) != _content(saved)
        or _is_half_over(saved, whole_seconds(now), rules)
        or _explains_anew(status, saved, rules)
    )
    return status if is_due else None


def _explains_anew(
    status: TelemetryHostStatus, saved: TelemetryHostStatus, rules: Retention
) -> bool:
    """Whether lookups fail for another reason than the saved one, which is not brand new: reasons
    that alternate are no reason to write each time."""
    if status.as_of is None or saved.as_of is None:
        return False
    if timedelta(0) <= status.as_of - saved.as_of < rules.coalesce:
        return False
    return _failing(status) != _failing(saved)


def _failing(status: TelemetryHostStatus) -> frozenset[tuple[str, str]]:
    return frozenset(
        (one.type, one.message)
        for one in status.conditions
        if one.type == FRESH and one.status is ConditionStatus.FALSE
    )


_Content = tuple[frozenset[tuple[Any, ...]], ...]


def _content(status: TelemetryHostStatus) -> _Content:
    return (
        frozenset((one.ip, one.expires_at is not None) for one in status.addresses),
        frozenset((one.family, one.settled) for one in status.families),
        frozenset([(status.ranges,)]),
        frozenset((one.type, one.status, one.reason) for one in status.conditions),
    )


def _is_half_over(saved: TelemetryHostStatus, now: datetime, rules: Retention) -> bool:
    """Whether half of the retention has passed; also if the status is from the future."""
    if not saved.addresses:
        return False
    if saved.as_of is None or saved.as_of > now:
        return True
    stays = [
        end - one.seen_at
        for one in saved.addresses
        if one.seen_at is not None and (end := one.expires_at or one.deny_expires_at) is not None
    ]
    shortest = max(min(stays, default=rules.allow_grace), rules.allow_grace)
    return (now - saved.as_of) * 2 >= shortest


# Back


def decode_status(
    host: str, saved: TelemetryHostStatus, seeds: Iterable[Address], rules: Retention
) -> HostState:
    """Decode a saved status, without ranges, which belong to the provider.

    The status may be of an older version, or edited: malformed entries are left out, and times are
    limited to the bounds of the rules. The lists are as they were saved, however long ago; only
    lookups remove from them.
    """
    as_of = _as_of(saved, rules)
    if as_of is None:
        return HostState(host, frozenset(seeds))
    known = _decode_addresses(saved.addresses, as_of, rules)
    families = {one.family: one for one in saved.families if one.family in rules.families}
    return HostState(
        host=host,
        seeds=frozenset(seeds),
        as_of=as_of,
        known=known,
        families=tuple(
            _decode_family(
                families.get(family) or HostFamily(family=family),
                as_of,
                has_addresses=any(family_of(one.address) is family for one in known),
            )
            for family in sorted(rules.families)
        ),
        capped_at=_bounded(saved.capped_at, as_of, as_of),
    )


def _as_of(saved: TelemetryHostStatus, rules: Retention) -> datetime | None:
    """When it was written, or the latest time at which it was valid; None if it is empty."""
    if saved.as_of is None and not saved.addresses:
        return None
    addresses = saved.addresses
    ends = (one.expires_at for one in addresses if one.expires_at is not None)
    times = [saved.as_of] if saved.as_of is not None else []
    times = times or [one.seen_at for one in addresses if one.seen_at is not None]
    times = times or [whole_seconds(end) - rules.allow_grace for end in ends]
    # Without any time every value works: only the time after it counts.
    return whole_seconds(max(times, default=datetime.min.replace(tzinfo=UTC)))


def _decode_addresses(
    saved: Iterable[HostAddress], as_of: datetime, rules: Retention
) -> tuple[KnownAddress, ...]:
    found: dict[Address, KnownAddress] = {}
    for one in saved:
        try:
            address = read_address(one.ip)
        except ValueError:
            continue
        if is_usable(address, rules):
            known = _decode_address(address, one, as_of, rules)
            # An address may be saved twice: as IPv4 and as IPv4-mapped IPv6.
            found[address] = max(known, found.get(address, known), key=_worth)
    kept = sorted(found.values(), key=_worth, reverse=True)[: rules.most_addresses]
    by_address = {one.address: one for one in kept}
    return tuple(by_address[address] for address in in_order(by_address))


def _worth(one: KnownAddress) -> tuple[bool, datetime, datetime]:
    return one.expires_at is not None, one.seen_at, one.deny_expires_at


def _decode_address(
    address: Address, saved: HostAddress, as_of: datetime, rules: Retention
) -> KnownAddress:
    seen = _bounded(saved.seen_at, as_of, as_of)
    if seen is None:
        # As for an address with a TTL of 0.
        end = _bounded(saved.expires_at, as_of, as_of + rules.longest_allowed)
        seen = as_of if end is None else min(end - rules.allow_grace, as_of)
    return KnownAddress(
        address,
        seen,
        _bounded(saved.expires_at, as_of, seen + rules.longest_allowed),
        _bounded(saved.deny_expires_at, as_of, as_of + rules.longest_denied)
        or seen + rules.deny_grace,
    )


def _decode_family(saved: HostFamily, as_of: datetime, *, has_addresses: bool) -> FamilyState:
    return FamilyState(
        family=saved.family,
        settled=saved.settled or has_addresses,
        answered_at=_bounded(saved.last_answered_at, as_of, as_of),
        outcome=saved.last_outcome,
        negatives=saved.negatives if saved.negative_since else 0,
        negative_since=_bounded(saved.negative_since, as_of, as_of) if saved.negatives else None,
        responders=tuple(
            Responder(one.name, _bounded(one.answered_at, as_of, as_of) or as_of)
            for one in sorted(saved.views, key=lambda server: server.name)
        ),
        held_since=_bounded(saved.held_since, as_of, as_of),
        held_answers=saved.held_answers if saved.held_since else 0,
    )


def _bounded(time: datetime | None, as_of: datetime, latest: datetime) -> datetime | None:
    """A saved time, limited to the plausible range."""
    if time is None:
        return None
    return min(max(time, as_of - _OLDEST), latest).astimezone(UTC).replace(microsecond=0)
