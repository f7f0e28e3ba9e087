"""What a ConfigMap shows of the values that pods got from it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_telemetry.evidence.config_maps import (
    LONGEST_VALUE,
    MOST_KEPT,
    ConfigMapFacts,
    read_config_map,
)
from tests.support.builders import LONG_AGO, NOW
from tests.support.config_maps import config_map, stamp
from tests.support.depth import examples

SECOND = timedelta(seconds=1)
CHANGED = NOW - timedelta(hours=1)


def _held(found: ConfigMapFacts, key: str, after: timedelta, *, required: bool = True) -> bool:
    return found.held(key, CHANGED + after, required=required)


def test_a_pod_that_is_younger_than_the_value_got_the_value() -> None:
    found = read_config_map(config_map({"a": "1"}, changed=CHANGED))
    assert _held(found, "a", SECOND)
    assert not _held(found, "a", timedelta())
    assert not _held(found, "a", -SECOND)
    assert not found.held("a", None, required=True)
    assert not _held(found, "missing", SECOND)


def test_in_the_second_of_its_creation_only_who_needs_it_has_waited_for_it() -> None:
    found = read_config_map(config_map({"a": "1"}, created=CHANGED))
    assert _held(found, "a", timedelta(), required=True)
    assert not _held(found, "a", timedelta(), required=False)
    assert not _held(found, "a", -SECOND)


def test_one_that_was_created_again_is_as_old_as_the_new_one() -> None:
    given = config_map({"a": "1"}, created=CHANGED)
    # Whoever restored it may have kept the old entry.
    given["metadata"]["managedFields"][0]["time"] = stamp(LONG_AGO)
    found = read_config_map(given)
    assert not _held(found, "a", -SECOND)
    assert _held(found, "a", SECOND)


def test_another_managers_key_does_not_make_a_key_younger() -> None:
    given = config_map({"a": "1", "b": "2"})
    (first,) = given["metadata"]["managedFields"]
    del first["fieldsV1"]["f:data"]["f:b"]
    fields = {"f:data": {"f:b": {}}}
    second = {"manager": "kubectl-edit", "time": stamp(CHANGED), "fieldsV1": fields}
    given["metadata"]["managedFields"].append(second)
    found = read_config_map(given)
    assert _held(found, "a", -SECOND)
    assert not _held(found, "b", -SECOND)
    assert _held(found, "b", SECOND)


def test_the_latest_owner_of_a_key_counts() -> None:
    given = config_map({"a": "1"})
    fields = {"f:data": {"f:a": {}}}
    second = {"manager": "argocd", "time": stamp(CHANGED), "fieldsV1": fields}
    given["metadata"]["managedFields"].append(second)
    assert not _held(read_config_map(given), "a", -SECOND)


UNDATED: dict[str, list[Any]] = {
    "no managed fields": [],
    "no owner of the key": [{"time": stamp(LONG_AGO), "fieldsV1": {"f:data": {"f:b": {}}}}],
    "no time": [{"fieldsV1": {"f:data": {"f:a": {}}}}],
    "one of two without a time": [
        {"time": stamp(LONG_AGO), "fieldsV1": {"f:data": {"f:a": {}}}},
        {"fieldsV1": {"f:data": {"f:a": {}}}},
    ],
    "no zone": [{"time": "2020-01-01T00:00:00", "fieldsV1": {"f:data": {"f:a": {}}}}],
    "no fields": [{"time": stamp(LONG_AGO)}],
    "the map as a whole": [{"time": stamp(LONG_AGO), "fieldsV1": {"f:data": {}}}],
}


@pytest.mark.parametrize("managed", UNDATED.values(), ids=UNDATED)
def test_without_a_dated_owner_nothing_is_known_of_a_pod(managed: list[Any]) -> None:
    given = config_map({"a": "1"})
    given["metadata"]["managedFields"] = managed
    assert not read_config_map(given).held("a", NOW, required=True)


def test_without_a_creation_nothing_is_known_of_a_pod() -> None:
    given = config_map({"a": "1"})
    del given["metadata"]["creationTimestamp"]
    assert not read_config_map(given).held("a", NOW, required=True)


def test_what_is_missing_was_missing_only_since_nothing_could_change() -> None:
    assert not read_config_map(config_map({"a": "1"})).held_no_more(NOW)
    locked = read_config_map(config_map({"a": "1"}, changed=CHANGED, immutable=True))
    assert locked.held_no_more(CHANGED + SECOND)
    assert not locked.held_no_more(CHANGED)
    assert not locked.held_no_more(None)
    unlocked = read_config_map(config_map({"a": "1"}, immutable=False))
    assert not unlocked.held_no_more(NOW)


def test_binary_data_is_no_variable() -> None:
    found = read_config_map(config_map({"a": "1"}, binaryData={"b": "Zm9v"}))
    assert dict(found.data) == {"a": "1"}


def test_a_long_value_is_not_kept_and_said_to_be_there() -> None:
    found = read_config_map(config_map({"a": "1", "b": "x" * (LONGEST_VALUE + 1)}))
    assert dict(found.data) == {"a": "1"}
    assert found.too_long == {"b"}
    assert not found.is_partial


def test_of_a_huge_one_the_short_values_are_kept() -> None:
    big = {f"file-{one:03}": "x" * LONGEST_VALUE for one in range(60)}
    found = read_config_map(config_map({**big, "zz": "1"}))
    assert found.data["zz"] == "1"
    assert sum(len(key) + len(value) for key, value in found.data.items()) <= MOST_KEPT
    many = read_config_map(config_map({f"key-{one}": "" for one in range(20_000)}))
    assert many.is_partial
    assert len(many.data) + len(many.too_long) < MOST_KEPT


_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=8,
)


@examples(100)
@given(_ANYTHING, _ANYTHING, _ANYTHING, _ANYTHING)
def test_whatever_is_misshapen_is_absent(
    data: Any, managed: Any, created: Any, locked: Any
) -> None:
    metadata = {"managedFields": managed, "creationTimestamp": created}
    found = read_config_map({"data": data, "metadata": metadata, "immutable": locked})
    assert all(type(value) is str for value in found.data.values())
    assert not any(found.held(key, NOW, required=True) for key in found.data)
