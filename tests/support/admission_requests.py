"""Admission requests as the API server sends them, and the mirror that they are answered from."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from fleet_telemetry.admission.review import AdmissionResult, review_workload
from fleet_telemetry.catalogue.catalogue import builtin
from fleet_telemetry.kube import kinds
from fleet_telemetry.kube.cache import ClusterCache
from fleet_telemetry.objects.manifest import dig
from tests.support.builders import NAMESPACE, NOW, Manifest, claimed, touched
from tests.support.json_patch import apply_patch

API = "fleettelemetry.io/v1alpha1"


def policy_manifest(name: str = "opt-out", *, cluster: bool = False, **spec: Any) -> Manifest:
    """A policy as the API server shows it."""
    return {
        "apiVersion": API,
        "kind": "ClusterTelemetryPolicy" if cluster else "TelemetryPolicy",
        "metadata": {
            "name": name,
            **({} if cluster else {"namespace": NAMESPACE}),
            "uid": f"uid-of-{name}",
            "generation": 1,
            "creationTimestamp": "2026-11-10T08:00:00Z",
        },
        "spec": {"submission": "Disabled", **spec},
    }


def cache_with(*manifests: Manifest, labels: Mapping[str, str] | None = None) -> ClusterCache:
    """A mirror that has seen these policies and records."""
    cache = ClusterCache(builtin())
    cache.upsert(kinds.NAMESPACE, {"metadata": {"name": NAMESPACE, "labels": dict(labels or {})}})
    own = (kinds.POLICY, kinds.CLUSTER_POLICY, kinds.WORKLOAD_TELEMETRY, kinds.PRODUCT)
    for shown in manifests:
        cache.upsert(next(kind for kind in own if kind.kind == shown["kind"]), shown)
    cache.synced.set()
    return cache


def creation(given: Manifest, **more: Any) -> Manifest:
    """A request to create; the author claims what they wrote."""
    shown = copy.deepcopy(claimed(given) if "managedFields" not in given["metadata"] else given)
    for key in ("uid", "creationTimestamp", "generation"):
        shown["metadata"].pop(key, None)
    return _request("CREATE", shown, None, **more)


def update(old: Manifest, new: Manifest, **more: Any) -> Manifest:
    """A request to update."""
    return _request("UPDATE", copy.deepcopy(new), copy.deepcopy(old), **more)


def rolled(given: Manifest, **more: Any) -> Manifest:
    """A request that changes the pod template, and nothing that concerns the operator."""
    return update(given, touched(given), **more)


def _request(operation: str, shown: Manifest, old: Manifest | None, **more: Any) -> Manifest:
    kind = {"group": "apps", "version": "v1", "kind": shown["kind"]}
    return {
        "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
        "kind": kind,
        "resource": {"group": "apps", "version": "v1", "resource": shown["kind"].lower() + "s"},
        "requestKind": kind,
        "name": shown["metadata"]["name"],
        "namespace": NAMESPACE,
        "operation": operation,
        "userInfo": {"username": "admin", "groups": ["system:authenticated"]},
        "object": shown,
        "oldObject": old,
        "dryRun": False,
        "options": {"kind": "CreateOptions", "fieldManager": "kubectl"},
        **more,
    }


def answer(request: Manifest, *manifests: Manifest, **more: Any) -> AdmissionResult:
    """What the webhook answers under these policies."""
    return review_workload(request, cache_with(*manifests, **more), NOW)


def admitted(request: Manifest, *manifests: Manifest, **more: Any) -> Manifest:
    """The object of the request as it comes out of admission."""
    changed: Manifest = apply_patch(
        dig(request, "object"), list(answer(request, *manifests, **more).patch)
    )
    return changed
