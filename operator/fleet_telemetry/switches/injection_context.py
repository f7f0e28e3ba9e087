"""What triggers a decision, and what the workload was before."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from fleet_telemetry.api.product.switch import Switch
from fleet_telemetry.api.workload_telemetry import InjectedVariable
from fleet_telemetry.catalogue.matching import MatchedContainer
from fleet_telemetry.switches.edits import Trigger
from fleet_telemetry.switches.ownership import is_ours
from fleet_telemetry.workloads.workload import Container, EnvVar, Workload


@dataclass(frozen=True, slots=True)
class InjectionContext:
    """What triggers the decision, and the workload before it."""

    trigger: Trigger
    workload: Workload
    targets: tuple[MatchedContainer, ...]
    before: Workload | None = None
    targets_before: tuple[MatchedContainer, ...] = ()
    recorded: tuple[InjectedVariable, ...] = ()
    """What WorkloadTelemetry lists as injected, now or earlier."""

    def injected(self, container: Container, entry: EnvVar, switches: Iterable[Switch]) -> bool:
        """Whether the operator injected the entry."""
        return is_ours(self.workload, container, entry, switches, self.recorded)


def target_before(context: InjectionContext, target: MatchedContainer) -> MatchedContainer | None:
    """The container before the update."""
    same_name = [
        before
        for before in context.targets_before
        if before.container.name == target.container.name
    ]
    return same_name[0] if same_name else None
