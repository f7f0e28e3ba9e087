"""What switches channels off: the edits that a policy with Disabled would make at a CREATE.

The policy is imagined. There is no second plan beside the one of the webhook.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from fleet_telemetry.api.policy import (
    ChannelName,
    ClusterTelemetryPolicySpec,
    Injection,
    Submission,
    When,
)
from fleet_telemetry.api.reasons import Reason
from fleet_telemetry.audit.fixing.patching import patched
from fleet_telemetry.audit.result import Change, Obstacle
from fleet_telemetry.catalogue.matching import MatchedContainer
from fleet_telemetry.policy.imagined import imagined
from fleet_telemetry.policy.precedence import EffectivePolicy
from fleet_telemetry.switches.edits import Cause, Edit, SkippedEdit, Trigger
from fleet_telemetry.switches.injection import InjectionContext, plan_edits
from fleet_telemetry.switches.suspend import FIELD, SuspendMechanism
from fleet_telemetry.workloads.workload import Workload

ChannelKey = tuple[str, ChannelName]
"""A product's name and one of its channels."""


def plan_disabling(
    workload: Workload, targets: Sequence[MatchedContainer], channels: Iterable[ChannelKey]
) -> tuple[Edit | SkippedEdit, ...]:
    """The edits that switch the channels off, and those that are not possible."""
    effective = {key: _imagined(*key) for key in channels}
    return plan_edits(InjectionContext(Trigger.CREATE, workload, tuple(targets)), effective)


def changes_of(workload: Workload, planned: Iterable[Edit | SkippedEdit]) -> Iterator[Change]:
    """The edits, as a result shows them. Of a variable that is removed only the name: others chose
    the value."""
    edits = [one for one in planned if isinstance(one, Edit)]
    for edit in edits:
        if edit.argument is None:
            entry = edit.name if edit.value is None else f"{edit.name}={edit.value}"
            yield Change(container=edit.container_name, entry=entry, removed=edit.value is None)
    after = patched(workload, edits).template.containers
    for old, new in zip(workload.template.containers, after, strict=True):
        before, now = Counter(old.args), Counter(new.args)
        for word in (before - now).elements():
            yield Change(container=old.name, entry=word, removed=True)
        for word in (now - before).elements():
            yield Change(container=old.name, entry=word)


def obstacles_of(planned: Iterable[Edit | SkippedEdit]) -> Iterator[Obstacle]:
    """What cannot be changed by a patch, and why."""
    for skipped in planned:
        if isinstance(skipped, SkippedEdit):
            yield Obstacle(
                container=skipped.container_name,
                entry=FIELD if skipped.mechanism == SuspendMechanism.name else skipped.name,
                message=_why(skipped),
            )


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
        case Cause.BY_REFERENCE:
            return f"The value of {name} comes from a reference. Change it there."
        case Cause.HOLDS_MORE:
            return f"The value of {name} may hold more than the switch. Change it by hand."
        case Cause.NOT_BESIDE:
            return f"The product does not start with {name} and {skipped.note}. Remove the latter."
        case _:
            return _meaning(skipped.note)


def _meaning(note: str) -> str:
    """The note of what cannot be written is a reason."""
    return next((one.meaning for one in Reason if one == note), note)
