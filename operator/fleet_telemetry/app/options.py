"""What a process is told from outside. Light: what a role needs is loaded by that role alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from fleet_telemetry.admission.certificates.options import CertificateOptions
from fleet_telemetry.api.telemetry_host import AddressFamily
from fleet_telemetry.egress.allowlist import NAME as ALLOWLIST
from fleet_telemetry.reporting.reports_api import ReportsApi


class Role(StrEnum):
    """What a process does."""

    WEBHOOK = "webhook"
    CONTROLLER = "controller"
    ALL = "all"

    @property
    def admits(self) -> bool:
        """Whether it answers admission requests."""
        return self in (Role.WEBHOOK, Role.ALL)

    @property
    def controls(self) -> bool:
        """Whether it stands for election as the one that writes."""
        return self in (Role.CONTROLLER, Role.ALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class EgressSettings:
    """As the command line has it."""

    dns_servers: tuple[str, ...] = ()
    dns_interval: float = 30.0
    """Seconds; nobody is asked more often for the same host, once its addresses are known."""
    egress_interval: float = 60.0
    """Seconds between two looks at kinds of network policy that are not watched."""
    egress_families: tuple[str, ...] = tuple(AddressFamily)
    egress_enforced: tuple[str, ...] = ()
    cluster_ranges: tuple[str, ...] = ()
    published_ranges: str = "fetch"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Everything a process is told from outside."""

    role: Role
    namespace: str
    identity: str
    lease: str
    kubeconfig: str | None
    http_host: str
    http_port: int
    webhook_host: str = ""
    webhook_port: int = 0
    webhook_service: str = ""
    drain_seconds: float = 0.0
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    tls_secret: str = ""
    ca_secret: str = ""
    webhook_configuration: str = ""
    per_workload_metrics: bool = True
    reports: ReportsApi = ReportsApi.AUTO
    allowlist: str = ALLOWLIST
    egress: EgressSettings = field(default_factory=EgressSettings)

    @property
    def certificate(self) -> CertificateOptions:
        """Where the webhook's certificate comes from."""
        return CertificateOptions(
            namespace=self.namespace,
            host=f"{self.webhook_service}.{self.namespace}.svc",
            certificate=self.tls_certificate,
            key=self.tls_key,
            leaf_secret=self.tls_secret,
            authority_secret=self.ca_secret,
            configuration=self.webhook_configuration,
        )
