"""An explanation for a person on a terminal. Nothing in it holds a control character."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import wrap

from fleet_telemetry.api.product.channel import Provenance
from fleet_telemetry.audit.explaining.explanation import (
    ChannelExplained,
    EvidenceSeen,
    Explanation,
    PolicyExplained,
)
from fleet_telemetry.audit.formats import wording
from fleet_telemetry.audit.result import Finding
from fleet_telemetry.policy.outcomes import PolicyEffect

_WIDTH = 100
"""Where the text goes to no terminal."""
_NARROWEST = 40
_OUTCOMES = {
    PolicyEffect.EFFECTIVE: "decides",
    PolicyEffect.AGREES: "agrees",
    PolicyEffect.LOWER_PRECEDENCE: "has lower precedence",
    PolicyEffect.EXEMPT: "exempts the workload",
    PolicyEffect.NOT_COVERED: "does not cover it",
    PolicyEffect.NOT_SELECTED: "does not select the workload",
}
_PROVENANCE = {
    Provenance.SOURCE: "from the vendor's source",
    Provenance.DOCUMENTATION: "from the vendor's documentation",
    Provenance.USER: "the claim of the TelemetryProduct's author",
}
_MOST_UNSELECTED = 5


def render(explained: Explanation, width: int = 0) -> str:
    """The whole text, with a newline at its end, in so many columns; 0 for no terminal."""
    columns = max(width or _WIDTH, _NARROWEST)
    return "".join(
        f"{line}\n" for text, depth in _lines(explained) for line in _wrapped(text, depth, columns)
    )


def _wrapped(text: str, depth: int, columns: int) -> list[str]:
    indent = "  " * depth
    return wrap(
        text,
        columns,
        initial_indent=indent,
        subsequent_indent=f"{indent}  ",
        break_on_hyphens=False,
    ) or [""]


Lines = Iterator[tuple[str, int]]
"""Texts with their depth."""


def _lines(explained: Explanation) -> Lines:
    one = explained.workload
    at = wording.place(explained.place)
    name = wording.name(f"{one.kind} {'/'.join(filter(None, (one.namespace, one.name)))}")
    yield f"{name} ({at})" if at else name, 0
    if explained.message:
        yield wording.prose(explained.message), 1
    for container in explained.containers:
        what = container.title or "no known product"
        version = f" {container.version}" if container.version else ""
        note = f": {container.message}" if container.message else ""
        yield (
            wording.prose(
                f"container {container.name} runs {container.image}: {what}{version}{note}"
            ),
            1,
        )
    for channel in explained.channels:
        yield "", 0
        yield from _channel(channel)
    if explained.policy_advice:
        yield "", 0
        yield wording.ADVICE_HEADING, 0
    for advice in explained.policy_advice:
        yield wording.policy_advice(advice), 1
    if explained.history:
        yield "", 0
        yield "What was done", 0
    for event in explained.history:
        time = f"{event.time:%Y-%m-%d %H:%M} " if event.time else ""
        yield wording.prose(f"{time}{event.reason}: {event.note}"), 1
    if explained.problems:
        yield "", 0
        yield "What could not be read", 0
    for problem in explained.problems:
        yield wording.problem(problem), 1


def _channel(one: ChannelExplained) -> Lines:
    found = one.finding
    yield wording.prose(f"{found.channel} of {found.title}: {wording.SENDS_WORDS[found.sends]}"), 0
    yield wording.prose(f"{found.reason}: {found.message}"), 1
    if found.state is not None and found.policy is not None:
        yield (
            wording.prose(
                f"By the policy, which wants {found.desired}: {found.state}, {found.state_reason}: "
                f"{found.state_message}"
            ),
            1,
        )
    yield from _policies(one.policies)
    yield "Evidence", 1
    for seen in one.evidence:
        yield _evidence(seen), 2
    if found.provenance is not None:
        yield f"facts on the product: {_PROVENANCE[found.provenance]}", 2
    if one.missing:
        yield "What to do to prove it", 1
    for advice in one.missing:
        yield wording.prose(advice), 2
    yield from _remedies(found)


def _policies(policies: tuple[PolicyExplained, ...]) -> Lines:
    if not policies:
        yield "Policies: none", 1
        return
    yield "Policies", 1
    unselected = 0
    for one in policies:
        unselected += one.outcome is PolicyEffect.NOT_SELECTED
        if unselected > _MOST_UNSELECTED:
            continue
        where = f"{one.policy.namespace}/" if one.policy.namespace else ""
        yield (
            wording.prose(
                f"{one.policy.kind} {where}{one.policy.name} (submission {one.submission}, mode "
                f"{one.mode}) {_OUTCOMES[one.outcome]}: {one.why}"
            ),
            2,
        )
    if unselected > _MOST_UNSELECTED:
        yield f"{unselected - _MOST_UNSELECTED} more do not select the workload", 2


def _evidence(seen: EvidenceSeen) -> str:
    entry = f", {seen.entry}" if seen.entry else ""
    time = f", on {seen.time:%Y-%m-%d %H:%M}" if seen.time else ""
    note = f" - {seen.message}" if seen.message else ""
    return wording.prose(f"{seen.source}: {seen.shows} ({seen.where}{entry}{time}){note}")


def _remedies(found: Finding) -> Lines:
    for change in found.changes:
        verb = "remove" if change.removed else "set"
        yield (
            wording.prose(
                f"To switch it off: {verb} {change.entry} in container {change.container}"
            ),
            1,
        )
    for obstacle in found.obstacles:
        yield wording.prose(f"To switch it off: {obstacle.message}"), 1
    if found.remedy:
        yield wording.prose(f"Remedy: {found.remedy}"), 1
    if found.hosts:
        yield "Hosts: " + ", ".join(wording.host(one) for one in found.hosts), 1
    for host in found.hosts:
        if notes := wording.host_notes(host):
            yield f"{wording.host(host)}: {notes}", 2
