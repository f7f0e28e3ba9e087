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
        "The operator's own health: admission, reconciling and watches.",
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
            "Controller replicas that are the leader: one in each cluster.",
            f"sum({m.LEADER}{{{SCRAPED}}})",
            steps=((None, kit.VERMILLION), (1, kit.BLUE)),
        ),
        kit.number(
            "Synced replicas",
            "Replicas of both roles whose cache has synced and whose watches deliver events.",
            f"sum({m.SYNCED}{{{SCRAPED}}} * {m.WATCH_ALIVE}{{{SCRAPED}}})",
            steps=((None, kit.VERMILLION), (1, kit.BLUE)),
        ),
        kit.number(
            "Certificate expires in",
            "Time until the webhook's certificate expires; the earliest of all replicas.",
            f"min({m.CERTIFICATE_EXPIRY}{{{SCRAPED}}}) - time()",
            unit="s",
            steps=((None, kit.VERMILLION), (7 * 86400, kit.BLUE)),
        ),
        kit.number(
            "Oldest queued key",
            "Age of the oldest key in the work queue.",
            f"max({m.QUEUE_OLDEST}{{{SCRAPED}}})",
            unit="s",
            steps=((None, kit.BLUE), (60, kit.ORANGE)),
        ),
        kit.number(
            "Drift",
            "Times in the selected range that a product's setting drifted from its policy.",
            f"sum(increase({m.DRIFT}{{{SCRAPED}}}[$__range])) or vector(0)",
            steps=((None, kit.BLUE), (1, kit.ORANGE)),
        ),
        kit.number(
            "Remediations",
            "Times in the selected range that a product's setting was remediated by its API.",
            f"sum(increase({m.REMEDIATIONS}{{{SCRAPED}}}[$__range])) or vector(0)",
        ),
    ]


def _webhook() -> list[Panel]:
    return [
        kit.lines(
            "Admission: duration",
            "Time from a request to its response. The API server times out after seconds.",
            Ask(_quantile(0.5, m.ADMISSION_DURATION, "path"), "{{path}} p50"),
            Ask(_quantile(0.99, m.ADMISSION_DURATION, "path"), "{{path}} p99"),
            unit="s",
        ),
        kit.lines(
            "Admission: requests",
            "Requests by path and result. With error and unsynced a workload was admitted "
            "without a decision.",
            Ask(_rate(m.ADMISSION_REQUESTS, "path, result"), "{{path}} {{result}}"),
            unit="reqps",
        ),
    ]


def _controller() -> list[Panel]:
    return [
        kit.lines(
            "Reconciles",
            "Reconciles per second, by reconciler and result.",
            Ask(_rate(m.RECONCILES, "subject, result"), "{{subject}} {{result}}"),
            unit="ops",
        ),
        kit.lines(
            "Reconciles: duration",
            "Duration of one reconcile, and how long the oldest one under way has lasted.",
            Ask(_quantile(0.99, m.RECONCILE_DURATION, "subject"), "{{subject}} p99"),
            Ask(f"max({m.LONGEST_RUNNING}{{{SCRAPED}}})", "under way"),
            unit="s",
        ),
        kit.lines(
            "Work queue: wait",
            "How long a key waited before its reconcile began.",
            Ask(_quantile(0.99, m.QUEUE_DURATION, "instance"), "{{instance}} p99"),
            unit="s",
        ),
        kit.lines(
            "Work queue",
            "Keys in the work queue, by replica. Only the leader has any.",
            Ask(f"sum by (instance) ({m.QUEUE_DEPTH}{{{SCRAPED}}})", "{{instance}}"),
            unit="short",
        ),
        kit.lines(
            "Requests to the API server",
            "Without watches, by method and status (0: no response).",
            Ask(_rate(m.API_REQUESTS, "method, code"), "{{method}} {{code}}"),
            unit="reqps",
        ),
        kit.lines(
            "Product checks",
            "Checks of products by their API, by result (ok or a reason of docs/reasons.md).",
            Ask(_rate(m.VENDOR_CHECKS, "product, result"), "{{product}} {{result}}"),
            unit="cps",
        ),
        kit.lines(
            "Product checks: duration",
            "Duration of one check, over all instances of a workload.",
            Ask(_quantile(0.99, m.VENDOR_CHECK_DURATION, "product"), "{{product}} p99"),
            unit="s",
        ),
    ]


def _egress() -> list[Panel]:
    kinds = "networkpolicies|ciliumnetworkpolicies|ciliumcidrgroups|clusternetworkpolicies"
    return [
        kit.rows(
            "Telemetry hosts",
            "Hosts that policies cover: the number of denied and allowed addresses, and the "
            "time of the last DNS response.",
            Ask(f'max by (cluster, host) ({m.HOST_ADDRESSES}{{{SCRAPED}, list="deny"}})'),
            Ask(f'max by (cluster, host) ({m.HOST_ADDRESSES}{{{SCRAPED}, list="allow"}})'),
            Ask(f"max by (cluster, host) ({m.HOST_ANSWERED}{{{SCRAPED}}}) * 1000"),
            columns={
                "cluster": "Cluster",
                "host": "Host",
                "Value #A": "Denied",
                "Value #B": "Allowed",
                "Value #C": "Last response",
            },
            units={"Value #C": "dateTimeAsLocal"},
            size=(12, 8),
        ),
        kit.lines(
            "Writes of network policies",
            "Network policies written or removed per second, by kind.",
            Ask(
                f"sum by (resource, method) (rate({m.API_REQUESTS}{{{SCRAPED}, "
                f'method!="GET", resource=~"{kinds}"}}{_RATE}))',
                "{{method}} {{resource}}",
            ),
            unit="wps",
        ),
        kit.lines(
            "Telemetry hosts with a problem",
            "Hosts that are held, sinkholed or not fresh, and name servers whose responses are "
            "ignored.",
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
            "Time since last watch event",
            "Time since the last watch event or bookmark, by kind. Leases change all the time, and "
            "workloads, pods, NetworkPolicies and WorkloadTelemetries get a bookmark each minute, "
            "so a growing time means a dead watch. For the kinds that users write it may mean that "
            "nothing changes.",
            Ask(
                f"time() - max by (watched) ({m.LAST_EVENT}{{{SCRAPED}}})",
                "{{watched}}",
            ),
            unit="s",
        ),
        kit.lines(
            "Memory",
            "Resident memory, by replica.",
            Ask(
                f"sum by (instance) (process_resident_memory_bytes{{{SCRAPED}}} {_OURS})",
                "{{instance}}",
            ),
            unit="bytes",
        ),
        kit.lines(
            "CPU",
            "CPU seconds per second, by replica.",
            Ask(
                f"sum by (instance) (rate(process_cpu_seconds_total{{{SCRAPED}}}{_RATE}) {_OURS})",
                "{{instance}}",
            ),
            unit="percentunit",
        ),
        kit.rows(
            "Replicas",
            "Version and role of each replica.",
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
