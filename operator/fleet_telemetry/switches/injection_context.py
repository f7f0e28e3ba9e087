"""What triggers a decision, and what the workload was before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from fleet_telemetry.api.product.switch import Switch
from fleet_telemetry.catalogue.matching import MatchedContainer
from fleet_telemetry.switches.edits import Trigger
from fleet_telemetry.switches.ownership import is_ours
from fleet_telemetry.switches.recorded import NOTHING_RECORDED, Recorded
from fleet_telemetry.workloads.workload import Container, EnvVar, Workload


@dataclass(frozen=True, slots=True)
class InjectionContext:
    """What triggers the decision, and the workload before it."""

    trigger: Trigger
    workload: Workload
    targets: tuple[MatchedContainer, ...]
    before: Workload | None = None
    targets_before: tuple[MatchedContainer, ...] = ()
    recorded: Recorded = NOTHING_RECORDED
    by_name: Mapping[str, MatchedContainer] = field(init=False, compare=False, repr=False)
    """The first of ``targets_before`` with each name."""

    def __post_init__(self) -> None:
        """Look through the containers once, not for each of them: there may be thousands."""
        by_name = {target.container.name: target for target in reversed(self.targets_before)}
        object.__setattr__(self, "by_name", by_name)

    def injected(self, container: Container, entry: EnvVar, switches: Iterable[Switch]) -> bool:
        """Whether the operator injected the entry."""
        return is_ours(self.workload, container, entry, switches, self.recorded)


def target_before(context: InjectionContext, target: MatchedContainer) -> MatchedContainer | None:
    """The container before the update."""
    return context.by_name.get(target.container.name)
