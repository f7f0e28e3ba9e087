"""Looks up the telemetry hosts of policies, and keeps their addresses."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime

from fleet_telemetry.api.resources import API_VERSION, TELEMETRY_HOST
from fleet_telemetry.api.telemetry_host import PublishedRanges, TelemetryHostStatus
from fleet_telemetry.controllers.egress.own_addresses import OwnAddresses
from fleet_telemetry.controllers.egress.ranges import RangesFetcher
from fleet_telemetry.controllers.status_writer import write_status
from fleet_telemetry.egress.addresses import as_networks
from fleet_telemetry.egress.dns.resolver import Resolver
from fleet_telemetry.egress.facts import HostFacts
from fleet_telemetry.egress.host_conditions import observe
from fleet_telemetry.egress.host_lists import (
    allowlist,
    denylist,
    host_facts,
    is_usable,
    shared_addresses,
)
from fleet_telemetry.egress.host_state import HostState, Retention
from fleet_telemetry.egress.host_status_codec import decode_status, status_to_write
from fleet_telemetry.egress.host_step import next_lookup, step_host
from fleet_telemetry.egress.host_use import HostNeed
from fleet_telemetry.egress.model import Network
from fleet_telemetry.egress.ranges_client import RangesClient
from fleet_telemetry.kube import kinds
from fleet_telemetry.kube.cache import ClusterCache
from fleet_telemetry.kube.client import ApiError, KubernetesClient
from fleet_telemetry.reporting.host_metrics import HostFigures
from fleet_telemetry.workloads.workload import WorkloadRef

_log = logging.getLogger(__name__)

_SWEEP_SECONDS = 30.0
_NEVER_SAVED = TelemetryHostStatus()


@dataclass
class _KeptHost:
    """A host that workloads need."""

    state: HostState
    users: set[WorkloadRef] = field(default_factory=set)
    provider: str | None = None
    task: asyncio.Task[None] | None = None
    looked_up: bool = False
    """Whether it was looked up since this replica became the leader."""
    cached_facts: tuple[HostState, Retention, HostFacts] | None = None
    """The facts of a state by the rules, computed once for all workloads."""

    @property
    def known(self) -> bool:
        """Whether a lookup has ended, successfully or not."""
        return self.looked_up or self.state.as_of is not None


class HostResolver:
    """The state of hosts. ``run`` looks them up while this replica is the leader."""

    def __init__(
        self,
        cache: ClusterCache,
        client: KubernetesClient,
        resolver: Resolver,
        *,
        rules: Retention,
        now: Callable[[], datetime],
        ranges: RangesClient | None,
        on_change: Callable[[WorkloadRef], None],
    ) -> None:
        """``ranges`` is None if published ranges are not fetched. ``on_change`` is called with each
        workload whose hosts changed."""
        self._cache = cache
        self._client = client
        self._resolver = resolver
        self._rules = rules
        self._now = now
        self._ranges = RangesFetcher(cache, ranges, now=now, on_change=self._set_ranges)
        self._hosts: dict[str, _KeptHost] = {}
        self._needs: dict[WorkloadRef, frozenset[HostNeed]] = {}
        self._group: asyncio.TaskGroup | None = None
        self._random = random.Random()  # noqa: S311  # spreads load, hides nothing
        self._on_change = on_change

    async def run(self) -> None:
        """Look up hosts until cancelled; then delete all state."""
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                for name, host in self._hosts.items():
                    self._start(name)
                    if host.provider is not None:
                        self._ranges.use(host.provider, group)
                while True:
                    await asyncio.sleep(_SWEEP_SECONDS)
                    await self._sweep()
        finally:
            self._group = None
            self._hosts.clear()
            self._needs.clear()
            self._ranges.clear()

    def need(self, ref: WorkloadRef, needs: frozenset[HostNeed]) -> None:
        """Set the hosts that a workload's decision depends on."""
        before = self._needs.get(ref, frozenset())
        self._needs[ref] = needs
        if needs == before:
            return
        for gone in {need.host for need in before} - {need.host for need in needs}:
            self._release(gone, ref)
        for need in needs:
            host = self._hosts.get(need.host)
            if host is None:
                host = self._hosts[need.host] = _KeptHost(self._restore(need))
                self._start(need.host)
            host.users.add(ref)
            if not need.seeds <= host.state.seeds:
                host.state = replace(host.state, seeds=host.state.seeds | need.seeds)
                self._notify(host, but=ref)
            if need.provider is not None and host.provider != need.provider:
                host.provider = need.provider
                self._ranges.use(need.provider, self._group)

    def protect(self, addresses: OwnAddresses) -> None:
        """Set the single addresses that are the cluster's own. Responses with them are ignored from
        now on, and those that are known already leave all lists."""
        if addresses == self._rules.own.addresses:
            return
        before = {name: self._facts(host) for name, host in self._hosts.items()}
        self._rules = replace(self._rules, own=replace(self._rules.own, addresses=addresses))
        for name, host in self._hosts.items():
            if self._facts(host) != before[name]:
                self._notify(host)

    def may_deny(self, network: Network) -> bool:
        """Whether a network that was denied before may still be: a single address has to be one
        that a telemetry host can have."""
        return network.num_addresses > 1 or is_usable(network.network_address, self._rules)

    def forget(self, ref: WorkloadRef) -> None:
        """Delete the needs of a deleted workload."""
        self.need(ref, frozenset())
        del self._needs[ref]

    def facts(self, hosts: Iterable[str]) -> dict[str, HostFacts]:
        """The facts of the hosts that are kept."""
        return {name: self._facts(self._hosts[name]) for name in hosts if name in self._hosts}

    def _facts(self, host: _KeptHost) -> HostFacts:
        state = host.state
        cached = host.cached_facts
        if cached is None or cached[0] is not state or cached[1] is not self._rules:
            facts = replace(
                host_facts(state, self._rules),
                shared=as_networks(shared_addresses(state, self._rules)),
                unresolved=not state.known
                and all(one.answered_at is None for one in state.families),
            )
            host.cached_facts = cached = state, self._rules, facts
        return cached[2]

    def figures(self) -> Iterator[HostFigures]:
        """The metrics of every host; called from the thread of a scrape."""
        for name, host in list(self._hosts.items()):
            state = host.state
            refused = [refusal.is_sinkhole for refusal in state.refusals]
            yield HostFigures(
                host=name,
                allowed=len(allowlist(state, self._rules)),
                denied=len(denylist(state, self._rules)),
                sinkholes=sum(refused),
                impossible=len(refused) - sum(refused),
                answered={
                    one.family.value: one.answered_at
                    for one in state.families
                    if one.answered_at is not None
                },
                provider=state.ranges.provider if state.ranges else None,
                ranges=len(state.ranges.cidrs) if state.ranges else 0,
                conditions={seen.type: seen.status for seen in observe(state, self._rules)}
                if host.known
                else {},
            )

    def awaits(self, ref: WorkloadRef) -> bool:
        """Whether a host that a workload needs has not been looked up yet. Its facts then do not
        count."""
        needs = self._needs.get(ref, frozenset())
        return any(not self._hosts[need.host].known for need in needs)

    @property
    def settled(self) -> bool:
        """Whether the needs of every workload are known."""
        return self._needs.keys() >= self._cache.fleet.workloads.keys()

    def _restore(self, need: HostNeed) -> HostState:
        saved = self._cache.hosts.get(need.host, _NEVER_SAVED)
        return decode_status(need.host, saved, need.seeds, self._rules)

    def _release(self, name: str, ref: WorkloadRef) -> None:
        host = self._hosts[name]
        host.users.discard(ref)
        if not host.users:
            del self._hosts[name]
            if host.task is not None:
                host.task.cancel()
            if all(other.provider != host.provider for other in self._hosts.values()):
                self._ranges.release(host.provider)

    def _start(self, name: str) -> None:
        host = self._hosts[name]
        if self._group is not None and host.task is None:
            host.task = self._group.create_task(self._keep(name, host))

    async def _keep(self, name: str, host: _KeptHost) -> None:
        """Look up one host periodically."""
        while True:
            try:
                await self._look_up(name, host)
                delay = next_lookup(host.state, self._rules, self._random.random())
            except Exception:  # noqa: BLE001  # a bug with one host must not stop the others
                _log.exception("%s: the lookups could not be processed", name)
                delay = self._rules.longest_interval.total_seconds()
                if not host.known:
                    # Workloads that wait for this host continue, because of their other hosts.
                    host.looked_up = True
                    self._notify(host)
            await asyncio.sleep(delay)

    async def _look_up(self, name: str, host: _KeptHost) -> None:
        answers = await self._resolver.ask(name)
        first, before = not host.known, self._facts(host)
        old = host.state
        host.state = step_host(old, answers, self._now(), self._rules)
        host.looked_up = True
        _log_failures(name, old, host.state)
        if first or self._facts(host) != before:
            self._notify(host)
        await self._save(name, host)

    def _notify(self, host: _KeptHost, *, but: WorkloadRef | None = None) -> None:
        for ref in host.users - {but}:
            self._on_change(ref)

    async def _save(self, name: str, host: _KeptHost) -> None:
        saved = self._cache.hosts.get(name)
        now = self._now()
        status = status_to_write(saved, host.state, now, self._rules)
        if status is None:
            return
        manifest = {
            "apiVersion": API_VERSION,
            "kind": TELEMETRY_HOST.kind,
            "metadata": {
                "name": name,
                "labels": {"app.kubernetes.io/managed-by": "fleet-telemetry"},
            },
        }
        try:
            if saved is None:
                await self._client.apply(kinds.HOST, manifest)
            await write_status(self._client, self._cache, kinds.HOST, manifest, status)
        except ApiError as error:
            # It is retried after the next lookup; until then the state is in memory.
            _log.warning("%s: the status cannot be written: %s", name, error)

    async def _sweep(self) -> None:
        """Delete the hosts that no workload needs, once the needs of every workload are known."""
        if not self.settled:
            return
        for name in self._cache.hosts.keys() - self._hosts.keys():
            if name in self._hosts:
                continue  # It became needed while others were being deleted.
            try:
                await self._client.delete(kinds.HOST, name)
            except ApiError as error:
                _log.warning("%s: the TelemetryHost cannot be deleted: %s", name, error)

    def _set_ranges(self, published: PublishedRanges) -> None:
        for host in self._hosts.values():
            if host.provider == published.provider and host.state.ranges != published:
                host.state = replace(host.state, ranges=published)
                self._notify(host)


def _log_failures(name: str, before: HostState, after: HostState) -> None:
    """Log failed lookups where they begin, end or fail for another reason."""
    for failure in set(after.failures) - set(before.failures):
        _log.warning("%s: the lookup failed: %s", name, failure)
    failing = {(one.name_server, one.family) for one in after.failures}
    for failure in before.failures:
        if (failure.name_server, failure.family) not in failing:
            _log.info("%s: %s: %s is answered again", name, failure.name_server, failure.family)
