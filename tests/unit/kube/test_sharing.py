"""Equal strings, sets and templates are one object, and nothing else changes."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from fleet_telemetry.catalogue.catalogue import builtin
from fleet_telemetry.kube.workload_store import Fleet
from fleet_telemetry.objects.sharing import share_strings, shared_set
from fleet_telemetry.workloads.owner import Owner
from fleet_telemetry.workloads.workload import PodTemplate

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner),
)


def strings_in(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from strings_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from strings_in(inner)


@given(JSON)
def test_nothing_but_the_strings_identity_changes(value: Any) -> None:
    before = copy.deepcopy(value)
    assert share_strings(value) == before
    if isinstance(value, (dict, list)):
        texts = list(strings_in(value))
        assert len({id(text) for text in texts}) == len(set(texts))


def test_two_objects_of_the_decoder_share_their_strings() -> None:
    raw = b'{"image": "registry.example/acme:1.0", "env": [{"value": "a value of a variable"}]}'
    one, other = (share_strings(msgspec.json.decode(raw)) for _ in range(2))
    assert one["image"] is other["image"]
    assert one["env"][0]["value"] is other["env"][0]["value"]


def test_what_is_deeper_than_the_stack_is_left_as_it_is() -> None:
    deep: Any = "the innermost"
    for _ in range(5000):
        deep = {"inner": [deep]}
    assert share_strings(deep) is deep
    for _ in range(5000):
        deep = deep["inner"][0]
    assert deep == "the innermost"


def test_what_is_large_is_not_kept() -> None:
    one, other = ("".join(["x"] * 513) for _ in range(2))
    one, other = (share_strings([text])[0] for text in (one, other))
    assert one == other
    assert one is not other
    assert shared_set(range(9)) is not shared_set(range(9))


def test_strings_of_objects_that_are_gone_are_forgotten() -> None:
    first = share_strings({"value": "the first one of many"})["value"]
    for number in range(5000):
        share_strings({"value": f"another one, {number}"})
    assert share_strings({"value": f"{first[:5]}{first[5:]}"})["value"] is not first


def test_equal_sets_are_one() -> None:
    assert shared_set(iter(["a", "b"])) is shared_set(["b", "a"])
    assert shared_set(()) is shared_set(iter(()))
    assert shared_set(()) == frozenset()


def manifest(kind: str, name: str, image: str, **metadata: Any) -> dict[str, Any]:
    labels = {"app": "acme", "of": kind}
    containers = [{"name": "app", "image": image}]
    template = {"metadata": {"labels": labels}, "spec": {"containers": containers}}
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"namespace": "shop", "name": name, "uid": name, **metadata},
        "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": template},
    }


def templates(part_image: str) -> tuple[PodTemplate, PodTemplate]:
    """Of a Deployment, and of its ReplicaSet."""
    fleet = Fleet(lambda _: None)
    fleet.upsert_workload(manifest("Deployment", "d", "emqx/emqx:5.8.9"), builtin())
    owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d", "uid": "d"}
    references = [{**owner, "controller": True}]
    part = manifest("ReplicaSet", "r", part_image, ownerReferences=references)
    fleet.upsert_workload(part, builtin())
    (whole,) = fleet.workloads.values()
    controller = Owner("apps", "ReplicaSet", "r", "r")
    found = fleet.origin_of("shop", controller, whole.template)
    assert found is not None
    return whole.template, found


def test_a_part_has_the_containers_of_its_whole_and_its_own_labels() -> None:
    whole, part = templates("emqx/emqx:5.8.9")
    assert part.containers is whole.containers
    assert part.volumes is whole.volumes
    assert (whole.labels["of"], part.labels["of"]) == ("Deployment", "ReplicaSet")


def test_a_part_of_an_earlier_revision_keeps_its_own_containers() -> None:
    whole, part = templates("emqx/emqx:5.7.0")
    assert part.containers[0].image == "emqx/emqx:5.7.0"
    assert whole.containers[0].image == "emqx/emqx:5.8.9"
