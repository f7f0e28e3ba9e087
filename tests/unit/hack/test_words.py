"""Words that the project does not use are found, and genuine uses are not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hack.words import ALLOWED, ROOT, SCANNED, WORDS, files, findings


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("The wished value.", ["wished"]),
        ("def takes_back() -> None:", ["takes back"]),
        ("class MirrorShelf:", ["Mirror", "Shelf"]),
        ("fleet-telemetry-nudge", ["nudge"]),
        ('raise ValueError("it is put right")', ["put right"]),
        (
            "The variable is beaten by an argument; the host is out of reach.",
            ["beaten", "out of reach"],
        ),
    ],
)
def test_a_word_is_found_in_prose_and_in_identifiers(text: str, found: list[str]) -> None:
    # In the order of the list of words, not of the line.
    assert sorted(finding.found for finding in findings(text, "operator/a.py")) == sorted(found)


def test_a_finding_says_where_and_what_to_write() -> None:
    (finding,) = findings("fine\n# Nothing is mirrored.\n", "docs/a.md")
    assert str(finding) == "docs/a.md:2: 'mirrored': use cache"


@pytest.mark.parametrize(
    "text",
    [
        "Images from a registry mirror match.",
        "image: mirror.example/proxy/dependencytrack/apiserver",
        "A network policy denies the host.",
        "intel, hotel, Dwight, foretell",
        "ordered by name, recorded in the status",
    ],
)
def test_other_words_and_genuine_uses_are_not_found(text: str) -> None:
    assert list(findings(text, "docs/a.md")) == []


def test_a_use_is_allowed_only_where_it_is_genuine() -> None:
    line = "The roles view, edit and admin."
    assert list(findings(line, "docs/install.md")) == []
    assert [finding.found for finding in findings(line, "docs/egress.md")] == ["view"]


def test_all_words_and_exceptions_are_well_formed() -> None:
    for word in WORDS:
        re.compile(word.pattern)
        assert word.instead
    for entry in ALLOWED:
        re.compile(entry.text)
        re.compile(entry.path)
        assert entry.reason


def test_everything_that_is_scanned_exists() -> None:
    for name in SCANNED:
        assert any(files([name])), name


def test_files_are_found_by_their_ending(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    for name in ("a.md", "b.svg", "c.py"):
        (tmp_path / "docs" / name).write_text("")
    assert [file.name for file in files(["docs"], tmp_path)] == ["a.md", "c.py"]
    assert ROOT.joinpath("hack").is_dir()
