"""How the operator itself does."""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import Dashboard

from observability import metrics as m
from observability.dashboards import kit
from observability.dashboards.kit import SCRAPED, Ask, Panel

UID = "fleet-telemetry-operator"
_RATE = "[$__rate_interval]"
_OURS = f"and on (cluster, job, instance) {m.BUILD_INFO}{{{SCRAPED}}}"


def build() -> Dashboard:
    """The dashboard."""
    return kit.board(
        UID,
        "Fleet telemetry / Operator",
        "Whether the operator answers, decides and sees the cluster as it is.",
        kit.variables(fleet=False),
        [*_numbers(), *_webhook(), *_controller(), *_egress(), *_process()],
    )


def _rate(counter: str, by: str, more: str = "") -> str:
    return f"sum by ({by}) (rate({counter}{{{SCRAPED}{more}}}{_RATE}))"


def _quantile(share: float, histogram: str, by: str) -> str:
    return (
        f"histogram_quantile({share}, sum by (le, {by}) "
        f"(rate({histogram}_bucket{{{SCRAPED}}}{_RATE})))"
    )


def _numbers() -> list[Panel]:
    return [
        kit.number(
            "Leaders",
            "Replicas of the controller that lead: one in each cluster.",
            f"sum({m.LEADER}{{{SCRAPED}}})",
            steps=((None, kit.VERMILLION), (1, kit.BLUE)),
        ),
        kit.number(
            "Replicas that see the cluster",
            "Replicas of both roles that have listed everything and whose watches live.",
            f"sum({m.SYNCED}{{{SCRAPED}}} * {m.WATCH_ALIVE}{{{SCRAPED}}})",
            steps=((None, kit.VERMILLION), (1, kit.BLUE)),
        ),
        kit.number(
            "Certificate ends in",
            "How long the webhook's certificate is good for; the one that ends first counts.",
            f"min({m.CERTIFICATE_EXPIRY}{{{SCRAPED}}}) - time()",
            unit="s",
            steps=((None, kit.VERMILLION), (7 * 86400, kit.BLUE)),
        ),
        kit.number(
            "Waiting longest",
            "How long the subject has waited for its turn that waits longest.",
            f"max({m.QUEUE_OLDEST}{{{SCRAPED}}})",
            unit="s",
            steps=((None, kit.BLUE), (60, kit.ORANGE)),
        ),
        kit.number(
            "Drifts",
            "Times within the chosen range that a product was found to have left what its policy "
            "wishes.",
            f"sum(increase({m.DRIFT}{{{SCRAPED}}}[$__range])) or vector(0)",
            steps=((None, kit.BLUE), (1, kit.ORANGE)),
        ),
        kit.number(
            "Put right",
            "Times within the chosen range that a product was put right by its API.",
            f"sum(increase({m.REMEDIATIONS}{{{SCRAPED}}}[$__range])) or vector(0)",
        ),
    ]


def _webhook() -> list[Panel]:
    return [
        kit.lines(
            "Admission: duration",
            "Time from a request's arrival to its answer; the API server gives up after seconds.",
            Ask(_quantile(0.5, m.ADMISSION_DURATION, "path"), "{{path}} p50"),
            Ask(_quantile(0.99, m.ADMISSION_DURATION, "path"), "{{path}} p99"),
            unit="s",
        ),
        kit.lines(
            "Admission: requests",
            "Requests by path and result. error and unsynced mean that a workload went through "
            "undecided.",
            Ask(_rate(m.ADMISSION_REQUESTS, "path, result"), "{{path}} {{result}}"),
            unit="reqps",
        ),
    ]


