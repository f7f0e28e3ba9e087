"""Pods that run a product and that nothing manages are counted and listed."""

from __future__ import annotations

from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from fleet_telemetry.catalogue.catalogue import builtin
from fleet_telemetry.kube.workload_store import UNPROVEN_SECONDS, Fleet
from fleet_telemetry.reporting.fleet_metrics import FleetCollector, FleetSource
from fleet_telemetry.reporting.workload_metrics import render_workloads
from tests.support.builders import (
    EMQX,
    NAMESPACE,
    NGINX,
    SONARQUBE,
    Manifest,
    container,
    controller_of,
    manifest,
)
from tests.support.every import every

CLONE_SET = {
    "apiVersion": "apps.kruise.io/v1alpha1",
    "kind": "CloneSet",
    "name": 'a"b\nc',
    "uid": "uid-of-it",
    "controller": True,
}
NODE = {"apiVersion": "v1", "kind": "Node", "name": "n", "uid": "u", "controller": True}


def pod(name: str, *images: str, owner: Manifest | None = None, **more: Any) -> Manifest:
    containers = [container(image, name=f"c{n}") for n, image in enumerate(images)]
    metadata = {"name": name, "namespace": NAMESPACE, "uid": f"uid-of-{name}"}
    if owner:
        metadata["ownerReferences"] = [owner]  # type: ignore[assignment]
    return {
        "kind": "Pod",
        "metadata": metadata,
        "spec": {"containers": containers},
        "status": {"phase": "Running"},
        **more,
    }


class Store:
    def __init__(self, *pods: Manifest) -> None:
        self.fleet = Fleet(lambda _: None)
        for one in pods:
            self.fleet.upsert_pod(one, builtin())

    def counted(self) -> dict[tuple[str, str], float]:
        """By product and controller."""
        registry = CollectorRegistry()
        registry.register(FleetCollector(self.source()))
        return {
            (sample.labels["product"], sample.labels["controller"]): sample.value
            for metric in registry.collect()
            if metric.name == "fleet_telemetry_unmanaged_pods"
            for sample in metric.samples
        }

    def source(self) -> FleetSource:
        return FleetSource(plans=tuple, unmanaged=self.fleet.unmanaged.all)

    def listed(self) -> list[str]:
        text = "".join(render_workloads(self.source()))
        start = "fleet_telemetry_unmanaged_pod_info{"
        return [line for line in text.splitlines() if line.startswith(start)]


def test_bare_pods_and_pods_of_other_controllers_are_counted_and_listed() -> None:
    store = Store(
        pod("bare", SONARQUBE),
        pod("two", SONARQUBE, EMQX),
        pod("cloned", SONARQUBE, owner=CLONE_SET),
        pod("static", EMQX, owner=NODE),
        pod("other", NGINX),
    )
    assert store.counted() == {
        ("sonarqube", "none"): 2,
        ("sonarqube", "other"): 1,
        ("emqx", "none"): 1,
        ("emqx", "other"): 1,
    }
    lines = store.listed()
    assert len(lines) == 5
    assert any(
        'controller_name="a\\"b\\nc",name="cloned",product="sonarqube"' in one for one in lines
    )
    assert sorted(store.fleet.keys("Pod")) == [
        (NAMESPACE, name) for name in ("bare", "cloned", "static", "two")
    ]


@pytest.mark.parametrize(
    "after",
    [
        pod("bare", SONARQUBE, status={"phase": "Succeeded"}),
        pod("bare", NGINX),
        pod("bare", SONARQUBE, owner=controller_of(manifest(container(SONARQUBE)))),
    ],
    ids=["finished", "another image", "adopted"],
)
def test_what_is_no_longer_so_is_not_counted(after: Manifest) -> None:
    store = Store(pod("bare", SONARQUBE), after)
    assert store.counted() == {}
    assert store.listed() == []


