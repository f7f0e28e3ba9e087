"""Markdown as GitHub and GitLab show it, short enough for a comment on a pull request."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from fleet_telemetry.audit.formats import wording
from fleet_telemetry.audit.formats.format import Screen
from fleet_telemetry.audit.formats.groups import Group, causes_of
from fleet_telemetry.audit.result import Audit, Finding, Problem

MOST_CHARACTERS = 65_536
"""What GitHub takes for a comment."""
_RESERVED = 4_000
"""For the headings and the sentences on what is left out."""
_SHARE_OF_FINDINGS = 0.75
_LITERAL = re.compile(r"[\w./:@+=,()\[\] -]+", re.ASCII)
# A colon that a space follows makes neither a link nor a picture.
_SPECIAL = re.compile(r"[^0-9A-Za-z .,;:()/'+-]|:(?! )|(?<=www)\.", re.ASCII | re.IGNORECASE)
_MENTION = re.compile(r"(?<=[@#!])(?=\w)")


class MarkdownFormat:
    """Tables by what needs attention."""

    name = "markdown"

    def render(self, audit: Audit, screen: Screen) -> str:
        """See Format."""
        budget = _Budget(MOST_CHARACTERS - _RESERVED)
        parts = [
            ["## Telemetry audit", "", f"**{prose(wording.headline(audit))}**"],
            [prose(wording.judgement(audit))] if audit.judged else [],
            *_findings(audit, budget, screen),
            *_unmanaged(audit, budget),
            *_advice(audit, budget),
            *_problems(audit, budget),
            *_coverage(audit, budget),
            [f"<sub>{prose(wording.made_by(audit))}</sub>"],
        ]
        return "\n\n".join("\n".join(lines) for lines in parts if lines) + "\n"


class _Budget:
    """The characters that rows may still take."""

    def __init__(self, characters: int) -> None:
        self._left = characters

    def rows(self, rows: Iterable[str], share: float = 1) -> tuple[list[str], int]:
        """The first rows that fit into a share of what is left, and how many do not fit."""
        room = int(self._left * share)
        taken: list[str] = []
        left_out = 0
        for row in rows:
            # Once a row did not fit, none is shown: the order is that of urgency.
            if left_out or len(row) + 1 > room:
                left_out += 1
                continue
            taken.append(row)
            room -= len(row) + 1
            self._left -= len(row) + 1
        return taken, left_out


def code(text: str) -> str:
    """A name as it is, whatever it holds: neither a link, nor markup, nor a mention of somebody."""
    if not text:
        return ""
    if _LITERAL.fullmatch(text) and text.strip() == text:
        return f"`{text}`"
    return f"<code>{_entities(text)}</code>"


def prose(text: str) -> str:
    """A sentence without markup, links and mentions."""
    return _entities(_MENTION.sub("\0", text))


def _entities(text: str) -> str:
    return _SPECIAL.sub(_entity, text)


def _entity(found: re.Match[str]) -> str:
    character = found[0]
    if character == "\0":
        # A space without width: what follows names nobody.
        return "&#8203;"
    return f"&#{ord(character)};" if character.isascii() else character


def _findings(audit: Audit, budget: _Budget, screen: Screen) -> Iterator[list[str]]:
    causes = causes_of(audit)
    # Once, and not for each row: an audit may have tens of thousands.
    observed = any(map(wording.is_observed, audit.findings))
    for group in Group:
        findings = [one for cause in causes if cause.group is group for one in cause.findings]
        if not findings:
            continue
        heading = f"### {group.heading(judged=audit.judged)} ({len(findings):,})"
        if group is Group.FINE and not screen.every:
            yield [heading, "", "Not listed; `--all` lists them."]
            continue
        cells = (_row(audit, one, observed=observed) for one in findings)
        rows, left_out = budget.rows(cells, _SHARE_OF_FINDINGS)
        head = ["Workload", "Product", "Version", "Channel", "Sends"]
        head += ["State"] if audit.judged else []
        head += ["Observed"] if observed else []
        head += ["Why", "What to do", "Where"]
        yield [heading, "", _cells(head), _cells("---" for _ in head), *rows]
        if left_out:
            yield [_left_out(left_out, "row")]


def _row(audit: Audit, one: Finding, *, observed: bool) -> str:
    reason, message = wording.why(one, judged=audit.judged)
    cells = [
        code(wording.workload(one)),
        code(wording.name(one.product)),
        code(wording.name(one.version)),
        one.channel.value,
        one.sends.value,
    ]
    if audit.judged:
        cells.append(one.state.value if one.state else "")
    if observed:
        cells.append(one.observed.value)
    cells += (
        f"{code(reason)} {prose(message)}".strip(),
        prose(wording.what_to_do(one)),
        code(wording.place(one.place)),
    )
    return _cells(cells)


def _unmanaged(audit: Audit, budget: _Budget) -> Iterator[list[str]]:
    if audit.unmanaged:
        rows, left_out = budget.rows(
            _cells(
                (
                    code(wording.object_name(one)),
                    code(wording.products(one)),
                    prose(wording.prose(one.advice)),
                    code(wording.place(one.place)),
                )
            )
            for one in audit.unmanaged
        )
        heading = f"### Not judged ({len(audit.unmanaged):,})"
        head = ("Object", "Products", "What to do", "Where")
        yield [heading, "", _cells(head), _cells("---" for _ in head), *rows]
        if left_out:
            yield [_left_out(left_out, "row")]


def _advice(audit: Audit, budget: _Budget) -> Iterator[list[str]]:
    if audit.policy_advice:
        rows, left_out = budget.rows(
            _cells(
                (
                    code(wording.policy_name(one.policy)),
                    prose(wording.prose(one.message)),
                    code(wording.advice_place(one)),
                )
            )
            for one in audit.policy_advice
        )
        heading = f"### {wording.ADVICE_HEADING} ({len(audit.policy_advice):,})"
        yield [heading, "", _cells(("Policy", "Advice", "Where")), _cells(["---"] * 3), *rows]
        if left_out:
            yield [_left_out(left_out, "row")]


def _problems(audit: Audit, budget: _Budget) -> Iterator[list[str]]:
    if audit.problems:
        rows, left_out = budget.rows(map(_problem, audit.problems))
        number = wording.count(len(audit.problems), "problem")
        heading = f"### The result is not complete ({number})"
        yield [heading, "", _cells(("Where", "What", "What to do")), _cells(["---"] * 3), *rows]
        if left_out:
            yield [_left_out(left_out, "problem")]


def _problem(one: Problem) -> str:
    what, advice = (prose(wording.prose(text)) for text in (one.what, one.advice))
    return _cells((code(wording.place(one.place)), what, advice))


def _coverage(audit: Audit, budget: _Budget) -> Iterator[list[str]]:
    yield ["### Coverage", "", prose(wording.coverage(audit))]
    rows, left_out = budget.rows(
        _cells((code(wording.name(one.image)), str(one.containers))) for one in audit.unknown_images
    )
    if rows:
        yield [_cells(("Unknown image", "Containers")), _cells(("---", "---:")), *rows]
    if left_out:
        yield [_left_out(left_out, "image")]


def _cells(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _left_out(number: int, what: str) -> str:
    return (
        f"{wording.count(number, f'more {what}')} do not fit into the "
        f"{MOST_CHARACTERS:,} characters of a comment; `--output=json` has all."
    )
