"""CRDs with no more than the operator reads, and a product of the tests' own that has one."""

from __future__ import annotations

from typing import Any

Manifest = dict[str, Any]

GROUP = "acme.example.com"
CUSTOM_RESOURCES: Manifest = {
    "write": ["longhorn"],
    "additional": [
        {
            "group": GROUP,
            "resource": "things",
            "names": ["read-only"],
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


def crd(group: str, plural: str, kind: str, version: str, *, namespaced: bool) -> Manifest:
    """A CRD whose objects may hold anything."""
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
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
                    "schema": {"openAPIV3Schema": anything},
                }
            ],
        },
    }


def longhorn_crd() -> Manifest:
    """That of Longhorn's settings, as far as telemetry needs it: the value is required."""
    found = crd("longhorn.io", "settings", "Setting", "v1beta2", namespaced=True)
    found["spec"]["versions"][0]["schema"]["openAPIV3Schema"] = {
        "type": "object",
        "required": ["value"],
        "properties": {
            "value": {"type": "string"},
            "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        },
    }
    return found


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
