"""The options of a process. This module imports nothing that only one role needs."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from fleet_telemetry.admission.certificates.options import CertificateOptions
from fleet_telemetry.api.selector import LabelSelector
from fleet_telemetry.api.telemetry_host import AddressFamily
from fleet_telemetry.egress.allowlist import NAME as ALLOWLIST
from fleet_telemetry.reporting.reports_api import ReportsApi


class Role(StrEnum):
    """The role of a process."""

    WEBHOOK = "webhook"
    CONTROLLER = "controller"
    ALL = "all"

    @property
    def serves_webhook(self) -> bool:
        """Whether the process serves admission requests."""
        return self in (Role.WEBHOOK, Role.ALL)

    @property
    def runs_controller(self) -> bool:
        """Whether the process takes part in leader election, to run as the controller."""
        return self in (Role.CONTROLLER, Role.ALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class EgressSettings:
    """The options for egress, as given on the command line."""

    dns_servers: tuple[str, ...] = ()
    dns_interval: float = 30.0
    """The shortest time in seconds between two lookups of a host whose addresses are known."""
    egress_interval: float = 60.0
    """Seconds between two lists of the kinds of network policy that are not watched."""
    egress_families: tuple[str, ...] = tuple(AddressFamily)
    egress_enforced: tuple[str, ...] = ()
    cluster_ranges: tuple[str, ...] = ()
    nat64_prefixes: tuple[str, ...] = ()
    published_ranges: str = "fetch"
    allowlist_requests: str = "none"
    """Which requests of TelemetryPolicies the allowlist includes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedSettings:
    """The options for observing DNS, as given on the command line."""

    observe: bool = False
    dnstap_host: str = ""
    """Where to listen; empty: at ``dnstap_address``."""
    dnstap_port: int = 6000
    dnstap_service: str = ""
    """The Service of this operator that name servers report to."""
    dnstap_address: str = ""
    """The address of this pod, for the Service's EndpointSlice."""
    dnstap_tls_cert: Path | None = None
    dnstap_tls_key: Path | None = None
    dns_service: str = "kube-system/kube-dns"
    dnstap_sources: tuple[str, ...] = ()
    """Ranges whose addresses may connect, besides those of name servers."""
    cluster_domain: str = "cluster.local"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """All options of a process."""

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
    client_ca: Path | None = None
    client_names: tuple[str, ...] = ()
    webhook_configuration: str = ""
    cluster_name: str = ""
    """What people call the cluster; empty if it has no name."""
    excluded_namespaces: tuple[str, ...] = ()
    namespace_selector: LabelSelector = field(default_factory=LabelSelector)
    """Workloads of other namespaces are not changed."""
    per_workload_metrics: bool = True
    team_label: str = ""
    """The label of namespaces that names a team; empty: none."""
    metrics_for: str = "All"
    """All or Pod: whom ``/metrics`` answers."""
    reports: ReportsApi = ReportsApi.AUTO
    read_config_maps: bool = False
    """Whether to get the ConfigMaps that containers take variables from."""
    loopback_pods: bool = False
    """Pods may have loopback addresses, as on a local cluster."""
    allowlist: str = ALLOWLIST
    resource_interval: float = 60.0
    """Seconds between two reads of a custom resource that is a product's switch."""
    egress: EgressSettings = field(default_factory=EgressSettings)
    observed: ObservedSettings = field(default_factory=ObservedSettings)

    @property
    def certificate(self) -> CertificateOptions:
        """The source of the webhook's certificate."""
        return CertificateOptions(
            namespace=self.namespace,
            host=f"{self.webhook_service}.{self.namespace}.svc",
            certificate=self.tls_certificate,
            key=self.tls_key,
            leaf_secret=self.tls_secret,
            authority_secret=self.ca_secret,
            configuration=self.webhook_configuration,
            client_ca=self.client_ca,
        )
