"""The stores of the kinds that belong to others: workloads, pods and NetworkPolicies.

They filter by the catalogue or keep indexes across kinds, so their content is not one mapping.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from fleet_telemetry.catalogue.catalogue import Catalogue
from fleet_telemetry.kube.kinds import POD
from fleet_telemetry.kube.network_policy_store import Networks
from fleet_telemetry.kube.store import ObjectKey, ReflectorStore
from fleet_telemetry.kube.workload_store import Fleet
from fleet_telemetry.objects.kind import Kind
from fleet_telemetry.objects.manifest import Manifest, text_at
from fleet_telemetry.workloads.registry import WorkloadKind
from fleet_telemetry.workloads.workload import WorkloadRef


class WorkloadKindStore(ReflectorStore):
    """The workloads of one kind that run a product."""

    def __init__(self, fleet: Fleet, kind: Kind, catalogue: Callable[[], Catalogue]) -> None:
        super().__init__()
        self._fleet = fleet
        self._kind = WorkloadKind(kind.kind)
        self._catalogue = catalogue

    def _put(self, _: ObjectKey, manifest: Manifest, /) -> None:
        self._fleet.upsert_workload(manifest, self._catalogue())

    def _remove(self, key: ObjectKey, uid: str | None) -> None:
        namespace, name = key
        self._fleet.delete_workload(WorkloadRef(namespace, self._kind, name), uid)

    def _object_keys(self) -> Iterable[ObjectKey]:
        return self._fleet.keys(self._kind)


class PodKindStore(ReflectorStore):
    """The pods that run a product."""

    def __init__(self, fleet: Fleet, catalogue: Callable[[], Catalogue]) -> None:
        super().__init__()
        self._fleet = fleet
        self._catalogue = catalogue

    def _put(self, _: ObjectKey, manifest: Manifest, /) -> None:
        self._fleet.upsert_pod(manifest, self._catalogue())

    def _remove(self, key: ObjectKey, uid: str | None) -> None:
        self._fleet.delete_pod(key, uid)

    def _object_keys(self) -> Iterable[ObjectKey]:
        return self._fleet.keys(POD.kind)


class NetworkPolicyKindStore(ReflectorStore):
    """The NetworkPolicies of the cluster."""

    def __init__(self, networks: Networks) -> None:
        super().__init__()
        self._networks = networks
        self._uids: dict[ObjectKey, str] = {}

    def _put(self, key: ObjectKey, manifest: Manifest, /) -> None:
        self._uids[key] = text_at(manifest, "metadata", "uid")
        self._networks.take(key, manifest)

    def _remove(self, key: ObjectKey, uid: str | None) -> None:
        if uid is None or self._uids.get(key, uid) == uid:
            self._uids.pop(key, None)
            self._networks.drop(key)

    def _object_keys(self) -> Iterable[ObjectKey]:
        return self._networks.keys()
