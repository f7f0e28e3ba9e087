"""The results of tests, for a person and for a CI."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from xml.etree import ElementTree

from fleet_telemetry.linting.problem import Problem
from fleet_telemetry.objects.text import printable
from fleet_telemetry.policy_tests.comparing import Result

_LONGEST = 2000


def as_text(results: Sequence[Result], problems: Sequence[Problem]) -> str:
    """A line for each test, the differences below it, and the count."""
    return "".join(f"{printable(line, _LONGEST)}\n" for line in _lines(results, problems))


def _lines(results: Sequence[Result], problems: Sequence[Problem]) -> Iterator[str]:
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


def as_junit(results: Sequence[Result], problems: Sequence[Problem]) -> str:
    """JUnit XML: a failure for what differs, an error for what is wrong in a file."""
    failed = sum(bool(one.differences) for one in results)
    suite = ElementTree.Element(
        "testsuite",
        name="fleet-telemetry test",
        tests=str(len(results) + len(problems)),
        failures=str(failed),
        errors=str(len(problems)),
    )
    for one in results:
        case = _case(suite, one.name, one.file, one.line)
        if one.differences:
            text = printable("; ".join(one.differences), _LONGEST)
            ElementTree.SubElement(case, "failure", message=text)
    for problem in problems:
        case = _case(suite, f"{problem.file}:{problem.line}", problem.file, problem.line)
        text = printable(f"{problem.what}; {problem.advice}", _LONGEST)
        ElementTree.SubElement(case, "error", message=text)
    text = ElementTree.tostring(suite, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _case(suite: ElementTree.Element, name: str, file: str, line: int) -> ElementTree.Element:
    return ElementTree.SubElement(
        suite,
        "testcase",
        name=printable(name, _LONGEST),
        classname=printable(file, _LONGEST),
        file=printable(file, _LONGEST),
        line=str(line),
    )
