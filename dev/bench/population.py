"""A large fleet on an API server, as its controllers and the kubelet would have left it.

The benchmark makes the ReplicaSets and the status of Deployments itself, so that no controller
manager is at work, or behind, while the operator is measured.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from dev.bench.manifests import (
    NAMESPACES,
    NO_PRODUCT,
    PRODUCTS,
    Manifest,
    deployment,
    deployments,
    fleet_namespace,
    namespace,
)
from dev.bench.progress import Progress
from dev.bench.server import Server, for_each

ONE_IN = 5
"""One workload in so many runs a product."""
EXTRA_ARGS = ("--disable-admission-plugins=ServiceAccount",)
"""For the API server: without a controller manager no namespace has a service account."""
_AT_ONCE = 32
_RUNNING = {
    "observedGeneration": 1,
    "replicas": 1,
    "updatedReplicas": 1,
    "readyReplicas": 1,
    "availableReplicas": 1,
}


@dataclass(frozen=True)
class Member:
    """A workload of the fleet."""

    namespace: str
    name: str
    image: str
    replica_set: str
    """The uid of its ReplicaSet, which has the same name."""

    @property
    def runs_product(self) -> bool:
        """Whether the catalogue knows its image."""
        return self.image != NO_PRODUCT


class Population:
    """A fleet that grows: Deployments of one replica, each with a ReplicaSet, and no pods."""

    def __init__(self, server: Server, namespaces: int, progress: Progress) -> None:
        self._server = server
        self._namespaces = namespaces
        self._progress = progress
        self.members: list[Member] = []

    async def begin(self) -> None:
        """Create the namespaces."""
        for number in range(self._namespaces):
            await self._server.create(NAMESPACES, namespace(fleet_namespace(number)))

    async def grow(self, size: int) -> None:
        """Add workloads until there are so many, of which one in ``ONE_IN`` runs a product."""
        numbers = range(len(self.members), size)
        images = (
            PRODUCTS[number // ONE_IN % len(PRODUCTS)] if number % ONE_IN == 0 else NO_PRODUCT
            for number in numbers
        )
        await self._add(zip(numbers, images, strict=True), len(numbers))

    async def add(self, count: int, *, products: bool) -> None:
        """Add workloads that all run a product, or that all run none."""
        numbers = range(len(self.members), len(self.members) + count)
        images = (
            PRODUCTS[number % len(PRODUCTS)] if products else NO_PRODUCT for number in numbers
        )
        await self._add(zip(numbers, images, strict=True), count)

    @property
    def products(self) -> int:
        """How many workloads run a product."""
        return sum(member.runs_product for member in self.members)

    async def _add(self, workloads: Iterator[tuple[int, str]], count: int) -> None:
        await for_each(
            workloads,
            self._create,
            lambda done: self._progress.at(f"{done} of {count} workloads"),
            at_once=_AT_ONCE,
        )

    async def _create(self, numbered: tuple[int, str]) -> None:
        number, image = numbered
        # A namespace has workloads of all kinds.
        place = fleet_namespace(number // ONE_IN % self._namespaces)
        name = f"workload-{number:05}"
        body = json.dumps(deployment(image, name=name)).encode()
        owner = json.loads(await self._server.post(deployments(place), body))
        where = f"/apis/apps/v1/namespaces/{place}/replicasets"
        part = json.loads(await self._server.post(where, json.dumps(replica_set(owner)).encode()))
        if image != NO_PRODUCT:  # the status of the others decides nothing
            await self._server.merge(f"{deployments(place)}/{name}/status", {"status": _RUNNING})
        self.members.append(Member(place, name, image, part["metadata"]["uid"]))


def replica_set(owner: Manifest) -> Manifest:
    """The ReplicaSet of a Deployment that the API server has stored."""
    metadata, spec = owner["metadata"], owner["spec"]
    hashed = {"pod-template-hash": "7d9c5b8f6c"}
    labels = {**metadata["labels"], **hashed}
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": metadata["name"],
            "labels": labels,
            "annotations": {"deployment.kubernetes.io/revision": "1"},
            "ownerReferences": [_owner("Deployment", metadata["name"], metadata["uid"])],
        },
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {**spec["selector"]["matchLabels"], **hashed}},
            "template": {
                **spec["template"],
                "metadata": {"labels": {**spec["template"]["metadata"]["labels"], **hashed}},
            },
        },
    }


def pod(member: Member, name: str) -> Manifest:
    """A pod of a workload, on a node, before the kubelet has seen it."""
    template: dict[str, Any] = deployment(member.image, name=member.name)["spec"]["template"]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "labels": {**template["metadata"]["labels"], "pod-template-hash": "7d9c5b8f6c"},
            "ownerReferences": [_owner("ReplicaSet", member.name, member.replica_set)],
        },
        "spec": {**template["spec"], "nodeName": "node-1"},
    }


def running(member: Member, address: str) -> Manifest:
    """The status of a pod that runs."""
    ready = [
        {"type": kind, "status": "True"} for kind in ("Initialized", "ContainersReady", "Ready")
    ]
    container = {
        "name": "api-server",
        "image": member.image,
        "imageID": "",
        "ready": True,
        "started": True,
        "restartCount": 0,
        "state": {"running": {}},
    }
    return {
        "status": {
            "phase": "Running",
            "conditions": ready,
            "containerStatuses": [container],
            "podIP": address,
            "podIPs": [{"ip": address}],
        }
    }


def _owner(kind: str, name: str, uid: str) -> Manifest:
    return {"apiVersion": "apps/v1", "kind": kind, "name": name, "uid": uid, "controller": True}
