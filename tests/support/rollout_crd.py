"""A CRD for Argo's Rollouts, with no more than the operator reads. The vendor's own is not here."""

from __future__ import annotations

from typing import Any

from dev.cluster import Cluster
from tests.support.custom_resources import ANYTHING, crd, define

Schema = dict[str, Any]


def _anything(**properties: Schema) -> Schema:
    return {**ANYTHING, "properties": properties}


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


def define_rollouts(cluster: Cluster) -> None:
    """Create the CRD, and return once the API server serves it."""
    schema = {
        "type": "object",
        "properties": {
            "spec": _anything(template=_TEMPLATE),
            "status": _anything(observedGeneration={"type": "string"}),
        },
    }
    define(cluster, crd("argoproj.io", "rollouts", "Rollout", "v1alpha1", schema=schema))
