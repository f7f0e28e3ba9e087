"""The workloads that run products, and their pods.

What belongs together is decided as Kubernetes decides it: by the owner reference that is marked as
the controller, whose API group, kind, name and uid must all be those of the cached object. A name
or a label alone never counts.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import msgspec

from fleet_telemetry.api.selector import LabelSelector
from fleet_telemetry.catalogue.catalogue import Catalogue
from fleet_telemetry.kube.store import ObjectKey
from fleet_telemetry.kube.unmanaged_pods import UnmanagedPod, UnmanagedPods
from fleet_telemetry.objects.manifest import Manifest, mapping_at, text_at
from fleet_telemetry.objects.sharing import shared_set
from fleet_telemetry.workloads.owner import Owner
from fleet_telemetry.workloads.reading import read_pod, read_workload_or_part
from fleet_telemetry.workloads.registry import WorkloadKind, kind_of_owner, whole_of
from fleet_telemetry.workloads.template_reading import running_containers
from fleet_telemetry.workloads.workload import Pod, PodPhase, PodTemplate, Workload, WorkloadRef

UNPROVEN_SECONDS = 60.0
"""How long a part may wait for its whole. Watches of different kinds are not in order, and the
garbage collector needs some time to delete what a deleted object leaves."""

_REVISION_LABEL = "controller-revision-hash"
_Node = tuple[str, Owner]
"""A namespace, and an object of it as an owner reference names it."""


@dataclass(frozen=True, slots=True)
class _Part:
    """An object that another workload controls, such as a ReplicaSet of a Deployment."""

    node: _Node
    whole: _Node
    workload: Workload | None
    """The object as a workload of its own, for the case that its whole is not found; None if it is
    scaled to zero. The old ReplicaSets of a Deployment are many, and nothing runs in them."""


@dataclass
class Fleet:
    """Workloads that run a product, reduced to what decisions need. Other workloads are not kept,
    so memory grows with the fleet and not with the cluster.

    ``changed`` is called with every workload that was added, changed or deleted, or whose pods
    were.
    """

    changed: Callable[[WorkloadRef], None]
    has_record: Callable[[WorkloadRef, str], bool] = lambda _, __: False
    """Whether variables are recorded as injected into a workload, by reference and uid. Such a
    workload is kept when its product is no longer known, until they are gone."""
    workloads: dict[WorkloadRef, Workload] = field(default_factory=dict)
    """Parts are left out, unless their whole was not found in time."""
    unmanaged: UnmanagedPods = field(default_factory=UnmanagedPods)
    _products: dict[WorkloadRef, frozenset[str]] = field(default_factory=dict)
    """That the workloads and parts in the store run."""
    _products_of_pod: dict[ObjectKey, frozenset[str]] = field(default_factory=dict)
    _unlisted_since: dict[str, float] = field(default_factory=dict)
    """By uid: since when a pod runs a product that its workload is not listed with."""
    _parts: dict[WorkloadRef, _Part] = field(default_factory=dict)
    _parts_of: defaultdict[_Node, set[WorkloadRef]] = field(
        default_factory=lambda: defaultdict(set)
    )
    """By the whole that the parts name, whether it exists or not."""
    _unproven: dict[WorkloadRef, float | None] = field(default_factory=dict)
    """Parts whose whole is not cached, and since when ``settle`` knows."""
    _adopters: defaultdict[str, set[WorkloadRef]] = field(default_factory=lambda: defaultdict(set))
    """By namespace: the workloads that adopt objects by a selector."""
    _adoptees: defaultdict[str, set[WorkloadRef]] = field(default_factory=lambda: defaultdict(set))
    """By namespace: the workloads without a controller that could be adopted."""
    _pods: defaultdict[_Node, dict[str, Pod]] = field(default_factory=lambda: defaultdict(dict))
    _node_of_pod: dict[ObjectKey, _Node] = field(default_factory=dict)
    _pods_at: defaultdict[str, set[ObjectKey]] = field(default_factory=lambda: defaultdict(set))
    """By address: the pods that have not finished."""
    _awaited: defaultdict[str, set[tuple[_Node, asyncio.Future[None]]]] = field(
        default_factory=lambda: defaultdict(set)
    )

    def pods_of(self, ref: WorkloadRef) -> tuple[Pod, ...]:
        """The pods of a workload that run or are about to, sorted by name. Finished pods of a Job
        count too: they show what the Job ran with. So do those of the last Job of a CronJob while
        none runs. If a Job's pods are gone, one that is made from its template stands for them."""
        workload = self.workloads.get(ref)
        if workload is None:
            return ()
        node = _node_of(workload)
        parts = [self._parts[part] for part in self._parts_of.get(node, ())]
        counted = self._counted_pods(node, workload, finished=ref.kind.type.keeps_finished_pods)
        for part in parts:
            counted += self._counted_pods(part.node, part.workload)
        if not counted and ref.kind.type.last_run_counts:
            counted = self._last_run(workload, parts)
        elif not counted and workload.has_run and not workload.is_injected_by_pod:
            counted = [_started_from(workload)]
        return tuple(sorted(counted, key=lambda pod: pod.name))

    def all_pods_of(self, ref: WorkloadRef) -> Iterator[Pod]:
        """Every pod of a workload in the store, also those that have finished or are being
        deleted."""
        workload = self.workloads.get(ref)
        if workload is not None:
            node = _node_of(workload)
            parts = (self._parts[part].node for part in self._parts_of.get(node, ()))
            for owner in (node, *parts):
                yield from self._pods.get(owner, {}).values()

    def has_active_part(self, ref: WorkloadRef) -> bool:
        """Whether a Job of a CronJob has not finished."""
        workload = self.workloads.get(ref)
        parts = self._parts_of.get(_node_of(workload), ()) if workload is not None else ()
        found = (self._parts[part].workload for part in parts)
        return any(one is not None and one.is_active for one in found)

    def _counted_pods(
        self, node: _Node, owner: Workload | None, *, finished: bool = False
    ) -> list[Pod]:
        return [
            replace(pod, origin=_origin(pod.template, owner))
            for pod in self._pods.get(node, {}).values()
            if pod.counts or (finished and not pod.terminating)
        ]

    def _last_run(self, workload: Workload, parts: list[_Part]) -> list[Pod]:
        """The pods of the last part that ran. If they are gone, its template speaks for them: that
        of a Job cannot change."""
        ran = [
            part
            for part in parts
            if part.workload is not None and (part.workload.has_run or self._pods.get(part.node))
        ]
        if not ran:
            return []
        last = max(ran, key=_begin)
        pods = self._counted_pods(last.node, last.workload, finished=True)
        if pods or workload.is_injected_by_pod or last.workload is None:
            return pods
        return [_started_from(last.workload)]

    def origin_of(
        self, namespace: str, controller: Owner | None, pod: PodTemplate
    ) -> PodTemplate | None:
        """The template that a new pod with this controller is certainly created from."""
        if controller is None:
            return None
        node = namespace, controller
        ref = _ref_of(node)
        part = self._parts.get(ref) if ref is not None else None
        is_part = part is not None and part.node == node
        return _origin(pod, part.workload if part is not None and is_part else self._exact(node))

    def is_address_shared(self, pod: Pod) -> bool:
        """Whether another pod that has not finished has the same address, of whatever workload in
        the store. Pods without a product are not kept."""
        return len(self._pods_at.get(pod.address, ())) > 1

    def workload_of(self, namespace: str, controller: Owner | None) -> Workload | None:
        """The workload that an object with this controller belongs to; None if there is none, or
        it is not cached."""
        return None if controller is None else self._find_workload((namespace, controller))

    async def wait_for(
        self, namespace: str, controller: Owner | None, seconds: float
    ) -> Workload | None:
        """The same, once watch events have brought it; None if they do not within that time."""
        if controller is None or kind_of_owner(controller) is None:
            return None
        node = namespace, controller
        found = self._find_workload(node)
        if found is not None or seconds <= 0:
            return found
        arrival = node, asyncio.get_running_loop().create_future()
        self._awaited[namespace].add(arrival)
        try:
            await asyncio.wait_for(arrival[1], seconds)
        except TimeoutError:
            pass
        finally:
            self._awaited[namespace].discard(arrival)
            if not self._awaited[namespace]:
                del self._awaited[namespace]
        return self._find_workload(node)

    def settle(self, now: float) -> None:
        """List the parts with running pods whose whole was not found in time as workloads of their
        own, and the pods with products that no workload was listed with in time as unmanaged.
        ``now`` is in seconds; to be called every few seconds."""
        for ref, since in list(self._unproven.items()):
            part = self._parts[ref]
            if since is None:
                self._unproven[ref] = now
                continue
            runs = any(pod.counts for pod in self._pods.get(part.node, {}).values())
            if runs and part.workload is not None and now - since >= UNPROVEN_SECONDS:
                self._put(ref, part.workload)
        unlisted = list(self.unlisted_pods())
        before = self._unlisted_since
        self._unlisted_since = {pod.uid: before.get(pod.uid, now) for _, pod, _ in unlisted}
        self.unmanaged.put_unlisted(
            UnmanagedPod(namespace, pod.name, pod.uid, products, pod.owner)
            for namespace, pod, products in unlisted
            if now - self._unlisted_since[pod.uid] >= UNPROVEN_SECONDS
        )

    def keeps_workload(self, ref: WorkloadRef, manifest: Manifest, catalogue: Catalogue) -> bool:
        """Whether ``upsert_workload`` may keep the workload. The object's identity and its
        containers are enough of the manifest."""
        found = products_of(ref.kind.type.templates(manifest), catalogue)
        return bool(found) or self.has_record(ref, text_at(manifest, "metadata", "uid"))

    def upsert_workload(self, manifest: Manifest, catalogue: Catalogue) -> bool:
        """Add or replace a workload; whether it runs a product, else it is not kept."""
        kind = WorkloadKind(manifest["kind"])
        metadata = manifest["metadata"]
        ref = WorkloadRef(metadata["namespace"], kind, metadata["name"])
        workload = None
        products = products_of(kind.type.templates(manifest), catalogue)
        if products or self.has_record(ref, str(metadata.get("uid", ""))):
            workload = read_workload_or_part(manifest)
        if workload is None:
            self.delete_workload(ref)
            return bool(products)
        self._products[ref] = products
        if whole_of(kind.type.api, workload.controller) is None or workload.controller is None:
            self._drop_part(ref)
            self._put(ref, self._with_adoption(workload))
        else:
            self._put_part(ref, workload, (ref.namespace, workload.controller))
        self._wake(ref.namespace)
        return bool(products)

    def delete_workload(self, ref: WorkloadRef, uid: str | None = None) -> None:
        """Delete a workload; with a ``uid``, only if that object is the one in the store."""
        cached = self._parts[ref].node[1] if ref in self._parts else self.workloads.get(ref)
        if cached is None or uid not in (None, cached.uid):
            return
        self._products.pop(ref, None)
        self._drop_part(ref)
        self._remove(ref)

    def upsert_pod(self, manifest: Manifest, catalogue: Catalogue) -> None:
        """Add or replace a pod."""
        key = manifest["metadata"]["namespace"], manifest["metadata"]["name"]
        products = products_of((manifest,), catalogue)
        pod = read_pod(manifest) if products else None
        if pod is None or pod.owner is None or kind_of_owner(pod.owner) is None:
            self.delete_pod(key)
            if pod is not None:
                self.unmanaged.put(key, pod, catalogue)
            return
        self.unmanaged.delete(key)
        node = key[0], pod.owner
        if self._node_of_pod.get(key) != node:
            # Somebody released the pod, or adopted it.
            self.delete_pod(key)
        self._products_of_pod[key] = products
        before = self._pods[node].get(pod.name)
        if before != pod:
            self._leave_address(key, before)
            if pod.address and pod.phase not in (PodPhase.SUCCEEDED, PodPhase.FAILED):
                self._pods_at[pod.address].add(key)
            self._pods[node][pod.name] = pod
            self._node_of_pod[key] = node
            self._report_pods(node)

    def delete_pod(self, key: ObjectKey, uid: str | None = None) -> None:
        """Delete a pod; with a ``uid``, only if that object is the one in the store."""
        self.unmanaged.delete(key, uid)
        node = self._node_of_pod.get(key)
        if node is not None and uid in (None, self._pods[node][key[1]].uid):
            del self._node_of_pod[key], self._products_of_pod[key]
            self._leave_address(key, self._pods[node].pop(key[1]))
            if not self._pods[node]:
                del self._pods[node]
            self._report_pods(node)

    def unlisted_pods(self) -> Iterator[tuple[str, Pod, tuple[str, ...]]]:
        """The pods that run, or are about to, each with its namespace and the products that no
        workload is listed with: its controller is not in the store, or has a template without them.
        Somebody wrote the owner reference, or added a container to the pod alone."""
        for key, node in self._node_of_pod.items():
            pod = self._pods[node][key[1]]
            if not pod.counts:
                continue
            workload = self._find_workload(node)
            listed = self._products.get(workload.ref, frozenset()) if workload else frozenset()
            left = self._products_of_pod[key] - listed
            if left:
                yield key[0], pod, tuple(sorted(left))

    def keys(self, kind: str) -> Iterator[ObjectKey]:
        """The keys of all objects of a kind in the store."""
        if kind == "Pod":
            yield from self._node_of_pod
            yield from self.unmanaged.keys()
            return
        for ref in {**self.workloads, **self._parts}:
            if ref.kind == kind:
                yield ref.namespace, ref.name

    def _find_workload(self, node: _Node) -> Workload | None:
        """The workload that is this object, or that this object is a proven part of."""
        ref = _ref_of(node)
        part = self._parts.get(ref) if ref is not None else None
        if part is not None and part.node == node:
            whole = self._exact(part.whole)
            return whole if whole is not None else self._exact(node)
        return self._exact(node)

    def _exact(self, node: _Node) -> Workload | None:
        """The workload that is this very object."""
        ref = _ref_of(node)
        found = self.workloads.get(ref) if ref is not None else None
        return found if found is not None and _node_of(found) == node else None

    def _put(self, ref: WorkloadRef, workload: Workload) -> None:
        """List an object as a workload."""
        before = self.workloads.get(ref)
        self._unproven.pop(ref, None)
        if before == workload:
            return
        if before is not None and before.uid != workload.uid:
            self._leave_parts(_node_of(before))
        self.workloads[ref] = workload
        for part in self._parts_of.get(_node_of(workload), ()):
            self._unproven.pop(part, None)
            self._remove(part)
        if ref.kind.type.adopts:
            self._adopters[ref.namespace].add(ref)
            self._update_adoption(ref.namespace)
        if workload.controller is None and ref.kind.type.is_adopted:
            self._adoptees[ref.namespace].add(ref)
        else:
            _discard(self._adoptees, ref)
        self.changed(ref)

    def _remove(self, ref: WorkloadRef) -> None:
        """List an object as a workload no longer."""
        before = self.workloads.pop(ref, None)
        if before is None:
            return
        self._leave_parts(_node_of(before))
        _discard(self._adoptees, ref)
        if ref in self._adopters.get(ref.namespace, ()):
            _discard(self._adopters, ref)
            self._update_adoption(ref.namespace)
        self.changed(ref)

    def _put_part(self, ref: WorkloadRef, workload: Workload, whole: _Node) -> None:
        runs = workload.replicas > 0
        found = self._exact(whole)
        if found is not None:
            workload = _sharing_template(workload, found)
        part = _Part(_node_of(workload), whole, workload if runs else None)
        if self._parts.get(ref) == part:
            return
        self._drop_part(ref)
        self._parts[ref] = part
        self._parts_of[whole].add(ref)
        if found is not None:
            self._remove(ref)
            self.changed(found.ref)
        elif ref in self.workloads and runs:
            # It is listed, and stays so until its whole is known.
            self._put(ref, workload)
        else:
            self._remove(ref)
            self._unproven[ref] = None

    def _drop_part(self, ref: WorkloadRef) -> None:
        part = self._parts.pop(ref, None)
        self._unproven.pop(ref, None)
        if part is None:
            return
        self._parts_of[part.whole].discard(ref)
        if not self._parts_of[part.whole]:
            del self._parts_of[part.whole]
        whole = self._exact(part.whole)
        if whole is not None:
            self.changed(whole.ref)

    def _leave_parts(self, whole: _Node) -> None:
        """A workload is gone; what names it waits for the garbage collector."""
        for part in self._parts_of.get(whole, ()):
            if part not in self.workloads:
                self._unproven[part] = None

    def _leave_address(self, key: ObjectKey, pod: Pod | None) -> None:
        if pod is not None and pod.address in self._pods_at:
            self._pods_at[pod.address].discard(key)
            if not self._pods_at[pod.address]:
                del self._pods_at[pod.address]

    def _report_pods(self, node: _Node) -> None:
        found = self._find_workload(node)
        if found is not None:
            self.changed(found.ref)

    def _wake(self, namespace: str) -> None:
        for node, arrival in self._awaited.get(namespace, ()):
            if not arrival.done() and self._find_workload(node) is not None:
                arrival.set_result(None)

    def _with_adoption(self, workload: Workload) -> Workload:
        """The same workload; whether it may be adopted also depends on others' selectors."""
        if workload.controller is not None or not workload.ref.kind.type.is_adopted:
            return workload
        adopters = self._adopters.get(workload.ref.namespace, ())
        selected = any(
            _selects(self.workloads[ref], workload)
            for ref in adopters
            if workload.ref.kind.type.is_part_of(ref.kind.type)
        )
        return replace(workload, is_selected=selected)

    def _update_adoption(self, namespace: str) -> None:
        for ref in list(self._adoptees.get(namespace, ())):
            before = self.workloads[ref]
            after = self._with_adoption(before)
            if after != before:
                self.workloads[ref] = after
                self.changed(ref)


