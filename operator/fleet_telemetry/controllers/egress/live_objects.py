"""The network policies of ours that are known to be in the cluster, watched or listed."""

from __future__ import annotations

from collections.abc import Iterator

from fleet_telemetry.api.policy import EgressAction
from fleet_telemetry.controllers.egress.discovery import DialectDiscovery
from fleet_telemetry.egress.dialects.common import policy_name, workload_of
from fleet_telemetry.egress.dialects.dialect import Dialect
from fleet_telemetry.kube import kinds
from fleet_telemetry.kube.cache import ClusterCache
from fleet_telemetry.objects.kind import Kind
from fleet_telemetry.objects.manifest import Manifest
from fleet_telemetry.workloads.workload import WorkloadRef


class LiveObjects:
    """NetworkPolicies are in the cache, and objects of all other kinds in the discovery."""

    def __init__(self, cache: ClusterCache, discovery: DialectDiscovery) -> None:
        self._cache = cache
        self._discovery = discovery

    def owners(self) -> Iterator[WorkloadRef]:
        """The workloads that have network policies of ours."""
        for manifest in (*self._cache.networks.ours.values(), *self._discovery.live.values()):
            ref = workload_of(manifest)
            if ref is not None:
                yield ref

    def owners_in(self, namespace: str) -> Iterator[WorkloadRef]:
        """The workloads that the watched policies of a namespace are for."""
        for (where, _), manifest in self._cache.networks.ours.items():
            ref = workload_of(manifest) if where == namespace else None
            if ref is not None:
                yield ref

    def policies_of(self, ref: WorkloadRef) -> Iterator[tuple[Dialect, EgressAction, Manifest]]:
        """Our policies for a workload, found by name: somebody may have changed their labels, and
        an object with another name is none of them."""
        for dialect in sorted(self._discovery.served, key=lambda one: one.name):
            kind = dialect.policy_kind
            namespace = ref.namespace if kind.namespaced else ""
            for action in EgressAction:
                live = self.find(kind, namespace, policy_name(kind, ref, action))
                # The discovery lists by a label, which a copy of one of ours has, too.
                if live is not None and (_is_watched(kind) or dialect.is_ours(live)):
                    yield dialect, action, live

    def groups(self, dialect: Dialect) -> list[Manifest]:
        """Our address groups of a dialect."""
        return [
            group
            for (kind, _, _), group in self._discovery.live.items()
            # They were listed by a label, which a copy of one of ours has, too.
            if kind == dialect.group_kind and dialect.is_ours(group)
        ]

    def find(self, kind: Kind, namespace: str, name: str) -> Manifest | None:
        """An object with our label, or a watched one that we wrote; None where there is none."""
        if _is_watched(kind):
            return self._cache.networks.ours.get((namespace, name))
        return self._discovery.live.get((kind, namespace, name))

    def upsert(self, kind: Kind, manifest: Manifest) -> None:
        """An object as it was written: a watch event may be late, and the next decision
        needs the object."""
        if _is_watched(kind):
            self._cache.upsert(kinds.NETWORK_POLICY, manifest)
        else:
            self._discovery.upsert(kind, manifest)

    def delete(self, kind: Kind, manifest: Manifest) -> None:
        """An object that was deleted."""
        if _is_watched(kind):
            self._cache.delete(kinds.NETWORK_POLICY, manifest)
        else:
            self._discovery.delete(kind, manifest)


def _is_watched(kind: Kind) -> bool:
    return kind == kinds.NETWORK_POLICY
