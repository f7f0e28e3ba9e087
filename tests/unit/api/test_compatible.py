"""CRDs only ever get wider: what was stored under the previous ones is still valid."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from dev.harness.operator import ROOT
from tests.support.patterns import PATTERNS
from tests.support.previous_chart import CRDS

Schema = dict[str, Any]
NAMES = sorted(path.name for path in CRDS.iterdir())
# What a stored object or another field manager relies upon.
SAME = ("type", "format", "pattern", "x-kubernetes-list-type", "x-kubernetes-list-map-keys")
SAME += ("x-kubernetes-map-type", "x-kubernetes-int-or-string", "default")
UPPER = ("maxLength", "maxItems", "maxProperties", "maximum")
LOWER = ("minLength", "minItems", "minProperties", "minimum")


def narrower(before: Schema, after: Schema, path: str = "") -> Iterator[str]:
    """What the new schema refuses or forgets, and the old one does not."""
    yield from _stricter(before, after, path)
    for name, old in before.get("properties", {}).items():
        new = after.get("properties", {}).get(name)
        if new is None:
            yield f"{path}.{name}: is gone"
        else:
            yield from narrower(old, new, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if isinstance(before.get(key), dict):
            yield from narrower(before[key], after.get(key) or {}, f"{path}[]")


def _stricter(before: Schema, after: Schema, path: str) -> Iterator[str]:
    """The same of one field."""
    for key in SAME:
        if key == "pattern" and _as_rule(before, after):
            continue
        if before.get(key) != after.get(key):
            yield f"{path}: {key} was {before.get(key)} and is {after.get(key)}"
    for keys, sign in ((UPPER, 1), (LOWER, -1)):
        for key in keys:
            if key in after and (key not in before or sign * after[key] < sign * before[key]):
                yield f"{path}: {key} was {before.get(key)} and is {after[key]}"
    if "enum" in after and not set(before.get("enum", ())) <= set(after["enum"]):
        yield f"{path}: no longer one of {set(before['enum']) - set(after['enum'])}"
    if more := set(after.get("required", ())) - set(before.get("required", ())):
        yield f"{path}: wants {sorted(more)}"


def _as_rule(before: Schema, after: Schema) -> bool:
    """Whether a pattern has become a rule that says its sentence."""
    said = {rule["message"] for rule in after.get("x-kubernetes-validations", ())}
    found = (one for one in PATTERNS if one.expression == before.get("pattern"))
    return "pattern" not in after and any(one.message in said for one in found)


def crds(name: str) -> tuple[Schema, Schema]:
    before, after = (
        yaml.safe_load((folder / name).read_text()) for folder in (CRDS, ROOT / "crds")
    )
    return before["spec"], after["spec"]


def schema(spec: Schema) -> Schema:
    (version,) = spec["versions"]
    found: Schema = version["schema"]["openAPIV3Schema"]
    return found


def test_each_crd_has_a_predecessor() -> None:
    assert sorted(path.name for path in (ROOT / "crds").iterdir()) == NAMES


@pytest.mark.thorough
@pytest.mark.parametrize("name", NAMES)
def test_what_was_valid_is_valid(name: str) -> None:
    before, after = crds(name)
    assert list(narrower(schema(before), schema(after))) == []
    for key in ("group", "scope", "names"):
        assert before[key] == after[key]
    (old,), (new,) = before["versions"], after["versions"]
    for key in ("name", "served", "storage", "subresources"):
        assert old[key] == new[key]


def test_policies_did_get_new_fields() -> None:
    before, after = crds("telemetrypolicies.yaml")
    old, new = (
        set(schema(one)["properties"]["spec"]["properties"]["egress"]["properties"])
        for one in (before, after)
    )
    assert new - old == {"dns", "hosts", "reachable"}


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ({"type": "string"}, {"type": "integer"}, "type was string"),
        ({"maxLength": 5}, {"maxLength": 4}, "maxLength was 5"),
        ({}, {"minItems": 1}, "minItems was None"),
        ({"enum": ["A", "B"]}, {"enum": ["B", "C"]}, "no longer one of {'A'}"),
        ({"properties": {"a": {}}}, {"properties": {}}, ".a: is gone"),
        ({"items": {"required": ["a"]}}, {"items": {"required": ["a", "b"]}}, "wants ['b']"),
        ({"default": "A"}, {"default": "B"}, "default was A"),
    ],
)
def test_what_is_narrower_is_noticed(before: Schema, after: Schema, said: str) -> None:
    (found,) = narrower(before, after)
    assert said in found
