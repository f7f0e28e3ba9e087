"""How many hosts TelemetryPolicies may have looked up.

Each host is a TelemetryHost, lookups and series of metrics, and whoever may write TelemetryPolicies
names as many as they like. ClusterTelemetryPolicies and the catalogue are not limited.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from fleet_telemetry.api.policy import Policy


@dataclass(frozen=True, slots=True)
class HostQuota:
    """The limits, in names of hosts."""

    of_namespace: int = 32
    in_total: int = 512


QUOTA = HostQuota()


def wanted_hosts(policies: Iterable[Policy], quota: HostQuota) -> tuple[str, ...]:
    """The hosts that the TelemetryPolicies of one namespace may have looked up at most: those of
    older policies first, each once."""
    ordered = sorted(policies, key=lambda policy: (policy.created, policy.name))
    named = (
        host.host
        for policy in ordered
        if policy.spec.egress is not None
        for host in policy.spec.egress.hosts
    )
    return tuple(islice(_each_once(named), quota.of_namespace))


def _each_once(names: Iterable[str]) -> Iterable[str]:
    seen: set[str] = set()
    for name in names:
        if name not in seen:
            seen.add(name)
            yield name


def grant_hosts(
    wanted: Mapping[str, Sequence[str]], quota: HostQuota
) -> Mapping[str, frozenset[str]]:
    """By namespace: the hosts that are looked up for it. Namespaces take turns, so that no one
    displaces another; a host that several name counts once."""
    granted: dict[str, set[str]] = {namespace: set() for namespace in wanted}
    every: set[str] = set()
    for turn in range(max(map(len, wanted.values()), default=0)):
        for namespace in sorted(wanted):
            hosts = wanted[namespace]
            if turn < len(hosts) and (hosts[turn] in every or len(every) < quota.in_total):
                every.add(hosts[turn])
                granted[namespace].add(hosts[turn])
    return {namespace: frozenset(hosts) for namespace, hosts in granted.items()}
