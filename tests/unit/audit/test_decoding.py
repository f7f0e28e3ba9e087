"""From the bytes of a document to its objects, or to what is wrong with it."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from fleet_telemetry.audit.decoding import Decoder
from fleet_telemetry.audit.documents import Chunk
from fleet_telemetry.audit.plain_yaml import Found
from fleet_telemetry.linting.problem import FileProblem
from tests.support.depth import examples
from tests.support.every import every

_BOMB = "kind: Job\na0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)
)
_POD = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}}


def _decode(text: str | bytes, line: int = 1) -> list[Found | FileProblem]:
    data = text.encode() if isinstance(text, str) else text
    decoder = Decoder("a.yaml", lambda kind, _: kind in ("Pod", "Job"), lambda text: b"o" in text)
    return list(decoder.decode(Chunk(line, data)))


def _manifests(text: str | bytes) -> list[Any]:
    found = _decode(text)
    assert all(isinstance(one, Found) for one in found), found
    return [one.manifest for one in found if isinstance(one, Found) and one.manifest is not None]


def _problem(text: str | bytes, line: int = 1) -> FileProblem:
    (found,) = _decode(text, line)
    assert isinstance(found, FileProblem), found
    return found


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "# x\n",
        "---\n",
        "--- # x\n\n",
        "---\r\n# x\r\n",
        "%YAML 1.1\n---\n",
        "...\n",
        "--- \n...",
    ],
)
def test_an_empty_document_is_nothing(text: str) -> None:
    assert _decode(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "kind: Pod\napiVersion: v1\nmetadata:\n  name: a\n",
        "---\nkind: Pod\napiVersion: v1\nmetadata:\n  name: a\n...\n# end",
        "--- {kind: Pod, apiVersion: v1, metadata: {name: a}}\n",
        "# x\r\n---\r\nkind: Pod\r\napiVersion: v1\r\nmetadata:\r\n    name: a\r\n",
        '{"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "a"}}',
        '--- # x\n{"kind": "Pod", "apiVersion": "v1",\n\t"metadata": {"name": "a"}}\n',
        'kind: "P\\x6fd"\napiVersion: v1\nmetadata: {name: a}\n',
        "kind: &k Pod\napiVersion: v1\nmetadata: {name: a}\n",
        "x-a: &a {name: a}\nkind: Pod\napiVersion: v1\nmetadata: *a\n",
        "kind: !!str Pod\napiVersion: v1\nmetadata: {<<: {name: a}}\n",
        "kind: >-\n  Pod\napiVersion: 'v1'\nmetadata:\n  name: |-\n    a\n",
    ],
)
def test_one_object_in_its_forms(text: str) -> None:
    (manifest,) = _manifests(text)
    manifest = {key: part for key, part in manifest.items() if key != "x-a"}
    assert manifest == _POD


def test_a_value_means_what_it_means_to_kubernetes() -> None:
    words = "[2026-01-01, 1:30, =, 010, yes, 1.5, ~, '1', 1e3, 0x1f, 12, .5]"
    for form in (f"kind: Pod\na: {words}\n", f"kind: !!str Pod\na: {words}\n"):
        (manifest,) = _manifests(form)
        assert manifest["a"] == [
            "2026-01-01", "1:30", "=", 8, True, 1.5, None, "1", 1000.0, 31, 12, 0.5,
        ]  # fmt: skip


_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**6), 10**6)
    | st.text("ab:#{}[]&*!|>'\"%@`- \t\n\u20ac~=0", max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text("abk: #'", max_size=5), inner, max_size=4)
    ),
    max_leaves=15,
)


@examples(300)
@given(st.dictionaries(st.text("abcd", min_size=1), _VALUES, max_size=5), st.booleans())
def test_what_yaml_and_json_writers_write_is_read_alike(content: Any, flow: bool) -> None:
    manifest = {"kind": "Pod", **content}
    assert _manifests(json.dumps(manifest)) == [manifest]
    assert _manifests(yaml.safe_dump(manifest, default_flow_style=flow)) == [manifest]


_LIST = [{**_POD, "metadata": {"name": name}} for name in ("a", "b")]


@pytest.mark.parametrize("kind", ["List", "PodList"])
@pytest.mark.parametrize("has_kind", [True, False])
@pytest.mark.parametrize("sort", [True, False])
def test_a_list_is_its_items(kind: str, has_kind: bool, sort: bool) -> None:
    items = [
        {key: part for key, part in one.items() if has_kind or key not in ("kind", "apiVersion")}
        for one in _LIST
    ]
    if kind == "List" and not has_kind:
        return
    whole = {"kind": kind, "metadata": {}, "apiVersion": "v1", "items": items}
    for text in (json.dumps(whole, indent=1), yaml.safe_dump(whole, sort_keys=sort)):
        found = _decode(text)
        names = [
            one.manifest["metadata"]["name"]
            for one in found
            if isinstance(one, Found) and one.manifest
        ]
        assert names == ["a", "b"]
        lines = [one.line for one in found]
        starts = [
            at + 1 for at, line in enumerate(text.splitlines()) if line.strip()[:2] in ("- ", "{")
        ]
        assert lines == starts[-2:]


def test_a_list_in_a_list_and_an_empty_one() -> None:
    inner = {"kind": "List", "items": _LIST}
    for text in (
        json.dumps({"kind": "List", "items": [inner]}),
        yaml.safe_dump({"kind": "List", "items": [inner]}),
    ):
        assert _manifests(text) == _LIST
    for text in (
        '{"kind": "List", "items": null}',
        "kind: List\nitems:\n",
        "kind: List\nitems: []\n",
    ):
        assert _manifests(text) == []


def test_json_documents_one_after_the_other() -> None:
    text = "\n".join(json.dumps(one, indent=1) for one in _LIST)
    assert _manifests(text) == _LIST
    assert [one.line for one in _decode(text)] == [1, 8]


def test_an_object_of_no_interest_is_counted_and_one_without_a_kind_apart() -> None:
    for text in ("kind: Config\nso: 1\n", '{"kind": "Config"}', "kind: x\n"):
        (found,) = _decode(text)
        assert isinstance(found, Found)
        assert (found.manifest, found.is_object) == (None, True)
    for text in ("replicaCount: 1\n", "image: x\n", "{}", "[1]", "- foo\n", "foo\n", '["o"]'):
        (found,) = _decode(text)
        assert isinstance(found, Found)
        assert not found.is_object


@every(
    ("text", "line", "what"),
    [
        ("kind: Pod\nmetadata:\n  name: a\n  name: b\n", 4, "'name' stands twice"),
        ("kind: Pod\nmetadata: {name: a\n", 3, "no YAML"),
        ("kind: Pod\nmetadata:\n\tname: a\n", 3, "no YAML"),
        ("kind: Pod\nname: 'a\n", 2, "no YAML"),
        (b"kind: Pod\nname: \xff\n", 2, "no YAML"),
        (b"kind: Pod\nname: a\x00\n", 2, "no YAML"),
        ("kind: Pod\na: *b\n", 2, "no YAML"),
        ("kind: Config\na: [so\n", 3, "no YAML"),
        ("kind: x\na: [1\n", 3, "no YAML"),
        ("kind: Pod\na: !Ref x\n", 2, "!Ref"),
        ("kind: Pod\na: &b [*b]\n", 2, "alias within its own anchor"),
        (_BOMB, 7, "with its aliases written out"),
        ("kind: Pod\na: " + "[" * 5000, 2, "levels of nesting"),
        ("- " * 5000 + "o", 1, "levels of nesting"),
        ("kind: Pod\na: !!int x\n", 1, "not of the type"),
        ('{"kind": "Pod",\n "a": ]}', 2, "no JSON"),
        ('{"kind": "Pod",\n "a": {"b": 1,\n "b": 2}}', 3, "'b' stands twice"),
        ('{"kind": "Pod", "a": "\\ud800"}', 1, "no JSON"),
        ('{"kind": "Pod", "a": ' + "[" * 100_000 + "]" * 100_000 + "}", 1, "nested too deeply"),
        ("kind: Pod\nreplicas: {{ .Values.replicas }}\n", 2, "template"),
        ("{{- if .Values.enabled }}\nkind: Pod\n{{- end }}\n", 1, "template"),
        ("kind: {{ .Values.kind }}\nname: foo\n", 1, "template"),
        ("kind: Pod\n{% if x %}\na: 1\n{% endif %}\n", 2, "template"),
        ("kind: Config\na: o\nkind: Pod\n", 3, "two objects"),
        ("apiVersion: v1\nkind: Pod\na: o\napiVersion: v1\nkind: Pod\n", 4, "two objects"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_line(text: str | bytes, line: int, what: str) -> None:
    found = _problem(text, 101)
    assert what in found.what
    assert found.line == 100 + line
    assert found.advice


def test_what_stands_before_a_fault_in_a_long_list_is_kept() -> None:
    items = "".join(
        f"- kind: Pod\n  metadata: {{name: p{n}}}\n  x: {'y' * 1000}\n" for n in range(2500)
    )
    found = _decode(f"apiVersion: v1\nitems:\n{items}- kind: Pod\n  a: [\nkind: List\n")
    *first, last = found
    assert len(first) == 2500
    assert isinstance(last, FileProblem)
    assert last.line >= 7504


@examples(500)
@given(
    st.binary(max_size=80)
    | st.text(max_size=60).map(lambda text: f"kind: Pod\n{text}".encode())
    | st.text('{}[]",:kindPo &*!|-?\n0#%', max_size=60).map(str.encode)
)
def test_bytes_of_anybody_give_objects_or_problems(text: bytes) -> None:
    for one in _decode(text):
        if isinstance(one, FileProblem):
            assert one.what
            assert one.line >= 1


_ENDLESS = {
    "sequences": "[" * 1_000_000,
    "mappings": "{a: " * 300_000,
    "closed in texts": '["]", ' * 200_000,
    "both": '[{"]": ' * 200_000,
}


@pytest.mark.parametrize("text", _ENDLESS.values(), ids=_ENDLESS)
def test_brackets_without_end_end_at_the_depth(text: str) -> None:
    """libyaml alone takes minutes for them. No object of a wanted kind is in them."""
    found = _problem(f"# x\na: {text.replace('o', 'u')}")
    assert (found.line, found.what) == (2, "more than 128 levels of nesting")


@pytest.mark.parametrize(
    ("text", "is_object"),
    [
        ("{apiVersion: v1, kind: Secret, metadata: {name: a}}", True),
        ("  {'kind': Secret}", True),
        ("{metadata: {kind: Secret}}", False),
        ("a: {kind: Secret}", False),
    ],
)
def test_an_object_in_braces_is_one(text: str, is_object: bool) -> None:
    decoder = Decoder("a.yaml", lambda *_: False, lambda _: False)
    (found,) = decoder.decode(Chunk(1, text.encode()))
    assert isinstance(found, Found)
    assert (found.manifest, found.is_object) == (None, is_object)
