"""One start of the operator on a fleet: when it is ready, what it asked for, and what it took."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from dev.bench.counting import LEASES, Resource, calls, lists_begun, lists_by_resource
from dev.bench.figures import Figure, Target
from dev.bench.manifests import POLICIES, Manifest, fleet_namespace
from dev.bench.processes import PEAK, figure_on_linux, memory, processor_seconds
from dev.bench.progress import Progress
from dev.bench.records import Records, is_listed
from dev.bench.server import Server
from dev.bench.writes import ROLES, account, until_quiet
from dev.cluster import Cluster
from dev.harness.operator import LocalOperator, Role

READY_SECONDS = 300.0
LISTED_SECONDS = 900.0
_ONE = Target(1)


@dataclass(frozen=True)
class RequestCounts:
    """What the API server was asked for so far."""

    pages: Counter[Resource]
    """Requests with the verb LIST."""
    streams: Counter[Resource]
    """Streaming lists."""
    begun: Mapping[Role, Counter[Resource]]
    """Lists of any form that a role has begun."""
    calls: Counter[tuple[str, Resource]]
    """Requests of the operator, without watches and without its Lease."""

    @classmethod
    async def so_far(cls, server: Server, cluster: Cluster) -> RequestCounts:
        """Read the API server's metrics and its audit log."""
        pages, streams = lists_by_resource(await server.metrics())
        events = await asyncio.to_thread(cluster.audit_events)
        counted: Counter[tuple[str, Resource]] = Counter()
        for role in ROLES:
            counted += calls(events, account(role))
        kept = {
            (verb, resource): count
            for (verb, resource), count in counted.items()
            if verb != "watch" and resource != LEASES
        }
        begun = {role: lists_begun(events, account(role)) for role in ROLES}
        return cls(pages, streams, begun, Counter(kept))

    def since(self, before: RequestCounts) -> RequestCounts:
        """What was asked for since an earlier time."""
        return RequestCounts(
            self.pages - before.pages,
            self.streams - before.streams,
            {role: self.begun[role] - before.begun[role] for role in self.begun},
            self.calls - before.calls,
        )

    @property
    def most_of_a_kind(self) -> int:
        """The lists of one kind by one role, where they are most."""
        return max((max(begun.values(), default=0) for begun in self.begun.values()), default=0)


@dataclass(frozen=True)
class OperatorStart:
    """Seconds, and by role megabytes and seconds of CPU time (none except on Linux)."""

    ready: float
    """From the webhook's start until it is ready."""
    listed: float
    """From the controller's start until each workload with a product is listed."""
    memory: Mapping[Role, float]
    processor: Mapping[Role, float]
    start: RequestCounts
    """From the webhook's start until nothing more is written."""
    listing: Counter[tuple[str, Resource]]
    """The operator's calls from the controller's start on."""


@dataclass(frozen=True)
class Starter:
    """Starts the operator again and again, each time without what it has written before."""

    server: Server
    cluster: Cluster
    operator: LocalOperator
    records: Records
    progress: Progress
    namespaces: int
    policies: list[Manifest] = field(default_factory=list)
    """To be created when a webhook validates them first: ClusterTelemetryPolicies."""

    async def start(self, products: int) -> OperatorStart:
        """Start both roles, and wait until they have nothing more to do. Raises BenchError."""
        await asyncio.to_thread(self.operator.stop_all)
        await self._forget()
        before = await RequestCounts.so_far(self.server, self.cluster)
        await asyncio.to_thread(self.operator.start, "webhook")
        started = time.monotonic()
        self.progress.at("wait for the webhook")
        await asyncio.to_thread(self.operator.wait_until_ready, seconds=READY_SECONDS)
        ready = time.monotonic() - started
        for manifest in self.policies:
            await self.server.create(POLICIES, manifest)
        self.policies.clear()
        begun = await RequestCounts.so_far(self.server, self.cluster)
        await asyncio.to_thread(self.operator.start, "controller")
        started = time.monotonic()
        await self.records.until("workloads to be listed", products, is_listed, LISTED_SECONDS)
        listed = time.monotonic() - started
        await until_quiet(self.server, LISTED_SECONDS, self.progress)
        after = await RequestCounts.so_far(self.server, self.cluster)
        return OperatorStart(
            ready=ready,
            listed=listed,
            memory=dict(self._measured(lambda pid: memory(pid, PEAK))),
            processor=dict(self._measured(processor_seconds)),
            start=after.since(before),
            listing=after.since(begun).calls,
        )

    async def _forget(self) -> None:
        for number in range(self.namespaces):
            place = f"/apis/fleettelemetry.io/v1alpha1/namespaces/{fleet_namespace(number)}"
            await self.server.delete(f"{place}/workloadtelemetries")
        await self.records.until_none(LISTED_SECONDS)

    def _measured(self, measure: Callable[[int], float | None]) -> Iterator[tuple[Role, float]]:
        running = self.operator.children.identities()
        for role in ROLES:
            found = measure(running[role].pid)
            if found is not None:
                yield role, found


@dataclass(frozen=True)
class Targets:
    """For the starts at one size."""

    ready: Target | None = None
    listed: Target | None = None
    memory: Target | None = None
    calls: Target | None = None


def figures(
    section: str, starts: Sequence[OperatorStart], products: int, targets: Targets
) -> Iterator[Figure]:
    """The figures of the starts at one size."""
    ready = [each.ready for each in starts]
    yield Figure.of(section, "webhook's start until it is ready", "s", ready, targets.ready)
    name = f"controller's start until all {products:,} are listed"
    yield Figure.of(section, name, "s", [each.listed for each in starts], targets.listed)
    for role in ROLES:
        peaks = [each.memory[role] for each in starts if role in each.memory]
        yield figure_on_linux(section, f"{role}: peak memory", "MB", peaks, targets.memory)
        used = [each.processor[role] for each in starts if role in each.processor]
        yield figure_on_linux(section, f"{role}: CPU time until nothing is left to do", "s", used)
    per_product = [each.listing.total() / products for each in starts]
    name = "calls per workload with a product, from the controller's start"
    yield Figure.of(section, name, "", per_product, targets.calls)
    for (verb, resource), _ in starts[-1].listing.most_common(3):
        counts = [each.listing[verb, resource] for each in starts]
        yield Figure.of(section, f"  of them {verb} {resource}, in all", "", counts)
    name = "lists of one kind that one role has begun, at most"
    yield Figure.of(section, name, "", [each.start.most_of_a_kind for each in starts], _ONE)
    for title, counted in (
        ("LIST requests of both roles", [each.start.pages for each in starts]),
        ("streaming lists of both roles", [each.start.streams for each in starts]),
    ):
        yield Figure.of(section, title, "", [each.total() for each in counted])
        for resource, _ in counted[-1].most_common(3):
            counts = [each[resource] for each in counted]
            yield Figure.of(section, f"  of them of {resource}", "", counts)
