"""Metrics of the operator's own processes: admission, reconciling, requests and watches."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from itertools import product
from typing import NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from fleet_telemetry import __version__
from fleet_telemetry.api.policy import PolicyKind
from fleet_telemetry.api.reasons import Reason
from fleet_telemetry.kube.reflection import Interruption
from fleet_telemetry.reporting.families import PREFIX
from fleet_telemetry.workloads.registry import WorkloadKind

_ADMISSION_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0)
_PATIENCE_SECONDS = 120.0
_RECONCILE_BUCKETS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0)
_WAIT_BUCKETS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0)


OTHER = "other"
"""The value of a label for all that is not known."""
MOST_PRODUCTS = 64
_MUTATED = ("Pod", *WorkloadKind)
_VALIDATED = (*PolicyKind, "TelemetryProduct")
_KINDS = {"mutate": frozenset(_MUTATED), "validate": frozenset(_VALIDATED)}
_ADMISSION_RESULTS = {
    "mutate": ("patched", "unchanged", "unsynced", "unreadable", "error"),
    "validate": ("accepted", "refused", "unreadable", "error"),
}
_REFUSALS = ("busy", "client", "media-type", "not-a-review", "slow", "too-large", OTHER)
_RECONCILE_RESULTS = ("ok", "conflict", "error", "bug", "namespace_ending")
_CHECK_RESULTS = (
    "ok",
    Reason.API_NOT_FOUND,
    Reason.CREDENTIALS_REJECTED,
    Reason.PERMISSION_MISSING,
    Reason.RATE_LIMITED,
    Reason.TLS_NOT_TRUSTED,
    Reason.UNEXPECTED_ANSWER,
    Reason.UNREACHABLE,
    Reason.VENDOR_ERROR,
)


class AdmissionMetrics:
    """Metrics of admission. Every series exists from the start, so that Prometheus sees the first
    increase, and no request adds one."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests = Counter(
            f"{PREFIX}_admission_requests",
            "Admission requests by path, kind and result.",
            ["path", "kind", "result"],
            registry=registry,
        )
        self._duration = Histogram(
            f"{PREFIX}_admission_duration_seconds",
            "Time from an admission request to its response.",
            ["path"],
            buckets=_ADMISSION_BUCKETS,
            registry=registry,
        )
        self._refused = Counter(
            f"{PREFIX}_admission_refused_requests",
            "Admission requests that were not read, by reason.",
            ["reason"],
            registry=registry,
        )
        for path, results in _ADMISSION_RESULTS.items():
            self._duration.labels(path)
            for kind, result in product((*_KINDS[path], OTHER), results):
                self._requests.labels(path, kind, result)
        for reason in _REFUSALS:
            self._refused.labels(reason)

    def observe(self, path: str, kind: str, result: str, seconds: float) -> None:
        """Count one request. ``kind`` may be anything: whoever sends a request chooses it."""
        self._requests.labels(path, kind if kind in _KINDS[path] else OTHER, result).inc()
        self._duration.labels(path).observe(seconds)

    def refuse(self, reason: str) -> None:
        """Count one request that was not read."""
        self._refused.labels(reason).inc()


class QueueState(NamedTuple):
    """The work queue at one time."""

    depth: int
    """Keys that wait."""
    oldest: float
    """Seconds for which the oldest of them has waited; 0 if none waits."""
    longest_running: float
    """Seconds since the oldest reconcile under way began; 0 if there is none."""


