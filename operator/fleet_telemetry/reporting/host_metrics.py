"""The metrics of telemetry hosts, computed at the time of a scrape.

They come from the replica that leads and from no other: it alone asks for them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from fleet_telemetry.api.conditions import ConditionStatus
from fleet_telemetry.reporting.families import Family

ADDRESSES = Family(
    "host_addresses",
    "Addresses of a telemetry host in the allowlist and in the denylist.",
    ("host", "list"),
    "2 x telemetry hosts that policies cover",
)
RANGES = Family(
    "host_published_ranges",
    "Published address ranges of a telemetry host.",
    ("host", "provider"),
    "telemetry hosts with published ranges",
)
ANSWERED = Family(
    "host_last_answer_timestamp_seconds",
    "When a name server last gave a positive or negative response for a telemetry host.",
    ("host", "family"),
    "telemetry hosts x answered address families",
)
REFUSED = Family(
    "host_refused_answers",
    "Name servers whose last response was ignored: a sinkhole, or an address that no telemetry "
    "host can have.",
    ("host", "reason"),
    "2 x telemetry hosts that policies cover",
)
CONDITION = Family(
    "host_condition",
    "1 for the current status (true, false or unknown) of a telemetry host's condition, 0 for "
    "the others.",
    ("host", "condition", "status"),
    "21 x telemetry hosts that policies cover",
)
FAMILIES = (ADDRESSES, RANGES, ANSWERED, REFUSED, CONDITION)


@dataclass(frozen=True, slots=True, kw_only=True)
class HostFigures:
    """What is known of one host, in numbers."""

    host: str
    allowed: int
    denied: int
    sinkholes: int = 0
    """Name servers whose last answer was put aside as a sinkhole's."""
    impossible: int = 0
    """And those with an address that no telemetry host can have."""
    answered: Mapping[str, datetime] = field(default_factory=dict)
    """By family."""
    provider: str | None = None
    ranges: int = 0
    conditions: Mapping[str, ConditionStatus] = field(default_factory=dict)


class HostCollector(Collector):
    """Computes the series."""

    def __init__(
        self, hosts: Callable[[], Iterable[HostFigures]], *, visible: Callable[[], bool]
    ) -> None:
        self._hosts = hosts
        self._visible = visible

    def collect(self) -> Iterator[Metric]:
        """Compute the series."""
        addresses, ranges, answered, refused, condition = (family.gauge() for family in FAMILIES)
        hosts = list(self._hosts()) if self._visible() else []
        for one in sorted(hosts, key=lambda found: found.host):
            addresses.add_metric([one.host, "allow"], one.allowed)
            addresses.add_metric([one.host, "deny"], one.denied)
            refused.add_metric([one.host, "sinkhole"], one.sinkholes)
            refused.add_metric([one.host, "impossible"], one.impossible)
            if one.provider is not None:
                ranges.add_metric([one.host, one.provider], one.ranges)
            for family, time in one.answered.items():
                answered.add_metric([one.host, family], time.timestamp())
            for kind, found in one.conditions.items():
                for status in ConditionStatus:
                    labels = [one.host, kind, status.lower()]
                    condition.add_metric(labels, float(found is status))
        yield from (addresses, ranges, answered, refused, condition)
