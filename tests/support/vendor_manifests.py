"""Manifests as the API server gives them, small enough to read."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

Manifest = dict[str, Any]

KINDS = (
    "Deployment",
    "StatefulSet",
    "DaemonSet",
    "ReplicaSet",
    "ReplicationController",
    "Job",
    "CronJob",
    "Rollout",
    "RayCluster",
)
API_VERSIONS = {
    "Job": "batch/v1",
    "CronJob": "batch/v1",
    "ReplicationController": "v1",
    "Rollout": "argoproj.io/v1alpha1",
    "RayCluster": "ray.io/v1",
}

CREATED = "2026-11-20T08:00:00Z"

POD_SPEC: Manifest = {
    "securityContext": {"runAsUser": 1000},
    "initContainers": [
        {
            "name": "chores",
            "image": "sonarqube:25.6.0.109173-community",
            "env": [{"name": "IN_INIT", "value": "1"}],
            "volumeMounts": [{"name": "scratch", "mountPath": "/scratch"}],
        }
    ],
    "containers": [
        {
            "name": "web",
            "image": "registry:5000/web:1.2.3",
            "command": ["/bin/web"],
            "args": ["--quiet", "--port=80"],
            "workingDir": "/srv",
            "env": [
                {"name": "PLAIN", "value": "one"},
                {"name": "EMPTY", "value": ""},
                {"name": "MISSING"},
                {"name": "SECRET", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
            ],
            "envFrom": [{"configMapRef": {"name": "settings"}}],
            "volumeMounts": [
                {"name": "data", "mountPath": "/data"},
                {"name": "scratch", "mountPath": "/scratch"},
            ],
            "ports": [
                {"name": "http", "containerPort": 80, "protocol": "TCP"},
                {"name": "discovery", "containerPort": 80, "protocol": "UDP"},
                {"containerPort": 81},
            ],
        },
        {"name": "sidecar", "image": "sidecar:2", "securityContext": {"runAsUser": 0}},
    ],
    "volumes": [
        {"name": "scratch", "emptyDir": {}},
        {"name": "data", "persistentVolumeClaim": {"claimName": "web-data"}},
        {"name": "config", "configMap": {"name": "settings"}},
    ],
}


def template_path(kind: str) -> tuple[str, ...]:
    """Where Kubernetes keeps the pod template; written down here a second time on purpose."""
    if kind == "CronJob":
        return ("spec", "jobTemplate", "spec", "template")
    if kind == "RayCluster":
        return ("spec", "headGroupSpec", "template")
    return () if kind == "Pod" else ("spec", "template")


def managed_env(kind: str, *entries: tuple[str, str], manager: str = "helm") -> Manifest:
    """An entry of managedFields that owns variables, each a container and a name."""
    containers: Manifest = {}
    for container, variable in entries:
        fields = containers.setdefault(
            f'k:{{"name":"{container}"}}', {".": {}, "f:name": {}, "f:image": {}, "f:env": {}}
        )
        fields["f:env"][f'k:{{"name":"{variable}"}}'] = {".": {}, "f:name": {}, "f:value": {}}
    fields = {"f:containers": containers}
    for key in reversed((*template_path(kind), "spec")):
        fields = {f"f:{key}": fields}
    return {
        "manager": manager,
        "operation": "Update",
        "apiVersion": API_VERSIONS.get(kind, "apps/v1"),
        "fieldsType": "FieldsV1",
        "fieldsV1": fields,
    }


def workload(kind: str = "Deployment", **spec: Any) -> Manifest:
    """A workload that is at rest; ``spec`` is merged into its spec."""
    manifest: Manifest = {
        "apiVersion": API_VERSIONS.get(kind, "apps/v1"),
        "kind": kind,
        "metadata": {
            "name": "web",
            "namespace": "appsec",
            "uid": "11111111-2222-3333-4444-555555555555",
            "generation": 3,
            "creationTimestamp": CREATED,
            "labels": {"app": "web", "tier": "gold"},
            "managedFields": [managed_env(kind, ("web", "PLAIN"))],
        },
        "spec": {},
        "status": deepcopy(AT_REST.get(kind, {})),
    }
    if kind in {"Deployment", "StatefulSet", "ReplicaSet", "Rollout"}:
        manifest["spec"]["replicas"] = 2
    at = manifest
    for key in template_path(kind):
        at = at.setdefault(key, {})
    at["metadata"] = {"labels": {"app": "web"}}
    at["spec"] = deepcopy(POD_SPEC)
    manifest["spec"] |= spec
    return manifest


AT_REST: dict[str, Manifest] = {
    "Deployment": {"observedGeneration": 3, "updatedReplicas": 2, "availableReplicas": 2},
    "StatefulSet": {
        "observedGeneration": 3,
        "readyReplicas": 2,
        "currentRevision": "web-1",
        "updateRevision": "web-1",
    },
    "DaemonSet": {
        "observedGeneration": 3,
        "desiredNumberScheduled": 4,
        "updatedNumberScheduled": 4,
        "numberReady": 4,
    },
    "ReplicaSet": {"observedGeneration": 3, "replicas": 2, "readyReplicas": 2},
    "Job": {"active": 1, "ready": 1},
    "CronJob": {"lastScheduleTime": CREATED},
    "Rollout": {"observedGeneration": "3", "updatedReplicas": 2, "availableReplicas": 2},
}


def pod(**metadata: Any) -> Manifest:
    """A running pod of a Deployment."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "web-5d4f8c7b9-abcde",
            "namespace": "appsec",
            "uid": "66666666-7777-8888-9999-000000000000",
            "labels": {"app": "web", "pod-template-hash": "5d4f8c7b9"},
            "ownerReferences": [owner("ReplicaSet", "web-5d4f8c7b9")],
            **metadata,
        },
        "spec": deepcopy(POD_SPEC),
        "status": {"phase": "Running"},
    }


def owner(kind: str, name: str, *, api_version: str = "", controller: bool = True) -> Manifest:
    """An entry of ownerReferences."""
    return {
        "apiVersion": api_version or API_VERSIONS.get(kind, "apps/v1"),
        "kind": kind,
        "name": name,
        "uid": f"uid-of-{name}",
        "controller": controller,
        "blockOwnerDeletion": True,
    }