class ControllerMetrics:
    """Metrics of the controller."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._led_since: float | None = None
        self._been_through = False
        self._queue: Callable[[], QueueState] = lambda: QueueState(0, 0.0, 0.0)
        self._reconciles = Counter(
            f"{PREFIX}_reconciles",
            "Reconciles by reconciler and result.",
            ["subject", "result"],
            registry=registry,
        )
        self._duration = Histogram(
            f"{PREFIX}_reconcile_duration_seconds",
            "Duration of one reconcile.",
            ["subject"],
            buckets=_RECONCILE_BUCKETS,
            registry=registry,
        )
        self._depth = Gauge(f"{PREFIX}_queue_depth", "Keys in the work queue.", registry=registry)
        # An age and no timestamp, because an empty queue has no oldest subject: 0 says so.
        self._oldest = Gauge(
            f"{PREFIX}_queue_oldest_seconds",
            "Age of the oldest key in the work queue; 0 if the queue is empty.",
            registry=registry,
        )
        # A gauge is read only when it is scraped, and misses what came and went in between.
        self._waits = Histogram(
            f"{PREFIX}_queue_duration_seconds",
            "Time that a key waited in the work queue before its reconcile began.",
            buckets=_WAIT_BUCKETS,
            registry=registry,
        )
        self._running = Gauge(
            f"{PREFIX}_reconcile_longest_running_seconds",
            "Time since the oldest reconcile under way began; 0 if there is none.",
            registry=registry,
        )
        self._leader = Gauge(
            f"{PREFIX}_leader", "1 in the replica that is the leader.", registry=registry
        )

    def declare(self, subjects: Iterable[str]) -> None:
        """Make the series of these reconcilers, so that Prometheus sees the first increase."""
        for subject, result in product(subjects, _RECONCILE_RESULTS):
            self._reconciles.labels(subject, result)

    def observe(self, subject: str, result: str, seconds: float) -> None:
        """Count one reconcile."""
        self._reconciles.labels(subject, result).inc()
        self._duration.labels(subject).observe(seconds)
        self._been_through = self._been_through or self._queue().depth == 0

    def observe_wait(self, seconds: float) -> None:
        """Count one key that a worker takes from the queue."""
        self._waits.observe(seconds)

    def set_queue(self, queue: Callable[[], QueueState]) -> None:
        """Say where the state of the queue comes from. Scrapes call it from their own thread."""
        self._queue = queue
        self._depth.set_function(lambda: queue().depth)
        self._oldest.set_function(lambda: queue().oldest)
        self._running.set_function(lambda: queue().longest_running)

    def set_leading(self, *, leading: bool) -> None:
        """Say whether this replica leads."""
        self._leader.set(leading)
        self._led_since = time.monotonic() if leading else None
        self._been_through = False

    def knows_fleet(self) -> bool:
        """Whether this replica leads and has been through everything once.

        Before, it would show half a fleet as if it were all. A queue that never empties does not
        keep the fleet's metrics back for long.
        """
        if self._led_since is None:
            return False
        return self._been_through or time.monotonic() - self._led_since > _PATIENCE_SECONDS


class VerificationMetrics:
    """Metrics of product checks. The series of the ``products`` exist from the start. Users may add
    products: the first ones have series of their own, the others share one."""

    def __init__(self, registry: CollectorRegistry, products: Iterable[str] = ()) -> None:
        self._products: set[str] = set()
        self._checks = Counter(
            f"{PREFIX}_vendor_checks",
            "Checks of products by their API, by product and result (ok or a reason).",
            ["product", "result"],
            registry=registry,
        )
        self._duration = Histogram(
            f"{PREFIX}_vendor_check_duration_seconds",
            "Duration of one check, over all instances of a workload.",
            ["product"],
            buckets=_RECONCILE_BUCKETS,
            registry=registry,
        )
        self._drift = Counter(
            f"{PREFIX}_drift",
            "Times that a product's setting drifted from its policy.",
            ["product"],
            registry=registry,
        )
        self._remediations = Counter(
            f"{PREFIX}_remediations",
            "Times that a product's setting was remediated by its API.",
            ["product"],
            registry=registry,
        )

        for name in products:
            self._label(name)

    def _label(self, name: str) -> str:
        """The product's label, with its series."""
        if name in self._products:
            return name
        label = name if len(self._products) < MOST_PRODUCTS else OTHER
        if label not in self._products:
            self._products.add(label)
            self._drift.labels(label)
            self._remediations.labels(label)
            for result in _CHECK_RESULTS:
                self._checks.labels(label, result)
        return label

    def observe(self, product: str, result: str, seconds: float) -> None:
        """Count one check."""
        label = self._label(product)
        self._checks.labels(label, result).inc()
        self._duration.labels(label).observe(seconds)

    def count_drift(self, product: str) -> None:
        """Count one drift."""
        self._drift.labels(self._label(product)).inc()

    def count_remediation(self, product: str) -> None:
        """Count one remediation."""
        self._remediations.labels(self._label(product)).inc()


