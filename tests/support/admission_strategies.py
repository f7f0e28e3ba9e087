"""JSON that nobody should send."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

Path = tuple[str | int, ...]
JUNK: tuple[Any, ...] = (
    None, "", "x", 0, -1, 1.5, True, [], {}, [None], [[]], ["x"], [{}], {"x": None},
    {"name": 5}, {"name": ["x"]}, [{"name": None}], "\u0000é", "k:{", 'k:["x"]', "2026-99-99",
)  # fmt: skip
KEYS = ("k:{", "k:[]", "k:5", 'k:{"name":5}', "", "f:spec", "name")


def paths(document: Any, above: Path = ()) -> Iterator[Path]:
    """Every place in a document."""
    pairs = (
        document.items()
        if isinstance(document, dict)
        else enumerate(document)
        if isinstance(document, list)
        else ()
    )
    for key, value in pairs:
        yield (*above, key)
        yield from paths(value, (*above, key))


@st.composite
def broken(draw: st.DrawFn, document: dict[str, Any]) -> dict[str, Any]:
    """The document with something else, or nothing, in a place or three."""
    changed = copy.deepcopy(document)
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(list(paths(changed)) or [("object",)]))
        parent: Any = changed
        for key in path[:-1]:
            parent = parent[key]
        match draw(st.sampled_from(("replace", "replace", "remove", "add"))):
            case "remove":
                del parent[path[-1]]
            case "add" if isinstance(parent, dict):
                parent[draw(st.sampled_from(KEYS))] = copy.deepcopy(draw(st.sampled_from(JUNK)))
            case "add":
                parent.insert(0, copy.deepcopy(draw(st.sampled_from(JUNK))))
            case _:
                parent[path[-1]] = copy.deepcopy(draw(st.sampled_from(JUNK)))
        if not changed:
            break
    return changed
