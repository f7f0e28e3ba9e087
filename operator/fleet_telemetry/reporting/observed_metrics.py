"""The metrics of what the cluster's DNS is asked, computed at the time of a scrape.

They come from the replica that leads and from no other: name servers report to it alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from fleet_telemetry.decision import Plan
from fleet_telemetry.observed.address_book import Unattributed
from fleet_telemetry.observed.figures import RefusedConnection
from fleet_telemetry.observed.frame_result import FrameResult
from fleet_telemetry.observed.ledger import HostClass, LookupKey
from fleet_telemetry.reporting.families import Family
from fleet_telemetry.workloads.workload import WorkloadRef

LOOKUPS = Family(
    "observed_lookups_total",
    "Lookups of telemetry hosts by a workload's pods, by what the host serves: telemetry alone "
    "(Exclusive), or other things, too (Shared).",
    ("host_class", "kind", "name", "product", "resource_namespace"),
    "workloads x products x classes of their hosts",
    is_counter=True,
)
UNATTRIBUTED = Family(
    "observed_unattributed_lookups_total",
    "Lookups of telemetry hosts that are no known pod's, by reason.",
    ("reason",),
    "6",
    is_counter=True,
)
FRAMES = Family(
    "observed_frames_total",
    "Reports of name servers, by what became of them. All but Lookup and Ignored are lost.",
    ("result",),
    "8",
    is_counter=True,
)
REFUSED = Family(
    "observed_refused_connections_total",
    "Connections that were closed, by reason.",
    ("reason",),
    "5",
    is_counter=True,
)
CONNECTED = Family(
    "observed_source_connected",
    "1 if a name server is connected and reports its lookups, 0 if it is not.",
    ("source",),
    "name servers of the cluster's DNS",
)
COMPLETE = Family(
    "observed_complete_since_seconds",
    "Since when no lookup can be missing, in seconds since 1970; absent if some may be.",
    (),
    "1",
)
FAMILIES = (UNATTRIBUTED, FRAMES, REFUSED, CONNECTED, COMPLETE)
PER_WORKLOAD = (LOOKUPS,)


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedFigures:
    """What is known, in numbers. The counts may go on growing while they are read."""

    lookups: Mapping[LookupKey, int]
    unattributed: Mapping[Unattributed, int]
    frames: Mapping[FrameResult, int]
    refused: Mapping[RefusedConnection, int]
    sources: Mapping[str, bool]
    """The addresses of name servers, and whether each is connected."""
    complete_since: datetime | None = None


Figures = Callable[[], ObservedFigures | None]
"""None while this replica does not lead."""


class ObservedCollector(Collector):
    """Computes the series, but for those of single workloads."""

    def __init__(self, figures: Figures) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        """Compute the series."""
        unattributed, frames, refused = (one.counter() for one in (UNATTRIBUTED, FRAMES, REFUSED))
        connected, complete = CONNECTED.gauge(), COMPLETE.gauge()
        figures = self._figures()
        if figures is not None:
            _fill(unattributed, figures.unattributed.items())
            _fill(frames, figures.frames.items())
            _fill(refused, figures.refused.items())
            _fill(connected, figures.sources.items())
            if figures.complete_since is not None:
                complete.add_metric([], figures.complete_since.timestamp())
        yield from (unattributed, frames, refused, connected, complete)


def render_lookups(
    figures: Figures, plans: Callable[[], Iterable[tuple[WorkloadRef, Plan]]]
) -> Iterator[str]:
    """The series of single workloads in Prometheus' text format, in pieces."""
    found = figures()
    counts: dict[LookupKey, int] = {}
    if found is not None:
        # Zeros make series, so that the first lookup is an increase.
        counts = dict.fromkeys(_possible(plans()), 0) | dict(found.lookups)
    yield from LOOKUPS.text(
        ((host_class, ref.kind, ref.name, product, ref.namespace), count)
        for (ref, product, host_class), count in counts.items()
    )


def _fill(
    metric: CounterMetricFamily | GaugeMetricFamily, values: Iterable[tuple[str, float]]
) -> None:
    for label, value in sorted(values):
        metric.add_metric([label], float(value))


def _possible(plans: Iterable[tuple[WorkloadRef, Plan]]) -> Iterator[LookupKey]:
    """The workloads and products that have hosts of each class."""
    for ref, plan in plans:
        for product in {target.product.name: target.product for target in plan.targets}.values():
            hosts = (host for channel in product.spec.channels for host in channel.hosts)
            for shared in {bool(host.also_serves) for host in hosts}:
                yield ref, product.name, HostClass.SHARED if shared else HostClass.EXCLUSIVE
