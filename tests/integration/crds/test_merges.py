"""Server-side apply by two managers: what they share, and what belongs to one of them."""

from __future__ import annotations

import re
from http import HTTPStatus

import pytest

from tests.support.crd_cases import Array, Check, Kind, Object, get, put, schema_path
from tests.support.crd_kinds import KINDS
from tests.support.crd_server import Answer, Server

pytestmark = pytest.mark.cluster


def _belongs_to_one(check: Check) -> bool:
    return (isinstance(check, Array) and check.kind == "atomic") or (
        isinstance(check, Object) and check.atomic is not None
    )


def _is_inside(kind: Kind, path: str) -> bool:
    """Inside of what belongs to one there is nothing left to be merged."""
    return any(
        _belongs_to_one(check) and path.startswith((f"{above}.", f"{above}["))
        for above, check in kind.table.items()
    )


_PLACES = [
    (kind, path, check)
    for kind in KINDS
    for path, check in kind.table.items()
    if not _is_inside(kind, path)
]
OWNED = [place for place in _PLACES if _belongs_to_one(place[2])]
SHARED = [place for place in _PLACES if isinstance(place[2], Array) and place not in OWNED]


def _id(value: object) -> str:
    if isinstance(value, Kind):
        return value.resource.short_name
    return value if isinstance(value, str) else ""


def _apply_both(server: Server, kind: Kind, path: str, one: object, two: object) -> Answer:
    """One manager applies the full object with one value, then another one with the other."""
    name = re.sub(r"[.\[]", "-", path.lower().replace("[0]", "")).replace("]", "")
    root = path.partition(".")[0]
    if root == "status":
        server.create(kind, name, kind.bare)
    first = server.apply(kind, name, put(kind.full, path, one), "one", root)
    assert first.complaints == []
    return server.apply(kind, name, put(kind.full, path, two), "two", root)


@pytest.mark.parametrize(("kind", "path", "check"), SHARED, ids=_id)
def test_items_of_both_stand_side_by_side(
    server: Server, kind: Kind, path: str, check: Array
) -> None:
    one, two = check.item(0), check.item(1)

    answer = _apply_both(server, kind, path, [one], [two])

    assert answer.complaints == []
    stored = get(answer.body, path)
    if check.kind == "map":
        # The API server may have added defaults to the rest of an item.
        key = check.key.split()[0]
        one, two, stored = one[key], two[key], [item[key] for item in stored]
    assert stored == [one, two]


@pytest.mark.parametrize(("kind", "path", "check"), OWNED, ids=_id)
def test_whole_belongs_to_one(server: Server, kind: Kind, path: str, check: Array | Object) -> None:
    if isinstance(check, Array):
        one, two = [check.item(0)], [check.item(1)]
    else:
        assert check.atomic
        one, two = check.atomic

    answer = _apply_both(server, kind, path, one, two)

    assert answer.code == HTTPStatus.CONFLICT
    assert [schema_path(field) for field, _ in answer.complaints] == [f".{schema_path(path)}"]
