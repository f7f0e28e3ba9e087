"""The facts that evidence is taken from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from fleet_telemetry.api.policy import ChannelName
from fleet_telemetry.api.workload_telemetry import SeedRecord
from fleet_telemetry.catalogue.matching import MatchedContainer
from fleet_telemetry.evidence.contacts import NO_CONTACTS, Contacts
from fleet_telemetry.evidence.counterparts import Counterparts
from fleet_telemetry.evidence.pod_facts import PodFacts
from fleet_telemetry.evidence.readings import Readings
from fleet_telemetry.evidence.report import Reported
from fleet_telemetry.evidence.seed import VolumeClaimFacts
from fleet_telemetry.switches.recorded import NOTHING_RECORDED, Recorded
from fleet_telemetry.workloads.workload import Workload


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
    recorded: Recorded = NOTHING_RECORDED
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

    def counterparts(
        self, targets: Sequence[MatchedContainer], channel: ChannelName
    ) -> Iterator[tuple[PodFacts, MatchedContainer]]:
        """The containers of the pods that run what these containers of the pod template run: all of
        one product."""
        return self._counterparts(targets[0].product.name, channel).of(targets)

    def targets_of(self, product: str, channel: ChannelName) -> tuple[MatchedContainer, ...]:
        """The containers of the pod template that use a channel of a product."""
        return self._counterparts(product, channel).users

    def _counterparts(self, product: str, channel: ChannelName) -> Counterparts:
        def find() -> Counterparts:
            return Counterparts(self.pods, self.targets, product, channel)

        key = ("counterparts", id(self.pods), id(self.targets), product, channel)
        return self.readings.once(key, (self.pods, self.targets), find)
