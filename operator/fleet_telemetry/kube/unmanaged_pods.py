"""Pods that run a product and belong to no workload that the operator manages.

They have no controller, or one of a type that is not registered: a CloneSet, or the node of a
static pod. Or their controller's template does not run the product: another webhook added a
container to the pod alone, or the owner reference names an object that makes no pods. Nothing is
decided for them and nothing injected. They are counted and listed, so that nobody takes a fleet for
complete that is not.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from fleet_telemetry.catalogue.catalogue import Catalogue
from fleet_telemetry.catalogue.matching import match_containers
from fleet_telemetry.kube.store import ObjectKey
from fleet_telemetry.workloads.owner import Owner
from fleet_telemetry.workloads.workload import Pod


@dataclass(frozen=True, slots=True)
class UnmanagedPod:
    """A pod that runs, or is about to."""

    namespace: str
    name: str
    uid: str
    products: tuple[str, ...]
    controller: Owner | None


@dataclass
class UnmanagedPods:
    """The unmanaged pods of the cluster, by namespace and name."""

    _pods: dict[ObjectKey, UnmanagedPod] = field(default_factory=dict)
    _unlisted: tuple[UnmanagedPod, ...] = ()
    """Those of a registered type."""

    def put(self, key: ObjectKey, pod: Pod, catalogue: Catalogue) -> None:
        """Add or replace a pod; a finished one is deleted."""
        if not pod.counts:
            self.delete(key)
            return
        found = {target.product.name for target in match_containers(pod.template, catalogue)}
        self._pods[key] = UnmanagedPod(*key, pod.uid, tuple(sorted(found)), pod.owner)

    def put_unlisted(self, pods: Iterable[UnmanagedPod]) -> None:
        """Replace the pods with a controller of a registered type."""
        self._unlisted = tuple(pods)

    def delete(self, key: ObjectKey, uid: str | None = None) -> None:
        """Delete a pod; with a ``uid``, only if that object is the one in the store."""
        cached = self._pods.get(key)
        if cached is not None and uid in (None, cached.uid):
            del self._pods[key]

    def keys(self) -> Iterable[ObjectKey]:
        """The keys of those without a controller of a registered type."""
        return list(self._pods)

    def all(self) -> Iterable[UnmanagedPod]:
        """All, also for another thread."""
        return [*self._pods.values(), *self._unlisted]
