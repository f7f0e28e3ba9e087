"""The egress reconciler: writes the network policies that egress sections ask for, reverts drift in
them, and removes them when no section asks for them any more."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from fleet_telemetry.api.policy import EgressDialect, Policy
from fleet_telemetry.api.telemetry_host import AddressFamily
from fleet_telemetry.controllers.egress.discovery import DialectDiscovery
from fleet_telemetry.controllers.egress.host_grants import HostGrants
from fleet_telemetry.controllers.egress.hosts import HostResolver
from fleet_telemetry.controllers.egress.live_objects import LiveObjects
from fleet_telemetry.controllers.egress.network_policy_writer import NetworkPolicyWriter
from fleet_telemetry.controllers.egress.own_addresses import OwnAddressFinder
from fleet_telemetry.decision import Plan
from fleet_telemetry.egress.desired import EgressPlan, plan_egress
from fleet_telemetry.egress.dialects.dialect import Dialect
from fleet_telemetry.egress.dialects.registry import DIALECTS
from fleet_telemetry.egress.facts import EgressInput, HostFacts, NetworkFacts
from fleet_telemetry.egress.host_use import HostRule, Key, find_host_rules, find_needs, find_uses
from fleet_telemetry.egress.judgement import ObjectResults, judge_egress
from fleet_telemetry.egress.model import Network
from fleet_telemetry.egress.perimeter import Allowlist, IncludedRequests, build_allowlist
from fleet_telemetry.evidence.egress import EgressFinding
from fleet_telemetry.kube.cache import ClusterCache
from fleet_telemetry.kube.client import ApiError, KubernetesClient
from fleet_telemetry.reporting.host_metrics import HostFigures
from fleet_telemetry.workloads.workload import Pod, Workload, WorkloadRef

_log = logging.getLogger(__name__)
_RETRY_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class EgressOptions:
    """What an installation declares about its network."""

    families: frozenset[AddressFamily] = frozenset(AddressFamily)
    """The families of addresses that policies allow."""
    enforced: frozenset[EgressDialect] = frozenset()
    """The dialects that the cluster is known to enforce."""
    allowlist_requests: IncludedRequests = IncludedRequests.NONE
    """The requests of TelemetryPolicies that the allowlist includes."""
    look_seconds: float = 60.0
    """Seconds between two lists of the kinds of network policy that are not watched."""


class EgressReconciler:
    """The network policies of all workloads. ``run`` discovers while this replica leads."""

    def __init__(
        self,
        cache: ClusterCache,
        client: KubernetesClient,
        hosts: HostResolver,
        options: EgressOptions,
        grants: HostGrants,
        *,
        enqueue: Callable[[WorkloadRef], None],
        dialects: Sequence[Dialect] = DIALECTS,
    ) -> None:
        """``enqueue`` is called with each workload that has to be reconciled again."""
        self._cache = cache
        self._hosts = hosts
        self._grants = grants
        self._options = options
        self._enqueue = enqueue
        self._evaluated = frozenset(one.name for one in dialects if one.is_evaluated)
        self._discovery = DialectDiscovery(client, dialects)
        self._own = OwnAddressFinder(client, time.monotonic)
        self._live = LiveObjects(cache, self._discovery)
        self._writer = NetworkPolicyWriter(client, self._live, options.enforced, dialects)
        self._host_rules: dict[WorkloadRef, tuple[HostRule, ...]] = {}
        self._previously_denied: dict[WorkloadRef, Mapping[str, tuple[Network, ...]]] = {}

    async def begin(self) -> None:
        """Discover anew: what an earlier leadership found may be outdated."""
        self._discovery.reset()
        self._own.reset()
        await self.look()

    async def run(self) -> None:
        """Resolve hosts and repeat the discovery until cancelled; then forget everything."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._hosts.run())
                while True:
                    known = self._discovery.known
                    await asyncio.sleep(self._options.look_seconds if known else _RETRY_SECONDS)
                    await self.look()
        finally:
            self._writer.reset()
            self._host_rules.clear()
            self._previously_denied.clear()

    def host_figures(self) -> Iterator[HostFigures]:
        """Figures on the telemetry hosts, for metrics."""
        return self._hosts.figures()

    async def look(self) -> None:
        """Refresh the discovery, enqueue all workloads after a change, and delete stale groups."""
        own = await self._own.find()
        if own is not None:
            self._hosts.protect(own)
        try:
            if await self._discovery.refresh():
                for ref in {*self._cache.fleet.workloads, *self.owned()}:
                    self._enqueue(ref)
        except ApiError as error:
            _log.warning("the cluster's kinds of network policy cannot be read: %s", error)
            return
        try:
            await self._writer.sweep(self._cache.fleet.workloads)
        except ApiError as error:
            _log.warning("an address group to which no policy refers cannot be deleted: %s", error)

    def policies_changed(self, namespace: str) -> None:
        """Note that a policy of a namespace changed; of the cluster, if it is empty."""
        if namespace:
            self._grants.mark(namespace)

    def hosts_not_looked_up(self, policy: Policy) -> tuple[str, ...]:
        """The hosts of a policy that are not looked up, because too many are named."""
        return self._grants.not_looked_up(policy)

    def owned(self) -> Iterator[WorkloadRef]:
        """The workloads that have network policies of ours."""
        return self._live.owners()

    def owned_in(self, namespace: str) -> Iterator[WorkloadRef]:
        """The workloads that the watched network policies of ours in a namespace are for."""
        return self._live.owners_in(namespace)

    async def forget(self, ref: WorkloadRef) -> None:
        """Remove all network policies of a workload. Raises ApiError."""
        self._host_rules.pop(ref, None)
        self._previously_denied.pop(ref, None)
        self._hosts.forget(ref)
        await self._writer.forget(ref)

    async def reconcile(
        self, workload: Workload, plan: Plan, pods: tuple[Pod, ...]
    ) -> tuple[dict[Key, EgressFinding], ApiError | None]:
        """Write the network policies for a workload, and judge what the network does with each of
        its channels; the first error of a write is returned."""
        given = self._gather(workload, plan, pods)
        egress = plan_egress(given)
        results, problem = await self._apply(given, egress)
        return self._judge(given, egress, results), problem

    def _gather(self, workload: Workload, plan: Plan, pods: tuple[Pod, ...]) -> EgressInput:
        """The facts that the decision depends on; has the hosts resolved that it needs."""
        uses = find_uses(plan.targets, plan.effective)
        granted = self._grants.granted(workload.ref.namespace)
        self._hosts.need(workload.ref, find_needs(uses, plan.effective, granted))
        self._host_rules[workload.ref] = find_host_rules(uses, plan.effective)
        limited = {use.host for use in uses if use.is_tenants and use.host not in granted}
        hosts = {
            **dict.fromkeys(limited, HostFacts(over_quota=True)),
            **self._hosts.facts(use.host for use in uses),
        }
        return EgressInput(
            workload=workload,
            targets=plan.targets,
            effective=plan.effective,
            pod_labels=tuple(pod.template.labels for pod in pods),
            on_host_network=any(pod.template.host_network for pod in pods),
            hosts=hosts,
            network=self._network(workload.ref.namespace),
            previously_denied=self._find_previously_denied(workload.ref, hosts),
        )

    async def _apply(
        self, given: EgressInput, egress: EgressPlan
    ) -> tuple[ObjectResults, ApiError | None]:
        """Write the plan, once the cluster's dialects are known and all hosts were looked up."""
        if not self._discovery.known or self._hosts.awaits(given.workload.ref):
            return {}, None
        return await self._writer.apply(given, egress.policies)

    def _judge(
        self, given: EgressInput, egress: EgressPlan, results: ObjectResults
    ) -> dict[Key, EgressFinding]:
        """The findings, by the network policies as they are after the writes."""
        network = self._network(given.workload.ref.namespace)
        return judge_egress(replace(given, network=network), egress, results)

    def allowlist(self) -> Allowlist | None:
        """The allowlist for firewalls outside of the cluster. None until every workload has been
        reconciled and every host has been looked up: a firewall blocks what is not listed."""
        if not self._hosts.settled or any(map(self._hosts.awaits, self._host_rules)):
            return None
        workloads = Counter(rule for rules in self._host_rules.values() for rule in rules)
        named = ((rule.host, *rule.spares) for rule in workloads)
        facts = self._hosts.facts({host for hosts in named for host in hosts})
        return build_allowlist(workloads, facts, self._options.allowlist_requests)

    def _network(self, namespace: str) -> NetworkFacts:
        return NetworkFacts(
            policies=self._cache.networks.of(namespace),
            served=self._discovery.served,
            enforced=not self._evaluated.isdisjoint(self._options.enforced),
            others=self._discovery.others,
            lower_tier=self._discovery.lower_tier(namespace),
            plugins=self._discovery.plugins,
            families=self._options.families,
        )

    def _find_previously_denied(
        self, ref: WorkloadRef, hosts: Mapping[str, HostFacts]
    ) -> Mapping[str, tuple[Network, ...]]:
        """What our objects denied for unresolved hosts when the workload was first reconciled."""
        if ref not in self._previously_denied and self._discovery.known:
            unresolved = [name for name, facts in hosts.items() if facts.unresolved]
            self._previously_denied[ref] = {
                host: tuple(filter(self._hosts.may_deny, networks))
                for host, networks in self._writer.denied_for(ref, unresolved).items()
            }
        return self._previously_denied.get(ref, {})
