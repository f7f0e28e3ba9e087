"""The custom resources: their names, their types and what ``kubectl get`` shows of them."""

from __future__ import annotations

from dataclasses import dataclass

from fleet_telemetry.api.policy import (
    SPEC_RULES,
    ClusterTelemetryPolicySpec,
    PolicyStatus,
    TelemetryPolicySpec,
)
from fleet_telemetry.api.product.spec import (
    PRODUCT_SPEC_RULES,
    TelemetryProductSpec,
    TelemetryProductStatus,
)
from fleet_telemetry.api.schema import ApiType, Rule
from fleet_telemetry.api.telemetry_host import TelemetryHostStatus
from fleet_telemetry.api.workload_telemetry import WorkloadTelemetryStatus

GROUP = "fleettelemetry.io"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"


@dataclass(frozen=True, slots=True)
class Column:
    """A column of ``kubectl get``; a ``priority`` above 0 shows only with ``-o wide``."""

    name: str
    path: str
    type: str = "string"
    priority: int = 0
    description: str = ""


@dataclass(frozen=True, slots=True)
class CustomResource:
    """One kind of custom resource."""

    kind: str
    plural: str
    short_name: str
    namespaced: bool
    description: str
    status: type[ApiType]
    spec: type[ApiType] | None = None
    columns: tuple[Column, ...] = ()
    rules: tuple[Rule, ...] = ()
    spec_rules: tuple[Rule, ...] = ()

    @property
    def singular(self) -> str:
        """The name in the singular."""
        return self.kind.lower()


def _condition(kind: str, part: str) -> str:
    """The path to a part of a condition."""
    return f'.status.conditions[?(@.type=="{kind}")].{part}'


_AGE = Column("Age", ".metadata.creationTimestamp", "date")
_POLICY_COLUMNS = (
    Column("Submission", ".spec.submission"),
    Column("Mode", ".spec.mode"),
    Column("Matched", ".status.summary.matched", "integer"),
    Column("Compliant", ".status.summary.compliant", "integer"),
    Column("NonCompliant", ".status.summary.nonCompliant", "integer"),
    Column("Pending", ".status.summary.pending", "integer"),
    Column("Unknown", ".status.summary.unknown", "integer"),
    Column("Conflicted", _condition("Conflicted", "status")),
    Column("NotEnforceable", ".status.summary.notEnforceable", "integer", priority=1),
    Column("Exempt", ".status.summary.exempt", "integer", priority=1),
    Column("Accepted", '.status.conditions[?(@.type=="Accepted")].status', priority=1),
    Column("Reason", '.status.conditions[?(@.type=="Compliant")].reason'),
    _AGE,
)
_SUMMARY = ".status.summary"

TELEMETRY_POLICY = CustomResource(
    kind="TelemetryPolicy",
    plural="telemetrypolicies",
    short_name="tpol",
    namespaced=True,
    description="Decides whether vendor products in its namespace may send telemetry.",
    spec=TelemetryPolicySpec,
    spec_rules=SPEC_RULES,
    status=PolicyStatus,
    columns=_POLICY_COLUMNS,
)
CLUSTER_TELEMETRY_POLICY = CustomResource(
    kind="ClusterTelemetryPolicy",
    plural="clustertelemetrypolicies",
    short_name="ctpol",
    namespaced=False,
    description="Decides whether vendor products in the cluster may send telemetry.",
    spec=ClusterTelemetryPolicySpec,
    spec_rules=SPEC_RULES,
    status=PolicyStatus,
    columns=_POLICY_COLUMNS,
)
WORKLOAD_TELEMETRY = CustomResource(
    kind="WorkloadTelemetry",
    plural="workloadtelemetries",
    short_name="wtel",
    namespaced=True,
    description=(
        "The observed telemetry state of one workload that runs a vendor's product. Written by "
        "the operator, owned by the workload."
    ),
    status=WorkloadTelemetryStatus,
    columns=(
        Column("Product", ".status.product"),
        Column("Version", ".status.version"),
        Column("Policy", f"{_SUMMARY}.policy"),
        Column("Desired", f"{_SUMMARY}.desired"),
        Column(
            "State",
            f"{_SUMMARY}.state",
            description="The worst of all channels that a policy covers.",
        ),
        Column("Reason", f"{_SUMMARY}.reason"),
        Column(
            "Sends",
            f"{_SUMMARY}.sends",
            description="Whether any channel sends, also one that no policy covers.",
        ),
        Column(
            "Channel",
            f"{_SUMMARY}.channel",
            description="The channel that sends, or of which it is not known. The columns behind "
            "this one are about it.",
        ),
        Column("Declared", f"{_SUMMARY}.declared", priority=1),
        Column("Running", f"{_SUMMARY}.running", priority=1),
        Column("Reported", f"{_SUMMARY}.reported", priority=1),
        Column("Egress", f"{_SUMMARY}.egress", priority=1),
        Column("Provenance", f"{_SUMMARY}.provenance", priority=1),
        Column("Observed", f"{_SUMMARY}.observed", priority=1),
        _AGE,
    ),
)
TELEMETRY_HOST = CustomResource(
    kind="TelemetryHost",
    plural="telemetryhosts",
    short_name="thost",
    namespaced=False,
    description=(
        "The addresses of one telemetry host, named by the host. Its status keeps the "
        "operator's state across restarts."
    ),
    status=TelemetryHostStatus,
    columns=(
        Column("Resolved", _condition("Resolved", "status")),
        Column("Reason", _condition("Resolved", "reason")),
        Column("Fresh", _condition("Fresh", "status")),
        Column("Sinkholed", _condition("Sinkholed", "status")),
        Column("Held", _condition("Held", "status"), priority=1),
        Column("Complete", _condition("Complete", "status"), priority=1),
        Column("CollateralRisk", _condition("CollateralRisk", "status"), priority=1),
        Column("Ranges", ".status.ranges.provider", priority=1),
        _AGE,
    ),
)
TELEMETRY_PRODUCT = CustomResource(
    kind="TelemetryProduct",
    plural="telemetryproducts",
    short_name="tprod",
    namespaced=False,
    description=("Adds a product to the catalogue, or replaces the whole entry of the same name."),
    spec=TelemetryProductSpec,
    spec_rules=PRODUCT_SPEC_RULES,
    status=TelemetryProductStatus,
    columns=(
        Column("Title", ".spec.title"),
        Column("Accepted", '.status.conditions[?(@.type=="Accepted")].status'),
        _AGE,
    ),
    rules=(
        Rule(
            "self.metadata.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$') "
            "&& size(self.metadata.name) <= 63",
            "a product's name has lower case letters, digits and dashes, at most 63",
        ),
    ),
)
RESOURCES = (
    TELEMETRY_POLICY,
    CLUSTER_TELEMETRY_POLICY,
    WORKLOAD_TELEMETRY,
    TELEMETRY_HOST,
    TELEMETRY_PRODUCT,
)
