"""What docs/egress.md shows and refers to is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fleet_telemetry.egress.allowlist import AllowlistFormat, render
from tests.support.allowlist_entries import IN_THE_DOCS
from tests.support.every import every

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "egress.md").read_text()
TESTS = sorted(set(re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", PAGE)))


@pytest.mark.parametrize("form", AllowlistFormat)
def test_an_example_is_what_the_code_gives(form: AllowlistFormat) -> None:
    assert f"\n```\n{render(IN_THE_DOCS, form)}```\n" in PAGE
    assert f"`{form}` (`{form.key}`)" in PAGE


def test_tests_are_named() -> None:
    assert len(TESTS) > 20


@every(("path", "name"), TESTS)
def test_a_test_that_is_named_is_there(path: str, name: str) -> None:
    text = (ROOT / path).read_text()
    assert not name or re.search(rf"^(def|class) {name}\b", text, re.MULTILINE)


def test_every_tick_names_its_test() -> None:
    rows = [row for row in PAGE.splitlines() if row.startswith("|") and "✓" in row]
    assert rows
    for row in rows:
        kept_by = row.rstrip("| ").rpartition("|")[2]
        assert "`tests/" in kept_by or "TODO test" in kept_by, row
