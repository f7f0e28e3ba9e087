"""Network policies: written as the egress sections wish, put right where somebody edits them, and
removed when nobody wishes them any more."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from fleet_telemetry.cluster import kinds
from fleet_telemetry.cluster.client import ApiError, KubernetesClient
from fleet_telemetry.cluster.dialects import (
    CILIUM_CIDR_GROUP,
    CILIUM_NETWORK_POLICY,
    CLUSTER_NETWORK_POLICY,
    Dialects,
)
from fleet_telemetry.cluster.kinds import Kind
from fleet_telemetry.cluster.mirror import Mirror
from fleet_telemetry.controller.hosts import HostKeeper
from fleet_telemetry.decide.containment import (
    Finding,
    OrderKey,
    Outcome,
    Standing,
    judge_egress,
)
from fleet_telemetry.decide.decision import Plan
from fleet_telemetry.decide.egress import (
    EgressInput,
    HostFacts,
    NetworkFacts,
    Ordered,
    plan_egress,
)
from fleet_telemetry.decide.hosts import Key, Wish, find_needs, find_uses, find_wishes
from fleet_telemetry.egress.allowlist import AllowlistEntry, EntryAction
from fleet_telemetry.egress.render.cilium import cidr_groups
from fleet_telemetry.egress.render.common import (
    Rendered,
    host_of,
    is_ours,
    may_replace,
    workload_of,
)
from fleet_telemetry.egress.render.dialects import DIALECTS
from fleet_telemetry.egress.render.drift import corrections, same
from fleet_telemetry.model.egress import Family
from fleet_telemetry.model.manifest import Manifest, items_at
from fleet_telemetry.model.policy import EgressDialect
from fleet_telemetry.model.workload import Pod, Workload, WorkloadRef
from fleet_telemetry.report.host_metrics import HostFigures

_log = logging.getLogger(__name__)

_RETRY_SECONDS = 2.0
_POLICY_KINDS: Mapping[EgressDialect, Kind] = {
    EgressDialect.NETWORK_POLICY: kinds.NETWORK_POLICY,
    EgressDialect.CILIUM: CILIUM_NETWORK_POLICY,
    EgressDialect.CLUSTER_NETWORK_POLICY: CLUSTER_NETWORK_POLICY,
}
_SAYS_SO = {"Valid", "Accepted", "Programmed", "Ready"}
"""Conditions by which network plug-ins say that they act on a policy. Cilium's is Valid."""


@dataclass(frozen=True, slots=True)
class EgressOptions:
    """What an installation says of its network."""

    families: frozenset[Family] = frozenset(Family)
    """Of addresses that are allowed."""
    enforced: frozenset[EgressDialect] = frozenset()
    """The kinds of policy that somebody vouches for."""
    look_seconds: float = 60.0
    """Between two looks at kinds of network policy that are not watched."""


