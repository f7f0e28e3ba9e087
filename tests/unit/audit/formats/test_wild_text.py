"""Whatever foreign text holds, every form parses, and holds nothing for which a terminal, a
browser, a spreadsheet or a person falls."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Sized
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree as ET

import msgspec
import pytest
import yaml
from hypothesis import given
from markdown_it import MarkdownIt

from fleet_telemetry.audit.formats import markdown
from fleet_telemetry.audit.formats.columns import width
from fleet_telemetry.audit.formats.csv_format import HEADER
from fleet_telemetry.audit.formats.format import Screen
from fleet_telemetry.audit.formats.plain import encodable
from fleet_telemetry.audit.formats.registry import FORMATS
from fleet_telemetry.audit.result import Audit
from tests.support import sarif
from tests.support.audits import NASTY, an_audit, finding, ordinary, wild_audits
from tests.support.depth import examples

_CSV_NEWLINE = "\r\n"


_EVERY = Screen(every=True)


def _rendered(name: str, audit: Audit, screen: Screen = _EVERY) -> str:
    return FORMATS[name].render(audit, screen)


@pytest.mark.thorough
@given(audit=wild_audits)
@examples(80)
def test_no_control_character_is_written(audit: Audit) -> None:
    for name in FORMATS:
        text = _rendered(name, audit)
        assert text.endswith("\n"), name
        text.encode()
        if name == "csv":
            text = text.replace(_CSV_NEWLINE, "\n")
        for character in set(text) - {"\n"}:
            assert character.isprintable(), (name, character, unicodedata.category(character))


@pytest.mark.thorough
@given(audit=wild_audits)
@examples(80)
def test_json_and_yaml_hold_the_result_itself(audit: Audit) -> None:
    expected = encodable(audit)
    assert msgspec.json.decode(_rendered("json", audit)) == expected
    assert yaml.load(_rendered("yaml", audit), yaml.CSafeLoader) == expected
    msgspec.convert(expected, Audit)


def test_json_says_what_it_is() -> None:
    found = msgspec.json.decode(_rendered("json", an_audit()))
    assert found["apiVersion"] == "audit.fleettelemetry.io/v1alpha1"
    assert found["kind"] == "TelemetryAudit"
    assert found["findings"] == []


def _parts(audit: Audit) -> tuple[Sized, ...]:
    """Everything that has a row or a testcase of its own."""
    return (
        audit.findings,
        audit.unmanaged,
        audit.unknown_images,
        audit.policy_advice,
        audit.problems,
    )


@given(audit=wild_audits)
@examples(80)
def test_csv_has_a_record_for_everything_and_no_formula(audit: Audit) -> None:
    text = _rendered("csv", audit)
    rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    assert tuple(rows[0]) == HEADER
    parts = _parts(audit)
    assert len(rows) == 1 + sum(map(len, parts)) == text.count(_CSV_NEWLINE)
    for row in rows:
        assert len(row) == len(HEADER)
        for cell in row:
            assert not re.match(r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20]", cell)


@given(audit=wild_audits)
@examples(80)
def test_junit_has_a_testcase_for_everything(audit: Audit) -> None:
    root = ET.fromstring(_rendered("junit", audit))
    cases = root.findall("testsuite/testcase")
    parts = _parts(audit)
    assert len(cases) == sum(map(len, parts)) == int(root.attrib["tests"])
    for tag, key in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
        assert len(root.findall(f"testsuite/testcase/{tag}")) == int(root.attrib[key])
    assert len(root.findall(".//error")) == len(audit.problems)
    violations = sum(map(audit.is_violation, audit.findings))
    assert len(root.findall(".//failure")) == violations
    for case in cases:
        assert len(case) == 1


@given(audit=wild_audits)
@examples(80)
def test_sarif_is_as_its_schema_says(audit: Audit) -> None:
    log = sarif.read(_rendered("sarif", audit))
    results = log.runs[0].results
    attention = [one for one in audit.findings if audit.is_violation(one) or audit.is_unknown(one)]
    listed = (attention, audit.unmanaged, audit.policy_advice)
    assert len(results) == sum(map(len, listed))
    prints = [one.partial_fingerprints["telemetryChannel/v1"] for one in results[: len(attention)]]
    assert len(set(prints)) == len(prints)
    for result in results:
        # A bracket or a brace of foreign text is no link and no placeholder.
        assert not re.search(r"(?<!\\)(\\\\)*\[", result.message.text.replace("\\[", ""))
        assert re.sub(r"\{\{|\}\}", "", result.message.text).count("{") == 0


class _Page(HTMLParser):
    """What a browser would make of a page."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.open: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag not in ("meta", "input", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


