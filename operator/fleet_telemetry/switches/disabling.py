"""What switches channels off: the edits that a policy with Disabled would make at a CREATE.

The policy is imagined. There is no second plan beside the one of the webhook, so what is advised is
what would be done, and never what would keep a product from starting.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from fleet_telemetry.api.policy import (
    ChannelName,
    ClusterTelemetryPolicySpec,
    Injection,
    Submission,
    When,
)
from fleet_telemetry.api.reasons import Reason
from fleet_telemetry.catalogue.matching import MatchedContainer
from fleet_telemetry.policy.imagined import imagined
from fleet_telemetry.policy.precedence import EffectivePolicy
from fleet_telemetry.switches.edits import Edit, EditCause, SkippedEdit, Trigger
from fleet_telemetry.switches.injection import plan_edits
from fleet_telemetry.switches.injection_context import InjectionContext
from fleet_telemetry.switches.patched import patched
from fleet_telemetry.switches.suspend import FIELD, SuspendMechanism
from fleet_telemetry.workloads.workload import Workload

ChannelKey = tuple[str, ChannelName]
"""A product's name and one of its channels."""


@dataclass(frozen=True, slots=True)
class SettingChange:
    """One thing to set or to remove."""

    container: str
    entry: str
    """``NAME=value`` of a variable, the word of an argument, or ``spec.suspend=true``. Of a
    variable that is removed only the name: others chose the value."""
    removed: bool = False


@dataclass(frozen=True, slots=True)
class SettingObstacle:
    """What has to be changed by hand, and why."""

    container: str
    entry: str
    """The name of the variable or the flag."""
    message: str
    """Sentences."""


def plan_disabling(
    workload: Workload, targets: Sequence[MatchedContainer], channels: Iterable[ChannelKey]
) -> tuple[Edit | SkippedEdit, ...]:
    """The edits that switch the channels off, and those that are not possible."""
    effective = {key: _imagined(*key) for key in channels}
    return plan_edits(InjectionContext(Trigger.CREATE, workload, tuple(targets)), effective)


def changes_in(
    workload: Workload, planned: Iterable[Edit | SkippedEdit]
) -> Iterator[SettingChange]:
    """The edits, as a person makes them."""
    edits = [one for one in planned if isinstance(one, Edit)]
    for edit in edits:
        if edit.argument is None:
            entry = edit.name if edit.value is None else f"{edit.name}={edit.value}"
            yield SettingChange(edit.container_name, entry, removed=edit.value is None)
    after = patched(workload, edits).template.containers
    for old, new in zip(workload.template.containers, after, strict=True):
        before, now = Counter(old.args), Counter(new.args)
        for word in (before - now).elements():
            yield SettingChange(old.name, word, removed=True)
        for word in (now - before).elements():
            yield SettingChange(old.name, word)


def sentences(changes: Iterable[SettingChange]) -> Iterator[str]:
    """One for what is set in a container, one for what is removed from it."""
    for (container, removed), group in groupby(changes, lambda one: (one.container, one.removed)):
        entries = ", ".join(dict.fromkeys(one.entry for one in group))
        where = f" {'from' if removed else 'in'} container {container}" if container else ""
        yield f"{'Remove' if removed else 'Set'} {entries}{where}."


def obstacles_in(planned: Iterable[Edit | SkippedEdit]) -> Iterator[SettingObstacle]:
    """What cannot be changed by an edit, and why."""
    for skipped in planned:
        if isinstance(skipped, SkippedEdit):
            is_field = skipped.mechanism == SuspendMechanism.name
            entry = FIELD if is_field else skipped.name
            yield SettingObstacle(skipped.container_name, entry, _why(skipped))


def _imagined(product: str, channel: ChannelName) -> EffectivePolicy:
    return imagined(
        ClusterTelemetryPolicySpec(
            submission=Submission.DISABLED,
            products=(product,),
            channels=(channel,),
            injection=Injection(when=When.ALWAYS, arguments=True),
        )
    )


def _why(skipped: SkippedEdit) -> str:
    name = skipped.name
    match skipped.cause:
        case EditCause.BY_REFERENCE:
            return f"The value of {name} comes from a reference. Change it there."
        case EditCause.HOLDS_MORE:
            return f"The value of {name} may hold more than the switch. Change it by hand."
        case EditCause.NOT_BESIDE:
            return f"The product does not start with {name} and {skipped.note}. Remove the latter."
        case _:
            return _meaning(skipped.note)


def _meaning(note: str) -> str:
    """The note of what cannot be written is a reason."""
    return next((one.meaning for one in Reason if one == note), note)
