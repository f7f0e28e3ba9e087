"""What the mirror keeps of events, and whom it tells."""

from __future__ import annotations

from typing import Any

import pytest

from fleet_telemetry.api.policy import PolicyKind
from fleet_telemetry.catalogue.catalogue import builtin
from fleet_telemetry.kube import kinds
from fleet_telemetry.kube.cache import ClusterCache, PolicyKey
from fleet_telemetry.workloads.registry import WorkloadKind
from fleet_telemetry.workloads.workload import WorkloadRef
from tests.support.builders import SONARQUBE, Manifest, container, manifest

IT = WorkloadRef("appsec", WorkloadKind.DEPLOYMENT, "it")
HOST = "telemetry.sonarsource.com"


class Ear:
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, Any]] = []

    def workload_changed(self, ref: WorkloadRef) -> None:
        self.heard.append(("workload", ref))

    def policy_changed(self, key: PolicyKey) -> None:
        self.heard.append(("policy", key))

    def policy_status_changed(self, key: PolicyKey) -> None:
        self.heard.append(("status", key))

    def namespace_changed(self, name: str) -> None:
        self.heard.append(("namespace", name))

    def network_changed(self, namespace: str) -> None:
        self.heard.append(("network", namespace))

    def product_changed(self, name: str) -> None:
        self.heard.append(("product", name))

    def news(self) -> list[tuple[str, Any]]:
        """What was told since it was asked last."""
        heard, self.heard = self.heard, []
        return heard


@pytest.fixture
def ear() -> Ear:
    return Ear()


@pytest.fixture
def cache(ear: Ear) -> ClusterCache:
    cache = ClusterCache(builtin())
    cache.listener = ear
    return cache


def pod(**labels: str) -> Manifest:
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "it-abc", "controller": True}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "it-abc-1",
            "namespace": "appsec",
            "uid": "1",
            "labels": {"app": "it", "pod-template-hash": "abc", **labels},
            "ownerReferences": [owner],
        },
        "spec": {"containers": [container(SONARQUBE)]},
        "status": {"phase": "Running"},
    }


def test_somebody_gives_a_running_pod_another_label(cache: ClusterCache, ear: Ear) -> None:
    # By which another network policy may select it from now on.
    cache.observe(kinds.POD, pod())
    ear.news()

    cache.observe(kinds.POD, pod(tier="web"))

    assert ear.news() == [("workload", IT)]
    (found,) = cache.fleet.pods_of(IT)
    assert found.template.labels["tier"] == "web"


def test_a_pod_of_which_nothing_changed_is_no_news(cache: ClusterCache, ear: Ear) -> None:
    cache.observe(kinds.POD, pod())
    ear.news()

    cache.observe(kinds.POD, pod())

    assert ear.news() == []


def policy(generation: int = 1, *, status: Manifest | None = None, **spec: Any) -> Manifest:
    return {
        "metadata": {"name": "all", "generation": generation, "uid": "2"},
        "spec": spec,
        "status": status or {},
    }


KEY = (PolicyKind.CLUSTER, "", "all")


def test_a_policys_status_concerns_nobody_else(cache: ClusterCache, ear: Ear) -> None:
    # Ours is written often while a fleet is looked at, and each workload would be looked at again.
    cache.observe(kinds.CLUSTER_POLICY, policy())
    assert ear.news() == [("policy", KEY)]

    cache.observe(kinds.CLUSTER_POLICY, policy(status={"observedGeneration": 1}))
    assert ear.news() == [("status", KEY)]
    assert cache.policies[KEY].status.observed_generation == 1

    cache.observe(kinds.CLUSTER_POLICY, policy(2, status={"observedGeneration": 1}, egress={}))
    assert ear.news() == [("policy", KEY)]


def test_a_policy_of_the_same_name_is_another_one(cache: ClusterCache, ear: Ear) -> None:
    # What is owned by the first one goes with it.
    cache.observe(kinds.CLUSTER_POLICY, policy())
    ear.news()
    again = policy()
    again["metadata"]["uid"] = "3"

    cache.observe(kinds.CLUSTER_POLICY, again)

    assert ear.news() == [("policy", KEY)]


def test_of_a_spoilt_host_the_rest_is_kept(cache: ClusterCache) -> None:
    # Somebody edited it, or it is another version's. A denylist that is lost leaks.
    good = {"ip": "54.230.1.1", "seenAt": "2026-11-20T08:00:00Z"}
    status = {"asOf": "2026-11-20T08:00:00Z", "addresses": [good, {"ip": 5}], "families": "none"}

    cache.observe(kinds.HOST, {"metadata": {"name": HOST}, "status": status})

    assert [one.ip for one in cache.hosts[HOST].addresses] == ["54.230.1.1"]


def test_a_workload_is_seen_as_it_is(cache: ClusterCache, ear: Ear) -> None:
    cache.observe(kinds.WORKLOAD_BY_KIND["Deployment"], manifest(container(SONARQUBE)))

    assert ear.news() == [("workload", IT)]
    assert cache.fleet.workloads[IT].template.labels == {"app": "it"}
