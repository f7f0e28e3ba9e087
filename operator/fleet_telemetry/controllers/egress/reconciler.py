"""Network policies: written as the egress sections wish, put right where somebody edits them, and
removed when nobody wishes them any more."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from fleet_telemetry.api.policy import EgressDialect
from fleet_telemetry.api.telemetry_host import AddressFamily
from fleet_telemetry.controllers.egress.discovery import Dialects
from fleet_telemetry.controllers.egress.hosts import HostResolver
from fleet_telemetry.controllers.egress.objects import PolicyObjects
from fleet_telemetry.decision import Plan
from fleet_telemetry.egress.allowlist import AllowlistEntry, EntryAction
from fleet_telemetry.egress.desired import plan_egress
from fleet_telemetry.egress.facts import EgressInput, HostFacts, NetworkFacts
from fleet_telemetry.egress.host_use import Key, Wish, find_needs, find_uses, find_wishes
from fleet_telemetry.egress.judgement import Outcomes, judge_egress
from fleet_telemetry.egress.model import Network
from fleet_telemetry.evidence.egress import EgressFinding
from fleet_telemetry.kube.cache import ClusterCache
from fleet_telemetry.kube.client import ApiError, KubernetesClient
from fleet_telemetry.reporting.host_metrics import HostFigures
from fleet_telemetry.workloads.workload import Pod, Workload, WorkloadRef

_log = logging.getLogger(__name__)
_RETRY_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class EgressOptions:
    """What an installation says of its network."""

    families: frozenset[AddressFamily] = frozenset(AddressFamily)
    """Of addresses that are allowed."""
    enforced: frozenset[EgressDialect] = frozenset()
    """The kinds of policy that somebody vouches for."""
    look_seconds: float = 60.0
    """Between two looks at kinds of network policy that are not watched."""


class EgressReconciler:
    """The network policies of all workloads. ``run`` looks around while this replica leads."""

    def __init__(
        self,
        cache: ClusterCache,
        client: KubernetesClient,
        hosts: HostResolver,
        options: EgressOptions,
        *,
        enqueue: Callable[[WorkloadRef], None],
    ) -> None:
        self._cache = cache
        self._client = client
        self._hosts = hosts
        self._options = options
        self._dialects = Dialects(client)
        self._objects = PolicyObjects(cache, client, self._dialects, options.enforced)
        self._wishes: dict[WorkloadRef, tuple[Wish, ...]] = {}
        self._inherited: dict[WorkloadRef, Mapping[str, tuple[Network, ...]]] = {}
        self._enqueue = enqueue

    async def begin(self) -> None:
        """What was known when this replica led before may not be true any more."""
        self._dialects.reset()
        await self.look()

    async def run(self) -> None:
        """Keep hosts current and look for changes of what is not watched, until cancelled; then
        forget everything."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._hosts.run())
                while True:
                    known = self._dialects.known
                    await asyncio.sleep(self._options.look_seconds if known else _RETRY_SECONDS)
                    await self.look()
        finally:
            self._objects.reset()
            self._wishes.clear()
            self._inherited.clear()

    def host_figures(self) -> Iterator[HostFigures]:
        """What is known of telemetry hosts, in numbers."""
        return self._hosts.figures()

    async def look(self) -> None:
        """Which kinds there are, and what became of our objects of kinds that are not watched."""
        try:
            if await self._dialects.refresh():
                for ref in {*self._cache.fleet.workloads, *self.owned()}:
                    self._enqueue(ref)
        except ApiError as error:
            _log.warning("the cluster's kinds of network policy cannot be read: %s", error)
            return
        try:
            await self._objects.sweep()
        except ApiError as error:
            _log.warning("a group of addresses that nothing refers to stays: %s", error)

    def owned(self) -> Iterator[WorkloadRef]:
        """The workloads that there are network policies of ours for."""
        return self._objects.owned()

    def owned_in(self, namespace: str) -> Iterator[WorkloadRef]:
        """Those of one namespace that are watched."""
        return self._objects.owned_in(namespace)

    async def forget(self, ref: WorkloadRef) -> None:
        """Remove all that was written for a workload. Raises ApiError."""
        self._wishes.pop(ref, None)
        self._inherited.pop(ref, None)
        self._hosts.forget(ref)
        await self._objects.forget(ref)

    async def contain(
        self, workload: Workload, plan: Plan, pods: tuple[Pod, ...]
    ) -> tuple[dict[Key, EgressFinding], ApiError | None]:
        """Write what is wished, and find what the network does then; and what went wrong."""
        uses = find_uses(plan.targets, plan.effective)
        self._hosts.need(workload.ref, find_needs(uses, plan.effective))
        hosts = self._hosts.facts(use.host for use in uses)
        given = EgressInput(
            workload=workload,
            targets=plan.targets,
            effective=plan.effective,
            pod_labels=tuple(pod.template.labels for pod in pods),
            on_host_network=any(pod.template.host_network for pod in pods),
            hosts=hosts,
            network=self._network(workload.ref.namespace),
            inherited=self._inherit(workload.ref, hosts),
        )
        self._wishes[workload.ref] = find_wishes(uses, plan.effective)
        egress = plan_egress(given)
        outcomes: Outcomes = {}
        problem = None
        if self._dialects.known and not self._hosts.awaits(workload.ref):
            outcomes, problem = await self._objects.carry_out(given, egress.orders)
        given = replace(given, network=self._network(workload.ref.namespace))
        return judge_egress(given, egress, outcomes), problem

    def entries(self) -> tuple[AllowlistEntry, ...] | None:
        """The allowlist for firewalls outside; None until every workload has been looked at, and
        every host has been asked for: what is not listed is shut off there."""
        if not self._hosts.settled or any(map(self._hosts.awaits, self._wishes)):
            return None
        workloads = Counter(wish for wishes in self._wishes.values() for wish in wishes)
        facts = self._hosts.facts({wish.host for wish in workloads})
        return tuple(
            _entry(wish, facts.get(wish.host, HostFacts()), count)
            for wish, count in workloads.items()
        )

    def _network(self, namespace: str) -> NetworkFacts:
        return NetworkFacts(
            policies=self._cache.networks.of(namespace),
            served=self._dialects.served,
            enforced=EgressDialect.NETWORK_POLICY in self._options.enforced,
            others=self._dialects.others,
            behind=self._dialects.behind(namespace),
            families=self._options.families,
        )

    def _inherit(
        self, ref: WorkloadRef, hosts: Mapping[str, HostFacts]
    ) -> Mapping[str, tuple[Network, ...]]:
        """What was denied for hosts of which nothing is known, when this replica saw the workload
        first."""
        if ref not in self._inherited and self._dialects.known:
            unheard = [name for name, facts in hosts.items() if facts.unheard]
            self._inherited[ref] = self._objects.denied_for(ref, unheard)
        return self._inherited.get(ref, {})


def _entry(wish: Wish, facts: HostFacts, workloads: int) -> AllowlistEntry:
    networks = facts.allow if wish.opens else facts.deny
    return AllowlistEntry(
        host=wish.host,
        port=wish.port,
        product=wish.product,
        channel=wish.channel,
        action=EntryAction.ALLOW if wish.opens else EntryAction.DENY,
        addresses=tuple(network.network_address for network in networks),
        ranges=facts.ranges if wish.takes_ranges else (),
        used_by=workloads,
    )
