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
    """Whether the operator injected the entry: it has no field owner, because admission sets none,
    and it is either a switch with a value that the operator writes, or ``recorded`` with this value
    in WorkloadTelemetry, as related settings are."""
    if entry.by_reference or workload.field_owners.covers(container.name, entry.name):
        return False
    return _is_switch(entry, switches) or (
        InjectedVariable(container=container.name, name=entry.name, value=entry.value) in recorded
    )


def _is_switch(entry: EnvVar, switches: Iterable[Switch]) -> bool:
    for switch in switches:
        mechanism = mechanism_of(switch)
        if mechanism is not None and mechanism.may_have_written(switch, entry):
            return True
    return False
