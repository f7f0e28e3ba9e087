"""The conditions of a telemetry host."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from fleet_telemetry.api.conditions import ConditionStatus, ObservedCondition
from fleet_telemetry.api.reasons import HostReason
from fleet_telemetry.api.telemetry_host import AddressFamily, LookupResult
from fleet_telemetry.egress.addresses import refusal_of, unmapped
from fleet_telemetry.egress.host_lists import allowlist, is_complete, shared_addresses, usable_seeds
from fleet_telemetry.egress.host_state import FamilyState, HostState, Retention
from fleet_telemetry.egress.model import family_of

FRESH = "Fresh"
_LONGEST_MESSAGE = 1024
_MOST_SHOWN = 8


def observe(state: HostState, rules: Retention) -> tuple[ObservedCondition, ...]:
    """All conditions of the host. Their status and reason depend on the state; a single failed
    lookup
    does not change them, so that they are not written again and again."""
    parts = (
        _resolved(state, rules),
        _fresh(state, rules),
        _held(state),
        _sinkholed(state),
        _collateral_risk(state, rules),
        _complete(state, rules),
        *_catalogue_agrees(state, rules),
    )
    return tuple(
        ObservedCondition(
            type=kind, status=status, reason=reason, message=message[:_LONGEST_MESSAGE]
        )
        for kind, status, reason, message in parts
    )


_Part = tuple[str, ConditionStatus, HostReason, str]
_TRUE, _FALSE, _UNKNOWN = ConditionStatus.TRUE, ConditionStatus.FALSE, ConditionStatus.UNKNOWN


def _families(state: HostState, rules: Retention) -> list[FamilyState]:
    return [state.family(family) for family in sorted(rules.families)]


def _resolved(state: HostState, rules: Retention) -> _Part:
    kind = "Resolved"
    families = _families(state, rules)
    count = sum(one.expires_at is not None for one in state.known)
    denied = len(state.known)
    kept = f"{_many(denied, 'earlier address stays', 'earlier addresses stay')} in denylists."
    if not denied:
        kept = "No earlier address is known."
    if count:
        text = f"{_many(count, 'address', 'addresses')} from DNS; {denied} in denylists."
        return kind, _TRUE, HostReason.ADDRESSES_KNOWN, text
    if not any(family.settled for family in families):
        seeds = len(usable_seeds(state, rules))
        text = (
            f"DNS has not returned an address yet. Addresses from the catalogue: {seeds or 'none'}."
        )
        return kind, _UNKNOWN, HostReason.NOT_RESOLVED_YET, text
    outcomes = {family.outcome for family in families}
    if outcomes == {LookupResult.NO_DATA}:
        text = f"DNS returns no address for the name. {kept}"
        return kind, _FALSE, HostReason.NO_ADDRESS, text
    if LookupResult.NX_DOMAIN in outcomes and outcomes <= {
        LookupResult.NX_DOMAIN,
        LookupResult.NO_DATA,
    }:
        text = f"DNS returns that the name does not exist. {kept}"
        return kind, _FALSE, HostReason.NO_SUCH_NAME, text
    text = f"DNS lookups fail, and the addresses in allowlists have expired. {kept}"
    return kind, _FALSE, HostReason.ADDRESSES_EXPIRED, text


def _fresh(state: HostState, rules: Retention) -> _Part:
    kind = FRESH
    if state.as_of is None:
        return kind, _UNKNOWN, HostReason.NOT_RESOLVED_YET, "The host has not been looked up yet."
    late = [one for one in _families(state, rules) if not _is_fresh(one, state.as_of, rules)]
    refused = _listed(f"{one.name_server}: {one.why}" for one in state.refusals)
    if not late:
        if refused:
            text = f"Name servers respond. Responses of these are ignored: {refused}."
            return kind, _TRUE, HostReason.SOME_ANSWERS_REFUSED, text
        return kind, _TRUE, HostReason.ANSWERED, "Name servers respond."
    what = " and ".join(f"{one.family} ({_since(one)})" for one in late)
    families = {one.family for one in late}
    failed = _listed(str(one) for one in state.failures if one.family in families)
    why = f" Failed lookups: {failed}." if failed else ""
    if refused:
        text = f"No usable response for {what}. Responses of these are ignored: {refused}.{why}"
        return kind, _FALSE, HostReason.ANSWERS_REFUSED, text
    text = (
        f"No response for {what}.{why} Known addresses are kept. Check the name servers, or turn "
        "off the address family if the cluster does not use it."
    )
    return kind, _FALSE, HostReason.NO_ANSWER, text


def _is_fresh(family: FamilyState, as_of: datetime, rules: Retention) -> bool:
    return family.answered_at is not None and as_of - family.answered_at < rules.stale


def _since(family: FamilyState) -> str:
    return f"since {family.answered_at:%Y-%m-%dT%H:%M:%SZ}" if family.answered_at else "never"


def _held(state: HostState) -> _Part:
    kind = "Held"
    held = [one for one in state.families if one.held_since is not None]
    if not held:
        return (
            kind,
            _FALSE,
            HostReason.NOTHING_HELD,
            "No sudden loss of addresses is being held back.",
        )
    text = "; ".join(
        f"more than half of the {one.family} addresses are missing from DNS since "
        f"{one.held_since:%Y-%m-%dT%H:%M:%SZ} and stay allowed until the loss is confirmed"
        for one in held
    )
    return kind, _TRUE, HostReason.SET_SHRANK, f"{text[0].upper()}{text[1:]}."


def _sinkholed(state: HostState) -> _Part:
    kind = "Sinkholed"
    if state.as_of is None:
        return kind, _UNKNOWN, HostReason.NOT_RESOLVED_YET, "The host has not been looked up yet."
    found = _listed(f"{one.name_server}: {one.why}" for one in state.refusals if one.is_sinkhole)
    if found:
        text = f"Name servers block the host ({found}). Their responses are ignored."
        return kind, _TRUE, HostReason.BLOCKED_BY_NAME_SERVER, text
    return kind, _FALSE, HostReason.NOT_SINKHOLED, "No name server blocks the host."


def _collateral_risk(state: HostState, rules: Retention) -> _Part:
    kind = "CollateralRisk"
    shared = shared_addresses(state, rules)
    found = [f"{address} ({provider})" for address, provider in shared.items()]
    if state.ranges is not None:
        found.append(f"the published ranges of {state.ranges.provider}")
    if not found:
        return kind, _FALSE, HostReason.NOT_SHARED, "No address is known to serve other hosts."
    text = (
        f"These addresses also serve other hosts: {_listed(found)}. They are denied only if the "
        f"policy sets sharedAddresses: Accept."
    )
    return kind, _TRUE, HostReason.SHARED_ADDRESSES, text


def _complete(state: HostState, rules: Retention) -> _Part:
    kind = "Complete"
    if is_complete(state, rules):
        return (
            kind,
            _TRUE,
            HostReason.ALL_ADDRESSES_KEPT,
            "All addresses that DNS returned are kept.",
        )
    text = (
        f"The host has more than {rules.most_addresses} addresses. Some are missing from "
        "allowlists and denylists: pods may fail to reach the host, or reach it although it is "
        "denied."
    )
    return kind, _FALSE, HostReason.TOO_MANY_ADDRESSES, text


def _catalogue_agrees(state: HostState, rules: Retention) -> Iterator[_Part]:
    """Only if the catalogue has addresses of the host."""
    kind = "CatalogueAgrees"
    if not state.seeds:
        return
    refused = [refusal_of(unmapped(seed), rules.own) for seed in state.seeds]
    if any(refused):
        found = _listed(sorted(why for why in refused if why))
        text = (
            f"The catalogue has addresses that cannot be used: {found}. Correct the "
            "TelemetryProduct."
        )
        yield kind, _FALSE, HostReason.SEEDS_REFUSED, text
        return
    settled = {family for family in AddressFamily if state.family(family).settled}
    compared = [seed for seed in usable_seeds(state, rules) if family_of(seed) in settled]
    missing = [str(seed) for seed in compared if seed not in allowlist(state, rules)]
    if missing:
        text = (
            f"DNS does not return these addresses of the catalogue: {_listed(missing)}. They stay "
            "in denylists only. The catalogue may be out of date, or DNS may be tampered with."
        )
        yield kind, _FALSE, HostReason.SEEDS_CONTRADICTED, text
    elif compared:
        text = "DNS returns the addresses of the catalogue."
        yield kind, _TRUE, HostReason.SEEDS_CONFIRMED, text
    else:
        text = "DNS has not responded yet."
        yield kind, _UNKNOWN, HostReason.SEEDS_NOT_COMPARED, text


def _listed(entries: Iterable[str]) -> str:
    found = list(entries)
    shown = ", ".join(found[:_MOST_SHOWN])
    more = len(found) - _MOST_SHOWN
    return f"{shown} and {more} more" if more > 0 else shown


def _many(count: int, one: str, more: str) -> str:
    return f"{count} {one if count == 1 else more}"
