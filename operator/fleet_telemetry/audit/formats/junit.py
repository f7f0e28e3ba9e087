"""JUnit XML, for the page of a CI run: a testcase for each channel of each workload."""

from __future__ import annotations

from collections.abc import Iterable
from xml.etree import ElementTree as ET

from fleet_telemetry.audit.formats import wording
from fleet_telemetry.audit.formats.format import Screen
from fleet_telemetry.audit.formats.groups import Group, group_of
from fleet_telemetry.audit.result import Audit, Finding, Place


class JunitFormat:
    """Violations fail, what is not known is skipped, and what could not be read is an error."""

    name = "junit"

    def render(self, audit: Audit, screen: Screen) -> str:
        """See Format."""
        del screen
        root = ET.Element("testsuites", name="fleet-telemetry audit")
        suites: dict[str, list[Finding]] = {}
        for one in audit.findings:
            parts = (one.place.cluster, one.namespace)
            suites.setdefault(wording.name("/".join(filter(None, parts))), []).append(one)
        for name, findings in suites.items():
            _suite(root, name or "workloads", audit, (_case(audit, one) for one in findings))
        if audit.unmanaged:
            _suite(root, "objects that cannot be judged", audit, _unmanaged(audit))
        if audit.unknown_images:
            _suite(root, "images that the catalogue does not know", audit, _images(audit))
        if audit.problems:
            _suite(root, "problems", audit, _problems(audit))
        for key in ("tests", "failures", "errors", "skipped"):
            root.set(key, str(sum(int(suite.get(key, "0")) for suite in root)))
        ET.indent(root)
        text = ET.tostring(root, encoding="unicode")
        return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _suite(root: ET.Element, name: str, audit: Audit, cases: Iterable[ET.Element]) -> None:
    suite = ET.SubElement(root, "testsuite", name=name)
    suite.extend(cases)
    suite.set("tests", str(len(suite)))
    for key, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(key, str(len(suite.findall(f"testcase/{tag}"))))
    suite.set("time", "0")
    suite.set("timestamp", audit.time.isoformat(timespec="seconds"))


def _case(audit: Audit, one: Finding) -> ET.Element:
    case = _element(f"{wording.name(one.product)} {one.channel.value}", wording.workload(one))
    _set_place(case, one.place)
    reason, message = wording.why(one, judged=audit.judged)
    answer = one.state.value if audit.judged and one.state else f"Sends: {one.sends.value}"
    said = f"{answer}. {message}".strip()
    match group_of(audit, one):
        case Group.VIOLATION:
            ET.SubElement(case, "failure", message=said, type=reason).text = _details(one)
        case Group.UNKNOWN:
            ET.SubElement(case, "skipped", message=said).text = _details(one)
        case Group.UNCOVERED:
            ET.SubElement(case, "skipped", message=f"No policy covers the channel. {said}")
        case Group.FINE:
            ET.SubElement(case, "system-out").text = said
    return case


def _details(one: Finding) -> str:
    lines = (
        f"{wording.name(one.title)} {wording.name(one.version)}".strip(),
        f"What to do: {wording.what_to_do(one)}" if wording.what_to_do(one) else "",
        f"Hosts: {', '.join(map(wording.host, one.hosts))}" if one.hosts else "",
        f"Evidence: {wording.evidence(one)}",
        f"Where: {wording.place(one.place)}" if wording.place(one.place) else "",
    )
    return "\n".join(filter(None, lines))


def _unmanaged(audit: Audit) -> Iterable[ET.Element]:
    for one in audit.unmanaged:
        case = _element(wording.products(one), wording.object_name(one))
        _set_place(case, one.place)
        ET.SubElement(case, "skipped", message=wording.prose(one.advice))
        yield case


def _images(audit: Audit) -> Iterable[ET.Element]:
    for one in audit.unknown_images:
        case = _element(wording.name(one.image), "image")
        ran = wording.count(one.containers, "container")
        ET.SubElement(case, "skipped", message=f"Nothing can be said of {ran}.")
        yield case


def _problems(audit: Audit) -> Iterable[ET.Element]:
    for one in audit.problems:
        case = _element(wording.prose(one.what) or "problem", wording.place(one.place) or "audit")
        _set_place(case, one.place)
        ET.SubElement(case, "error", message=wording.problem(one), type="Problem")
        yield case


def _element(name: str, group: str) -> ET.Element:
    return ET.Element("testcase", name=name, classname=group, time="0")


def _set_place(case: ET.Element, place: Place) -> None:
    if place.file and place.file != "-":
        case.set("file", wording.name(place.file))
        if place.line > 0:
            case.set("line", str(place.line))