_TAGS = frozenset(
    re.split(
        r"\s+",
        """html head meta title style body a header h1 h2 h3 p strong svg rect ul li nav main
        section form div label select option input button article code table caption thead tbody tr
        th td details summary dl dt dd pre footer script br""",
    )
)
_ATTRIBUTES = frozenset(
    re.split(
        r"\s+",
        """lang charset http-equiv content name class href viewbox preserveaspectratio aria-hidden
        x width height id aria-label aria-labelledby tabindex autocomplete hidden for value type
        role scope data-sends data-state data-product data-channel data-namespace data-cluster""",
    )
)


@given(audit=wild_audits)
@examples(80)
def test_html_is_well_formed_and_has_no_element_of_foreign_text(audit: Audit) -> None:
    page = _Page()
    page.feed(_rendered("html", audit))
    page.close()
    assert page.open == []
    assert set(page.tags) <= _TAGS
    assert page.attributes <= _ATTRIBUTES
    assert (page.tags.count("script"), page.tags.count("style")) == (1, 1)
    assert page.tags.count("details") == len(audit.findings)


_GITHUB = MarkdownIt("commonmark").enable("table")


def _blocks(tokens: Any) -> list[str]:
    return [one.type for one in tokens if one.type.endswith("_open")]


@given(audit=wild_audits)
@examples(80)
def test_markdown_is_tables_and_fits_a_comment(audit: Audit) -> None:
    text = _rendered("markdown", audit)
    assert len(text) <= markdown.MOST_CHARACTERS
    tokens = _GITHUB.parse(text)
    blocks = _blocks(tokens)
    assert set(blocks) <= {
        *("heading_open", "paragraph_open", "table_open", "thead_open", "tbody_open"),
        *("tr_open", "th_open", "td_open"),
    }
    assert not [one for one in tokens if one.type in ("html_block", "fence", "code_block", "hr")]
    for table_row in text.splitlines():
        if table_row.startswith("| "):
            assert table_row.count("|") in (3, 4, 5, 9, 10, 11)
    in_code = False
    for inline in (each for one in tokens if one.type == "inline" for each in one.children or ()):
        assert inline.type not in ("link_open", "image", "em_open", "s_open"), inline
        if inline.type == "html_inline":
            assert inline.content in ("<code>", "</code>", "<sub>", "</sub>")
            in_code = inline.content == "<code>"
        if inline.type == "text" and not in_code:
            # What GitHub links although no bracket says so, and whom it tells.
            assert not re.search(r"[@#!]\w", inline.content), inline
    outside_of_code = re.sub(r"`[^`\n]*`", "", text)
    assert not re.search(r"(?i)www\.|[a-z]:\S", outside_of_code)


@pytest.mark.thorough
@given(audit=wild_audits)
@examples(80)
def test_a_table_fits_the_terminal(audit: Audit) -> None:
    for columns in (60, 80, 200):
        text = _rendered("table", audit, Screen(width=columns, every=True))
        assert max(map(width, text.splitlines())) <= columns
        # A row for each finding, and none is broken.
        cells = [line for line in text.splitlines() if re.search(r"  (Yes|No|Unknown)( |$)", line)]
        assert len(cells) >= len(audit.findings)


@pytest.mark.parametrize("name", FORMATS)
def test_a_name_stays_recognisable(name: str) -> None:
    for text in NASTY:
        rendered = _rendered(name, an_audit(finding(f"before-{text}-after")))
        assert "before-" in rendered


@pytest.mark.parametrize("name", FORMATS)
def test_an_empty_result_and_an_ordinary_one(name: str) -> None:
    assert _rendered(name, an_audit())
    assert "internal.test" in _rendered(name, ordinary)
    assert "bad.yaml" in _rendered(name, ordinary)
    assert "bare" in _rendered(name, ordinary)
