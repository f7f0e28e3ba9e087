"""Applies planned network policies: writes the objects that differ, and removes those that are no
longer desired."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Iterable, Sequence
from typing import TypeVar

from fleet_telemetry.api.policy import EgressAction, EgressDialect
from fleet_telemetry.controllers.egress.live_objects import LiveObjects
from fleet_telemetry.egress.conflicts import may_stay
from fleet_telemetry.egress.dialects.common import Rendered, group_name, host_of
from fleet_telemetry.egress.dialects.dialect import Dialect
from fleet_telemetry.egress.dialects.drift import corrections, same
from fleet_telemetry.egress.dialects.object_state import ObjectResult, ObjectState
from fleet_telemetry.egress.dialects.registry import DIALECTS
from fleet_telemetry.egress.facts import EgressInput, PlannedNetworkPolicy, PolicyRole
from fleet_telemetry.egress.model import Network
from fleet_telemetry.kube.client import ApiError, KubernetesClient, UndoneWriteError
from fleet_telemetry.objects.kind import Kind
from fleet_telemetry.objects.manifest import Manifest, place_of
from fleet_telemetry.workloads.workload import WorkloadRef

_log = logging.getLogger(__name__)
Done = TypeVar("Done")


class NetworkPolicyWriter:
    """Writes the network policies of all workloads, and the address groups that they refer to."""

    def __init__(
        self,
        client: KubernetesClient,
        live: LiveObjects,
        enforced: frozenset[EgressDialect],
        dialects: Sequence[Dialect] = DIALECTS,
    ) -> None:
        """``enforced`` are the dialects that the installation declares to be enforced."""
        self._client = client
        self._live = live
        self._enforced = enforced
        self._dialects = dialects
        self._planned: dict[WorkloadRef, tuple[PlannedNetworkPolicy, ...]] = {}
        self._groups: dict[tuple[Dialect, str], tuple[Network, ...]] = {}
        """The desired networks of address groups, by dialect and host."""

    def reset(self) -> None:
        """Forget what was planned."""
        self._planned.clear()
        self._groups.clear()

    def denied_for(self, ref: WorkloadRef, hosts: Iterable[str]) -> dict[str, tuple[Network, ...]]:
        """By host: the networks that our live objects deny to the workload's pods. Only address
        groups are of one host; what a policy denies counts for every host."""
        in_policies = [
            network
            for dialect, action, live in self._live.policies_of(ref)
            if action is EgressAction.DENY
            for network in dialect.denied_networks(live)
        ]
        return {host: (*in_policies, *self._denied_by_groups(host)) for host in hosts}

    def _denied_by_groups(self, host: str) -> list[Network]:
        found: list[Network] = []
        for dialect in self._dialects:
            if dialect.group_kind is not None:
                group = self._live.find(dialect.group_kind, "", group_name(host))
                found += dialect.denied_networks(group) if group is not None else ()
        return found

    async def forget(self, ref: WorkloadRef) -> None:
        """Remove all policies of a workload. Raises ApiError."""
        self._planned.pop(ref, None)
        for dialect, _, live in list(self._live.policies_of(ref)):
            await self._remove(ref, dialect, live)

    async def apply(
        self, given: EgressInput, planned: tuple[PlannedNetworkPolicy, ...]
    ) -> tuple[dict[PolicyRole, ObjectResult], ApiError | None]:
        """The result of each policy, and the first error; an error stops nothing else.

        An object that allows more than is planned is removed first. One that denies stays until all
        that replaces it exists.
        """
        ref = given.workload.ref
        self._planned[ref] = planned
        self._note_groups(planned)
        roles = {one.role for one in planned}
        denying = [one.role for one in planned if one.desired.action is not EgressAction.ALLOW]
        stale = [one for one in self._live.policies_of(ref) if (one[0].name, one[1]) not in roles]
        problems: list[ApiError] = []
        later = []
        for dialect, action, live in stale:
            if denying and may_stay(given, dialect, action):
                later.append((dialect, live))
            else:
                await _tried(self._remove(ref, dialect, live), problems)
        results: dict[PolicyRole, ObjectResult] = {}
        for one in planned:
            result = await _tried(self._write(one), problems)
            if result is not None:
                results[one.role] = result
            elif isinstance(problems[-1], UndoneWriteError):
                results[one.role] = ObjectResult(ObjectState.MISSING, f"{problems[-1]}.")
        if all(role in results and results[role].state.is_there for role in denying):
            for dialect, live in later:
                await _tried(self._remove(ref, dialect, live), problems)
        return results, problems[0] if problems else None

    async def sweep(self, workloads: Iterable[WorkloadRef]) -> None:
        """Delete address groups to which no policy refers, once all these workloads have been
        planned. Raises ApiError."""
        if not self._planned.keys() >= set(workloads):
            return
        every = [one for planned in self._planned.values() for one in planned]
        wanted = {(one.dialect, host) for one in every for host in one.dialect.groups(one.desired)}
        for place in self._groups.keys() - wanted:
            del self._groups[place]
        for dialect in self._dialects:
            if dialect.group_kind is None:
                continue
            for group in self._live.groups(dialect):
                if (dialect, host_of(group)) not in wanted:
                    await self._delete(dialect.group_kind, group)

    def _note_groups(self, planned: Iterable[PlannedNetworkPolicy]) -> None:
        for one in planned:
            for host, networks in one.dialect.groups(one.desired).items():
                self._groups[one.dialect, host] = networks

    async def _write(self, planned: PlannedNetworkPolicy) -> ObjectResult:
        """Write an object where it differs, unless it is somebody else's."""
        dialect, desired = planned.dialect, planned.desired
        reason = dialect.cannot(desired)
        if reason is not None:
            return ObjectResult(ObjectState.REFUSED, reason)
        rendered = dialect.render(desired)
        assert rendered is not None, "a policy is planned only where there is something to write"
        for host in sorted(dialect.groups(desired)):
            # Another worker may know more of the host by now than this plan does.
            group = dialect.render_group(host, self._groups[dialect, host])
            kind = dialect.group_kind
            if group is None or kind is None:
                continue
            if await self._put(dialect, kind, group) is None:
                return _name_taken(kind, group)
        live = await self._put(dialect, dialect.policy_kind, rendered)
        if live is None:
            return _name_taken(dialect.policy_kind, rendered)
        if dialect.name in self._enforced:
            return ObjectResult(ObjectState.ENFORCED)
        return dialect.read_status(live)

    async def _put(self, dialect: Dialect, kind: Kind, rendered: Rendered) -> Manifest | None:
        """The live object after the write; None where the name is somebody else's. Raises
        ApiError, also where what is stored is something else: that is not in effect."""
        metadata = rendered["metadata"]
        namespace, name = metadata.get("namespace", ""), metadata["name"]
        live = self._live.find(kind, namespace, name)
        if live is not None and same(rendered, live):
            return live
        # The object may have changed since it was last read.
        live = await self._client.find(kind, name, namespace)
        if live is not None and not dialect.may_replace(rendered, live):
            return None
        if live is None or not same(rendered, live):
            live = await self._client.apply(kind, rendered)
            left_over = corrections(rendered, live)
            if left_over:
                live = await self._client.patch(kind, name, left_over, namespace)
            _log.info("%s %s is written", kind.kind, place_of(rendered))
        self._live.upsert(kind, live)
        if not same(rendered, live):
            raise UndoneWriteError(f"{kind.kind} {place_of(rendered)}")
        return live

    async def _remove(self, ref: WorkloadRef, dialect: Dialect, live: Manifest) -> None:
        kind = dialect.policy_kind
        _log.info("%s: %s %s is removed", ref, kind.kind, live["metadata"]["name"])
        await self._delete(kind, live)

    async def _delete(self, kind: Kind, manifest: Manifest) -> None:
        await self._client.delete_this(kind, manifest)
        self._live.delete(kind, manifest)


def _name_taken(kind: Kind, rendered: Rendered) -> ObjectResult:
    return ObjectResult(ObjectState.NAME_TAKEN, f"{kind.kind} {rendered['metadata']['name']}.")


async def _tried(work: Awaitable[Done], problems: list[ApiError]) -> Done | None:
    try:
        return await work
    except ApiError as error:
        problems.append(error)
        return None
