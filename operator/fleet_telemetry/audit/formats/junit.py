"""JUnit XML, for the page of a CI run: a testcase for each channel of each workload."""

from __future__ import annotations

from collections.abc import Iterator

from fleet_telemetry.audit.formats import wording
from fleet_telemetry.audit.formats.format import Screen
from fleet_telemetry.audit.formats.groups import Group, group_of
from fleet_telemetry.audit.formats.junit_xml import JUnitCase, JUnitOutcome, junit_xml
from fleet_telemetry.audit.result import Audit, Finding


class JunitFormat:
    """Violations fail, what is not known is skipped, and what could not be read is an error."""

    name = "junit"

    def render(self, audit: Audit, screen: Screen) -> str:
        """See Format."""
        del screen
        suites: dict[str, list[JUnitCase]] = {}
        for one in audit.findings:
            parts = (one.place.cluster, one.namespace)
            name = wording.name("/".join(filter(None, parts))) or "workloads"
            suites.setdefault(name, []).append(_case(audit, one))
        for name, cases in (
            ("objects that cannot be judged", _unmanaged(audit)),
            ("images that the catalogue does not know", _images(audit)),
            (wording.ADVICE_HEADING, _advice(audit)),
            ("problems", _problems(audit)),
        ):
            suites.setdefault(name, []).extend(cases)
        return junit_xml("fleet-telemetry audit", suites, audit.time)


def _case(audit: Audit, one: Finding) -> JUnitCase:
    reason, message = wording.why(one, judged=audit.judged)
    answer = one.state.value if audit.judged and one.state else f"Sends: {one.sends.value}"
    said = f"{answer}. {message}".strip()
    outcome, kind, details = JUnitOutcome.SKIPPED, "", _details(one)
    match group_of(audit, one):
        case Group.VIOLATION:
            outcome, kind = JUnitOutcome.FAILURE, reason
        case Group.UNKNOWN:
            pass
        case Group.UNCOVERED:
            said, details = f"No policy covers the channel. {said}", ""
        case Group.FINE:
            outcome, details = JUnitOutcome.PASSED, ""
    return JUnitCase(
        name=f"{wording.name(one.product)} {one.channel.value}",
        group=wording.workload(one),
        place=one.place,
        outcome=outcome,
        message=said,
        type=kind,
        details=details,
    )


def _details(one: Finding) -> str:
    lines = (
        f"{wording.name(one.title)} {wording.name(one.version)}".strip(),
        f"What to do: {wording.what_to_do(one)}" if wording.what_to_do(one) else "",
        f"Hosts: {', '.join(map(wording.host, one.hosts))}" if one.hosts else "",
        f"Evidence: {wording.evidence(one)}",
        f"Where: {wording.place(one.place)}" if wording.place(one.place) else "",
    )
    return "\n".join(filter(None, lines))


def _unmanaged(audit: Audit) -> Iterator[JUnitCase]:
    for one in audit.unmanaged:
        yield JUnitCase(
            name=wording.products(one),
            group=wording.object_name(one),
            place=one.place,
            outcome=JUnitOutcome.SKIPPED,
            message=wording.prose(one.advice),
        )


def _images(audit: Audit) -> Iterator[JUnitCase]:
    for one in audit.unknown_images:
        ran = wording.count(one.containers, "container")
        yield JUnitCase(
            name=wording.name(one.image),
            group="image",
            outcome=JUnitOutcome.SKIPPED,
            message=f"Nothing can be said of {ran}.",
        )


def _advice(audit: Audit) -> Iterator[JUnitCase]:
    for one in audit.policy_advice:
        yield JUnitCase(
            name=wording.prose(one.message) or "advice",
            group=wording.policy_name(one.policy),
            place=one.place,
            message=wording.policy_advice(one),
        )


def _problems(audit: Audit) -> Iterator[JUnitCase]:
    for one in audit.problems:
        yield JUnitCase(
            name=wording.prose(one.what) or "problem",
            group=wording.place(one.place) or "audit",
            place=one.place,
            outcome=JUnitOutcome.ERROR,
            message=wording.problem(one),
            type="Problem",
        )