class Containment:
    """The network policies of all workloads. ``run`` looks around while this replica leads."""

    def __init__(
        self, mirror: Mirror, client: KubernetesClient, hosts: HostKeeper, options: EgressOptions
    ) -> None:
        self._mirror = mirror
        self._client = client
        self._hosts = hosts
        self._options = options
        self._dialects = Dialects(client)
        self._orders: dict[WorkloadRef, tuple[Ordered, ...]] = {}
        self._wishes: dict[WorkloadRef, tuple[Wish, ...]] = {}
        self.told: Callable[[WorkloadRef], None] = lambda _: None
        """Called with each workload that something has changed for."""
        hosts.told = self._tell

    def _tell(self, ref: WorkloadRef) -> None:
        self.told(ref)

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
            self._orders.clear()
            self._wishes.clear()

    def host_figures(self) -> Iterator[HostFigures]:
        """What is known of telemetry hosts, in numbers."""
        return self._hosts.figures()

    async def look(self) -> None:
        """Which kinds there are, and what became of our objects of kinds that are not watched."""
        try:
            if await self._dialects.refresh():
                for ref in {*self._mirror.fleet.workloads, *self.owned()}:
                    self.told(ref)
            await self._sweep_groups()
        except ApiError as error:
            _log.warning("the cluster's kinds of network policy cannot be read: %s", error)

    def owned(self) -> Iterator[WorkloadRef]:
        """The workloads that there are network policies of ours for."""
        for manifest in (*self._mirror.networks.ours.values(), *self._dialects.live.values()):
            ref = workload_of(manifest)
            if ref is not None:
                yield ref

    def owned_in(self, namespace: str) -> Iterator[WorkloadRef]:
        """Those of one namespace that are watched."""
        for (where, _), manifest in self._mirror.networks.ours.items():
            ref = workload_of(manifest) if where == namespace else None
            if ref is not None:
                yield ref

    async def forget(self, ref: WorkloadRef) -> None:
        """Remove all that was written for a workload. Raises ApiError."""
        self._orders.pop(ref, None)
        self._wishes.pop(ref, None)
        self._hosts.forget(ref)
        for dialect in self._present():
            await self._remove(ref, dialect, frozenset())

    async def contain(
        self, workload: Workload, plan: Plan, pods: tuple[Pod, ...]
    ) -> tuple[dict[Key, Finding], ApiError | None]:
        """Write what is wished, and find what the network does then; and what went wrong."""
        uses = find_uses(plan.targets, plan.governance)
        self._hosts.need(workload.ref, find_needs(uses, plan.governance))
        given = EgressInput(
            workload=workload,
            targets=plan.targets,
            governance=plan.governance,
            pod_labels=tuple(pod.template.labels for pod in pods),
            on_host_network=any(pod.template.host_network for pod in pods),
            hosts=self._hosts.facts(use.host for use in uses),
            network=self._network(workload.ref.namespace),
        )
        self._wishes[workload.ref] = find_wishes(uses, plan.governance)
        egress = plan_egress(given)
        outcomes: dict[OrderKey, Outcome] = {}
        problem = None
        if self._dialects.known and not self._hosts.awaits(workload.ref):
            self._orders[workload.ref] = egress.orders
            try:
                await self._carry_out(workload.ref, egress.orders, outcomes)
            except ApiError as error:
                problem = error
        given = replace(given, network=self._network(workload.ref.namespace))
        return judge_egress(given, egress, outcomes), problem

    def entries(self) -> tuple[AllowlistEntry, ...] | None:
        """The allowlist for firewalls outside; None until every workload has been looked at."""
        if not self._hosts.settled:
            return None
        workloads = Counter(wish for wishes in self._wishes.values() for wish in wishes)
        facts = self._hosts.facts({wish.host for wish in workloads})
        return tuple(
            _entry(wish, facts.get(wish.host, HostFacts()), count)
            for wish, count in workloads.items()
        )

    def _network(self, namespace: str) -> NetworkFacts:
        return NetworkFacts(
            policies=self._mirror.networks.of(namespace),
            served=self._dialects.served,
            enforced=EgressDialect.NETWORK_POLICY in self._options.enforced,
            others=self._dialects.others,
            families=self._options.families,
        )

    def _present(self) -> tuple[EgressDialect, ...]:
        return tuple(dialect for dialect in DIALECTS if dialect in self._dialects.served)

    async def _carry_out(
        self, ref: WorkloadRef, orders: tuple[Ordered, ...], outcomes: dict[OrderKey, Outcome]
    ) -> None:
        """What is not ordered goes first: beside it, what is ordered could come to nothing."""
        rendered: dict[OrderKey, Rendered] = {}
        for ordered in orders:
            key = ordered.dialect, ordered.order.action
            dialect = DIALECTS[ordered.dialect]
            reason = dialect.cannot(ordered.order)
            manifest = dialect.render(ordered.order) if reason is None else None
            if reason is not None:
                outcomes[key] = Outcome(Standing.REFUSED, reason)
            elif manifest is not None:
                rendered[key] = manifest
        for present in self._present():
            names = {
                manifest["metadata"]["name"]
                for (dialect, _), manifest in rendered.items()
                if dialect is present
            }
            await self._remove(ref, present, frozenset(names))
        if any(dialect is EgressDialect.CILIUM for dialect, _ in rendered):
            await self._write_groups(orders)
        for key, manifest in rendered.items():
            outcomes[key] = await self._write(key[0], manifest)

    async def _remove(self, ref: WorkloadRef, dialect: EgressDialect, but: frozenset[str]) -> None:
        kind = _POLICY_KINDS[dialect]
        for manifest in self._ours(kind):
            name = manifest["metadata"]["name"]
            if workload_of(manifest) == ref and name not in but:
                _log.info("%s: %s %s is removed", ref, kind.kind, name)
                await self._delete(kind, manifest)

    def _ours(self, kind: Kind) -> list[Manifest]:
        if kind is kinds.NETWORK_POLICY:
            return list(self._mirror.networks.ours.values())
        # They were found by a label, which a copy of one of ours has, too.
        live = self._dialects.live.items()
        return [found for (of, _, _), found in live if of is kind and is_ours(found)]

    async def _delete(self, kind: Kind, manifest: Manifest) -> None:
        metadata = manifest["metadata"]
        namespace, name = metadata.get("namespace", ""), metadata["name"]
        await self._client.delete(kind, name, namespace)
        if kind is kinds.NETWORK_POLICY:
            self._mirror.forget(kind, manifest)
        else:
            self._dialects.live.pop((kind, namespace, name), None)

    async def _write(self, dialect: EgressDialect, rendered: Rendered) -> Outcome:
        """Write an object where it is not as rendered, unless it is somebody else's."""
        kind = _POLICY_KINDS[dialect]
        live = await self._put(kind, rendered)
        if live is None:
            what = f"{kind.kind} {rendered['metadata']['name']}."
            return Outcome(Standing.TAKEN, what)
        if dialect in self._options.enforced:
            return Outcome(Standing.SHOWN)
        for condition in items_at(live, "status", "conditions"):
            if condition.get("type") in _SAYS_SO and condition.get("status") == "True":
                return Outcome(Standing.SHOWN)
            if condition.get("type") in _SAYS_SO and condition.get("status") == "False":
                return Outcome(Standing.REFUSED, str(condition.get("message", "")))
        return Outcome(Standing.WRITTEN, "The object's own status does not say so.")

    async def _put(self, kind: Kind, rendered: Rendered) -> Manifest | None:
        """The object as it stands then; None where the name is somebody else's."""
        metadata = rendered["metadata"]
        namespace, name = metadata.get("namespace", ""), metadata["name"]
        live = self._known(kind, namespace, name)
        if live is not None and same(rendered, live):
            return live
        # What is written over may have changed since it was last seen.
        live = await self._client.find(kind, name, namespace)
        if live is not None and not may_replace(rendered, live):
            return None
        if live is None or not same(rendered, live):
            live = await self._client.apply(kind, rendered)
            left_over = corrections(rendered, live)
            if left_over:
                live = await self._client.patch(kind, name, left_over, namespace)
            _log.info("%s %s is written", kind.kind, "/".join(filter(None, (namespace, name))))
        self._observe(kind, live)
        return live

    def _known(self, kind: Kind, namespace: str, name: str) -> Manifest | None:
        if kind is kinds.NETWORK_POLICY:
            return self._mirror.networks.ours.get((namespace, name))
        return self._dialects.live.get((kind, namespace, name))

    def _observe(self, kind: Kind, manifest: Manifest) -> None:
        # A watch event may be late; what is found next has to see it.
        if kind is kinds.NETWORK_POLICY:
            self._mirror.observe(kind, manifest)
        else:
            self._dialects.observe(kind, manifest)

    async def _write_groups(self, orders: tuple[Ordered, ...]) -> None:
        """A host's addresses stand in one group, whichever policies refer to it."""
        hosts = {to.host for ordered in orders for to in ordered.order.destinations}
        for group in self._groups():
            if host_of(group) in hosts:
                await self._put(CILIUM_CIDR_GROUP, group)

    def _groups(self) -> list[Rendered]:
        return cidr_groups(
            ordered.order
            for orders in self._orders.values()
            for ordered in orders
            if ordered.dialect is EgressDialect.CILIUM
        )

    async def _sweep_groups(self) -> None:
        """Remove groups that nothing refers to, once every workload has been looked at."""
        if not self._orders.keys() >= self._mirror.fleet.workloads.keys():
            return
        wanted = {group["metadata"]["name"] for group in self._groups()}
        for group in self._ours(CILIUM_CIDR_GROUP):
            if group["metadata"]["name"] not in wanted:
                await self._delete(CILIUM_CIDR_GROUP, group)


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
