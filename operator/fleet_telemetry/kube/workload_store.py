"""The workloads that run products, and their pods."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from fleet_telemetry.catalogue.catalogue import Catalogue
from fleet_telemetry.kube.store import ObjectKey
from fleet_telemetry.objects.manifest import Manifest, items_at
from fleet_telemetry.workloads.owner import read_controller
from fleet_telemetry.workloads.reading import read_pod, read_workload
from fleet_telemetry.workloads.registry import WorkloadKind, whole_of
from fleet_telemetry.workloads.workload import Pod, Workload, WorkloadRef
from fleet_telemetry.workloads.workload_type import TemplatePath


@dataclass
class Fleet:
    """Workloads that run a product, reduced to what decisions need. Other workloads are not kept,
    so memory grows with the fleet and not with the cluster.

    ``changed`` is called with every workload that was added, changed or deleted, or whose pods
    were.
    """

    changed: Callable[[WorkloadRef], None]
    workloads: dict[WorkloadRef, Workload] = field(default_factory=dict)
    _pods: defaultdict[WorkloadRef, dict[str, Pod]] = field(
        default_factory=lambda: defaultdict(dict)
    )
    _workload_of_pod: dict[ObjectKey, WorkloadRef] = field(default_factory=dict)
    _whole_of_part: dict[WorkloadRef, WorkloadRef] = field(default_factory=dict)
    _parts_of: defaultdict[WorkloadRef, set[WorkloadRef]] = field(
        default_factory=lambda: defaultdict(set)
    )
    _awaited: defaultdict[WorkloadRef, set[asyncio.Future[None]]] = field(
        default_factory=lambda: defaultdict(set)
    )

    def pods_of(self, ref: WorkloadRef) -> tuple[Pod, ...]:
        """The pods of a workload that run or are about to, sorted by name. Finished pods of a Job
        count too: they show what the Job ran with."""
        refs = self._parts_of.get(ref, {ref})
        pods = [pod for one in refs for pod in self._pods.get(one, {}).values()]
        finished_count = ref.kind.type.keeps_finished_pods
        counted = (pod for pod in pods if pod.counts or (finished_count and not pod.terminating))
        return tuple(sorted(counted, key=lambda pod: pod.name))

    async def wait_for(self, ref: WorkloadRef, seconds: float) -> Workload | None:
        """A workload, once a watch event has brought it; None if none does within that time.

        A part, such as a Job of a CronJob, is no workload of its own: None as soon as it is seen.
        """
        if ref not in self.workloads and ref not in self._whole_of_part and seconds > 0:
            arrival = asyncio.get_running_loop().create_future()
            self._awaited[ref].add(arrival)
            try:
                await asyncio.wait_for(arrival, seconds)
            except TimeoutError:
                pass
            finally:
                self._awaited[ref].discard(arrival)
                if not self._awaited[ref]:
                    del self._awaited[ref]
        return self.workloads.get(ref)

    def upsert_workload(self, manifest: Manifest, catalogue: Catalogue) -> None:
        """Add or replace a workload."""
        kind = WorkloadKind(manifest["kind"])
        metadata = manifest["metadata"]
        ref = WorkloadRef(metadata["namespace"], kind, metadata["name"])
        if not _runs_product(manifest, kind.type.template_path, catalogue):
            self.delete_workload(ref)
            return
        workload = read_workload(manifest)
        if workload is None:
            if self.workloads.pop(ref, None) is not None:
                self.changed(ref)
            self._upsert_part(ref, manifest)
        elif self.workloads.get(ref) != workload:
            self.workloads[ref] = workload
            self._resolve_waiting(ref)
            self.changed(ref)

    def _resolve_waiting(self, ref: WorkloadRef) -> None:
        for arrival in self._awaited.get(ref, ()):
            if not arrival.done():
                arrival.set_result(None)

    def delete_workload(self, ref: WorkloadRef, uid: str | None = None) -> None:
        """Delete a workload; with a ``uid``, only if that object is the one in the store."""
        if uid is not None and ref in self.workloads and self.workloads[ref].uid != uid:
            return
        whole = self._whole_of_part.pop(ref, None)
        if whole is not None:
            self._parts_of[whole].discard(ref)
            if not self._parts_of[whole]:
                del self._parts_of[whole]
            self.changed(whole)
        if self.workloads.pop(ref, None) is not None:
            self.changed(ref)

    def upsert_pod(self, manifest: Manifest, catalogue: Catalogue) -> None:
        """Add or replace a pod."""
        key = manifest["metadata"]["namespace"], manifest["metadata"]["name"]
        if not _runs_product(manifest, (), catalogue):
            self.delete_pod(key)
            return
        pod = read_pod(manifest)
        owner = pod.workload(key[0])
        if owner is not None and self._pods[owner].get(pod.name) != pod:
            self._pods[owner][pod.name] = pod
            self._workload_of_pod[key] = owner
            self.changed(self._whole_of_part.get(owner, owner))

    def delete_pod(self, key: ObjectKey, uid: str | None = None) -> None:
        """Delete a pod; with a ``uid``, only if that object is the one in the store."""
        owner = self._workload_of_pod.get(key)
        if owner is not None and uid in (None, self._pods[owner][key[1]].uid):
            del self._workload_of_pod[key]
            del self._pods[owner][key[1]]
            if not self._pods[owner]:
                del self._pods[owner]
            self.changed(self._whole_of_part.get(owner, owner))

    def keys(self, kind: str) -> Iterator[ObjectKey]:
        """The keys of all objects of a kind in the store."""
        if kind == "Pod":
            yield from self._workload_of_pod
            return
        for ref in (*self.workloads, *self._whole_of_part):
            if ref.kind == kind:
                yield ref.namespace, ref.name

    def _upsert_part(self, ref: WorkloadRef, manifest: Manifest) -> None:
        """A part of another workload. It is kept only where its pods do not show the whole."""
        controller = read_controller(manifest)
        kind = whole_of(ref.kind.type.api, controller)
        if kind is None or controller is None or not kind.type.needs_parts:
            return
        whole = WorkloadRef(ref.namespace, kind, controller.name)
        if self._whole_of_part.get(ref) != whole:
            self._whole_of_part[ref] = whole
            self._parts_of[whole].add(ref)
            self._resolve_waiting(ref)
            self.changed(whole)


def _runs_product(manifest: Manifest, template_path: TemplatePath, catalogue: Catalogue) -> bool:
    """Whether a main container runs a product. Cheap, because most manifests run none."""
    return any(
        catalogue.match_image(str(container.get("image") or ""), str(container.get("name", "")))
        for container in items_at(manifest, *template_path, "spec", "containers")
    )
