"""Edits in words: admission warnings, and the Events that stay on the workload.

No text has a value of a related setting, or any value that the operator did not choose.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from fleet_telemetry.objects.text import printable
from fleet_telemetry.reporting.events import Notice
from fleet_telemetry.switches.edits import Edit, EditCause, SkippedEdit
from fleet_telemetry.switches.suspend import is_suspended
from fleet_telemetry.workloads.workload import Container, PodTemplate, Workload

_LONGEST_WARNING = 250
"""The API server truncates longer ones."""
_REASONS = {
    EditCause.INJECTED: "TelemetrySettingInjected",
    EditCause.RESTORED: "TelemetrySettingInjected",
    EditCause.SETTING: "TelemetrySettingInjected",
    EditCause.OVERRIDDEN: "TelemetrySettingOverridden",
    EditCause.REFUSED: "TelemetrySettingRemoved",
    EditCause.EXCLUSIVE: "TelemetrySettingRemoved",
    EditCause.REVERTED: "TelemetrySettingRemoved",
    EditCause.DROPPED: "TelemetrySettingDropped",
}
"""Nothing changes where a value is kept or comes from a reference: the status says it."""


def warning_for(change: Edit | SkippedEdit, workload: str) -> str:
    """The admission warning; ``workload`` is its kind and name."""
    text = f"{change.policy or 'fleet-telemetry'}: {workload}: {_sentence(change)}"
    # The API server drops a warning with a control character.
    return printable(text, _LONGEST_WARNING)


def change_notices(changes: Iterable[Edit | SkippedEdit], by: str) -> Iterator[Notice]:
    """The Events for changes of a workload, one for each reason; ``by`` says who made them."""
    notes: dict[str, list[str]] = {}
    for change in changes:
        if change.cause in _REASONS:
            notes.setdefault(_REASONS[change.cause], []).append(_with_policy(change))
    for reason, parts in notes.items():
        is_warning = reason == _REASONS[EditCause.DROPPED]
        yield Notice(reason, f"{by}: {'; '.join(parts)}.", warning=is_warning)


def rollout_notice(workload: Workload, edits: Sequence[Edit]) -> Notice | None:
    """The Event for a write of the controller that replaces pods; None if it replaces none."""
    if workload.restarts_no_pod or not edits:
        return None
    when = "when it is resumed, because it is paused" if workload.paused else "now"
    why = dict.fromkeys(_origin(edit) for edit in edits)
    return Notice(
        "TelemetryRollout",
        f"The controller changed the pod template, so the pods are replaced {when}. "
        f"Asked for by {'; '.join(why)}.",
        warning=False,
    )


def shows(template: PodTemplate, edit: Edit) -> bool:
    """Whether a pod template is as the edit makes it."""
    return any(
        container.name == edit.container_name and _is_as_edited(container, edit)
        for container in template.containers
    )


def _is_as_edited(container: Container, edit: Edit) -> bool:
    if edit.mechanism == _SUSPEND:
        return is_suspended(container) is (edit.value is not None)
    if edit.argument is None:
        return _value_in(container, edit.name) == edit.value
    if edit.value is not None:
        return edit.value in container.args
    gone = edit.argument.injected
    flag = edit.argument.argument
    return (not gone or gone not in container.args) and not (
        flag is not None and any(map(flag.is_flag, container.args))
    )


def _value_in(container: Container, name: str) -> str | None:
    entry = container.variable(name)
    return entry.value if entry is not None else None


def _with_policy(change: Edit | SkippedEdit) -> str:
    origin = _origin(change) if isinstance(change, Edit) else str(change.policy)
    return f"{_sentence(change)} ({origin})"


def _origin(edit: Edit) -> str:
    """The policy and its field; without a policy, why the operator makes the edit."""
    if edit.policy is not None:
        return f"{edit.policy}, {edit.section}" if edit.section else str(edit.policy)
    if edit.cause is EditCause.REFUSED:
        return "no policy: the product cannot start with what was injected for another version"
    if edit.cause is EditCause.EXCLUSIVE:
        return "no policy: the product cannot start with what was injected beside the other"
    return "no policy: what was injected goes when no policy asks for it"


def _sentence(change: Edit | SkippedEdit) -> str:
    return _SENTENCES.get(change.mechanism, _sentence_on_variable)(change)


def _sentence_on_variable(change: Edit | SkippedEdit) -> str:
    where = f"in container {change.container_name}"
    but = f", but {change.note}" if change.note else ""
    value = change.value if isinstance(change, Edit) else None
    if isinstance(change, SkippedEdit) and change.cause is not EditCause.DROPPED:
        return _unchanged(change, where)
    match change.cause:
        case EditCause.INJECTED if value is not None:
            return f'set {change.name}="{value}" {where}{but}'
        case EditCause.RESTORED if value is not None:
            return (
                f'set {change.name}="{value}" {where} again{but}: the update drops it, and the '
                "setting stays while a policy asks for it"
            )
        case EditCause.DROPPED:
            doubt = f" ({change.note})" if change.note else ""
            return (
                f"did not set {change.name} {where} again, which the update drops{doubt}, because "
                "of when: Never; the default of the product applies"
            )
        case EditCause.OVERRIDDEN if value is not None:
            return f'replaced the value of {change.name} by "{value}" {where}{but}'
        case EditCause.SETTING:
            note = f", {change.note}" if change.note else ""
            return f"set {change.name} {where}{note}"
        case EditCause.REVERTED:
            note = f"; {change.note}" if change.note else ""
            return f"removed {change.name} {where}: no policy asks for it on this version{note}"
        case _:
            note = f": {change.note}" if change.note else ""
            return f"removed {change.name} {where}{note}"


def _sentence_on_argument(change: Edit | SkippedEdit) -> str:
    where = f"in container {change.container_name}"
    but = f", but {change.note}" if change.note else ""
    value = change.value if isinstance(change, Edit) else None
    match change.cause:
        case EditCause.OVERRIDDEN if value is not None:
            return f"replaced the argument {change.name} by {value} {where}{but}"
        case EditCause.RESTORED if value is not None:
            return (
                f"added the argument {value} {where} again{but}: the update drops it, and the "
                "setting stays while a policy asks for it"
            )
        case EditCause.KEPT:
            return f"kept the argument {change.name} {where} because of onConflict: Keep"
        case EditCause.BY_REFERENCE:
            return f"did not replace the argument {change.name} {where}: it contains $(NAME)"
        case EditCause.HOLDS_MORE:
            return f"did not replace the argument {change.name} {where}: its value is not known"
        case EditCause.NOT_WRITABLE:
            return f"did not add the argument {change.name} {where}: {change.note}"
        case EditCause.DROPPED:
            return (
                f"did not add the argument {change.name} {where} again, which the update drops, "
                "because of when: Never; the default of the product applies"
            )
        case _ if value is not None:
            return f"added the argument {value} {where}{but}"
        case EditCause.REVERTED:
            return f"removed the argument {change.name} {where}: no policy asks for it"
        case _:
            return f"removed the argument {change.name} {where}"


def _sentence_on_suspension(change: Edit | SkippedEdit) -> str:
    what = f"the CronJob of container {change.container_name}"
    value = change.value if isinstance(change, Edit) else None
    match change.cause:
        case EditCause.RESTORED if value is not None:
            return (
                f"suspended {what} again: the update resumes it, and it stays suspended while a "
                "policy asks for it"
            )
        case EditCause.KEPT | EditCause.HOLDS_MORE:
            return f"did not resume {what}: somebody else suspended it"
        case EditCause.NOT_WRITABLE:
            return f"did not suspend {what}: {change.note}"
        case EditCause.DROPPED:
            return f"did not suspend {what} again, which the update resumes, because of when: Never"
        case _ if value is not None:
            return f"suspended {what}, which only calls home"
        case EditCause.REVERTED:
            return f"resumed {what}: no policy asks for its suspension"
        case _:
            return f"resumed {what}"


_SUSPEND = "suspend"
_SENTENCES = {"argument": _sentence_on_argument, _SUSPEND: _sentence_on_suspension}


def _unchanged(change: SkippedEdit, where: str) -> str:
    """Why an entry stays as it is."""
    match change.cause:
        case EditCause.BY_REFERENCE:
            return f"did not replace {change.name} {where}: its value comes from a reference"
        case EditCause.HOLDS_MORE:
            return f"did not replace {change.name} {where}: its value may hold more than the switch"
        case EditCause.NOT_BESIDE:
            return (
                f"did not set {change.name} {where}: the product does not start with it and "
                f"{change.note}"
            )
        case _:
            note = f" ({change.note})" if change.note else ""
            return f"kept {change.name} {where} because of onConflict: Keep{note}"
