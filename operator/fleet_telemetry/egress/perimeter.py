"""What goes into the allowlist for firewalls outside of the cluster, and what is only asked for.

A firewall cannot distinguish pods: what is listed is open to all of them. So the list contains only
what ClusterTelemetryPolicies allow, and a denial by any policy wins over it. What TelemetryPolicies
ask for is a request, unless the installation includes it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from fleet_telemetry.egress.address_set import AddressSet
from fleet_telemetry.egress.allowlist import AllowlistEntry, EntryAction
from fleet_telemetry.egress.allowlist_requests import AllowlistRequest
from fleet_telemetry.egress.facts import HostFacts
from fleet_telemetry.egress.host_use import HostRule, PolicyName
from fleet_telemetry.egress.model import Network
from fleet_telemetry.egress.networks import outermost

_MOST_PIECES = 256
"""Of one published range, after denied addresses are taken out of it."""


class IncludedRequests(StrEnum):
    """Which requests of TelemetryPolicies the allowlist includes."""

    NONE = "none"
    CATALOGUE = "catalogue"
    """Requests for hosts of the catalogue, not for hosts that only a TelemetryPolicy names."""
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Allowlist:
    """The list, and apart from it what policies ask for that is not in it."""

    entries: tuple[AllowlistEntry, ...] = ()
    requests: tuple[AllowlistRequest, ...] = ()


def build_allowlist(
    rules: Mapping[HostRule, int],
    hosts: Mapping[str, HostFacts],
    included: IncludedRequests = IncludedRequests.NONE,
) -> Allowlist:
    """The allowlist from the rules of all workloads, each with the number of its workloads."""
    denials = _Denials((rule for rule in rules if not rule.opens), hosts)
    entries: Counter[AllowlistEntry] = Counter()
    requests: Counter[AllowlistRequest] = Counter()
    for rule, workloads in rules.items():
        is_listed = not rule.policy.is_tenant or (rule.opens and _is_included(rule, included))
        networks = (
            _allowed(rule, hosts.get(rule.host, HostFacts()))
            if rule.opens
            else denials.networks[rule]
        )
        denied_by = denials.policies(rule.host, networks) if rule.opens else ()
        if not is_listed:
            requests[AllowlistRequest(rule.policy, _entry(rule, networks), denied_by)] += workloads
        elif not rule.opens:
            entries[_entry(rule, networks)] += workloads
        else:
            left = denials.without(rule.host, networks)
            if left or not denied_by:
                entries[_entry(rule, left)] += workloads
            if denied_by:
                withheld = tuple(one for one in networks if one not in left)
                requests[AllowlistRequest(rule.policy, _entry(rule, withheld), denied_by)] += (
                    workloads
                )
    return Allowlist(
        tuple(replace(entry, used_by=count) for entry, count in entries.items()),
        tuple(
            replace(request, entry=replace(request.entry, used_by=count))
            for request, count in requests.items()
        ),
    )


def _is_included(rule: HostRule, included: IncludedRequests) -> bool:
    match included:
        case IncludedRequests.ALL:
            return True
        case IncludedRequests.CATALOGUE:
            return rule.in_catalogue
    return False


def _allowed(rule: HostRule, facts: HostFacts) -> tuple[Network, ...]:
    return outermost((*facts.allow, *(facts.ranges if rule.takes_ranges else ())))


def _denied(rule: HostRule, hosts: Mapping[str, HostFacts]) -> tuple[Network, ...]:
    """The networks that the policy of a rule denies: not those that others share, unless it
    accepts that, and not those that another channel needs."""
    facts = hosts.get(rule.host, HostFacts())
    spared: list[Network] = [] if rule.takes_ranges else [*facts.shared, *facts.ranges]
    for other in rule.spares:
        theirs = hosts.get(other, HostFacts())
        spared += (*theirs.allow, *theirs.deny, *theirs.ranges)
    networks = outermost((*facts.deny, *facts.ranges))
    kept = AddressSet.of(spared)
    return tuple(one for one in networks if not kept.meets(AddressSet.of([one])))


class _Denials:
    """What policies deny: hosts by name, and their addresses."""

    def __init__(self, rules: Iterable[HostRule], hosts: Mapping[str, HostFacts]) -> None:
        self.networks = {rule: _denied(rule, hosts) for rule in rules}
        """Of each rule."""
        self._by_name: dict[str, set[PolicyName]] = {}
        found: dict[PolicyName, list[Network]] = {}
        for rule, networks in self.networks.items():
            self._by_name.setdefault(rule.host, set()).add(rule.policy)
            found.setdefault(rule.policy, []).extend(networks)
        self._by_policy = {policy: AddressSet.of(own) for policy, own in found.items()}
        self._all = AddressSet.union(self._by_policy.values())

    def policies(self, host: str, networks: Iterable[Network]) -> tuple[PolicyName, ...]:
        """The policies that deny the host or any of the networks."""
        asked = AddressSet.of(networks)
        by_address = {one for one, denied in self._by_policy.items() if asked.meets(denied)}
        return tuple(sorted(by_address | self._by_name.get(host, set())))

    def without(self, host: str, networks: Iterable[Network]) -> tuple[Network, ...]:
        """What is left of a host's networks; nothing of a host that is denied by name."""
        if host in self._by_name:
            return ()
        return tuple(piece for network in networks for piece in self._carve(network))

    def _carve(self, network: Network) -> Iterator[Network]:
        own = AddressSet.of([network])
        if not own.meets(self._all):
            yield network
            return
        # Whoever denies many addresses of a large range must not make the list endless.
        pieces = tuple(own.minus(self._all).networks(_MOST_PIECES + 1))
        if len(pieces) <= _MOST_PIECES:
            yield from pieces


def _entry(rule: HostRule, networks: Iterable[Network]) -> AllowlistEntry:
    found = tuple(networks)
    return AllowlistEntry(
        host=rule.host,
        port=rule.port,
        product=rule.product,
        channel=rule.channel,
        action=EntryAction.ALLOW if rule.opens else EntryAction.DENY,
        addresses=tuple(one.network_address for one in found if one.num_addresses == 1),
        ranges=tuple(one for one in found if one.num_addresses > 1),
    )
