"""All workloads are counted, with and without a product, and nothing else is."""

from __future__ import annotations

import copy
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_telemetry.catalogue.catalogue import builtin
from fleet_telemetry.kube import kinds
from fleet_telemetry.kube.cache import ClusterCache
from fleet_telemetry.kube.seen_workloads import SeenInNamespace
from fleet_telemetry.workloads.registry import WorkloadKind
from tests.support.builders import NGINX, SONARQUBE, Manifest, container, controller_of, manifest
from tests.support.depth import examples
from tests.support.listing import replaced

DEPLOYMENT = kinds.WORKLOAD_BY_KIND[WorkloadKind.DEPLOYMENT]


def cache_of(*given: Manifest) -> ClusterCache:
    cache = ClusterCache(builtin())
    for one in given:
        cache.upsert(kinds.WORKLOAD_BY_KIND[WorkloadKind(one["kind"])], one)
    return cache


def seen(cache: ClusterCache) -> dict[str, tuple[int, int]]:
    return {one.namespace: (one.known, one.others) for one in cache.seen_workloads()}


def it(name: str = "it", image: str = NGINX, namespace: str = "a", **more: Any) -> Manifest:
    return manifest(container(image), name=name, namespace=namespace, **more)


def test_they_are_counted_by_namespace_whatever_their_kind() -> None:
    cache = cache_of(
        it("a"),
        it("a", kind="StatefulSet"),
        it("b", SONARQUBE),
        it("c", SONARQUBE, kind="CronJob"),
        it("d", SONARQUBE, namespace="b"),
        it("e", kind="Job", namespace="c"),
    )
    assert seen(cache) == {"a": (2, 2), "b": (1, 0), "c": (0, 1)}


@pytest.mark.parametrize("image", [NGINX, SONARQUBE])
def test_parts_of_workloads_are_not(image: str) -> None:
    whole = it("web", image)
    part = it("web-1", image, kind="ReplicaSet", owner=controller_of(whole))
    cron_job = it("daily", image, kind="CronJob")
    job = it("daily-1", image, kind="Job", owner=controller_of(cron_job))
    rollout = it("rolled", image, kind="Rollout")
    rollout["spec"]["workloadRef"] = {"kind": "Deployment", "name": "web"}
    cache = cache_of(whole, part, cron_job, job, rollout)
    assert sum(seen(cache)["a"]) == 2
    # One that nobody controls any more is a workload.
    cache.upsert(
        kinds.WORKLOAD_BY_KIND[WorkloadKind.REPLICA_SET], it("web-1", image, kind="ReplicaSet")
    )
    assert sum(seen(cache)["a"]) == 3


def test_one_that_another_operator_controls_is() -> None:
    owner = {"apiVersion": "example.com/v1", "kind": "Broker", "name": "b", "uid": "1"}
    assert seen(cache_of(it(owner={**owner, "controller": True}))) == {"a": (0, 1)}


def test_a_changed_image_changes_the_count() -> None:
    cache = cache_of(it())
    cache.upsert(DEPLOYMENT, it(image=SONARQUBE))
    assert seen(cache) == {"a": (1, 0)}
    cache.upsert(DEPLOYMENT, it())
    assert seen(cache) == {"a": (0, 1)}


def test_the_late_deletion_of_a_predecessor_takes_nothing_away() -> None:
    before, after = it(), it()
    after["metadata"]["uid"] = "another"
    cache = cache_of(before, after)
    cache.delete(DEPLOYMENT, before)
    assert seen(cache) == {"a": (0, 1)}
    cache.delete(DEPLOYMENT, after)
    assert seen(cache) == {}


def test_what_a_full_list_does_not_have_is_gone() -> None:
    cache = cache_of(it("gone"), it("gone-too", namespace="b"), it("stays", SONARQUBE))
    created = it("created-meanwhile")
    with replaced(cache.store(DEPLOYMENT)) as listing:
        listing.upsert(it("stays", SONARQUBE))
        listing.upsert(it("new"))
        cache.upsert(DEPLOYMENT, created)
    assert seen(cache) == {"a": (1, 2)}


def test_an_incomplete_list_takes_nothing_away() -> None:
    cache = cache_of(it("a"), it("b"))

    def listed() -> None:
        with replaced(cache.store(DEPLOYMENT)) as listing:
            listing.upsert(it("a"))
            raise ConnectionError

    with pytest.raises(ConnectionError):
        listed()
    assert seen(cache) == {"a": (0, 2)}


NAMES = st.tuples(st.sampled_from("ab"), st.sampled_from("xyz"))
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("upsert"), NAMES, st.sampled_from([NGINX, SONARQUBE])),
        st.tuples(st.just("delete"), NAMES, st.none()),
        st.tuples(st.just("list"), st.none(), st.none()),
    )
)


@examples(100)
@given(STEPS)
def test_the_count_is_that_of_a_plain_mapping(steps: list[tuple[str, Any, Any]]) -> None:
    cache, expected = cache_of(), {}
    for step, key, image in steps:
        if step == "upsert":
            expected[key] = it(key[1], image, key[0])
            cache.upsert(DEPLOYMENT, copy.deepcopy(expected[key]))
        elif step == "delete":
            cache.delete(DEPLOYMENT, expected.pop(key, None) or it(key[1], NGINX, key[0]))
        else:
            with replaced(cache.store(DEPLOYMENT)) as listing:
                for one in expected.values():
                    listing.upsert(one)
    found: Counter[tuple[str, bool]] = Counter()
    for (namespace, _), one in expected.items():
        image = one["spec"]["template"]["spec"]["containers"][0]["image"]
        found[namespace, image == SONARQUBE] += 1
    assert cache.seen_workloads() == [
        SeenInNamespace(name, found[name, True], found[name, False])
        for name in sorted({namespace for namespace, _ in expected})
    ]
