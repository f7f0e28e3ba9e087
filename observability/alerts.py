"""The alerts: what is asked for, when it fires, and what whoever is woken has to know.

Alerts on workloads name each workload where it has series of its own, and else, in a fleet too
large for that, its namespace and product. ``cluster`` is a label that a Prometheus of several
clusters adds; where there is none, nothing is lost by asking for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from observability import metrics as m

_GROUP = "cluster, resource_namespace, product, channel"
_WORKLOAD = "cluster, resource_namespace, kind, name, product, channel"
_EXCEPTION = "cluster, policy_kind, policy_namespace, policy, resource_namespace, kind, name"
_SUBJECT = (
    "{{ with $labels.name }}{{ $labels.kind }} {{ $labels.resource_namespace }}/{{ . }}"
    "{{ else }}{{ $value }} workloads in {{ $labels.resource_namespace }}{{ end }}"
)
_NOT_EXEMPT = f'{m.WORKLOAD_STATE}{{desired="Disabled", state!="Exempt"}}'
_REJECTED = (
    'result=~"CredentialsRejected|PermissionMissing|SecretNotReadable|SecretIncomplete|'
    'SecretNotLabeled|SecretTypeRefused|CredentialScopeMissing|TlsRequired"'
)
_FAILED_OPEN = 'apiserver_admission_webhook_fail_open_count{name=~".+[.]fleettelemetry[.]io"}'
_UNDECIDED = f'{m.ADMISSION_REQUESTS}{{path="mutate", result=~"error|unreadable|unsynced"}}'
_OVER_A_LIMIT = f'{m.ADMISSION_REFUSED}{{reason=~"busy|slow|too-large"}}'
_NOT_MATCHED = (
    'apiserver_admission_match_condition_evaluation_errors_total{name=~".+[.]fleettelemetry[.]io"}'
)
_LOST_FRAMES = f'{m.FRAMES}{{result!~"Lookup|Ignored"}}'
_IS_WEBHOOK = f'{m.BUILD_INFO}{{role=~"webhook|all"}}'


class Severity(StrEnum):
    """How urgent the alert is."""

    CRITICAL = "critical"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Threshold:
    """A number in an expression that the chart's values may replace."""

    default: float
    unit: str
    """What the number counts."""
    expression: str
    """The part of the alert's expression that has the default."""
    format: str
    """The same with another number, by printf."""


