"""The egress side of a process, from what the process is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_network
from pathlib import Path

from fleet_telemetry.cluster.client import KubernetesClient
from fleet_telemetry.cluster.mirror import Mirror
from fleet_telemetry.controller.containing import Containment, EgressOptions
from fleet_telemetry.controller.hosts import HostKeeper
from fleet_telemetry.egress.host_state import Retention
from fleet_telemetry.egress.ranges import RangesClient
from fleet_telemetry.egress.resolver import Resolver, View, parse_view, read_views
from fleet_telemetry.model.egress import Family, Network
from fleet_telemetry.model.policy import EgressDialect

_RESOLV_CONF = Path("/etc/resolv.conf")


@dataclass(frozen=True, slots=True, kw_only=True)
class EgressSettings:
    """As the command line has it."""

    dns_servers: tuple[str, ...] = ()
    dns_interval: float = 30.0
    """Seconds; nobody is asked more often for the same host, once its addresses are known."""
    egress_interval: float = 60.0
    """Seconds between two looks at kinds of network policy that are not watched."""
    egress_families: tuple[str, ...] = tuple(Family)
    egress_enforced: tuple[str, ...] = ()
    cluster_ranges: tuple[str, ...] = ()
    published_ranges: str = "fetch"

    def check(self) -> None:
        """Raises ValueError with a sentence for a person."""
        self._views()
        self._own_ranges()

    def build(
        self, mirror: Mirror, client: KubernetesClient, now: Callable[[], datetime]
    ) -> Containment:
        """Raises ValueError, and OSError where the system's name servers cannot be read."""
        families = frozenset(map(Family, self.egress_families))
        hosts = HostKeeper(
            mirror,
            client,
            Resolver(self._views(), families),
            rules=Retention(
                families=families,
                own_ranges=self._own_ranges(),
                shortest_interval=timedelta(seconds=self.dns_interval),
            ),
            now=now,
            ranges=RangesClient() if self.published_ranges == "fetch" else None,
        )
        enforced = frozenset(map(EgressDialect, self.egress_enforced))
        options = EgressOptions(families, enforced, self.egress_interval)
        return Containment(mirror, client, hosts, options)

    def _views(self) -> tuple[View, ...]:
        if self.dns_servers:
            return tuple(map(parse_view, self.dns_servers))
        return read_views(_RESOLV_CONF.read_text())

    def _own_ranges(self) -> tuple[Network, ...]:
        return tuple(map(ip_network, self.cluster_ranges))
