"""What would switch telemetry off in each workload, for a person to read and to paste from."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from textwrap import indent

from fleet_telemetry.api.workload_telemetry import Sends
from fleet_telemetry.audit.fixing.commands import kubectl_command, patch_yaml, to_yaml
from fleet_telemetry.audit.formats.format import Screen
from fleet_telemetry.audit.result import Audit, Fix, FixOutcome, PatchForm, Place
from fleet_telemetry.objects.text import printable

_LONGEST = 1000
_NOTHING = "Nothing to correct: no channel sends, or may send.\n"
_SENDS = {Sends.YES: "it sends", Sends.NO: "it sends nothing", Sends.UNKNOWN: "not known"}


class FixText:
    """A paragraph for each workload."""

    name = "text"

    def render(self, audit: Audit, screen: Screen) -> str:
        """See Format."""
        del screen
        if not audit.fixes:
            return _NOTHING
        return "\n".join("\n".join(_lines(fix)) + "\n" for fix in audit.fixes)


def where(place: Place) -> str:
    """The file and the line, or the cluster; empty if there is nothing to say."""
    if place.file:
        line = f":{place.line}" if place.line else ""
        return f"{printable(place.file, _LONGEST)}{line}"
    return f"cluster {printable(place.cluster, _LONGEST)}" if place.cluster else ""


def _lines(fix: Fix) -> Iterator[str]:
    name = printable(f"{fix.kind} {fix.namespace}/{fix.name}", _LONGEST)
    at = where(fix.place)
    yield f"{name} ({at})" if at else name
    for outcome in fix.outcomes:
        yield f"  {_change_of(outcome, changed=bool(fix.changes))}"
    yield from _changes(fix)
    for obstacle in fix.obstacles:
        text = f"{obstacle.entry} in container {obstacle.container}: {obstacle.message}"
        yield f"  By hand: {printable(text, _LONGEST)}"
    command = kubectl_command(fix) if not fix.place.file else ""
    if command:
        yield "  Command:"
        yield f"    {command}"
    elif fix.patch_form is not None:
        strategic = fix.patch_form is PatchForm.STRATEGIC
        yield "  Strategic merge patch:" if strategic else "  JSON patch (RFC 6902):"
        yield indent(patch_yaml(fix).rstrip("\n"), "    ")
    if fix.helm_values is not None:
        chart = printable(fix.chart, _LONGEST)
        yield f"  Values of the chart {chart}; a list replaces the list in other files of values:"
        yield indent(to_yaml(fix.helm_values).rstrip("\n"), "    ")
    for remedy in fix.remedies:
        yield f"  The vendor: {printable(remedy, _LONGEST)}"
    for note in fix.notes:
        yield f"  Note: {printable(note, _LONGEST)}"


def _change_of(outcome: FixOutcome, *, changed: bool) -> str:
    what = f"{outcome.product} {outcome.channel}"
    if not changed:
        now = _SENDS[outcome.before]
        return f"{what}: {now}, and no setting is known that changes it ({outcome.message})"
    if outcome.after is Sends.YES:
        return f"{what}: it sends, and would with the change, too ({outcome.message})"
    then = "nothing" if outcome.after is Sends.NO else "not known"
    now = _SENDS[outcome.before]
    return f"{what}: now {now}; with the change {then} ({outcome.reason}: {outcome.message})"


def _changes(fix: Fix) -> Iterator[str]:
    for (container, removed), group in groupby(
        fix.changes, key=lambda one: (one.container, one.removed)
    ):
        verb = "Remove from" if removed else "Set in"
        yield f"  {verb} container {printable(container, _LONGEST)}:"
        yield from (f"    {printable(one.entry, _LONGEST)}" for one in group)
