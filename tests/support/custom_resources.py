"""CRDs with no more than the operator reads, and a product of the tests' own that has one."""

from __future__ import annotations

import json
from typing import Any

from dev.cluster import Cluster

Manifest = dict[str, Any]

GROUP = "acme.example.com"
NOT_WRITABLE, NOT_READABLE = "read-only", "secret"
"""Things that the value gives the operator no right to write, or none at all."""
CUSTOM_RESOURCES: Manifest = {
    "write": ["longhorn"],
    "additional": [
        {
            "group": GROUP,
            "resource": "things",
            "names": [NOT_WRITABLE],
            "path": "spec.telemetry.enabled",
        },
        {
            "group": GROUP,
            "resource": "things",
            "names": ["writable"],
            "path": "spec.telemetry.enabled",
            "write": True,
        },
    ],
}
"""The chart's value in the tests."""

ANYTHING: Manifest = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


def crd(
    group: str,
    plural: str,
    kind: str,
    version: str,
    *,
    namespaced: bool = True,
    schema: Manifest = ANYTHING,
) -> Manifest:
    """A CRD, by default one whose objects may hold anything."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced" if namespaced else "Cluster",
            "names": {"kind": kind, "plural": plural},
            "versions": [
                {
                    "name": version,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "schema": {"openAPIV3Schema": schema},
                }
            ],
        },
    }


def longhorn_crd() -> Manifest:
    """That of Longhorn's settings, as far as telemetry needs it: the value is required."""
    schema = {
        "type": "object",
        "required": ["value"],
        "properties": {"value": {"type": "string"}, "status": ANYTHING},
    }
    return crd("longhorn.io", "settings", "Setting", "v1beta2", schema=schema)


def define(cluster: Cluster, definition: Manifest) -> None:
    """Create a CRD, and return once the API server serves it."""
    cluster.kubectl("apply", "-f", "-", input=json.dumps(definition))
    name = definition["metadata"]["name"]
    cluster.kubectl("wait", "--for=condition=Established", f"crd/{name}", "--timeout=30s")


def setting(name: str, value: str) -> Manifest:
    """A setting of Longhorn."""
    return {
        "apiVersion": "longhorn.io/v1beta2",
        "kind": "Setting",
        "metadata": {"name": name},
        "value": value,
    }


def thing_product(name: str, pattern: str, thing: str) -> Manifest:
    """A TelemetryProduct that reads a field of a cluster-scoped resource."""
    resource = {
        "group": GROUP,
        "version": "v1",
        "plural": "things",
        "kind": "Thing",
        "name": thing,
        "scope": "Cluster",
        "path": "spec.telemetry.enabled",
        "type": "Boolean",
        "disabled": "false",
        "enabled": "true",
    }
    rule = {"default": "On", "switches": [{"semantics": "Runtime", "resource": resource}]}
    return {
        "apiVersion": "fleettelemetry.io/v1alpha1",
        "kind": "TelemetryProduct",
        "metadata": {"name": name},
        "spec": {
            "title": "Acme",
            "images": [{"pattern": pattern}],
            "versions": {"lines": [{"lowest": "1.0.0", "verified": "2.0.0"}]},
            "channels": [{"name": "Usage", "rules": [rule]}],
        },
    }
