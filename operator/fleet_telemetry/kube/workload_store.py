"""The workloads that run products, and their pods."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from fleet_telemetry.catalogue.catalogue import Catalogue
from fleet_telemetry.kube.store import ObjectKey
from fleet_telemetry.objects.manifest import Manifest, items_at
from fleet_telemetry.workloads.reading import (
    TEMPLATE_PATHS,
    read_controller,
    read_pod,
    read_workload,
)
from fleet_telemetry.workloads.workload import Pod, Workload, WorkloadKind, WorkloadRef


@dataclass
class Fleet:
    """Workloads that run a product, cut down to what decisions need; all others are forgotten at
    once, so that memory follows the fleet and not the cluster.

    ``changed`` is called with every workload that came, changed or went, or whose pods did.
    """

    changed: Callable[[WorkloadRef], None]
    workloads: dict[WorkloadRef, Workload] = field(default_factory=dict)
    _pods: defaultdict[WorkloadRef, dict[str, Pod]] = field(
        default_factory=lambda: defaultdict(dict)
    )
    _holder_of_pod: dict[ObjectKey, WorkloadRef] = field(default_factory=dict)
    _parent_of_job: dict[WorkloadRef, WorkloadRef] = field(default_factory=dict)
    _jobs_of: defaultdict[WorkloadRef, set[WorkloadRef]] = field(
        default_factory=lambda: defaultdict(set)
    )
    _awaited: defaultdict[WorkloadRef, set[asyncio.Future[None]]] = field(
        default_factory=lambda: defaultdict(set)
    )

    def pods_of(self, ref: WorkloadRef) -> tuple[Pod, ...]:
        """The pods of a workload that run, or soon will, by name. Those of a Job stay counted
        after they are done: they show what the Job ran with."""
        holders = self._jobs_of.get(ref, {ref})
        pods = [pod for holder in holders for pod in self._pods.get(holder, {}).values()]
        done_count = ref.kind is WorkloadKind.JOB
        counted = (pod for pod in pods if pod.counts or (done_count and not pod.terminating))
        return tuple(sorted(counted, key=lambda pod: pod.name))

    async def wait_for(self, ref: WorkloadRef, seconds: float) -> Workload | None:
        """A workload that is about to be seen, or None if it is not within that time.

        A Job of a CronJob is no workload of its own; once it is seen, nobody waits for it.
        """
        if ref not in self.workloads and ref not in self._parent_of_job and seconds > 0:
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

    def take_workload(self, manifest: Manifest, catalogue: Catalogue) -> None:
        """A workload as it is now."""
        kind = WorkloadKind(manifest["kind"])
        metadata = manifest["metadata"]
        ref = WorkloadRef(metadata["namespace"], kind, metadata["name"])
        if not _runs_product(manifest, TEMPLATE_PATHS[kind], catalogue):
            self.drop_workload(ref)
            return
        workload = read_workload(manifest)
        if workload is None:
            self._take_job(ref, manifest)
        elif self.workloads.get(ref) != workload:
            self.workloads[ref] = workload
            self._tell_arrival(ref)
            self.changed(ref)

    def _tell_arrival(self, ref: WorkloadRef) -> None:
        for arrival in self._awaited.get(ref, ()):
            if not arrival.done():
                arrival.set_result(None)

    def drop_workload(self, ref: WorkloadRef, uid: str | None = None) -> None:
        """A workload that is gone, or runs no product; with a ``uid``, only that very one."""
        if uid is not None and ref in self.workloads and self.workloads[ref].uid != uid:
            return
        parent = self._parent_of_job.pop(ref, None)
        if parent is not None:
            self._jobs_of[parent].discard(ref)
            if not self._jobs_of[parent]:
                del self._jobs_of[parent]
            self.changed(parent)
        if self.workloads.pop(ref, None) is not None:
            self.changed(ref)

    def take_pod(self, manifest: Manifest, catalogue: Catalogue) -> None:
        """A pod as it is now."""
        key = manifest["metadata"]["namespace"], manifest["metadata"]["name"]
        if not _runs_product(manifest, (), catalogue):
            self.drop_pod(key)
            return
        pod = read_pod(manifest)
        holder = pod.holder(key[0])
        if holder is not None and self._pods[holder].get(pod.name) != pod:
            self._pods[holder][pod.name] = pod
            self._holder_of_pod[key] = holder
            self.changed(self._parent_of_job.get(holder, holder))

    def drop_pod(self, key: ObjectKey, uid: str | None = None) -> None:
        """A pod that is gone, or runs no product; with a ``uid``, only that very one."""
        holder = self._holder_of_pod.get(key)
        if holder is not None and uid in (None, self._pods[holder][key[1]].uid):
            del self._holder_of_pod[key]
            del self._pods[holder][key[1]]
            if not self._pods[holder]:
                del self._pods[holder]
            self.changed(self._parent_of_job.get(holder, holder))

    def keys(self, kind: str) -> Iterator[ObjectKey]:
        """Every object of a kind that is kept."""
        if kind == "Pod":
            yield from self._holder_of_pod
            return
        for ref in (*self.workloads, *self._parent_of_job):
            if ref.kind == kind:
                yield ref.namespace, ref.name

    def _take_job(self, ref: WorkloadRef, manifest: Manifest) -> None:
        """A Job of a CronJob: only whose it is matters."""
        controller = read_controller(manifest)
        if controller is not None and controller.kind == WorkloadKind.CRON_JOB:
            parent = WorkloadRef(ref.namespace, WorkloadKind.CRON_JOB, controller.name)
            if self._parent_of_job.get(ref) != parent:
                self._parent_of_job[ref] = parent
                self._jobs_of[parent].add(ref)
                self._tell_arrival(ref)
                self.changed(parent)


def _runs_product(manifest: Manifest, template_path: tuple[str, ...], catalogue: Catalogue) -> bool:
    """Whether any main container runs a product; cheap, because most manifests do not."""
    return any(
        catalogue.match_image(str(container.get("image") or ""), str(container.get("name", "")))
        for container in items_at(manifest, *template_path, "spec", "containers")
    )
