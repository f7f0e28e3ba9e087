from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_telemetry.vendors import jsonc
from tests.support.every import every

NAME = "update.channel"

# What a person may write between two tokens. None of it says anything.
_gaps = st.lists(
    st.sampled_from(
        [
            " ",
            "\n",
            "\r\n",
            "\t",
            "/* a, b */",
            "/* } ] */",
            '/*"*/',
            "/**/",
            "/* // */",
            "// comment\n",
            '// "update.channel": "none",\r\n',
            "// /* {\n",
            "// it's \\ \"\n",
        ]
    ),
    max_size=3,
).map("".join)
_names = st.sampled_from([NAME, NAME, "a", "", "update", "Update.Channel", 'q"', "//", "/*", "{"])
_strings = st.one_of(
    st.text(max_size=8), st.sampled_from(["{", "}", ",}", "//", "/* */", '"', "\\", "REDACTED"])
)
_leaves = st.one_of(st.none(), st.booleans(), st.integers(-99, 99), st.just(1.5), _strings)


def _string(draw: st.DrawFn, text: str) -> str:
    escaped = draw(st.booleans())
    if escaped and text:
        return '"' + "".join(f"\\u{ord(c):04x}" if ord(c) < 2**16 else c for c in text) + '"'
    return json.dumps(text, ensure_ascii=draw(st.booleans()))


def _written(draw: st.DrawFn, value: Any) -> str:
    """A value as somebody could have written it."""
    gap = lambda: draw(_gaps)  # noqa: E731
    if isinstance(value, str):
        return _string(draw, value)
    if not isinstance(value, (list, _Pairs)):
        return json.dumps(value)
    if isinstance(value, list):
        parts, brackets = [_written(draw, one) for one in value], "[]"
    else:
        parts = [
            f"{_string(draw, name)}{gap()}:{gap()}{_written(draw, one)}"
            for name, one in value.pairs
        ]
        brackets = "{}"
    inside = ",".join(f"{gap()}{part}{gap()}" for part in parts)
    trailing = f",{gap()}" if parts and draw(st.booleans()) else ""
    return f"{brackets[0]}{inside}{trailing}{gap()}{brackets[1]}"


