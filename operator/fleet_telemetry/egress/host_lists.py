"""What is derived from the state of a telemetry host: its lists, and the facts for decisions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from ipaddress import ip_network

from fleet_telemetry.api.telemetry_host import AddressFamily
from fleet_telemetry.egress.addresses import (
    as_networks,
    in_order,
    refusal_of,
    shared_by,
    unmapped,
)
from fleet_telemetry.egress.facts import HostFacts
from fleet_telemetry.egress.host_state import HostState, Retention
from fleet_telemetry.egress.model import Address, family_of


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
            family for family in sorted(rules.families) if not _is_answered(state, family, rules)
        ),
    )


def _is_answered(state: HostState, family: AddressFamily, rules: Retention) -> bool:
    """Whether what name servers said about a family still counts: not longer than for an allowlist.
    The denylist stays as it is, but nobody can say any more that it is complete."""
    if state.as_of is None:
        return True
    answered = state.family(family).answered_at
    return answered is not None and state.as_of - answered < rules.freeze


def usable_seeds(state: HostState, rules: Retention) -> tuple[Address, ...]:
    """The catalogue's addresses without those that are refused or of a disabled family."""
    return in_order(_usable(map(unmapped, state.seeds), rules))


def is_usable(address: Address, rules: Retention) -> bool:
    """Whether the address may be in a list: of an enabled family, and not refused."""
    return family_of(address) in rules.families and refusal_of(address, rules.own) is None


def _usable(addresses: Iterable[Address], rules: Retention) -> Iterator[Address]:
    return (address for address in addresses if is_usable(address, rules))