@dataclass(frozen=True, slots=True)
class Alert:
    """An alerting rule."""

    name: str
    severity: Severity
    summary: str
    description: str
    expression: str
    pending: str = ""
    """For how long the expression must hold, such as 5m; empty: no delay."""
    threshold: Threshold | None = None


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording rule."""

    name: str
    expression: str


def _each_or_counted(each: str, counted: str) -> str:
    """One result for each workload; a count where single workloads have no series."""
    return f"{each}\nor (\n  {counted}\n  unless on ({_GROUP}) {m.WORKLOAD_STATE}\n)"


def _grown(counter: str, labels: str, window: str) -> str:
    """Whether a counter counted something within the window.

    Series by series: a sum would miss what a new pod counts while the old one's count is in it.
    A series without a past counts, since it appears with the first error, which ``increase``
    misses; so does one that began anew. A gap in scraping is no such beginning: what counts is the
    last value before the window, however old it is, up to six hours.
    """
    before = f"last_over_time({counter}[6h] offset {window})"
    return f"group by ({labels}) (\n  {counter} > 0\n  unless {counter}\n  == {before}\n)"


_A_WEEK = Threshold(7, "days", "< 7 * 86400", "< %s * 86400")

ALERTS = (
    Alert(
        name="FleetTelemetrySubmissionReported",
        severity=Severity.CRITICAL,
        summary="{{ $labels.product }} reports that it submits telemetry although it is opted out.",
        description=(
            f"{_SUBJECT}: the product itself reports that its channel {{{{ $labels.channel }}}} is "
            "on, and a policy says that it shall be off."
        ),
        expression=_each_or_counted(
            f"max by ({_WORKLOAD}) (\n"
            f'  {m.ENABLED}{{evidence="reported"}} == 1\n'
            f"  and on ({_WORKLOAD}) {_NOT_EXEMPT}\n"
            ")",
            f'sum by ({_GROUP}) ({m.SUBMITTING}{{evidence="reported"}}) > 0',
        ),
        pending="5m",
    ),
    Alert(
        name="FleetTelemetrySubmissionRunning",
        severity=Severity.WARNING,
        summary="{{ $labels.product }} runs with telemetry on although it is opted out.",
        description=(
            f"{_SUBJECT}: pods were started so that the channel {{{{ $labels.channel }}}} is on, "
            "a policy says that it shall be off, and the product does not report otherwise."
        ),
        expression=_each_or_counted(
            f"max by ({_WORKLOAD}) (\n"
            f'  {m.ENABLED}{{evidence="running"}} == 1\n'
            f"  and on ({_WORKLOAD}) {_NOT_EXEMPT}\n"
            f'  unless on ({_WORKLOAD}) {m.ENABLED}{{evidence="reported"}}\n'
            ")",
            f'sum by ({_GROUP}) ({m.SUBMITTING}{{evidence="running"}}) > 0',
        ),
        pending="1h",
    ),
    Alert(
        name="FleetTelemetrySubmittedAfterOptOut",
        severity=Severity.CRITICAL,
        summary="{{ $labels.product }} sent telemetry after it had been shown to be opted out.",
        description=(
            f"{_SUBJECT}: the product says that it last sent something on the channel "
            "{{ $labels.channel }} after it had been found compliant. Somebody turned it on in "
            "between, or the switch does not do what its vendor says."
        ),
        expression=_each_or_counted(
            f"max by ({_WORKLOAD}) (\n"
            f"  {m.LAST_SUBMISSION} > on (cluster, resource_namespace, kind, name) group_left ()\n"
            f"  max by (cluster, resource_namespace, kind, name) ({m.COMPLIANT_SINCE} + 300)\n"
            f"  and on ({_WORKLOAD}) {_NOT_EXEMPT}\n"
            ")",
            f"sum by ({_GROUP}) ({m.SUBMITTED_LATE}) > 0",
        ),
    ),
    Alert(
        name="FleetTelemetryContactObserved",
        severity=Severity.WARNING,
        summary="{{ $labels.product }} asked DNS for a telemetry host although it is opted out.",
        description=(
            f"{_SUBJECT}: a pod asked the cluster's DNS for a host that serves the channel "
            "{{ $labels.channel }} alone, and a policy says that it shall be off. That is an "
            "attempt: it does not show that anything was sent."
        ),
        expression=_each_or_counted(
            f"max by ({_WORKLOAD}) (\n"
            f'  {m.WORKLOAD_STATE}{{desired="Disabled", reason="ObservedContact"}}\n'
            ")",
            f"sum by ({_GROUP}) ({m.CONTACTED}) > 0",
        ),
    ),
    Alert(
        name="FleetTelemetryUnknownTooLong",
        severity=Severity.WARNING,
        summary=(
            "It has been unknown for too long whether {{ $labels.product }} submits telemetry."
        ),
        description=(
            f"{_SUBJECT}: a policy covers the channel {{{{ $labels.channel }}}}, and what is known "
            "does not suffice to say where it stands. The reason is in WorkloadTelemetry."
        ),
        # Over ten minutes, because the series are away for a moment when another replica leads.
        expression=_each_or_counted(
            f'max by ({_WORKLOAD}) (max_over_time({m.WORKLOAD_STATE}{{state="Unknown"}}[10m]))',
            f'sum by ({_GROUP}) (max_over_time({m.WORKLOADS}{{state="Unknown"}}[10m])) > 0',
        ),
        pending="1d",
    ),
    Alert(
        name="FleetTelemetryCredentialsRejected",
        severity=Severity.WARNING,
        summary="{{ $labels.product }} cannot be checked: {{ $labels.result }}.",
        description=(
            f"{_SUBJECT}: the credentials that a policy names do not open the product's API, so "
            "what it reports is no longer known."
        ),
        expression=(
            "max by (cluster, resource_namespace, kind, name, product, result) (\n"
            f"  {m.LAST_CHECK}{{{_REJECTED}}} > bool 0\n"
            ")\n"
            "or (\n"
            f"  sum by (cluster, resource_namespace, product, result) ({m.CHECKED}{{{_REJECTED}}})"
            " > 0\n"
            f"  unless on (cluster, resource_namespace, product) {m.LAST_CHECK}\n"
            ")"
        ),
        pending="15m",
    ),
    Alert(
        name="FleetTelemetryExceptionExpiring",
        severity=Severity.WARNING,
        summary="An exception of {{ $labels.policy }} expires soon.",
        description=(
            "{{ $labels.policy_kind }} {{ $labels.policy }} exempts {{ $labels.kind }} {{ "
            "$labels.resource_namespace }}/{{ $labels.name }} for {{ $value | humanizeDuration "
            "}} more. Then the policy applies again."
        ),
        expression=(f"min by ({_EXCEPTION}) ({m.EXCEPTION_EXPIRY} - time()) > 0 < 7 * 86400"),
        threshold=_A_WEEK,
    ),
    Alert(
        name="FleetTelemetryWebhookFailingOpen",
        severity=Severity.WARNING,
        summary="Workloads are admitted without the webhook's decision.",
        description=(
            "Workloads are admitted unchanged, and no setting is injected: the webhook did not "
            "respond, could not read the request or decide, or has no ready replica."
        ),
        expression=(
            f"{_grown(_FAILED_OPEN, 'cluster, name', '15m')}\n"
            f"or {_grown(_UNDECIDED, 'cluster, namespace', '15m')}\n"
            f"or {_grown(_OVER_A_LIMIT, 'cluster, namespace', '15m')}\n"
            f"or sum by (cluster, namespace) (\n"
            f"  {m.SYNCED} and on (cluster, namespace, instance) {_IS_WEBHOOK}\n"
            ") == 0\n"
            f"or absent({_IS_WEBHOOK})"
        ),
        pending="5m",
    ),
    Alert(
        name="FleetTelemetryMatchConditionErrors",
        severity=Severity.WARNING,
        summary="The API server does not call the webhook for some workloads.",
        description=(
            "The API server could not evaluate a match condition of {{ $labels.name }}, so it "
            "admitted the workload without the webhook, and no setting was injected."
        ),
        expression=_grown(_NOT_MATCHED, "cluster, name", "15m"),
    ),
    Alert(
        name="FleetTelemetryEgressStale",
        severity=Severity.WARNING,
        summary="The addresses of {{ $labels.host }} are out of date.",
        description=(
            "No name server has returned addresses of {{ $labels.host }} for a while. "
            "Network policies keep the known addresses: allowlists for a day, denylists without "
            "limit."
        ),
        expression=(
            f"time() - max by (cluster, host) ({m.HOST_ANSWERED}) > 1800\n"
            f"or max by (cluster, host) ("
            f'{m.HOST_CONDITION}{{condition="Fresh", status="true"}}) == 0'
        ),
        threshold=Threshold(30, "minutes", "> 1800", "> %s * 60"),
        pending="5m",
    ),
    Alert(
        name="FleetTelemetryLookupsNotObserved",
        severity=Severity.WARNING,
        summary="Lookups of telemetry hosts are not all observed.",
        description=(
            "For a quarter of an hour some name server has not been connected, or the operator's "
            "own lookups have not come back through it. Contacts may be missed, and what is quiet "
            "counts as unknown."
        ),
        expression=(
            f"count by (cluster, namespace) ({m.FRAMES})\n"
            f"unless on (cluster, namespace) {m.COMPLETE_SINCE}"
        ),
        pending="15m",
    ),
    Alert(
        name="FleetTelemetryLookupsLost",
        severity=Severity.WARNING,
        summary="Reports of lookups are lost again and again.",
        description=(
            "Name servers send reports that are dropped or cannot be read, so lookups of "
            "telemetry hosts may be missing."
        ),
        expression=_grown(_LOST_FRAMES, "cluster, namespace", "10m"),
        pending="15m",
    ),
    Alert(
        name="FleetTelemetryNoLeader",
        severity=Severity.CRITICAL,
        summary="No controller replica is the leader.",
        description=(
            "Nothing is decided, written or reported, and the fleet metrics are absent. "
            "Dashboards are empty, and alerts on workloads do not fire."
        ),
        expression=(f"sum by (cluster, namespace) ({m.LEADER}) == 0\nor absent({m.LEADER})"),
        pending="5m",
    ),
    Alert(
        name="FleetTelemetryCertificateExpiring",
        severity=Severity.CRITICAL,
        summary="The webhook's certificate expires soon, or there is none.",
        description=(
            "On {{ $labels.instance }}: {{ $value | humanizeDuration }} are left. After that "
            "the API server does not trust the webhook: workloads are admitted unchanged, and "
            "policies cannot be changed."
        ),
        expression=(
            f"min by (cluster, namespace, instance) ({m.CERTIFICATE_EXPIRY} - time()) < 7 * 86400"
        ),
        threshold=_A_WEEK,
        pending="15m",
    ),
)

_OPTED_OUT = f'{m.WORKLOADS}{{desired="Disabled", state!="Exempt"}}'
_PROVEN = f'{m.WORKLOADS}{{desired="Disabled", state="Compliant"}}'
RECORDINGS = (
    Recording(
        name="cluster:fleet_telemetry_opted_out_proven:ratio",
        expression=f"sum by (cluster) ({_PROVEN}) / (sum by (cluster) ({_OPTED_OUT}) > 0)",
    ),
    Recording(
        name="cluster_product:fleet_telemetry_opted_out_proven:ratio",
        expression=(
            f"sum by (cluster, product) ({_PROVEN})\n"
            f"/ (sum by (cluster, product) ({_OPTED_OUT}) > 0)"
        ),
    ),
    Recording(
        name="cluster_path:fleet_telemetry_admission_duration_seconds:p99_5m",
        expression=(
            "histogram_quantile(0.99, sum by (cluster, path, le) ("
            f"rate({m.ADMISSION_DURATION}_bucket[5m])))"
        ),
    ),
)