def test_a_deleted_pod_is_not_counted() -> None:
    store = Store(pod("bare", SONARQUBE))
    store.fleet.delete_pod((NAMESPACE, "bare"), "another")
    assert store.counted()
    store.fleet.delete_pod((NAMESPACE, "bare"), "uid-of-bare")
    assert store.counted() == {}
    assert list(store.fleet.keys("Pod")) == []


def test_only_the_leader_shows_them() -> None:
    store = Store(pod("bare", SONARQUBE))
    source = FleetSource(plans=tuple, unmanaged=store.fleet.unmanaged.all, visible=lambda: False)
    assert "unmanaged_pod_info{" not in "".join(render_workloads(source))


def test_a_pod_that_is_managed_is_not_counted() -> None:
    owner = manifest(container(SONARQUBE), kind="StatefulSet", name="it")
    store = Store(pod("it-0", SONARQUBE, owner=controller_of(owner)))
    assert store.counted() == {}


def deployment(*images: str, name: str = "web") -> Manifest:
    containers = [container(image, name=f"c{n}") for n, image in enumerate(images)]
    return manifest(*containers, name=name)


def replica_set(of: Manifest) -> Manifest:
    return {
        **of,
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{of['metadata']['name']}-1",
            "namespace": NAMESPACE,
            "uid": "uid-of-part",
            "ownerReferences": [controller_of(of)],
        },
    }


WEB, SONAR = deployment(NGINX), deployment(SONARQUBE, name="sonar")
UNLISTED: dict[str, tuple[tuple[Manifest, ...], Manifest, tuple[str, ...], str]] = {
    "a container that was added to the pod of a workload without a product": (
        (WEB, replica_set(WEB)),
        replica_set(WEB),
        (NGINX, SONARQUBE),
        "sonarqube",
    ),
    "a container that was added to the pod of a workload with another product": (
        (SONAR, replica_set(SONAR)),
        replica_set(SONAR),
        (SONARQUBE, EMQX),
        "emqx",
    ),
    "an owner that makes no pods": ((WEB,), WEB, (SONARQUBE,), "sonarqube"),
    "an owner that does not exist": ((), SONAR, (SONARQUBE,), "sonarqube"),
    "the uid of an earlier object": (
        (SONAR,),
        {**SONAR, "metadata": {**SONAR["metadata"], "uid": "earlier"}},
        (SONARQUBE,),
        "sonarqube",
    ),
}


@every(("workloads", "owner", "images", "product"), UNLISTED.values(), ids=list(UNLISTED))
def test_a_product_that_the_workload_is_not_listed_with_is_counted_and_listed(
    workloads: tuple[Manifest, ...],
    owner: Manifest,
    images: tuple[str, ...],
    product: str,
) -> None:
    store = Store(pod("it", *images, owner=controller_of(owner)))
    for one in workloads:
        store.fleet.upsert_workload(one, builtin())
    store.fleet.settle(1000.0)
    store.fleet.settle(1000.0 + UNPROVEN_SECONDS - 1)
    assert store.counted() == {}  # watches of different kinds are not in order
    store.fleet.settle(1000.0 + UNPROVEN_SECONDS)
    assert store.counted() == {(product, "none"): 0, (product, "other"): 1}
    assert [f'product="{product}"' in line for line in store.listed()] == [True]


def test_a_pod_is_unmanaged_until_its_workload_is_listed_with_the_product() -> None:
    store = Store(pod("it", SONARQUBE, owner=controller_of(SONAR)))
    store.fleet.settle(0.0)
    store.fleet.settle(UNPROVEN_SECONDS)
    assert store.counted()
    store.fleet.upsert_workload(SONAR, builtin())
    store.fleet.settle(UNPROVEN_SECONDS)
    assert store.counted() == {}
    store.fleet.upsert_workload(deployment(NGINX, name="sonar"), builtin())
    store.fleet.settle(UNPROVEN_SECONDS + 1)
    assert store.counted() == {}
    store.fleet.settle(3 * UNPROVEN_SECONDS)
    assert store.counted()
    store.fleet.delete_pod((NAMESPACE, "it"))
    store.fleet.settle(3 * UNPROVEN_SECONDS)
    assert store.counted() == {}
