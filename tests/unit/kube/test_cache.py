"""What the cache keeps of watch events, and which changes it reports."""

from __future__ import annotations

from typing import Any

import pytest

from fleet_telemetry.api.policy import PolicyKind
from fleet_telemetry.catalogue.catalogue import builtin
from fleet_telemetry.kube import kinds
from fleet_telemetry.kube.cache import ClusterCache
from fleet_telemetry.kube.entries import PolicyKey
from fleet_telemetry.workloads.reading import read_workload
from fleet_telemetry.workloads.registry import WorkloadKind
from fleet_telemetry.workloads.workload import WorkloadRef
from tests.support.builders import SONARQUBE, Manifest, container, controller_of, manifest
from tests.support.listing import replaced

IT = WorkloadRef("appsec", WorkloadKind.DEPLOYMENT, "it")
HOST = "telemetry.sonarsource.com"


class Recorder:
    """Records the calls."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Any]] = []

    def workload_changed(self, ref: WorkloadRef) -> None:
        self.calls.append(("workload", ref))

    def policy_changed(self, key: PolicyKey) -> None:
        self.calls.append(("policy", key))

    def policy_status_changed(self, key: PolicyKey) -> None:
        self.calls.append(("status", key))

    def namespace_changed(self, name: str) -> None:
        self.calls.append(("namespace", name))

    def network_changed(self, namespace: str) -> None:
        self.calls.append(("network", namespace))

    def product_changed(self, name: str) -> None:
        self.calls.append(("product", name))

    def take(self) -> list[tuple[str, Any]]:
        """The calls since the last time."""
        calls, self.calls = self.calls, []
        return calls


@pytest.fixture
def listener() -> Recorder:
    return Recorder()


@pytest.fixture
def cache(listener: Recorder) -> ClusterCache:
    cache = ClusterCache(builtin())
    cache.add_listener(listener)
    return cache


def replica_set() -> Manifest:
    owner = controller_of(manifest(container(SONARQUBE)))
    return manifest(container(SONARQUBE), kind="ReplicaSet", name="it-abc", owner=owner)


def create_deployment(cache: ClusterCache) -> None:
    cache.upsert(kinds.WORKLOAD_BY_KIND["Deployment"], manifest(container(SONARQUBE)))
    cache.upsert(kinds.WORKLOAD_BY_KIND["ReplicaSet"], replica_set())


def pod(**labels: str) -> Manifest:
    owner = controller_of(replica_set())
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


def test_a_label_of_a_running_pod_changes(cache: ClusterCache, listener: Recorder) -> None:
    # Another NetworkPolicy may select it from now on.
    create_deployment(cache)
    cache.upsert(kinds.POD, pod())
    listener.take()

    cache.upsert(kinds.POD, pod(tier="web"))

    assert listener.take() == [("workload", IT)]
    (found,) = cache.fleet.pods_of(IT)
    assert found.template.labels["tier"] == "web"


def test_an_unchanged_pod_is_not_reported(cache: ClusterCache, listener: Recorder) -> None:
    cache.upsert(kinds.POD, pod())
    listener.take()

    cache.upsert(kinds.POD, pod())

    assert listener.take() == []


def policy(generation: int = 1, *, status: Manifest | None = None, **spec: Any) -> Manifest:
    return {
        "metadata": {"name": "all", "generation": generation, "uid": "2"},
        "spec": spec,
        "status": status or {},
    }


KEY = (PolicyKind.CLUSTER, "", "all")


def test_a_change_of_a_policys_status_alone_is_reported_as_such(
    cache: ClusterCache, listener: Recorder
) -> None:
    # The operator writes it often; otherwise each write would reconcile every workload again.
    cache.upsert(kinds.CLUSTER_POLICY, policy())
    assert listener.take() == [("policy", KEY)]

    cache.upsert(kinds.CLUSTER_POLICY, policy(status={"observedGeneration": 1}))
    assert listener.take() == [("status", KEY)]
    assert cache.policies[KEY].status.observed_generation == 1

    cache.upsert(kinds.CLUSTER_POLICY, policy(2, status={"observedGeneration": 1}, egress={}))
    assert listener.take() == [("policy", KEY)]


def test_a_policy_with_another_uid_is_another_policy(
    cache: ClusterCache, listener: Recorder
) -> None:
    # Objects owned by the first one are deleted with it.
    cache.upsert(kinds.CLUSTER_POLICY, policy())
    listener.take()
    again = policy()
    again["metadata"]["uid"] = "3"

    cache.upsert(kinds.CLUSTER_POLICY, again)

    assert listener.take() == [("policy", KEY)]


def test_the_valid_parts_of_a_malformed_host_are_kept(cache: ClusterCache) -> None:
    # It was edited, or written by another version. Without its addresses the denylist has gaps.
    good = {"ip": "54.230.1.1", "seenAt": "2026-11-20T08:00:00Z"}
    status = {"asOf": "2026-11-20T08:00:00Z", "addresses": [good, {"ip": 5}], "families": "none"}

    cache.upsert(kinds.HOST, {"metadata": {"name": HOST}, "status": status})

    assert [one.ip for one in cache.hosts[HOST].addresses] == ["54.230.1.1"]


def test_a_workload_is_cached(cache: ClusterCache, listener: Recorder) -> None:
    cache.upsert(kinds.WORKLOAD_BY_KIND["Deployment"], manifest(container(SONARQUBE)))

    assert listener.take() == [("workload", IT)]
    assert cache.fleet.workloads[IT].template.labels == {"app": "it"}


def product(
    generation: int = 1, *, status: Manifest | None = None, image: str = "in-house"
) -> Manifest:
    return {
        "metadata": {"name": "in-house", "generation": generation},
        "spec": {
            "title": "In-house",
            "images": [{"pattern": f"acme/{image}"}],
            "channels": [{"name": "ErrorReport", "rules": [{"default": "Off"}]}],
        },
        "status": status or {},
    }


def test_the_status_of_a_product_does_not_change_the_catalogue(
    cache: ClusterCache, listener: Recorder
) -> None:
    cache.upsert(kinds.PRODUCT, product())
    assert listener.take() == [("product", "in-house")]
    assert cache.catalogue_changed.is_set()
    cache.catalogue_changed.clear()

    cache.upsert(kinds.PRODUCT, product(status={"observedGeneration": 1}))
    assert listener.take() == []
    assert not cache.catalogue_changed.is_set()
    assert cache.products["in-house"].status.observed_generation == 1

    cache.upsert(kinds.PRODUCT, product(2))
    cache.delete(kinds.PRODUCT, product(2))
    assert listener.take() == [("product", "in-house")] * 2
    assert cache.catalogue_changed.is_set()


def test_a_product_that_was_created_again_changes_the_catalogue(cache: ClusterCache) -> None:
    # Its generation is 1 again, and the watch may have missed the deletion.
    cache.upsert(kinds.PRODUCT, product())
    cache.catalogue_changed.clear()

    cache.upsert(kinds.PRODUCT, product(image="other"))

    assert cache.catalogue_changed.is_set()
    assert cache.catalogue.match_image("acme/other:1", "it")
    assert not cache.catalogue.match_image("acme/in-house:1", "it")


def test_a_product_with_a_taken_image_is_not_in_the_catalogue(cache: ClusterCache) -> None:
    older, newer = product(), product()
    older["metadata"] |= {"creationTimestamp": "2026-11-01T00:00:00Z"}
    newer["metadata"] |= {"name": "a-newer", "creationTimestamp": "2026-11-02T00:00:00Z"}
    cache.upsert(kinds.PRODUCT, newer)
    assert cache.rejected_products == {}

    cache.upsert(kinds.PRODUCT, older)
    assert list(cache.rejected_products) == ["a-newer"]
    found = cache.catalogue.match_image("acme/in-house:1", "it")
    assert found
    assert found.product.name == "in-house"

    cache.delete(kinds.PRODUCT, older)
    assert cache.rejected_products == {}
    assert "a-newer" in cache.catalogue.products


def test_a_product_that_was_stored_past_admission_is_not_obeyed(cache: ClusterCache) -> None:
    stored = product()
    env = {"name": "LD_PRELOAD", "disabled": "/tmp/x.so"}
    rules = [{"default": "On", "switches": [{"semantics": "Start", "env": env}]}]
    stored["spec"]["channels"] = [{"name": "Usage", "rules": rules}]
    cache.upsert(kinds.PRODUCT, stored)

    assert "LD_PRELOAD may not be a switch" in cache.products["in-house"].problem
    assert not cache.catalogue.match_image("acme/in-house:1", "it")


def test_a_full_list_removes_workloads_and_pods_of_its_kind_only(
    cache: ClusterCache, listener: Recorder
) -> None:
    deployment = kinds.WORKLOAD_BY_KIND["Deployment"]
    create_deployment(cache)
    cache.upsert(kinds.POD, pod())
    listener.take()

    with replaced(cache.store(kinds.WORKLOAD_BY_KIND["StatefulSet"])):
        pass
    assert listener.take() == []

    with replaced(cache.store(kinds.POD)):
        pass
    assert listener.take() == [("workload", IT)]
    assert cache.fleet.pods_of(IT) == ()

    with replaced(cache.store(deployment)):
        pass
    assert listener.take() == [("workload", IT)]
    assert IT not in cache.fleet.workloads


# What is recorded of a workload


def record(*owners: Manifest, name: str = "deployment-it") -> Manifest:
    injected = [{"container": "app", "name": "A", "value": "1"}]
    status = {"injected": injected, "workload": {"kind": "Deployment", "name": "it"}}
    metadata = {"name": name, "namespace": "appsec", "uid": "1", "ownerReferences": list(owners)}
    return {"metadata": metadata, "status": status}


def test_a_record_speaks_of_the_object_with_the_uid_that_it_names(
    cache: ClusterCache, listener: Recorder
) -> None:
    create_deployment(cache)
    own = controller_of(manifest())
    cache.upsert(kinds.WORKLOAD_TELEMETRY, record(own))
    assert cache.status_by_name(IT) is not None
    assert cache.injected_into(cache.fleet.workloads[IT]) != ()

    for others in (
        [{**own, "uid": "earlier"}],
        # Orphaned: kubectl delete --cascade=orphan.
        [],
        [{**own, "apiVersion": "apps.example.org/v1"}],
        [{**own, "name": "other"}],
        [{**own, "kind": "StatefulSet"}],
    ):
        cache.upsert(kinds.WORKLOAD_TELEMETRY, record(own))
        listener.take()
        cache.upsert(kinds.WORKLOAD_TELEMETRY, record(*others))
        assert cache.status_by_name(IT) is None
        assert cache.injected_into(cache.fleet.workloads[IT]) == ()
        # It is reconciled: written anew, or deleted where the workload is gone.
        assert ("workload", IT) in listener.take()
        assert cache.telemetry_of(IT) is not None


def test_a_record_of_two_owners_speaks_of_the_one_that_its_name_is_of(cache: ClusterCache) -> None:
    create_deployment(cache)
    own = controller_of(manifest())
    other = {**own, "name": "other", "uid": "2"}
    for owners in ([own, other], [other, own]):
        cache.upsert(kinds.WORKLOAD_TELEMETRY, record(*owners))
        assert cache.status_by_name(IT) is not None


def test_a_record_under_a_name_that_the_operator_does_not_give_is_of_nobody(
    cache: ClusterCache, listener: Recorder
) -> None:
    cache.upsert(kinds.WORKLOAD_TELEMETRY, record(controller_of(manifest()), name="mine"))
    assert listener.take() == []
    assert cache.telemetry_of(IT) is None


def test_a_workload_without_a_uid_has_no_record(cache: ClusterCache) -> None:
    # As in a request to create; an orphaned record names no uid either.
    cache.upsert(kinds.WORKLOAD_TELEMETRY, record())
    fresh = manifest(container(SONARQUBE))
    del fresh["metadata"]["uid"]
    found = read_workload(fresh)
    assert found is not None
    assert cache.status_of(found) is None


def test_a_workload_with_a_record_is_kept_when_its_product_is_no_longer_known(
    cache: ClusterCache,
) -> None:
    deployment = kinds.WORKLOAD_BY_KIND["Deployment"]
    cache.upsert(kinds.PRODUCT, product())
    given = manifest(container("acme/in-house:1", env={"A": "b"}))
    cache.upsert(deployment, given)
    owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "it", "uid": "uid-of-it"}
    record = {
        "metadata": {"name": "deployment-it", "namespace": "appsec", "ownerReferences": [owner]},
        "status": {"injected": [{"container": "app", "name": "A", "value": "b"}]},
    }
    cache.upsert(kinds.WORKLOAD_TELEMETRY, record)
    cache.delete(kinds.PRODUCT, product())

    with replaced(cache.store(deployment)) as listing:
        listing.upsert(given)
    assert IT in cache.fleet.workloads
    # Another object of the same name has no record.
    again = manifest(container("acme/in-house:1"))
    again["metadata"]["uid"] = "another"
    cache.upsert(deployment, again)
    assert IT not in cache.fleet.workloads

    cache.upsert(deployment, given)
    cache.upsert(kinds.WORKLOAD_TELEMETRY, {**record, "status": {}})
    with replaced(cache.store(deployment)) as listing:
        listing.upsert(given)
    assert IT not in cache.fleet.workloads
