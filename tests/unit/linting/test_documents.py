"""Files of anybody: whatever they hold, the linter says what is wrong, and ends soon."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_telemetry.linting.document import LARGEST_FILE, read_path
from fleet_telemetry.linting.lint import lint
from tests.support.depth import examples
from tests.support.every import every
from tests.support.lint_files import PRODUCT, TABLE

_BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)
)
_MERGE_BOMB = "a0: &a0 {x0: 1}\n" + "".join(
    f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 10)}]}}\n" for n in range(1, 12)
)


@every(
    ("text", "line", "what"),
    [
        (b"", 1, "the file is empty"),
        (b"# nothing\n", 1, "the file is empty"),
        (b"a: 1\n---\nb: 2\n", 2, "no YAML"),
        (b"a: [1\n", 2, "no YAML"),
        (b"a: 1\n\tb: 2\n", 2, "no YAML"),
        (b"a: 1\nb: \xff\xfe\n", 2, "no YAML"),
        (b"a: 1\nb: \x00\n", 2, "no YAML"),
        (b"a: *b\n", 1, "no YAML"),
        (b"a: 1\n0", 2, "no YAML"),
        (b"a: 1\nb: 2\na: 3\n", 3, "'a' stands twice in one mapping, first in line 1"),
        (b"a: &b [*b]\n", 1, "an alias within its own anchor"),
        (b"a: &b {c: *b}\n", 1, "an alias within its own anchor"),
        (b"? [a]\n: 1\n", 1, "a key that is no word"),
        (b"a: !!python/object/apply:os.system [ls]\n", 1, "no YAML"),
        (b"a: !!int x\n", 1, "not of the type that it looks like"),
        (b"a: !!bool x\n", 1, "not of the type that it looks like"),
        (b"a: !!timestamp x\n", 1, "not of the type that it looks like"),
        (b"a: 2026-99-99\n", 1, "not of the type that it looks like"),
        (b"a: " + b"9" * 5000 + b"\n", 1, "not of the type that it looks like"),
        (b"[" * 5000, 1, "more than 32 levels"),
        (b"a: " + b"{b: " * 5000, 1, "more than 32 levels"),
        (_BOMB.encode(), 6, "with its aliases written out"),
        (_MERGE_BOMB.encode(), 6, "with its aliases written out"),
        (b"#" * (LARGEST_FILE + 1), 1, "bytes"),
    ],
)  # fmt: skip
def test_a_document_that_cannot_be_read_is_told(text: bytes, line: int, what: str) -> None:
    (problem,) = lint({"a.yaml": text})
    assert what in problem.what
    assert problem.line == line
    assert problem.advice
    (problem, *_) = lint({"acme.yaml": PRODUCT.encode(), "acme.test.yaml": text})
    assert (problem.file, problem.line) == ("acme.test.yaml", line)


@examples(300)
@given(st.binary(max_size=200))
def test_any_bytes_are_a_document_or_a_problem(text: bytes) -> None:
    problems = lint({"a.yaml": text})
    assert problems
    assert all(1 <= one.line <= text.count(b"\n") + 2 for one in problems)


@pytest.mark.thorough
@examples(300)
@given(
    st.sampled_from([PRODUCT, TABLE]).flatmap(
        lambda text: st.tuples(
            st.just(text),
            st.integers(0, len(text)),
            st.integers(0, 30),
            st.text("{}[]:,&*!|>'\"%@`#-? \n\tab0", max_size=5),
        )
    )
)
def test_a_file_with_a_slip_of_the_pen_never_raises(given: tuple[str, int, int, str]) -> None:
    text, at, length, instead = given
    changed = (text[:at] + instead + text[at + length :]).encode()
    files = {"acme.yaml": PRODUCT.encode(), "acme.test.yaml": TABLE.encode()}
    files["acme.yaml" if text == PRODUCT else "acme.test.yaml"] = changed
    for built_in in (True, False):
        for problem in lint(files, built_in=built_in):
            lines = files[problem.file].count(b"\n") + 1
            assert 1 <= problem.line <= lines
            assert problem.what
            assert problem.advice


def test_the_path_of_a_message_is_read() -> None:
    assert read_path("$.spec.channels[0].rules[12].default") == (
        *("spec", "channels", 0, "rules", 12, "default"),
    )
    assert read_path("") == ()
