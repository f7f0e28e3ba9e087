"""The results of tests, for a person and for a CI."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fleet_telemetry.audit.formats.junit_xml import JUnitCase, JUnitOutcome, junit_xml
from fleet_telemetry.audit.result import Place
from fleet_telemetry.linting.problem import FileProblem
from fleet_telemetry.objects.text import printable
from fleet_telemetry.policy_tests.comparing import PolicyTestResult

_LONGEST = 2000
_NAME = "fleet-telemetry test"


def as_text(results: Sequence[PolicyTestResult], problems: Sequence[FileProblem]) -> str:
    """A line for each test, the differences below it, and the count."""
    return "".join(f"{printable(line, _LONGEST)}\n" for line in _lines(results, problems))


def _lines(results: Sequence[PolicyTestResult], problems: Sequence[FileProblem]) -> Iterator[str]:
    width = max((len(one.name) for one in results), default=0)
    for one in results:
        mark = "FAIL" if one.differences else "ok  "
        yield f"{mark}  {one.name:<{width}}  {one.found}"
        for difference in one.differences:
            yield f"      {one.file}:{one.line}: {difference}"
    yield from map(str, problems)
    failed = sum(bool(one.differences) for one in results)
    wrong = f", {len(problems)} problems in the files" if problems else ""
    yield f"{len(results)} tests, {failed} failed{wrong}"


def as_junit(results: Sequence[PolicyTestResult], problems: Sequence[FileProblem]) -> str:
    """JUnit XML: a failure for what differs, an error for what is wrong in a file."""
    cases = [*map(_case, results), *map(_error, problems)]
    return junit_xml(_NAME, {_NAME: cases})


def _case(one: PolicyTestResult) -> JUnitCase:
    return JUnitCase(
        name=printable(one.name, _LONGEST),
        group=printable(one.file, _LONGEST),
        place=Place(file=one.file, line=one.line),
        outcome=JUnitOutcome.FAILURE if one.differences else JUnitOutcome.PASSED,
        message=printable("; ".join(one.differences) or one.found, _LONGEST),
    )


def _error(one: FileProblem) -> JUnitCase:
    return JUnitCase(
        name=printable(f"{one.file}:{one.line}", _LONGEST),
        group=printable(one.file, _LONGEST),
        place=Place(file=one.file, line=one.line),
        outcome=JUnitOutcome.ERROR,
        message=printable(f"{one.what}; {one.advice}", _LONGEST),
    )
