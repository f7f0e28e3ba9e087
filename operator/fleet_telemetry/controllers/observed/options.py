"""The options of an observer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fleet_telemetry.egress.dns.name_servers import NameServer
from fleet_telemetry.egress.model import Address, Network


@dataclass(frozen=True, slots=True, kw_only=True)
class ObserverOptions:
    """Checked values."""

    namespace: str
    """The operator's own."""
    service: str
    """The Service in it that name servers report to."""
    address: Address
    """This pod's, for the Service's EndpointSlice."""
    host: str
    """Where to listen."""
    port: int
    dns_namespace: str
    dns_service: str
    """The Service of the cluster's DNS."""
    sources: tuple[Network, ...] = ()
    """Ranges whose addresses may connect, besides those of name servers."""
    cluster_domain: str = "cluster.local"
    path: NameServer | None = None
    """The name server that pods ask, by their resolv.conf; None if that is not to be proven."""
    certificate: Path | None = None
    key: Path | None = None

    @property
    def search_domain(self) -> str:
        """The first search domain of pods of the operator's namespace."""
        return f"{self.namespace}.svc.{self.cluster_domain}"
