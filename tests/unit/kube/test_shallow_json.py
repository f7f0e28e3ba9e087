"""JSON of any depth is cut to one that a parser can read."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_telemetry.kube.shallow_json import shallow

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=20,
)


def cut(value: Any, deepest: int) -> Any:
    if isinstance(value, dict):
        found = {key: cut(one, deepest - 1) for key, one in value.items()}
        return found if deepest else None
    if isinstance(value, list):
        return [cut(one, deepest - 1) for one in value] if deepest else None
    return value


@given(JSON, st.integers(0, 5), st.booleans())
def test_what_is_deeper_is_null(value: Any, deepest: int, ascii_only: bool) -> None:
    data = json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    assert json.loads(shallow(data, deepest).decode("utf-8", "surrogatepass")) == cut(
        value, deepest
    )


@given(st.binary())
def test_what_is_no_json_stays_as_it_is_while_it_is_shallow(data: bytes) -> None:
    assert shallow(data, len(data)) == data


@pytest.mark.thorough
@pytest.mark.parametrize("unit", [b'\\"', b'"', b"\\", b"{", b"}", b'{"', b'"a', b"[1,", b'"\\'])
def test_its_time_is_linear(unit: bytes) -> None:
    # A quadratic one would take minutes.
    for data in (unit * 300_000, b'"' + unit * 300_000):
        assert len(shallow(data)) <= len(data) + 4 * 300_000