def _controller() -> list[Panel]:
    return [
        kit.lines(
            "Reconciles",
            "How often subjects were reconciled, by kind and result.",
            Ask(_rate(m.RECONCILES, "subject, result"), "{{subject}} {{result}}"),
            unit="ops",
        ),
        kit.lines(
            "Reconciles: duration",
            "Time that one takes.",
            Ask(_quantile(0.99, m.RECONCILE_DURATION, "subject"), "{{subject}} p99"),
            unit="s",
        ),
        kit.lines(
            "Queue",
            "Subjects that wait, by replica; one that does not lead has none.",
            Ask(f"sum by (instance) ({m.QUEUE_DEPTH}{{{SCRAPED}}})", "{{instance}}"),
            unit="short",
        ),
        kit.lines(
            "Requests to the API server",
            "Beside the watches, by method and status (0: no answer).",
            Ask(_rate(m.API_REQUESTS, "method, code"), "{{method}} {{code}}"),
            unit="reqps",
        ),
        kit.lines(
            "Products asked",
            "Checks of products by their API, by result (ok or a reason of docs/reasons.md).",
            Ask(_rate(m.VENDOR_CHECKS, "product, result"), "{{product}} {{result}}"),
            unit="cps",
        ),
        kit.lines(
            "Products asked: duration",
            "Time that one check takes, over all instances of a workload.",
            Ask(_quantile(0.99, m.VENDOR_CHECK_DURATION, "product"), "{{product}} p99"),
            unit="s",
        ),
    ]


def _egress() -> list[Panel]:
    kinds = "networkpolicies|ciliumnetworkpolicies|ciliumcidrgroups|clusternetworkpolicies"
    return [
        kit.rows(
            "Telemetry hosts",
            "Hosts that policies speak of: addresses that are denied and allowed where policies "
            "say so, and when a name server last said something.",
            Ask(f'max by (cluster, host) ({m.HOST_ADDRESSES}{{{SCRAPED}, list="deny"}})'),
            Ask(f'max by (cluster, host) ({m.HOST_ADDRESSES}{{{SCRAPED}, list="allow"}})'),
            Ask(f"max by (cluster, host) ({m.HOST_ANSWERED}{{{SCRAPED}}}) * 1000"),
            columns={
                "cluster": "Cluster",
                "host": "Host",
                "Value #A": "Denied",
                "Value #B": "Allowed",
                "Value #C": "Last answer",
            },
            units={"Value #C": "dateTimeAsLocal"},
            size=(12, 8),
        ),
        kit.lines(
            "Writes of network policies",
            "How often network policies were written or removed, by kind.",
            Ask(
                f"sum by (resource, method) (rate({m.API_REQUESTS}{{{SCRAPED}, "
                f'method!="GET", resource=~"{kinds}"}}{_RATE}))',
                "{{method}} {{resource}}",
            ),
            unit="wps",
        ),
        kit.lines(
            "Telemetry hosts with a problem",
            "Hosts that are held, sinkholed, or whose addresses are not fresh, and name servers "
            "whose answers were put aside.",
            Ask(
                f"sum by (condition) ({m.HOST_CONDITION}{{{SCRAPED}, "
                'condition=~"Held|Sinkholed|CollateralRisk", status="true"})',
                "{{condition}}",
            ),
            Ask(
                f'sum({m.HOST_CONDITION}{{{SCRAPED}, condition="Fresh", status!="true"}})',
                "not fresh",
            ),
            Ask(f"sum by (reason) ({m.HOST_REFUSED}{{{SCRAPED}}})", "refused: {{reason}}"),
            unit="short",
        ),
    ]


def _process() -> list[Panel]:
    return [
        kit.lines(
            "Silence of the watches",
            "How long ago a watch told of an object of a kind. Leases are renewed all the time: "
            "their silence is a dead watch; that of others may be peace.",
            Ask(
                f"time() - max by (watched) ({m.LAST_EVENT}{{{SCRAPED}}})",
                "{{watched}}",
            ),
            unit="s",
        ),
        kit.lines(
            "Memory",
            "Resident memory of each replica.",
            Ask(
                f"sum by (instance) (process_resident_memory_bytes{{{SCRAPED}}} {_OURS})",
                "{{instance}}",
            ),
            unit="bytes",
        ),
        kit.lines(
            "Processor",
            "Seconds of processor time a second, of each replica.",
            Ask(
                f"sum by (instance) (rate(process_cpu_seconds_total{{{SCRAPED}}}{_RATE}) {_OURS})",
                "{{instance}}",
            ),
            unit="percentunit",
        ),
        kit.rows(
            "Replicas",
            "Which version runs in which role.",
            Ask(f"max by (cluster, job, instance, role, version) ({m.BUILD_INFO}{{{SCRAPED}}})"),
            columns={
                "cluster": "Cluster",
                "job": "Job",
                "instance": "Instance",
                "role": "Role",
                "version": "Version",
            },
            size=(12, 8),
        ),
    ]
