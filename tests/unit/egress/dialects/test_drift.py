"""What counts as the same, and what a correction says."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from fleet_telemetry.egress.dialects.drift import corrections, same, same_metadata, same_spec
from fleet_telemetry.egress.dialects.registry import DIALECTS
from tests.support.dialect_cases import NETWORK_POLICY, POLICY, deny, rendered, to

BY_DIALECT = pytest.mark.parametrize("dialect", DIALECTS, ids=lambda one: one.name)
ORDER = deny(to("t.example.com", "192.0.2.1/32"), owners=[POLICY])


def stored(manifest: Any) -> Any:
    """As the API server gives it back."""
    live = copy.deepcopy(manifest)
    live["metadata"] |= {"uid": "u", "resourceVersion": "7", "generation": 1, "managedFields": []}
    live["metadata"]["labels"]["argocd.argoproj.io/instance"] = "x"
    live["metadata"]["annotations"]["kubectl.kubernetes.io/note"] = "x"
    live["status"] = {"conditions": []}
    return live


@BY_DIALECT
def test_what_the_server_and_others_add_beside_it_is_no_drift(dialect: Any) -> None:
    manifest = rendered(dialect, ORDER)
    assert same(manifest, stored(manifest))
    assert corrections(manifest, stored(manifest)) == []


@BY_DIALECT
def test_any_change_of_the_specification_is_drift(dialect: Any) -> None:
    manifest = rendered(dialect, ORDER)
    for change in (
        lambda live: live["spec"].update(ingress=[{}]),
        lambda live: live["spec"].pop(next(iter(live["spec"]))),
        lambda live: live.update(specs=[{"egress": [{}]}]),
        lambda live: live.pop("spec"),
    ):
        live = stored(manifest)
        change(live)
        assert not same_spec(manifest, live)
        assert not same(manifest, live)
        assert same_metadata(manifest, live)
        assert corrections(manifest, live)


def test_the_wrong_label_annotation_or_owner_is_drift() -> None:
    manifest = rendered(NETWORK_POLICY, ORDER)
    other = {"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": "y"}
    for change in (
        lambda metadata: metadata["labels"].update({"app.kubernetes.io/managed-by": "Helm"}),
        lambda metadata: metadata.pop("labels"),
        lambda metadata: metadata["annotations"].pop("fleettelemetry.io/workload"),
        lambda metadata: metadata.pop("ownerReferences"),
        lambda metadata: metadata["ownerReferences"].append(other),
        lambda metadata: metadata["ownerReferences"][0].update(uid="another"),
    ):
        live = stored(manifest)
        change(live["metadata"])
        assert not same_metadata(manifest, live)
        assert not same(manifest, live)
        assert same_spec(manifest, live)


def test_who_waits_for_whom_is_not_compared() -> None:
    manifest = rendered(NETWORK_POLICY, ORDER)
    live = stored(manifest)
    live["metadata"]["ownerReferences"][0]["blockOwnerDeletion"] = True
    assert same(manifest, live)


def test_a_correction_takes_away_and_puts_back_after_a_test() -> None:
    manifest = rendered(NETWORK_POLICY, ORDER)
    live = stored(manifest)
    live["a/b~c"] = {}
    live["spec"]["egress"] = []
    live["metadata"].pop("ownerReferences")
    assert corrections(manifest, live) == [
        {"op": "test", "path": "/metadata/resourceVersion", "value": "7"},
        {"op": "remove", "path": "/a~1b~0c"},
        {"op": "add", "path": "/spec", "value": manifest["spec"]},
        {
            "op": "add",
            "path": "/metadata/ownerReferences",
            "value": manifest["metadata"]["ownerReferences"],
        },
    ]
