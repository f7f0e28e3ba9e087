"""The facts that evidence is taken from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from fleet_telemetry.api.policy import ChannelName
from fleet_telemetry.api.workload_telemetry import InjectedVariable, SeedRecord
from fleet_telemetry.catalogue.matching import MatchedContainer
from fleet_telemetry.evidence.contacts import NO_CONTACTS, Contacts
from fleet_telemetry.evidence.readings import Readings
from fleet_telemetry.evidence.report import Reported
from fleet_telemetry.evidence.seed import VolumeClaimFacts
from fleet_telemetry.workloads.workload import PodTemplate, Workload


@dataclass(frozen=True, slots=True)
class PodFacts:
    """A pod that counts, and its containers that run products."""

    template: PodTemplate
    targets: tuple[MatchedContainer, ...]
    finished: bool = False
    """It no longer runs, and shows what it ran with."""
    uid: str = ""
    started: datetime | None = None
    """When the node accepted the pod; None if that is not known."""


@dataclass(frozen=True, slots=True)
class Facts:
    """All facts about one workload."""

    workload: Workload
    targets: tuple[MatchedContainer, ...]
    pods: tuple[PodFacts, ...] = ()
    reported: Mapping[tuple[str, ChannelName], Reported] = field(default_factory=dict)
    claims: Mapping[str, VolumeClaimFacts] = field(default_factory=dict)
    seeds: tuple[SeedRecord, ...] = ()
    excluded: bool = False
    """Whether nothing in the namespace may be changed."""
    idle: bool = False
    """No pod runs, and none starts until somebody changes the workload."""
    active: bool = False
    """Whether a pod runs or is about to, or a Job of the CronJob has not finished."""
    pods_unread: bool = False
    """There may be more pods than ``pods``: they could not all be read."""
    recorded: tuple[InjectedVariable, ...] = ()
    """What WorkloadTelemetry lists as injected, now or earlier."""
    contested: frozenset[tuple[int, ChannelName, str]] = frozenset()
    """The switches, by container and channel, that another channel of the product has too and that
    are to be set otherwise for it."""
    contacts: Contacts = NO_CONTACTS
    """What DNS showed of the workload."""
    now: datetime | None = None
    """When it is decided; None if no fact is to grow old."""
    readings: Readings = field(default_factory=Readings, compare=False, repr=False)

    def of_pod(self, pod: PodFacts) -> Facts:
        """The facts of one pod, as if there were no other one and no template."""
        workload = replace(self.workload, template=pod.template)
        return replace(self, workload=workload, targets=pod.targets, pods=(pod,))

    def targets_of(self, product: str, channel: ChannelName) -> tuple[MatchedContainer, ...]:
        """The containers of the pod template that use a channel of a product."""
        return tuple(
            target
            for target in self.targets
            if target.product.name == product and target.product.has_channel(channel, target.image)
        )


def counterparts(
    pods: Iterable[PodFacts],
    targets: Sequence[MatchedContainer],
    all_targets: Sequence[MatchedContainer] = (),
) -> Iterator[tuple[PodFacts, MatchedContainer]]:
    """The containers of pods that run the same components of the same products.

    If a pod has containers of the same names among them, not those that the template has too (they
    are in ``all_targets``, and have counterparts of their own). Containers that the template does
    not have count for each of ``targets``. In an older pod the container may have had another name.
    """
    wanted = {(target.product.name, target.image.component) for target in targets}
    names = {target.container.name for target in targets}
    others = {target.container.name for target in all_targets} - names
    for pod in pods:
        found = [
            target
            for target in pod.targets
            if (target.product.name, target.image.component) in wanted
        ]
        if any(target.container.name in names for target in found):
            found = [target for target in found if target.container.name not in others]
        yield from ((pod, target) for target in found)
