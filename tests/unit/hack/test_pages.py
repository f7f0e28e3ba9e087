"""Files that the hand-written pages name exist, and their links lead somewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from hack.generate import ROOT
from tests.support.every import every

PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "dev").rglob("*.md"),
        *(ROOT / "examples").rglob("*.md"),
    ]
)
# The generated pages of products name files of the vendors' repositories.
NAMING_PATHS = [page for page in PAGES if page.parent.name != "products"]
_FOLDERS = "charts|crds|dev|docs|examples|hack|observability|operator|tests"
_PATH = re.compile(rf"(?<![\w./-])((?:{_FOLDERS})/[\w./*-]*\w)")


def _paths(text: str) -> Iterator[str]:
    for code in re.findall(r"`([^`\n]+)`", text):
        if "<" not in code:
            yield from _PATH.findall(code)


def _anchor(heading: str) -> str:
    kept = re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower())
    return kept.replace(" ", "-")


@every("page", NAMING_PATHS, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_path_that_a_page_names_exists(page: Path) -> None:
    missing = {path for path in _paths(page.read_text()) if not any(ROOT.glob(path))}
    assert missing == set()


@every("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        assert file.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", file.read_text(), re.MULTILINE)
            assert anchor in map(_anchor, headings), target
