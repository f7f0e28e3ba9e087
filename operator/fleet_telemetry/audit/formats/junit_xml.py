"""JUnit XML, whatever the testcases are about. Its texts are printable already, but for names of
files and lines, which are printed here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from xml.etree import ElementTree as ET

from fleet_telemetry.audit.formats import wording
from fleet_telemetry.audit.result import Place


class JUnitOutcome(StrEnum):
    """What a testcase came to: the name of its element."""

    FAILURE = "failure"
    ERROR = "error"
    SKIPPED = "skipped"
    PASSED = "system-out"


_COUNTED = {
    "failures": JUnitOutcome.FAILURE,
    "errors": JUnitOutcome.ERROR,
    "skipped": JUnitOutcome.SKIPPED,
}


_NOWHERE = Place()


@dataclass(frozen=True, slots=True, kw_only=True)
class JUnitCase:
    """A testcase."""

    name: str
    group: str
    """What the page of a CI run shows as its class."""
    place: Place = _NOWHERE
    outcome: JUnitOutcome = JUnitOutcome.PASSED
    message: str = ""
    type: str = ""
    details: str = ""


def junit_xml(
    name: str, suites: Mapping[str, Iterable[JUnitCase]], time: datetime | None = None
) -> str:
    """The whole text, with a newline at its end. A suite without testcases is left out."""
    root = ET.Element("testsuites", name=name)
    for title, cases in suites.items():
        elements = list(map(_element, cases))
        if elements:
            suite = ET.SubElement(root, "testsuite", name=title)
            suite.extend(elements)
            _count(suite, elements)
            suite.set("time", "0")
            if time is not None:
                suite.set("timestamp", time.isoformat(timespec="seconds"))
    for key in ("tests", *_COUNTED):
        root.set(key, str(sum(int(suite.get(key, "0")) for suite in root)))
    ET.indent(root)
    text = ET.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _count(suite: ET.Element, elements: list[ET.Element]) -> None:
    suite.set("tests", str(len(elements)))
    for key, tag in _COUNTED.items():
        suite.set(key, str(sum(one.find(tag) is not None for one in elements)))


def _element(case: JUnitCase) -> ET.Element:
    found = ET.Element("testcase", name=case.name, classname=case.group, time="0")
    if case.place.file and case.place.file != "-":
        found.set("file", wording.name(case.place.file))
        if case.place.line > 0:
            found.set("line", str(case.place.line))
    inner = ET.SubElement(found, case.outcome)
    if case.outcome is JUnitOutcome.PASSED:
        inner.text = case.message
    else:
        inner.set("message", case.message)
        inner.text = case.details or None
    if case.type:
        inner.set("type", case.type)
    return found
