"""Unusual input for hypothesis."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

#: Text with every character that means something to one of the parsers.
TROUBLE = st.text(
    alphabet="aZ09 .:/@-_+*?<>=v\u00e9\u0660\u017f\u0131\u0130\u212a\n\x00", max_size=24
)
WILD_TEXT = st.one_of(st.text(max_size=24), TROUBLE)

#: Whatever YAML and JSON can hold.
WILD_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(max_size=8),
        st.dates(),
        st.datetimes(),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.one_of(st.text(max_size=8), st.integers(), st.booleans(), st.none()),
            inner,
            max_size=3,
        ),
    ),
    max_leaves=8,
)
