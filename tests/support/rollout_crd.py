"""A CRD for Argo's Rollouts, with no more than the operator reads. The vendor's own is not here."""

from __future__ import annotations

import json
from typing import Any

from dev.cluster import Cluster

Schema = dict[str, Any]


def _anything(**properties: Schema) -> Schema:
    return {
        "type": "object",
        "x-kubernetes-preserve-unknown-fields": True,
        "properties": properties,
    }


def _by_name(**properties: Schema) -> Schema:
    """A list that is a map by name, as in the vendor's CRD, so that its entries have owners."""
    items = {**_anything(name={"type": "string"}, **properties), "required": ["name"]}
    return {
        "type": "array",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["name"],
        "items": items,
    }


_TEMPLATE = _anything(spec=_anything(containers=_by_name(env=_by_name())))
ROLLOUT_CRD: Schema = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "rollouts.argoproj.io"},
    "spec": {
        "group": "argoproj.io",
        "scope": "Namespaced",
        "names": {"kind": "Rollout", "listKind": "RolloutList", "plural": "rollouts"},
        "versions": [
            {
                "name": "v1alpha1",
                "served": True,
                "storage": True,
                "subresources": {"status": {}},
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "spec": _anything(template=_TEMPLATE),
                            "status": _anything(observedGeneration={"type": "string"}),
                        },
                    }
                },
            }
        ],
    },
}


def define_rollouts(cluster: Cluster) -> None:
    """Create the CRD, and return once the API server serves it."""
    cluster.kubectl("apply", "-f", "-", input=json.dumps(ROLLOUT_CRD))
    cluster.kubectl(
        "wait", "--for=condition=Established", "crd/rollouts.argoproj.io", "--timeout=30s"
    )
