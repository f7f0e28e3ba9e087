"""Edits as JSON patches, applied by an implementation that knows nothing of how they came about."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_telemetry.switches.edits import Edit, EditCause
from fleet_telemetry.switches.patch import build_patch
from fleet_telemetry.workloads.registry import TEMPLATE_PATHS
from tests.support.builders import FROM_SECRET, Manifest, container, containers_of, manifest
from tests.support.depth import examples
from tests.support.json_patch import PatchError, apply_patch

DEPLOYMENT = TEMPLATE_PATHS["Deployment"]


def edit(name: str, value: str | None, place: int = 0) -> Edit:
    return Edit(place, f"c{place}", name, value, EditCause.INJECTED)


def patched(env: list[Manifest] | None, *edits: Edit) -> Any:
    given_manifest = {"spec": {"containers": [{"name": "c0", "image": "x"}]}}
    if env is not None:
        given_manifest["spec"]["containers"][0]["env"] = env
    before = copy.deepcopy(given_manifest)
    changed = apply_patch(given_manifest, build_patch(given_manifest, (), edits))
    assert given_manifest == before
    return changed["spec"]["containers"][0].get("env")


A, B = {"name": "A", "value": "1"}, {"name": "B", "value": "2"}


@pytest.mark.parametrize(
    ("env", "edits", "after"),
    [
        (None, [], None),
        (None, [edit("X", "x")], [{"name": "X", "value": "x"}]),
        ([], [edit("X", "x")], [{"name": "X", "value": "x"}]),
        ([A], [edit("X", ""), edit("B", "2")], [A, {"name": "X", "value": ""}, B]),
        ([A, B], [edit("A", "3")], [{"name": "A", "value": "3"}, B]),
        ([{"name": "A"}, B], [edit("A", "3")], [{"name": "A", "value": "3"}, B]),
        ([A, B], [edit("A", None)], [B]),
        ([A], [edit("A", None)], None),
        ([A, B], [edit("B", None), edit("A", None)], None),
        ([A, B], [edit("B", None), edit("A", None), edit("X", "x")], [{"name": "X", "value": "x"}]),
        ([A, B, A], [edit("A", None)], [B]),
        ([A, B, A], [edit("A", "3")], [A, B, {"name": "A", "value": "3"}]),
        ([A, B], [edit("B", "3"), edit("A", None), edit("X", "x")],
         [{"name": "B", "value": "3"}, {"name": "X", "value": "x"}]),
        ([A, {"name": "B", "valueFrom": FROM_SECRET}], [edit("B", None)], [A]),
        ([A], [edit("absent", None)], [A]),
        ([A], [edit("a/b~c", 'é\n"')], [A, {"name": "a/b~c", "value": 'é\n"'}]),
    ],
)  # fmt: skip
def test_a_patch(env: Any, edits: list[Edit], after: Any) -> None:
    assert patched(env, *edits) == after


@pytest.mark.parametrize("kind", TEMPLATE_PATHS)
def test_a_patch_points_into_the_pod_template_of_every_kind(kind: str) -> None:
    given_manifest = manifest(container("x", name="c0"), container("x", name="c1"), kind=kind)
    if kind == "Pod":
        given_manifest["spec"] = {"containers": containers_of({**given_manifest, "kind": "Job"})}
    edits = [edit("X", "1", 1), edit("X", "0", 0)]
    patch = build_patch(given_manifest, TEMPLATE_PATHS[kind], edits)
    after = apply_patch(given_manifest, patch)
    assert [found["env"] for found in containers_of(after)] == [
        [{"name": "X", "value": "0"}],
        [{"name": "X", "value": "1"}],
    ]


def test_edits_of_several_containers_may_come_in_any_order() -> None:
    given_manifest = manifest(container("x", name="c0"), container("x", name="c1"))
    edits = [edit("X", "0", 0), edit("X", "1", 1), edit("Y", "2", 0)]
    after = apply_patch(given_manifest, build_patch(given_manifest, DEPLOYMENT, edits))
    assert [found["env"] for found in containers_of(after)] == [
        [{"name": "X", "value": "0"}, {"name": "Y", "value": "2"}],
        [{"name": "X", "value": "1"}],
    ]


def test_a_patch_is_made_of_as_few_operations_as_there_are_changes() -> None:
    given_manifest = manifest(container("x", name="c0", env={"A": "1"}))
    patch = build_patch(given_manifest, DEPLOYMENT, [edit("A", "2"), edit("B", "3")])
    pointer = "/spec/template/spec/containers/0/env"
    assert patch == [
        {"op": "replace", "path": f"{pointer}/0/value", "value": "2"},
        {"op": "add", "path": f"{pointer}/-", "value": {"name": "B", "value": "3"}},
    ]
    assert build_patch(given_manifest, DEPLOYMENT, []) == []


@pytest.mark.parametrize("env", [5, "text", {"A": "1"}, [None, 5, "A", ["A"], {"name": ["A"]}, {}]])
def test_a_misshapen_list_is_no_reason_to_fail(env: Any) -> None:
    given_manifest = {"spec": {"containers": [None, {"env": env}]}}
    patch = build_patch(given_manifest, (), [edit("X", "x", 1), edit("A", None, 1)])
    found = apply_patch(given_manifest, patch)["spec"]["containers"][1]["env"]
    assert found[-1] == {"name": "X", "value": "x"}
    if isinstance(env, list):
        assert found[:-1] == env


NAMES = st.sampled_from("ABCDE")
ENV = st.none() | st.lists(
    st.builds(lambda n, v: {"name": n, "value": v}, NAMES, st.sampled_from("12"))
    | st.builds(lambda n: {"name": n}, NAMES)
    | st.builds(lambda n: {"name": n, "valueFrom": FROM_SECRET}, NAMES),
    max_size=5,
)


@examples(100)
@given(st.lists(ENV, min_size=1, max_size=3), st.data())
def test_a_patch_makes_the_edits_and_nothing_else(
    envs: list[list[Manifest] | None], data: st.DataObject
) -> None:
    containers = [
        {"name": f"c{place}", **({} if env is None else {"env": env}), "image": "x"}
        for place, env in enumerate(envs)
    ]
    given_manifest = {"before": 1, "spec": {"x": [], "containers": containers}, "after": 2}
    wanted = {
        place: {
            name: data.draw(st.sampled_from([None, "", "new"]))
            for name in sorted(data.draw(st.sets(NAMES, max_size=3)))
            # A reference is never set; that is decided before.
            if not any(e["name"] == name and "valueFrom" in e for e in env or ())
        }
        for place, env in enumerate(envs)
    }
    edits = [edit(n, v, place) for place, values in wanted.items() for n, v in values.items()]
    changed = apply_patch(given_manifest, build_patch(given_manifest, (), edits))

    for place, env in enumerate(envs):
        values = wanted[place]
        expected: list[Manifest] = []
        for at, entry in enumerate(env or ()):
            name = entry["name"]
            is_last = all(later["name"] != name for later in (env or [])[at + 1 :])
            if name in values and values[name] is None:
                continue
            turned = name in values and is_last
            expected.append({**entry, "value": values[name]} if turned else entry)
        present = {entry["name"] for entry in env or ()}
        expected += [
            {"name": name, "value": value}
            for name, value in values.items()
            if value is not None and name not in present
        ]
        assert changed["spec"]["containers"][place].pop("env", []) == expected
        containers[place].pop("env", None)
    assert json.dumps(changed) == json.dumps(given_manifest)


@pytest.mark.parametrize(
    ("operations", "after"),
    [
        ([{"op": "test", "path": "/a", "value": [1, 2]}], {"a": [1, 2]}),
        ([{"op": "add", "path": "/a/1", "value": 9}], {"a": [1, 9, 2]}),
        ([{"op": "add", "path": "/a/-", "value": 9}], {"a": [1, 2, 9]}),
        ([{"op": "add", "path": "/a/2", "value": 9}], {"a": [1, 2, 9]}),
        ([{"op": "add", "path": "/b~1~0", "value": 9}], {"a": [1, 2], "b/~": 9}),
        ([{"op": "remove", "path": "/a/0"}], {"a": [2]}),
        ([{"op": "replace", "path": "/a", "value": 3}], {"a": 3}),
    ],
)
def test_the_other_implementation_does_what_the_rfc_says(operations: Any, after: Any) -> None:
    assert apply_patch({"a": [1, 2]}, operations) == after


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "test", "path": "/a", "value": 1},
        {"op": "test", "path": "/b", "value": None},
        {"op": "remove", "path": "/b"},
        {"op": "remove", "path": "/a/2"},
        {"op": "remove", "path": "/a/-"},
        {"op": "replace", "path": "/b", "value": 1},
        {"op": "add", "path": "/b/c", "value": 1},
        {"op": "add", "path": "/a/3", "value": 1},
        {"op": "add", "path": "/a/01", "value": 1},
        {"op": "move", "path": "/a", "from": "/a"},
        {"op": "add", "path": "a", "value": 1},
    ],
)
def test_the_other_implementation_refuses_what_does_not_fit(operation: Any) -> None:
    with pytest.raises(PatchError):
        apply_patch({"a": [1, 2]}, [operation])
