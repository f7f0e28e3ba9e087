"""The stores of workloads and pods.

They filter by the catalogue and share indexes across kinds, so their content is not one mapping.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from fleet_telemetry.catalogue.catalogue import Catalogue
from fleet_telemetry.kube.kinds import POD
from fleet_telemetry.kube.raw_object import RawObject
from fleet_telemetry.kube.seen_workloads import SeenWorkloads
from fleet_telemetry.kube.store import ObjectKey, ReflectorStore
from fleet_telemetry.kube.workload_store import Fleet, products_of
from fleet_telemetry.objects.kind import Kind
from fleet_telemetry.objects.manifest import Manifest, text_at
from fleet_telemetry.workloads.owner import read_controller
from fleet_telemetry.workloads.registry import WorkloadKind, whole_of
from fleet_telemetry.workloads.workload import WorkloadRef


class WorkloadKindStore(ReflectorStore):
    """The workloads of one kind that run a product."""

    def __init__(self, fleet: Fleet, kind: Kind, catalogue: Callable[[], Catalogue]) -> None:
        super().__init__()
        self._fleet = fleet
        self._kind = WorkloadKind(kind.kind)
        self._catalogue = catalogue
        self.seen = SeenWorkloads()
        """Also those without a product."""

    def _put(self, key: ObjectKey, manifest: Manifest, /) -> None:
        known = self._fleet.upsert_workload(manifest, self._catalogue())
        self._count(key, manifest, known=known)

    def _put_raw(self, found: RawObject) -> None:
        ref = self._ref(found.key)
        if self._fleet.keeps_workload(ref, found.sketch, self._catalogue()):
            self._put(found.key, found.whole())
        else:
            self._fleet.delete_workload(ref)
            self._count(found.key, found.sketch, known=False)

    def _count(self, key: ObjectKey, manifest: Manifest, *, known: bool) -> None:
        kind, controller = self._kind.type, read_controller(manifest)
        is_part = controller is not None and whole_of(kind.api, controller) is not None
        if kind.has_own_template(manifest) and not is_part:
            self.seen.put(key, text_at(manifest, "metadata", "uid"), known=known)
        else:
            self.seen.delete(key)

    def _remove(self, key: ObjectKey, uid: str | None) -> None:
        self._fleet.delete_workload(self._ref(key), uid)
        self.seen.delete(key, uid)

    def _list_begins(self) -> None:
        self.seen.begin_list()

    def _list_ended(self) -> None:
        self.seen.end_list()

    def _object_keys(self) -> Iterable[ObjectKey]:
        return self._fleet.keys(self._kind)

    def _ref(self, key: ObjectKey) -> WorkloadRef:
        namespace, name = key
        return WorkloadRef(namespace, self._kind, name)


class PodKindStore(ReflectorStore):
    """The pods that run a product."""

    def __init__(self, fleet: Fleet, catalogue: Callable[[], Catalogue]) -> None:
        super().__init__()
        self._fleet = fleet
        self._catalogue = catalogue

    def _put(self, _: ObjectKey, manifest: Manifest, /) -> None:
        self._fleet.upsert_pod(manifest, self._catalogue())

    def _put_raw(self, found: RawObject) -> None:
        if products_of((found.sketch,), self._catalogue()):
            self._put(found.key, found.whole())
        else:
            self._fleet.delete_pod(found.key)

    def _remove(self, key: ObjectKey, uid: str | None) -> None:
        self._fleet.delete_pod(key, uid)

    def _object_keys(self) -> Iterable[ObjectKey]:
        return self._fleet.keys(POD.kind)
