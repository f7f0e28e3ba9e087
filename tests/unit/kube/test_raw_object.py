"""What is decided by a few fields of an object is what the whole manifest decides."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_telemetry.catalogue.catalogue import builtin
from fleet_telemetry.kube import kinds
from fleet_telemetry.kube.cache import ClusterCache
from fleet_telemetry.kube.raw_object import ObjectError, number_of, read_object
from fleet_telemetry.kube.raw_page import read_page
from fleet_telemetry.objects.kind import Kind
from fleet_telemetry.objects.manifest import dig
from fleet_telemetry.workloads.registry import TEMPLATE_PATHS
from tests.support.builders import NGINX, SONARQUBE, Manifest, container, controller_of, manifest
from tests.support.depth import examples
from tests.support.listing import raw
from tests.support.streams import THING

ODD = st.sampled_from([None, 5, "text", [], {}, [None], [{}], {"spec": None}, True, [["a"]]])
PATHS = (
    ("spec",),
    ("spec", "template"),
    ("spec", "template", "spec"),
    ("spec", "template", "spec", "containers"),
    ("spec", "template", "spec", "initContainers"),
    ("spec", "jobTemplate"),
    ("spec", "jobTemplate", "spec", "template"),
    ("spec", "workloadRef"),
    ("spec", "headGroupSpec"),
    ("spec", "headGroupSpec", "template"),
    ("spec", "workerGroupSpecs"),
    ("spec", "containers"),
    ("metadata", "ownerReferences"),
    ("metadata", "annotations"),
    ("metadata", "uid"),
    ("metadata", "resourceVersion"),
    ("status",),
)
OWNERS = st.sampled_from(
    [
        None,
        controller_of(manifest(kind="Deployment")),
        {**controller_of(manifest(kind="Deployment")), "controller": False},
    ]
)


CONTAINER = st.fixed_dictionaries(
    {"image": st.sampled_from([SONARQUBE, NGINX, "", None, 5, "emqx/emqx:5.8.1"])},
    optional={
        "name": st.sampled_from(["app", "", None, 3]),
        "restartPolicy": st.sampled_from(["Always", None, 1]),
    },
)
CONTAINERS = st.lists(CONTAINER | st.none() | st.just("text"), max_size=3)
KINDS = st.sampled_from([*kinds.WORKLOADS, kinds.POD])
IMAGES = st.sampled_from([SONARQUBE, NGINX])
LISTS = st.lists(st.sampled_from(["containers", "initContainers"]), max_size=2)
CHANGED = st.lists(st.sampled_from(PATHS), max_size=2)


@st.composite
def objects(draw: st.DrawFn) -> tuple[Kind, Manifest]:
    kind = draw(KINDS)
    if kind == kinds.POD:
        given_ = manifest(container(draw(IMAGES)), kind="Deployment")
        given_["kind"], given_["spec"] = "Pod", given_["spec"]["template"]["spec"]
        template = given_["spec"]
    else:
        given_ = manifest(container(draw(IMAGES)), kind=kind.kind)
        template = dig(given_, *TEMPLATE_PATHS[kind.kind], "spec")
        if kind.kind == "RayCluster":
            given_["spec"]["workerGroupSpecs"] = [
                {"template": {"spec": {"containers": draw(CONTAINERS)}}}
            ]
    given_["apiVersion"] = kind.api_version
    given_["metadata"]["resourceVersion"] = "7"
    if owner := draw(OWNERS):
        given_["metadata"]["ownerReferences"] = [owner]
    for key in draw(LISTS):
        template[key] = draw(CONTAINERS)
    for path in draw(CHANGED):
        place: Any = given_
        for key in path[:-1]:
            place = place.get(key) if isinstance(place, dict) else None
        if isinstance(place, dict):
            place[path[-1]] = copy.deepcopy(draw(ODD))
    return kind, given_


def state(cache: ClusterCache) -> Any:
    return (
        cache.fleet.workloads,
        cache.seen_workloads(),
        sorted(cache.fleet.keys("Pod")),
        list(cache.fleet.unmanaged.all()),
    )


@examples(600)
@given(st.lists(objects(), min_size=1, max_size=4))
def test_the_cache_keeps_the_same_of_bytes_as_of_manifests(
    given_: list[tuple[Kind, Manifest]],
) -> None:
    by_bytes, by_manifest = ClusterCache(builtin()), ClusterCache(builtin())
    for kind, one in given_:
        found = read_object(kind, json.dumps(one).encode())
        by_bytes.store(kind).put_raw(found)
        by_manifest.upsert(
            kind, copy.deepcopy(one) | {"metadata": {**one["metadata"], "resourceVersion": ""}}
        )
        assert state(by_bytes) == state(by_manifest)


def test_what_runs_no_product_is_not_decoded_any_further() -> None:
    cache = ClusterCache(builtin())
    store = cache.store(kinds.WORKLOAD_BY_KIND["Deployment"])
    one = manifest(container(NGINX))
    # No number is so large, so it would be refused if it were.
    data = json.dumps(one).encode().replace(b'"labels": {}', b'"labels": 1e999')
    store.put_raw(read_object(kinds.WORKLOAD_BY_KIND["Deployment"], data))
    assert [(seen.known, seen.others) for seen in cache.seen_workloads()] == [(0, 1)]


def test_a_workload_that_has_lost_its_product_is_kept_no_longer() -> None:
    cache = ClusterCache(builtin())
    store = cache.store(kinds.WORKLOAD_BY_KIND["Deployment"])
    for image, number in ((SONARQUBE, 1), (NGINX, 0), (SONARQUBE, 1)):
        store.put_raw(raw(manifest(container(image))))
        assert len(cache.fleet.workloads) == number


def test_a_pod_that_has_lost_its_product_is_kept_no_longer() -> None:
    cache = ClusterCache(builtin())
    metadata = {"name": "p", "namespace": "a", "uid": "1"}
    for image, number in ((SONARQUBE, 1), (NGINX, 0)):
        spec = {"containers": [container(image)]}
        status = {"phase": "Running"}
        one = {"kind": "Pod", "metadata": metadata, "spec": spec, "status": status}
        cache.store(kinds.POD).put_raw(raw(one))
        assert len(list(cache.fleet.keys("Pod"))) == number


@pytest.mark.parametrize(
    ("text", "number"),
    [("7", 7), ("", 0), ("x", 0), ("-1", 0), ("٣", 0), ("7.0", 0), (" 7", 0), ("0", 0)],
)
def test_a_resource_version_is_compared_as_a_number(text: str, number: int) -> None:
    assert number_of(text) == number


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        "null",
        '{"metadata":{}}',
        '{"metadata":{"resourceVersion":""},"items":[]}',
        '{"metadata":{"resourceVersion":5},"items":[]}',
        '{"metadata":null,"items":[]}',
        '{"metadata":{"resourceVersion":"5"}}',
        '{"metadata":{"resourceVersion":"5"},"items":{}}',
        '{"metadata":{"resourceVersion":"5"},"items":[{}]}',
        '{"metadata":{"resourceVersion":"5"},"items":[null]}',
        "<html>",
        "[" * 100_000,
        # Not UTF-8.
        '{"metadata":{"resourceVersion":"\xe9"},"items":[]}',
    ],
)
def test_what_is_no_page_of_a_list_is_refused(text: str) -> None:
    with pytest.raises(ObjectError):
        read_page(THING, text.encode("latin-1"))


def test_a_page_is_read() -> None:
    items = [{"metadata": {"name": name}, "spec": {"a": 1}} for name in "ab"]
    metadata = {"resourceVersion": "5", "continue": "x", "remainingItemCount": 4}
    page = read_page(
        THING, json.dumps({"kind": "List", "metadata": metadata, "items": items}).encode()
    )
    assert [one.key for one in page.found] == [("", "a"), ("", "b")]
    assert (page.token, page.version) == ("x", "5")
    assert page.found[0].whole() == {
        "apiVersion": "example.com/v1",
        "kind": "Thing",
        "metadata": {"name": "a"},
        "spec": {"a": 1},
    }
    assert read_page(THING, b'{"metadata":{"resourceVersion":"5"},"items":null}').found == []
