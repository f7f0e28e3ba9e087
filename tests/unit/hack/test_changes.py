"""The changes in Chart.yaml are those of the changelog."""

from __future__ import annotations

import pytest
import yaml

from hack.changes import ChangelogError, changes, with_changes

CHANGELOG = """\
# Changelog

## 2.0.0

### Fixed
- One
  of `two` lines.
- Another: with a colon.

## 1.0.0

### Added
- Old.
"""
CHART = """\
version: 2.0.0
annotations:
  artifacthub.io/changes: |
    - kind: added
      description: Old
  artifacthub.io/crds: |
    - kind: A
"""


def test_only_the_newest_version_counts_and_lines_are_joined() -> None:
    assert list(changes(CHANGELOG)) == [
        {"kind": "fixed", "description": "One of two lines"},
        {"kind": "fixed", "description": "Another: with a colon"},
    ]


def test_nothing_else_in_the_chart_changes() -> None:
    text = with_changes(CHART, CHANGELOG)
    before, after = yaml.safe_load(CHART), yaml.safe_load(text)
    found = after["annotations"].pop("artifacthub.io/changes")
    assert yaml.safe_load(found) == list(changes(CHANGELOG))
    del before["annotations"]["artifacthub.io/changes"]
    assert before == after
    assert with_changes(text, CHANGELOG) == text


@pytest.mark.parametrize("text", ["# Log\n\n## 1.0.0\n\n### Broken\n- It.\n", "# Log\n"])
def test_a_changelog_of_another_shape_is_refused(text: str) -> None:
    with pytest.raises(ChangelogError):
        list(changes(text))
