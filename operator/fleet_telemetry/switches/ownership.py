"""Which entries of a container the operator injected."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from fleet_telemetry.api.product import Switch
from fleet_telemetry.api.workload_telemetry import InjectedVariable
from fleet_telemetry.switches.registry import mechanism_of
from fleet_telemetry.workloads.workload import Container, EnvVar, Workload


def is_ours(
    workload: Workload,
    container: Container,
    entry: EnvVar,
    switches: Iterable[Switch],
    recorded: Collection[InjectedVariable] = (),
) -> bool:
    """Whether the operator injected the entry.

    Admission sets no field owner. So an entry is the operator's if it has none, and is a switch
    with a value that the operator writes. An entry that is ``recorded`` with this value in
    WorkloadTelemetry, as related settings are too, stays the operator's when a tool brings it back
    with an earlier template and becomes its owner. It is the user's once somebody declares it.
    """
    if entry.by_reference:
        return False
    owners = workload.field_owners
    as_recorded = InjectedVariable(container=container.name, name=entry.name, value=entry.value)
    if as_recorded in recorded:
        return not owners.declares(container.name, entry.name)
    return not owners.covers(container.name, entry.name) and _is_switch(entry, switches)


def _is_switch(entry: EnvVar, switches: Iterable[Switch]) -> bool:
    for switch in switches:
        mechanism = mechanism_of(switch)
        if mechanism is not None and mechanism.may_have_written(switch, entry):
            return True
    return False
