"""RayClusters, and the pods that KubeRay makes of them."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

from dev.cluster import Cluster
from tests.support.builders import LONG_AGO, NAMESPACE, container, controller_of
from tests.support.config_maps import stamp
from tests.support.custom_resources import crd, define

Manifest = dict[str, Any]
RAY = "rayproject/ray:2.41.0"
LINE = "ulimit -n 65536; ray start --head --dashboard-host=0.0.0.0 --block"


def group(name: str, image: str, env: dict[str, Any] | None = None, **spec: Any) -> Manifest:
    """A group of workers."""
    containers = [container(image, name="ray-worker", env=env)]
    return {
        "groupName": name,
        "replicas": 1,
        "minReplicas": 1,
        "maxReplicas": 1,
        "rayStartParams": {},
        "template": {"spec": {"containers": containers, **spec}},
    }


def ray_cluster(
    name: str = "ray",
    *,
    namespace: str = NAMESPACE,
    image: str = RAY,
    env: dict[str, Any] | None = None,
    workers: Iterable[Manifest] = (),
    **spec: Any,
) -> Manifest:
    """A RayCluster as it stands in the cluster."""
    head = {"spec": {"containers": [container(image, name="ray-head", env=env)]}}
    return {
        "apiVersion": "ray.io/v1",
        "kind": "RayCluster",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": f"uid-of-{name}",
            "generation": 1,
            "creationTimestamp": stamp(LONG_AGO),
        },
        "spec": {
            "headGroupSpec": {"rayStartParams": {}, "template": head},
            "workerGroupSpecs": list(workers),
            **spec,
        },
    }


def pod_of_ray(of: Manifest, name: str = "ray-head", *, worker: int | None = None) -> Manifest:
    """A pod as KubeRay makes it: Ray's container runs a shell line."""
    spec = of["spec"]
    given = spec["headGroupSpec"] if worker is None else spec["workerGroupSpecs"][worker]
    template = copy.deepcopy(given["template"])
    ray = template["spec"]["containers"][0]
    ray.setdefault("command", ["/bin/bash", "-lc", "--"])
    ray.setdefault("args", [LINE])
    metadata = of["metadata"]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": metadata["namespace"],
            "uid": f"uid-of-{name}",
            "labels": {"ray.io/cluster": metadata["name"], "app": metadata["name"]},
            "ownerReferences": [controller_of(of)],
        },
        "spec": template["spec"],
        "status": {"phase": "Running"},
    }


def define_ray_clusters(cluster: Cluster) -> None:
    """Create a CRD with no more than the operator needs. The vendor's own is not here."""
    define(cluster, crd("ray.io", "rayclusters", "RayCluster", "v1"))
