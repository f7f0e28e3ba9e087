"""Which entries of a container the operator injected."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from fleet_telemetry.api.product.switch import Switch
from fleet_telemetry.api.workload_telemetry import InjectedKind, InjectedVariable
from fleet_telemetry.switches.recorded import NOTHING_RECORDED, Recorded
from fleet_telemetry.switches.registry import mechanism_of
from fleet_telemetry.switches.suspend import FIELD, SUSPENDED, is_suspended
from fleet_telemetry.workloads.workload import Container, EnvVar, Workload


def is_ours(
    workload: Workload,
    container: Container,
    entry: EnvVar,
    switches: Iterable[Switch],
    recorded: Recorded = NOTHING_RECORDED,
) -> bool:
    """Whether the operator injected the entry.

    Admission sets no field owner. So an entry is the operator's if it has none, and is a switch
    with a value that the operator writes. An entry that is ``recorded`` with this value in
    WorkloadTelemetry, as related settings are too, stays the operator's when a tool brings it back
    with an earlier template and becomes its owner. It is the user's once somebody declares it.
    """
    if entry.is_argument:
        found = injected_arguments(workload, container, switches, recorded)
        return any(one.value == entry.value for one in found)
    if entry.is_suspension:
        return injected_suspension(workload, container, switches, recorded) is not None
    if entry.by_reference:
        return False
    owners = workload.field_owners
    as_recorded = InjectedVariable(container=container.name, name=entry.name, value=entry.value)
    if as_recorded in recorded.of(container.name):
        return not owners.declares(container.name, entry.name)
    return not owners.covers(container.name, entry.name) and _is_switch(entry, switches)


def injected_arguments(
    workload: Workload,
    container: Container,
    switches: Iterable[Switch],
    recorded: Recorded = NOTHING_RECORDED,
) -> Iterator[InjectedVariable]:
    """The words of a container's ``args`` that the operator injected, as they are recorded.

    A list of words has one owner as a whole, so its owner says nothing about one word. A word is
    the operator's if it stands there once and was recorded, or if it is a switch and surely came
    from admission: nobody owns the list, or only who applied a manifest without the word. All other
    words are the user's, and so is one that the last applied manifest has.
    """
    owners = workload.field_owners
    known: dict[str, InjectedVariable] = {}
    images = []
    for argument in (switch.argument for switch in switches if switch.argument is not None):
        images.append(argument.image_arguments)
        for word in filter(None, (argument.disabled, argument.enabled)):
            if owners.denies_argument(container.name, word):
                known[word] = _record(container, argument.label, word)
    for one in recorded.of(container.name):
        if one.kind is InjectedKind.ARGUMENT:
            images.append(one.image_arguments)
            if not owners.declares_argument(container.name, one.value):
                known[one.value] = _record(container, one.name, one.value)
    ours = {word: one for word, one in known.items() if container.args.count(word) == 1}
    left = tuple(word for word in container.args if word not in ours)
    is_created = owners.known and container.name not in owners.argument_lists and left in images
    for one in ours.values():
        yield msgspec.structs.replace(one, image_arguments=left) if is_created else one


def injected_suspension(
    workload: Workload,
    container: Container,
    switches: Iterable[Switch],
    recorded: Recorded = NOTHING_RECORDED,
) -> InjectedVariable | None:
    """The suspension of a container's CronJob as it is recorded, if it is the operator's: nobody
    owns the field, and it is a switch or was recorded. Admission takes the field from its owners
    when it suspends a CronJob, so an owner is somebody who suspended it himself."""
    owners = workload.field_owners
    if not is_suspended(container) or not owners.known or owners.suspension:
        return None
    one = InjectedVariable(
        container=container.name, name=FIELD, value=SUSPENDED, kind=InjectedKind.SUSPENSION
    )
    return (
        one
        if one in recorded.of(container.name) or any(switch.suspend for switch in switches)
        else None
    )


def _record(container: Container, name: str, word: str) -> InjectedVariable:
    return InjectedVariable(
        container=container.name, name=name, value=word, kind=InjectedKind.ARGUMENT
    )


def _is_switch(entry: EnvVar, switches: Iterable[Switch]) -> bool:
    for switch in switches:
        mechanism = mechanism_of(switch)
        if mechanism is not None and mechanism.may_have_written(switch, entry):
            return True
    return False