class ApiMetrics:
    """Metrics of requests to the API server, without those of kopf."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._calls = Counter(
            f"{PREFIX}_api_requests",
            "Requests to the API server by method, resource and status code (0: no response).",
            ["method", "resource", "code"],
            registry=registry,
        )

    def observe(self, method: str, resource: str, status: int) -> None:
        """Count one request."""
        self._calls.labels(method, resource, str(status)).inc()


class WatchMetrics:
    """Metrics of the cache and its watches."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._synced = Gauge(
            f"{PREFIX}_synced",
            "1 once the cache has synced. Nothing is decided before.",
            registry=registry,
        )
        self._alive = Gauge(
            f"{PREFIX}_watch_alive",
            "0 if the watches no longer deliver events.",
            registry=registry,
        )
        self._events = Gauge(
            f"{PREFIX}_watch_last_event_timestamp_seconds",
            "When a watch last delivered an event or a bookmark for this kind; absent if it never "
            "did.",
            ["watched"],
            registry=registry,
        )
        self._listed = Gauge(
            f"{PREFIX}_last_full_list_timestamp_seconds",
            "When the kinds that users write (policies, products, hosts, namespaces) were last "
            "listed in full: at the start and every half hour; 0 before. The other kinds are "
            "listed again only when their watch cannot be resumed.",
            registry=registry,
        )
        self._lists = Counter(
            f"{PREFIX}_full_lists",
            "Full lists by kind, of the kinds that grow with the fleet: one at the start, one when "
            "the catalogue changes, one when a watch cannot be resumed.",
            ["watched"],
            registry=registry,
        )
        self._interruptions = Counter(
            f"{PREFIX}_watch_interruptions",
            "Lists and watches that failed, by kind and reason. They are resumed. A watch that the "
            "API server ends by its time limit does not count.",
            ["watched", "reason"],
            registry=registry,
        )

    def set_sources(self, *, synced: Callable[[], bool], alive: Callable[[], bool]) -> None:
        """Set the sources of the two gauges."""
        self._synced.set_function(lambda: float(synced()))
        self._alive.set_function(lambda: float(alive()))

    def declare(self, kinds: Iterable[str]) -> None:
        """Make the series of the kinds that are listed and watched without kopf, so that Prometheus
        sees the first increase."""
        for kind, reason in product(kinds, Interruption):
            self._lists.labels(kind)
            self._interruptions.labels(kind, reason)

    def saw(self, kind: str) -> None:
        """Record a watch event."""
        self._events.labels(kind).set_to_current_time()

    def listed_kind(self, kind: str) -> None:
        """A kind that grows with the fleet has been listed."""
        self._lists.labels(kind).inc()

    def interrupted(self, kind: str, reason: str) -> None:
        """A list or a watch of such a kind failed."""
        self._interruptions.labels(kind, reason).inc()

    def listed(self) -> None:
        """Everything that kopf watches has been listed."""
        self._listed.set_to_current_time()


def add_cluster_info(registry: CollectorRegistry, cluster: str) -> None:
    """Say which cluster it is. The label is not ``cluster``, which a Prometheus may add."""
    info = Gauge(
        f"{PREFIX}_cluster_info",
        "Always 1; the label is the name that the cluster has by clusterName. Absent without one.",
        ["cluster_name"],
        registry=registry,
    )
    if cluster:
        info.labels(cluster).set(1)


def add_build_info(registry: CollectorRegistry, role: str) -> None:
    """Say which version runs in which role."""
    info = Gauge(
        f"{PREFIX}_build_info",
        "Always 1; the labels are the version and the role.",
        ["version", "role"],
        registry=registry,
    )
    info.labels(__version__, role).set(1)