class _Pairs:
    """An object whose names may be there twice."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        self.pairs = pairs

    def plain(self) -> dict[str, Any]:
        return {name: _plain(value) for name, value in self.pairs}


def _plain(value: Any) -> Any:
    if isinstance(value, _Pairs):
        return value.plain()
    return [_plain(one) for one in value] if isinstance(value, list) else value


_values = st.recursive(
    _leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(st.tuples(_names, inner), max_size=3).map(_Pairs),
    ),
    max_leaves=6,
)


@st.composite
def documents(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """A text and what it says."""
    pairs = _Pairs(draw(st.lists(st.tuples(_names, _values), max_size=4)))
    bom = draw(st.sampled_from(["", "", "\ufeff"]))
    return f"{bom}{draw(_gaps)}{_written(draw, pairs)}{draw(_gaps)}", pairs.plain()


@given(documents())
def test_a_text_is_read(document: tuple[str, dict[str, Any]]) -> None:
    text, content = document
    assert jsonc.loads(text) == content


@given(documents(), _strings)
def test_the_change_is_all_that_it_says(document: tuple[str, dict[str, Any]], value: str) -> None:
    text, content = document
    changed = jsonc.set_string(text, NAME, value)
    assert jsonc.loads(changed) == {**content, NAME: value}
    assert jsonc.set_string(changed, NAME, value) == changed


@given(st.data(), _strings)
def test_every_other_character_of_a_property_that_is_there_stays(
    data: st.DataObject, value: str
) -> None:
    def draw(strategy: st.SearchStrategy[Any]) -> Any:
        return data.draw(strategy)

    members = st.lists(st.tuples(_names, _leaves), max_size=3)
    before = "".join(
        f"{draw(_gaps)}{_string(draw, name)}{draw(_gaps)}:{draw(_gaps)}{_written(draw, one)},"
        for name, one in draw(members)
    )
    after = "".join(
        f",{draw(_gaps)}{_string(draw, name)}:{draw(_gaps)}{_written(draw, one)}{draw(_gaps)}"
        for name, one in draw(members)
        if name != NAME
    )
    old = _written(draw, draw(_values))
    head = f"{draw(_gaps)}{{{before}{draw(_gaps)}{_string(draw, NAME)}{draw(_gaps)}:{draw(_gaps)}"
    tail = f"{draw(_gaps)}{after}{draw(st.sampled_from(['', ',']))}{draw(_gaps)}}}{draw(_gaps)}"
    literal = json.dumps(value, ensure_ascii=False)
    assert jsonc.set_string(head + old + tail, NAME, value) == head + literal + tail


@given(documents(), _strings)
def test_nothing_is_gone_where_a_property_is_added(
    document: tuple[str, dict[str, Any]], value: str
) -> None:
    text, content = document
    if NAME in content:
        return
    changed = jsonc.set_string(text, NAME, value)
    start = next((n for n, c in enumerate(text) if changed[n] != c), len(text))
    # Whichever way the repeated characters are counted, what is added is in one piece.
    assert any(
        changed.startswith(text[:at]) and changed.endswith(text[at:]) for at in range(start + 1)
    )
    assert list(jsonc.loads(changed)) == [NAME, *content]


@given(documents(), _strings)
def test_there_and_back_is_as_before(document: tuple[str, dict[str, Any]], value: str) -> None:
    text, _ = document
    first = jsonc.set_string(text, NAME, "release")
    assert jsonc.set_string(jsonc.set_string(first, NAME, value), NAME, "release") == first


@given(st.text(alphabet='{}[],:"\\/*\n\r\t ab1\ufeff', max_size=30))
def test_whatever_comes_is_an_object_or_a_value_error(text: str) -> None:
    try:
        content = jsonc.loads(text)
    except ValueError:
        with pytest.raises(ValueError, match="not a JSON object"):
            jsonc.set_string(text, NAME, "none")
    else:
        changed = jsonc.set_string(text, NAME, "none")
        assert jsonc.loads(changed) == {**content, NAME: "none"}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('{"update.channel":"release"}', '{"update.channel":"none"}'),
        ('{"update.channel": null, "a": 1}', '{"update.channel": "none", "a": 1}'),
        ('{"update.channel": {"x": [1,]},}', '{"update.channel": "none",}'),
        ("{}", '{"update.channel": "none"}'),
        ("{ }", '{ "update.channel": "none" }'),
        ("{\n}\n", '{\n  "update.channel": "none"\n}\n'),
        ("{\r\n}", '{\r\n  "update.channel": "none"\r\n}'),
        ("{ // nothing yet\n}", '{ "update.channel": "none" // nothing yet\n}'),
        ('{"a":1}', '{"update.channel": "none", "a":1}'),
        ('{\n  "a": 1\n}', '{\n  "update.channel": "none",\n  "a": 1\n}'),
        ('{\n\t"a": 1,\n}', '{\n\t"update.channel": "none",\n\t"a": 1,\n}'),
        ('{// c\n"a": 1}', '{"update.channel": "none", // c\n"a": 1}'),
        # Commented out, in a string, deeper or as a value, it is not there.
        (
            '{ // "update.channel": "release",\n "a": 1}',
            '{ "update.channel": "none", // "update.channel": "release",\n "a": 1}',
        ),
        (
            '{ "a": "\\"update.channel\\": 1", "b": {"update.channel": 2}}',
            (
                '{ "update.channel": "none",'
                ' "a": "\\"update.channel\\": 1", "b": {"update.channel": 2}}'
            ),
        ),
        # The last one counts.
        (
            '{"update.channel": "none", "update.channel": "release"}',
            '{"update.channel": "none", "update.channel": "none"}',
        ),
        ('{"update\\u002echannel": "release"}', '{"update\\u002echannel": "none"}'),
        (
            '\ufeff{"update.channel":/*c*/"release"/*d*/,}',
            '\ufeff{"update.channel":/*c*/"none"/*d*/,}',
        ),
        ('{"s": "REDACTED", "u": "https://a/*b*/c"}', None),
    ],
)
def test_written_as_a_person_would(before: str, after: str | None) -> None:
    changed = jsonc.set_string(before, NAME, "none")
    assert changed == (after or '{"update.channel": "none", ' + before[1:])


@every(
    "text",
    [
        "",
        " ",
        "[]",
        '"{}"',
        "null",
        "{",
        "{}}",
        "{} {}",
        "{,}",
        '{"a": 1,,}',
        '{"a":,}',
        '{"a": [,]}',
        '{,"a": 1}',
        '{"a" 1}',
        "{a: 1}",
        "{'a': 1}",
        '{"a": 1',
        '{"a": "1}',
        '{"a": 1} /*',
        '{"a": NaN}',
        '{"a": "x\ny"}',
        "{/* /* */ */}",
        '{"a":' * 100_000,
        "[" * 100_000,
        "https://code.example.com",
    ],
)
def test_what_is_no_object_is_refused_and_not_quoted(text: str) -> None:
    for attempt in (jsonc.loads, lambda text: jsonc.set_string(text, NAME, "none")):
        with pytest.raises(ValueError, match=r"^this is not a JSON object with comments$"):
            attempt(text)


def test_a_large_text_takes_no_time() -> None:
    line = '  // "x"\n  "a": [1, /* , */ {"b": "c",},],\n'
    text = "{\n" + line * ((jsonc.LONGEST - 100) // len(line)) + "}"
    assert jsonc.loads(jsonc.set_string(text, NAME, "none"))[NAME] == "none"
