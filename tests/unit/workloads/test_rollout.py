"""Argo's Rollouts: what differs from a Deployment."""

from __future__ import annotations

import pytest

from fleet_telemetry.kube import kinds
from fleet_telemetry.workloads.reading import read_workload
from tests.support.vendor_manifests import AT_REST, Manifest, owner, workload

ARGO = "argoproj.io/v1alpha1"


def test_a_cluster_may_not_serve_rollouts() -> None:
    assert kinds.WORKLOAD_BY_KIND["Rollout"] in kinds.OPTIONAL
    assert kinds.WORKLOAD_BY_KIND["Deployment"] not in kinds.OPTIONAL


def test_a_template_in_another_object_is_no_template() -> None:
    reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    assert read_workload(workload("Rollout", workloadRef=reference)) is None


def test_a_replica_set_of_a_rollout_is_a_part_of_it() -> None:
    manifest = workload("ReplicaSet")
    manifest["metadata"]["ownerReferences"] = [owner("Rollout", "web", api_version=ARGO)]
    assert read_workload(manifest) is None


@pytest.mark.parametrize(
    ("label", "is_orphan"),
    [("rollouts-pod-template-hash", True), ("pod-template-hash", True), ("other", False)],
)
def test_a_replica_set_keeps_the_label_of_a_part_when_it_is_orphaned(
    label: str, is_orphan: bool
) -> None:
    manifest = workload("ReplicaSet")
    manifest["metadata"]["labels"] = {label: "5d4f8c7b9"}
    found = read_workload(manifest)
    assert found is not None
    assert found.is_orphan is found.is_adoptable is found.is_injected_by_pod is is_orphan
    manifest["metadata"]["ownerReferences"] = [owner("EMQX", "web")]
    found = read_workload(manifest)
    assert found is not None
    assert not found.is_orphan


@pytest.mark.parametrize(
    ("spec", "restarts_no_pod"),
    [({}, False), ({"replicas": 0}, True), ({"paused": True}, False)],
)
def test_a_paused_rollout_can_still_replace_pods(spec: Manifest, restarts_no_pod: bool) -> None:
    found = read_workload(workload("Rollout", **spec))
    assert found is not None
    assert found.restarts_no_pod is restarts_no_pod


@pytest.mark.parametrize(
    ("generation", "revision", "first"),
    [(1, None, True), (5, "1", True), (5, "2", False), (5, None, False), (None, None, False)],
)
def test_the_revision_counts_templates(
    generation: int | None, revision: str | None, first: bool
) -> None:
    manifest = workload("Rollout")
    manifest["metadata"]["generation"] = generation
    if revision:
        manifest["metadata"]["annotations"] = {"rollout.argoproj.io/revision": revision}
    found = read_workload(manifest)
    assert found is not None
    assert found.first_template is first


@pytest.mark.parametrize(
    ("status", "rolling_out"),
    [
        ({}, False),
        ({"observedGeneration": "2"}, True),
        ({"observedGeneration": 3}, True),
        ({"observedGeneration": None}, True),
        ({"updatedReplicas": 1}, True),
        ({"availableReplicas": 1}, True),
    ],
)
def test_a_rollout_goes_on_until_every_replica_is_new(status: Manifest, rolling_out: bool) -> None:
    manifest = workload("Rollout")
    manifest["status"] = AT_REST["Rollout"] | status
    found = read_workload(manifest)
    assert found is not None
    assert found.rolling_out is rolling_out
