"""docs/security.md names a test for each promise, and each of these tests exists."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.every import every

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "security.md").read_text()
# The last column of a table: files of tests, or tests of the file that was named last.
_NAMED = re.compile(r"`(tests/[\w/]+\.py)?(?:::(\w+))?`")


def promises() -> list[str]:
    """The rows of the tables in "Promises"."""
    section = PAGE.partition("\n## Promises\n")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| ")]
    return [row for row in rows if row != "| promise | tests |"]


def named_tests(row: str) -> Iterator[tuple[str, str]]:
    """Each file and test that a row names; the test is empty if it names a whole file."""
    file = ""
    for found in _NAMED.finditer(row.rsplit(" | ", 1)[1]):
        file = found[1] or file
        yield file, found[2] or ""


def functions(file: str) -> set[str]:
    tree = ast.parse((ROOT / file).read_text())
    return {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def test_there_are_promises() -> None:
    assert len(promises()) > 20


@pytest.mark.thorough
@every("row", promises())
def test_a_promise_names_tests_that_exist(row: str) -> None:
    named = list(named_tests(row))
    assert named, "it names no test"
    for file, test in named:
        assert (ROOT / file).is_file(), file
        assert not test or test in functions(file), f"{file}::{test}"


def test_every_row_with_a_test_is_among_the_promises() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| ") and "`tests/" in line]
    assert [row for row in rows if row not in promises()] == []


def test_no_promise_is_given_twice() -> None:
    given = [row.rsplit(" | ", 1)[0].rstrip(".") for row in promises()]
    assert len(given) == len(set(given))
