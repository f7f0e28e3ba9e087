"""Prometheus metrics: operational ones of every process, the fleet's of the one that leads."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Callable, Iterable, Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from fleet_telemetry import __version__
from fleet_telemetry.decide.decision import Plan
from fleet_telemetry.model.product import Meaning
from fleet_telemetry.model.workload import WorkloadRef
from fleet_telemetry.model.workload_telemetry import State

_PREFIX = "fleet_telemetry"
_ADMISSION_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0)
_RECONCILE_BUCKETS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0)


class AdmissionMetrics:
    """How admission requests are answered."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests = Counter(
            f"{_PREFIX}_admission_requests",
            "Admission requests by path, kind and result.",
            ["path", "kind", "result"],
            registry=registry,
        )
        self._duration = Histogram(
            f"{_PREFIX}_admission_duration_seconds",
            "Time from an admission request's arrival to its answer.",
            ["path"],
            buckets=_ADMISSION_BUCKETS,
            registry=registry,
        )

    def observe(self, path: str, kind: str, result: str, seconds: float) -> None:
        """Count one request."""
        self._requests.labels(path, kind, result).inc()
        self._duration.labels(path).observe(seconds)


class ControllerMetrics:
    """How the controller works."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._reconciles = Counter(
            f"{_PREFIX}_reconciles",
            "Reconciles by subject and result.",
            ["subject", "result"],
            registry=registry,
        )
        self._duration = Histogram(
            f"{_PREFIX}_reconcile_duration_seconds",
            "Time that one reconcile takes.",
            ["subject"],
            buckets=_RECONCILE_BUCKETS,
            registry=registry,
        )
        self._queue = Gauge(
            f"{_PREFIX}_queue_depth", "Subjects that wait to be reconciled.", registry=registry
        )
        self._leader = Gauge(
            f"{_PREFIX}_leader", "1 in the replica that holds the Lease.", registry=registry
        )

    def observe(self, subject: str, result: str, seconds: float) -> None:
        """Count one reconcile."""
        self._reconciles.labels(subject, result).inc()
        self._duration.labels(subject).observe(seconds)

    def set_queue_depth(self, depth: Callable[[], int]) -> None:
        """Say where the queue's depth comes from."""
        self._queue.set_function(depth)

    def set_leading(self, *, leading: bool) -> None:
        """Say whether this replica leads."""
        self._leader.set(leading)


class VerificationMetrics:
    """How products are asked."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._checks = Counter(
            f"{_PREFIX}_vendor_checks",
            "Checks of products by their API, by product and result (ok or a reason).",
            ["product", "result"],
            registry=registry,
        )
        self._duration = Histogram(
            f"{_PREFIX}_vendor_check_duration_seconds",
            "Time that one check takes, over all instances of a workload.",
            ["product"],
            buckets=_RECONCILE_BUCKETS,
            registry=registry,
        )
        self._drift = Counter(
            f"{_PREFIX}_drift",
            "Times that a product was found to have left what its policy wishes.",
            ["product"],
            registry=registry,
        )
        self._remediations = Counter(
            f"{_PREFIX}_remediations",
            "Times that a product was put right by its API.",
            ["product"],
            registry=registry,
        )

    def observe(self, product: str, result: str, seconds: float) -> None:
        """Count one check."""
        self._checks.labels(product, result).inc()
        self._duration.labels(product).observe(seconds)

    def count_drift(self, product: str) -> None:
        """Count one drift."""
        self._drift.labels(product).inc()

    def count_remediation(self, product: str) -> None:
        """Count one remediation."""
        self._remediations.labels(product).inc()


class ApiMetrics:
    """What is asked of the API server, beside the watches."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._calls = Counter(
            f"{_PREFIX}_api_requests",
            "Requests to the API server by method, resource and status code (0: no answer).",
            ["method", "resource", "code"],
            registry=registry,
        )

    def observe(self, method: str, resource: str, status: int) -> None:
        """Count one request."""
        self._calls.labels(method, resource, str(status)).inc()


def add_build_info(registry: CollectorRegistry, role: str) -> None:
    """Say which version runs in which role."""
    info = Gauge(
        f"{_PREFIX}_build_info",
        "Always 1; the labels say which version runs in which role.",
        ["version", "role"],
        registry=registry,
    )
    info.labels(__version__, role).set(1)


class FleetCollector(Collector):
    """The fleet's metrics, from the controller's own state at the time of the scrape.

    They come from the replica that leads and from no other, so that sums over replicas are true.
    """

    def __init__(self, plans: Callable[[], Iterable[tuple[WorkloadRef, Plan]]]) -> None:
        self._plans = plans

    def collect(self) -> Iterator[Metric]:
        """Compute the series."""
        enabled = GaugeMetricFamily(
            f"{_PREFIX}_submission_enabled",
            "1 where the evidence says that telemetry is submitted, 0 where it says that it is "
            "not; absent where it says neither.",
            labels=["resource_namespace", "kind", "name", "product", "channel", "evidence"],
        )
        submissions = GaugeMetricFamily(
            f"{_PREFIX}_last_submission_timestamp_seconds",
            "When the product last sent something, as it says itself.",
            labels=["resource_namespace", "kind", "name", "product", "channel"],
        )
        tally: Tally[tuple[str, str, str]] = Tally()
        for ref, plan in self._plans():
            for verdict in plan.verdicts:
                for state in State:
                    tally[verdict.product, verdict.channel, state] += verdict.state is state
                names = [ref.namespace, ref.kind, ref.name, verdict.product, verdict.channel]
                if verdict.last_submission is not None:
                    submissions.add_metric(names, verdict.last_submission.timestamp())
                for evidence, meaning in (
                    ("declared", verdict.declared_effect),
                    ("running", verdict.running_effect),
                    ("reported", verdict.reported),
                ):
                    if meaning in (Meaning.ENABLED, Meaning.DISABLED):
                        enabled.add_metric([*names, evidence], float(meaning is Meaning.ENABLED))
        workloads = GaugeMetricFamily(
            f"{_PREFIX}_workloads",
            "Workloads under a policy, by the state of a channel of a product.",
            labels=["product", "channel", "state"],
        )
        for labels, count in sorted(tally.items()):
            workloads.add_metric(labels, count)
        yield enabled
        yield submissions
        yield workloads
