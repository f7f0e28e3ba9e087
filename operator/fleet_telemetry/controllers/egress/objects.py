"""Our network policies as objects in the cluster: written where they are not as ordered, removed
where they are not ordered any more."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Iterable, Iterator
from typing import TypeVar

from fleet_telemetry.api.policy import EgressAction, EgressDialect
from fleet_telemetry.controllers.egress.discovery import (
    CILIUM_CIDR_GROUP,
    POLICY_KINDS,
    Dialects,
)
from fleet_telemetry.controllers.egress.previously_denied import denied_networks
from fleet_telemetry.egress.conflicts import may_stay
from fleet_telemetry.egress.dialects.cilium import render_cidr_group
from fleet_telemetry.egress.dialects.common import (
    Rendered,
    group_name,
    host_of,
    is_ours,
    may_replace,
    policy_name,
    workload_of,
)
from fleet_telemetry.egress.dialects.drift import corrections, same
from fleet_telemetry.egress.dialects.registry import DIALECTS
from fleet_telemetry.egress.facts import EgressInput, Ordered
from fleet_telemetry.egress.judgement import OrderKey, Outcome, Standing, read_fakeg
from fleet_telemetry.egress.model import Network
from fleet_telemetry.kube import kinds
from fleet_telemetry.kube.cache import ClusterCache
from fleet_telemetry.kube.client import ApiError, KubernetesClient
from fleet_telemetry.objects.kind import Kind
from fleet_telemetry.objects.manifest import Manifest, place_of
from fleet_telemetry.workloads.workload import WorkloadRef

_log = logging.getLogger(__name__)
Done = TypeVar("Done")

_CILIUM_DENY = EgressDialect.CILIUM, EgressAction.DENY


class PolicyObjects:
    """Those of all workloads, as the mirror and the last look at the other dialects show them."""

    def __init__(
        self,
        cache: ClusterCache,
        client: KubernetesClient,
        dialects: Dialects,
        enforced: frozenset[EgressDialect],
    ) -> None:
        """``enforced`` are the kinds of policy that somebody vouches for."""
        self._cache = cache
        self._client = client
        self._dialects = dialects
        self._enforced = enforced
        self._orders: dict[WorkloadRef, tuple[Ordered, ...]] = {}
        self._groups: dict[str, tuple[Network, ...]] = {}
        """What Cilium's groups are to hold, by host."""

    def reset(self) -> None:
        """Forget what was ordered."""
        self._orders.clear()
        self._groups.clear()

    def owned(self) -> Iterator[WorkloadRef]:
        """The workloads that there are network policies of ours for."""
        for manifest in (*self._cache.networks.ours.values(), *self._dialects.live.values()):
            ref = workload_of(manifest)
            if ref is not None:
                yield ref

    def owned_in(self, namespace: str) -> Iterator[WorkloadRef]:
        """Those of one namespace that are watched."""
        for (where, _), manifest in self._cache.networks.ours.items():
            ref = workload_of(manifest) if where == namespace else None
            if ref is not None:
                yield ref

    def denied_for(self, ref: WorkloadRef, hosts: Iterable[str]) -> dict[str, tuple[Network, ...]]:
        """What the workload's pods are kept from now, for any of the hosts: only groups say for
        which."""
        denials = [live for (_, action), live in self._of(ref) if action is EgressAction.DENY]
        found = {}
        for host in hosts:
            group = self._known(CILIUM_CIDR_GROUP, "", group_name(host))
            stand = [*denials, *([group] if group is not None else [])]
            found[host] = tuple(network for one in stand for network in denied_networks(one))
        return found

    async def forget(self, ref: WorkloadRef) -> None:
        """Remove all that was written for a workload. Raises ApiError."""
        self._orders.pop(ref, None)
        for (dialect, _), live in self._of(ref):
            await self._remove(ref, dialect, live)

    async def carry_out(
        self, given: EgressInput, orders: tuple[Ordered, ...]
    ) -> tuple[dict[OrderKey, Outcome], ApiError | None]:
        """What became of each order; and what went wrong first, which keeps nothing else from
        being done.

        What lets through more than is ordered goes first. What denies stays until all is there
        that takes its place.
        """
        ref = given.workload.ref
        self._orders[ref] = orders
        self._groups.update(_grouped(orders))
        ordered = {one.key: one for one in orders}
        stale = [(key, live) for key, live in self._of(ref) if key not in ordered]
        denying = [key for key in ordered if key[1] is not EgressAction.ALLOW]
        later = [one for one in stale if denying and may_stay(given, *one[0])]
        outcomes: dict[OrderKey, Outcome] = {}
        problems: list[ApiError] = []
        for key, live in stale:
            if (key, live) not in later:
                await _tried(self._remove(ref, key[0], live), problems)
        for key, order in ordered.items():
            outcome = await _tried(self._write(order), problems)
            if outcome is not None:
                outcomes[key] = outcome
        if all(key in outcomes and outcomes[key].fakeg.is_there for key in denying):
            for key, live in later:
                await _tried(self._remove(ref, key[0], live), problems)
        return outcomes, problems[0] if problems else None

    def _of(self, ref: WorkloadRef) -> list[tuple[OrderKey, Manifest]]:
        """Our objects for a workload, by the names that they have: whatever somebody made of their
        labels, and nothing that has another name."""
        fakeg = []
        for dialect, written in DIALECTS.items():
            if dialect not in self._dialects.served:
                continue
            kind = POLICY_KINDS[dialect]
            namespace = ref.namespace if kind.namespaced else ""
            for action in EgressAction:
                live = self._known(kind, namespace, policy_name(written.kinds[0], ref, action))
                # Of other kinds they were found by a label, which a copy of one of ours has, too.
                if live is not None and (kind is kinds.NETWORK_POLICY or is_ours(live)):
                    fakeg.append(((dialect, action), live))
        return fakeg

    async def _remove(self, ref: WorkloadRef, dialect: EgressDialect, live: Manifest) -> None:
        kind = POLICY_KINDS[dialect]
        _log.info("%s: %s %s is removed", ref, kind.kind, live["metadata"]["name"])
        await self._delete(kind, live)

    async def _write(self, ordered: Ordered) -> Outcome:
        """Write an object where it is not as ordered, unless it is somebody else's."""
        dialect = DIALECTS[ordered.dialect]
        reason = dialect.cannot(ordered.order)
        if reason is not None:
            return Outcome(Standing.REFUSED, reason)
        rendered = dialect.render(ordered.order)
        assert rendered is not None, "nothing is ordered that says nothing"
        if ordered.key == _CILIUM_DENY:
            taken = await self._write_groups(ordered)
            if taken:
                return Outcome(Standing.TAKEN, f"{CILIUM_CIDR_GROUP.kind} {taken}.")
        kind = POLICY_KINDS[ordered.dialect]
        live = await self._put(kind, rendered)
        if live is None:
            return Outcome(Standing.TAKEN, f"{kind.kind} {rendered['metadata']['name']}.")
        return Outcome(Standing.SHOWN) if ordered.dialect in self._enforced else read_fakeg(live)

    async def _delete(self, kind: Kind, manifest: Manifest) -> None:
        await self._client.delete_this(kind, manifest)
        if kind is kinds.NETWORK_POLICY:
            self._cache.delete(kind, manifest)
        else:
            self._dialects.forget(kind, manifest)

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
            _log.info("%s %s is written", kind.kind, place_of(rendered))
        self._observe(kind, live)
        return live

    def _known(self, kind: Kind, namespace: str, name: str) -> Manifest | None:
        if kind is kinds.NETWORK_POLICY:
            return self._cache.networks.ours.get((namespace, name))
        return self._dialects.live.get((kind, namespace, name))

    def _observe(self, kind: Kind, manifest: Manifest) -> None:
        # A watch event may be late; what is found next has to see it.
        if kind is kinds.NETWORK_POLICY:
            self._cache.upsert(kind, manifest)
        else:
            self._dialects.observe(kind, manifest)

    async def _write_groups(self, ordered: Ordered) -> str:
        """A host's addresses stand in one group, whichever policies refer to it. The name of one
        that is somebody else's; empty where there is none."""
        for host in sorted({to.host for to in ordered.order.destinations}):
            # Another worker may know more by now than this order does.
            group = render_cidr_group(host, self._groups[host])
            if group is not None and await self._put(CILIUM_CIDR_GROUP, group) is None:
                return group_name(host)
        return ""

    async def sweep(self) -> None:
        """Remove groups that nothing refers to, once every workload has been looked at. Raises
        ApiError."""
        if not self._orders.keys() >= self._cache.fleet.workloads.keys():
            return
        every = (one for orders in self._orders.values() for one in orders)
        wanted = {host for host, _ in _grouped(every)}
        for host in self._groups.keys() - wanted:
            del self._groups[host]
        for (kind, _, _), group in list(self._dialects.live.items()):
            # They were found by a label, which a copy of one of ours has, too.
            if kind is CILIUM_CIDR_GROUP and is_ours(group) and host_of(group) not in wanted:
                await self._delete(CILIUM_CIDR_GROUP, group)


async def _tried(work: Awaitable[Done], problems: list[ApiError]) -> Done | None:
    try:
        return await work
    except ApiError as error:
        problems.append(error)
        return None


def _grouped(orders: Iterable[Ordered]) -> Iterator[tuple[str, tuple[Network, ...]]]:
    """The hosts that stand in groups of addresses, with those."""
    for ordered in orders:
        if ordered.key == _CILIUM_DENY:
            for to in ordered.order.destinations:
                yield to.host, to.networks