def _begin(part: _Part) -> tuple[datetime, str]:
    created = part.workload.created if part.workload is not None else None
    return created or datetime.min.replace(tzinfo=UTC), part.node[1].name


def _started_from(workload: Workload) -> Pod:
    """A pod of a Job as it must have been."""
    return Pod(
        workload.ref.name,
        workload.template,
        created=workload.created,  # they are no older
        phase=PodPhase.SUCCEEDED,
        origin=workload.template,
    )


def _origin(pod: PodTemplate, owner: Workload | None) -> PodTemplate | None:
    """The template that a pod was certainly created from, if its owner has it still."""
    if owner is None:
        return None
    revision = pod.labels.get(_REVISION_LABEL, "")
    is_part = whole_of(owner.ref.kind.type.api, owner.controller) is not None
    is_present = bool(owner.revision) and revision == owner.revision
    return owner.template if is_part or is_present or owner.is_settled else None


def _node_of(workload: Workload) -> _Node:
    return workload.ref.namespace, workload.as_owner


def _sharing_template(part: Workload, whole: Workload) -> Workload:
    """The same part, with the containers and volumes of its whole where they are equal: of most
    parts they are, and they are most of what it takes."""
    own, other = part.template, whole.template
    if own.containers != other.containers or own.volumes != other.volumes:
        return part
    shared = replace(own, containers=other.containers, volumes=other.volumes)
    return replace(part, template=shared)


def _ref_of(node: _Node) -> WorkloadRef | None:
    namespace, owner = node
    kind = kind_of_owner(owner)
    return None if kind is None else WorkloadRef(namespace, kind, owner.name)


def _discard(index: defaultdict[str, set[WorkloadRef]], ref: WorkloadRef) -> None:
    if ref.namespace in index:
        index[ref.namespace].discard(ref)
        if not index[ref.namespace]:
            del index[ref.namespace]


def _selects(adopter: Workload, workload: Workload) -> bool:
    """Whether the selector of one workload matches the labels of another."""
    try:
        selector = msgspec.convert(adopter.pod_selector, LabelSelector)
    except msgspec.ValidationError:
        return False
    return bool(adopter.pod_selector) and selector.matches(workload.labels)


def products_of(templates: Iterable[Manifest], catalogue: Catalogue) -> frozenset[str]:
    """The products that containers of pod templates run. Cheap, because most run none."""
    found = (
        catalogue.match_image(str(container.get("image") or ""), str(container.get("name", "")))
        for template in templates
        for _, container in running_containers(mapping_at(template, "spec"))
    )
    return shared_set(one.product.name for one in found if one is not None)
