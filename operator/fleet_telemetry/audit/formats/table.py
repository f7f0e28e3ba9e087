"""A table for people: on a terminal it fits the width, elsewhere each row is one line."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from fleet_telemetry.api.workload_telemetry import Sends
from fleet_telemetry.audit.formats import wording
from fleet_telemetry.audit.formats.columns import cut, padded, width, wrapped
from fleet_telemetry.audit.formats.format import Screen
from fleet_telemetry.audit.formats.groups import Cause, Group, causes_of
from fleet_telemetry.audit.result import Audit, Finding, HostName

_GAP = "  "
_INDENT = "    "
_MOST_IMAGES = 20
_NOTHING = "-"
_COLOURS = {Sends.YES.value: "31;1", Sends.UNKNOWN.value: "33", Sends.NO.value: "32"}
_BOLD = "1"


@dataclass(frozen=True, slots=True)
class _Column:
    title: str
    cell: Callable[[Finding], str]
    narrowest: int = 0
    """How far it may be cut; 0 if not at all."""


class TableFormat:
    """What phones home first, then what was not seen, and what could not be read."""

    name = "table"

    def render(self, audit: Audit, screen: Screen) -> str:
        """See Format."""
        lines = [
            *_paragraph(wording.headline(audit), screen, bold=True),
            *_paragraph(wording.judgement(audit), screen),
            *_rows(audit, screen),
            *_unmanaged(audit, screen),
            *_advice(audit, screen),
            *_coverage(audit, screen),
            *_problems(audit, screen),
        ]
        return "".join(f"{line.rstrip()}\n" for line in lines)


def _rows(audit: Audit, screen: Screen) -> Iterator[str]:
    causes = causes_of(audit)
    shown = [one for one in causes if screen.every or one.group is not Group.FINE]
    findings = [one for cause in shown for one in cause.findings]
    if findings:
        columns = _columns(audit, findings, whole=not screen.width)
        widths = _widths(columns, findings, screen.width)
        explained = bool(screen.width)
        yield ""
        yield _coloured(_line(widths, [one.title for one in widths]), _BOLD, screen)
        for group in Group:
            those = [one for one in shown if one.group is group]
            if those and explained:
                number = sum(len(one.findings) for one in those)
                yield ""
                heading = f"{group.heading(judged=audit.judged)} ({number:,})"
                yield _coloured(heading, _BOLD, screen)
            for cause in those:
                for one in cause.findings:
                    yield _row(widths, one, screen)
                if explained:
                    why_shown = any(one.title == "WHY" for one in widths)
                    yield from _explanation(audit, cause, screen, why_shown=why_shown)
    hidden = sum(len(one.findings) for one in causes) - len(findings)
    if hidden:
        heading = Group.FINE.heading(judged=audit.judged).lower()
        yield ""
        yield from _paragraph(
            f"Not listed: {wording.count(hidden, 'channel')} ({heading}); --all lists them.", screen
        )


def _columns(audit: Audit, findings: Iterable[Finding], *, whole: bool) -> list[_Column]:
    clusters = {one.place.cluster for one in findings}
    columns = [
        _Column(
            "WORKLOAD", lambda one: wording.workload(one, with_cluster=any(clusters)), narrowest=12
        ),
        _Column("PRODUCT", lambda one: wording.name(one.product), narrowest=8),
        _Column("VERSION", lambda one: wording.name(one.version), narrowest=7),
        _Column("CHANNEL", lambda one: one.channel.value),
        _Column("SENDS", lambda one: one.sends.value),
    ]
    if audit.judged:
        columns.append(_Column("STATE", lambda one: one.state.value if one.state else ""))
    columns.append(_Column("WHY", lambda one: wording.why(one, judged=audit.judged)[0]))
    if any(map(wording.is_observed, findings)):
        columns.append(_Column("OBSERVED", lambda one: one.observed.value))
    if whole:
        columns += (
            _Column("HOSTS", lambda one: ",".join(map(wording.host, one.hosts))),
            _Column("WHERE", lambda one: wording.place(one.place)),
            _Column("WHAT TO DO", wording.what_to_do),
        )
    return columns


def _widths(columns: list[_Column], findings: list[Finding], most: int) -> dict[_Column, int]:
    """The columns that are shown, with their widths."""
    widths = {
        column: max(width(column.title), *(width(_cell(column, one)) for one in findings))
        for column in columns
    }
    if not most:
        return widths

    def too_much() -> int:
        return sum(widths.values()) + len(_GAP) * (len(widths) - 1) - most

    by_title = {column.title: column for column in columns}
    if too_much() > 0:
        # The explanation below the rows says it.
        del widths[by_title["WHY"]]
    observed = by_title.get("OBSERVED")
    if too_much() > 0 and observed is not None:
        del widths[observed]
    for title in ("VERSION", "PRODUCT", "WORKLOAD"):
        column = by_title[title]
        if too_much() > 0:
            widths[column] = max(min(widths[column], column.narrowest), widths[column] - too_much())
    for title in ("VERSION", "PRODUCT"):
        if too_much() > 0:
            del widths[by_title[title]]
    return widths


def _cell(column: _Column, one: Finding) -> str:
    return column.cell(one) or _NOTHING


def _line(widths: dict[_Column, int], cells: list[str]) -> str:
    return _GAP.join(
        padded(cut(cell, columns), columns)
        for cell, columns in zip(cells, widths.values(), strict=True)
    ).rstrip()


def _row(widths: dict[_Column, int], one: Finding, screen: Screen) -> str:
    cells = []
    for column, columns in widths.items():
        cell = padded(cut(_cell(column, one), columns), columns)
        if column.title == "SENDS":
            cell = _coloured(cell, _COLOURS[one.sends.value], screen)
        cells.append(cell)
    return _GAP.join(cells).rstrip()


def _explanation(audit: Audit, cause: Cause, screen: Screen, *, why_shown: bool) -> Iterator[str]:
    if cause.group is Group.FINE:
        return
    reason, message = wording.why(cause.common, judged=audit.judged)
    why = message if why_shown else ": ".join(filter(None, (reason, message)))
    said = {
        "Why": why,
        "What to do": wording.what_to_do(cause.common),
        "Hosts": ", ".join(map(_noted, cause.common.hosts)),
    }
    for title, text in said.items():
        if text:
            for line in wrapped(f"{title}: {text}", screen.width - len(_INDENT), "  "):
                yield _INDENT + line


def _noted(one: HostName) -> str:
    notes = wording.host_notes(one)
    return f"{wording.host(one)} ({notes})" if notes else wording.host(one)


def _unmanaged(audit: Audit, screen: Screen) -> Iterator[str]:
    if audit.unmanaged:
        yield ""
        yield _coloured(f"Not judged ({len(audit.unmanaged):,})", _BOLD, screen)
    for one in audit.unmanaged:
        line = f"{wording.object_name(one)}: {wording.products(one)}"
        if not screen.width:
            yield f"{line}  {wording.place(one.place)}  {wording.prose(one.advice)}"
            continue
        yield from wrapped(line, screen.width, _INDENT)
        for part in wrapped(wording.prose(one.advice), screen.width - len(_INDENT), ""):
            yield _INDENT + part


def _coverage(audit: Audit, screen: Screen) -> Iterator[str]:
    if audit.coverage.workloads or audit.unknown_images:
        yield ""
        yield from _paragraph(wording.coverage(audit), screen)
    images = audit.unknown_images if screen.every else audit.unknown_images[:_MOST_IMAGES]
    for one in images:
        line = f"{wording.name(one.image)}  {wording.count(one.containers, 'container')}"
        yield _INDENT + (cut(line, screen.width - len(_INDENT)) if screen.width else line)
    if more := len(audit.unknown_images) - len(images):
        yield f"{_INDENT}{wording.count(more, 'more image')}; --all lists them."


def _advice(audit: Audit, screen: Screen) -> Iterator[str]:
    if audit.policy_advice:
        yield ""
        heading = f"{wording.ADVICE_HEADING} ({len(audit.policy_advice):,})"
        yield _coloured(heading, _BOLD, screen)
    for one in audit.policy_advice:
        yield from _indented(wording.policy_advice(one), screen)


def _indented(text: str, screen: Screen) -> Iterator[str]:
    lines = wrapped(text, screen.width - len(_INDENT), "  ") if screen.width else (text,)
    yield from (_INDENT + line for line in lines)


def _problems(audit: Audit, screen: Screen) -> Iterator[str]:
    if not audit.problems:
        return
    yield ""
    yield from _paragraph(
        f"The result is not complete ({wording.count(len(audit.problems), 'problem')}):", screen
    )
    for one in audit.problems:
        yield from _indented(wording.problem(one), screen)


def _paragraph(text: str, screen: Screen, *, bold: bool = False) -> Iterator[str]:
    for line in wrapped(text, screen.width, "") if screen.width else filter(None, (text,)):
        yield _coloured(line, _BOLD, screen) if bold else line


def _coloured(text: str, code: str, screen: Screen) -> str:
    return f"\x1b[{code}m{text}\x1b[0m" if screen.colour else text
