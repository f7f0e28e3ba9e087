"""Lists of arguments that the operator created or added a word to, and how they are reverted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from fleet_telemetry.api.product.switch import Switch
from fleet_telemetry.api.workload_telemetry import InjectedKind, InjectedVariable
from fleet_telemetry.catalogue.matching import MatchedContainer
from fleet_telemetry.switches.command_line import image_arguments
from fleet_telemetry.switches.desired import injectable_rule
from fleet_telemetry.switches.edits import ArgumentEdit, Edit, EditCause
from fleet_telemetry.switches.ownership import injected_arguments
from fleet_telemetry.switches.recorded import Recorded
from fleet_telemetry.workloads.workload import Container, Workload


def argument_edit(
    workload: Workload,
    target: MatchedContainer,
    switch: Switch | None,
    recorded: Recorded,
) -> ArgumentEdit | None:
    """How a switch is written that is an argument; None for all others."""
    if switch is None or switch.argument is None:
        return None
    ours = injected_arguments(workload, target.container, target.product.all_switches, recorded)
    lists = [one.image_arguments for one in ours if one.image_arguments is not None]
    return ArgumentEdit(switch.argument, image_arguments=next(iter(lists), None))


def outdated_lists(
    workload: Workload, target: MatchedContainer, recorded: Recorded
) -> Iterator[Edit]:
    """Remove a list of arguments that was created for a version, or a system, whose image has other
    arguments: it would keep those of the image before."""
    is_known = target.version is not None and target.verified
    rules = [
        rule
        for channel in target.product.spec.channels
        if (rule := injectable_rule(target, channel.name)) is not None
    ]
    images = [
        image_arguments(target.container, switch.argument)
        for rule in rules
        for switch in rule.switches
        if switch.argument is not None and is_known
    ]
    for one in injected_arguments(
        workload, target.container, target.product.all_switches, recorded
    ):
        if one.image_arguments is not None and one.image_arguments not in images:
            yield _removal(target.container, one)


def without_list(target: MatchedContainer) -> MatchedContainer:
    """The container after that."""
    return replace(target, container=replace(target.container, args=()))


def _removal(container: Container, one: InjectedVariable) -> Edit:
    """The edit that removes a recorded argument."""
    return Edit(
        container=container.index,
        container_name=container.name,
        name=one.name,
        value=None,
        cause=EditCause.REVERTED,
        mechanism="argument",
        argument=ArgumentEdit(injected=one.value, image_arguments=one.image_arguments),
    )


def revert_arguments(
    workload: Workload,
    container: Container,
    switches: Iterable[Switch],
    recorded: Recorded,
    handled: Iterable[str] = (),
) -> Iterator[Edit]:
    """Remove the arguments that were injected, but for those of ``handled`` flags. A list that was
    created for them goes as a whole."""
    ours = list(injected_arguments(workload, container, switches, recorded))
    yield from (_removal(container, one) for one in ours if one.name not in handled)


def arguments_of(edits: Iterable[Edit]) -> Iterator[InjectedVariable]:
    """The words that edits add to lists of arguments, as they are recorded."""
    for edit in edits:
        if edit.argument is not None and edit.value is not None:
            yield InjectedVariable(
                container=edit.container_name,
                name=edit.name,
                value=edit.value,
                kind=InjectedKind.ARGUMENT,
            )
