"""A store against watch events and full lists in any order."""

from __future__ import annotations

from typing import Any

import pytest

from fleet_telemetry.kube.store import ObjectKey, Store
from tests.support.builders import Manifest
from tests.support.listing import raw, replaced

Change = tuple[str, int | None, int | None]


class Numbers:
    """A store of the numbers in specs, and the changes that it reported."""

    def __init__(self) -> None:
        self.changes: list[Change] = []
        self.store: Store[str, int] = Store(
            lambda key: key[1], self._decode, lambda *change: self.changes.append(change)
        )

    @staticmethod
    def _decode(_: ObjectKey, manifest: Manifest) -> int:
        number: int = manifest["spec"]
        return number


def number(name: str, spec: int = 0, uid: str = "1") -> dict[str, Any]:
    return {"metadata": {"name": name, "uid": uid}, "spec": spec}


@pytest.fixture
def numbers() -> Numbers:
    found = Numbers()
    found.store.upsert(number("a", 1))
    found.store.upsert(number("b", 2))
    found.changes.clear()
    return found


def test_only_changes_are_reported(numbers: Numbers) -> None:
    numbers.store.upsert(number("a", 1))
    numbers.store.upsert(number("a", 3))
    numbers.store.upsert(number("c", 0))
    numbers.store.delete(number("b"))
    numbers.store.delete(number("b"))
    assert numbers.changes == [("a", 1, 3), ("c", None, 0), ("b", 2, None)]
    assert dict(numbers.store) == {"a": 3, "c": 0}


def test_a_deletion_of_the_predecessor_keeps_the_successor(numbers: Numbers) -> None:
    numbers.store.upsert(number("a", 1, uid="2"))
    numbers.store.delete(number("a", uid="1"))
    assert numbers.store["a"] == 1
    numbers.store.delete(number("a", uid="2"))
    assert "a" not in numbers.store


def test_a_full_list_removes_what_it_lacks(numbers: Numbers) -> None:
    with replaced(numbers.store) as listing:
        listing.upsert(number("b", 5, uid="2"))
        listing.upsert(number("c", 6))
        assert numbers.store["a"] == 1
    assert dict(numbers.store) == {"b": 5, "c": 6}
    assert numbers.changes == [("b", 2, 5), ("c", None, 6), ("a", 1, None)]


def test_a_list_that_fails_removes_nothing(numbers: Numbers) -> None:
    def list_in_part() -> None:
        with replaced(numbers.store) as listing:
            listing.upsert(number("b", 5))
            raise ConnectionError

    with pytest.raises(ConnectionError):
        list_in_part()
    assert dict(numbers.store) == {"a": 1, "b": 5}
    # The next list starts from nothing.
    with replaced(numbers.store) as listing:
        listing.upsert(number("a", 1))
    assert dict(numbers.store) == {"a": 1}


def test_what_was_deleted_while_the_list_was_read_is_not_in_it(numbers: Numbers) -> None:
    with replaced(numbers.store) as listing:
        listing.upsert(number("a", 1))
        listing.upsert(number("b", 2))
        listing.delete(number("a", 1))
        listing.delete(number("never", 1))
    assert dict(numbers.store) == {"b": 2}
    with replaced(numbers.store) as listing:
        listing.upsert(number("b", 2))
        listing.delete(number("b", 2))
        listing.upsert(number("b", 3))  # made anew
    assert dict(numbers.store) == {"b": 3}


def test_watch_events_during_a_list_are_newer_than_the_list(numbers: Numbers) -> None:
    with replaced(numbers.store) as listing:
        numbers.store.upsert(number("new", 7))
        numbers.store.upsert(number("a", 8))
        listing.upsert(number("a", 1))
        numbers.store.delete(number("b"))
        listing.upsert(number("b", 2))
        # The list reports it; it is changed and deleted afterwards.
        listing.upsert(number("d", 3))
        numbers.store.delete(number("d"))
    assert dict(numbers.store) == {"new": 7, "a": 8}


def test_an_event_before_a_list_does_not_protect_from_it(numbers: Numbers) -> None:
    numbers.store.upsert(number("c", 3))
    with replaced(numbers.store):
        pass
    assert dict(numbers.store) == {}


def versioned(name: str, spec: int, version: int) -> dict[str, Any]:
    given = number(name, spec)
    given["metadata"]["resourceVersion"] = str(version)
    return given


def test_the_newer_one_of_a_list_and_of_a_response_counts(numbers: Numbers) -> None:
    with replaced(numbers.store, version=20) as listing:
        # Written by us: before the list shows it, and after.
        numbers.store.upsert(versioned("a", 10, 12))
        listing.upsert(versioned("a", 9, 11))
        listing.upsert(versioned("b", 13, 14))
        numbers.store.upsert(versioned("b", 12, 13))
        # Another one changed it afterwards.
        numbers.store.upsert(versioned("c", 1, 15))
        listing.upsert(versioned("c", 2, 16))
    assert dict(numbers.store) == {"a": 10, "b": 13, "c": 2}


def test_what_was_written_and_is_not_in_a_list_is_newer_or_deleted(numbers: Numbers) -> None:
    with replaced(numbers.store, version=20):
        numbers.store.upsert(versioned("new", 1, 21))
        numbers.store.upsert(versioned("gone", 1, 19))
    assert dict(numbers.store) == {"new": 1}


def test_what_the_watch_has_reported_is_not_overwritten(numbers: Numbers) -> None:
    numbers.store.follow(20)
    numbers.store.upsert(versioned("a", 9, 20))
    numbers.store.upsert(versioned("b", 9, 21))
    assert dict(numbers.store) == {"a": 1, "b": 9}


def test_an_event_that_is_older_than_a_response_is_not_taken(numbers: Numbers) -> None:
    numbers.store.follow(20)
    numbers.store.upsert(versioned("a", 9, 25))
    numbers.changes.clear()
    numbers.store.put_raw(raw(versioned("a", 8, 24)))
    numbers.store.delete_raw(raw(versioned("a", 8, 24)))
    assert numbers.changes == []
    numbers.store.put_raw(raw(versioned("a", 9, 25)))
    numbers.store.put_raw(raw(versioned("a", 7, 26)))
    numbers.store.delete_raw(raw(versioned("b", 2, 27)))
    assert dict(numbers.store) == {"a": 7}


def test_responses_are_not_remembered_for_ever(numbers: Numbers) -> None:
    numbers.store.upsert(versioned("c", 1, 5))
    assert not numbers.store._written, "no watch of our own will come to it"
    numbers.store.follow(20)
    numbers.store.upsert(versioned("a", 9, 25))
    numbers.store.upsert(versioned("b", 9, 27))
    numbers.store.follow(26)
    assert list(numbers.store._written) == [("", "b")]
    numbers.store.begin_list()
    assert not numbers.store._written


def test_a_list_that_was_left_does_nothing_more(numbers: Numbers) -> None:
    numbers.store.begin_list()
    numbers.store.leave_list()
    numbers.store.end_list(20)
    assert dict(numbers.store) == {"a": 1, "b": 2}
