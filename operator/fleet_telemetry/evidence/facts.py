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

    def counterparts(
        self, targets: Sequence[MatchedContainer], channel: ChannelName
    ) -> Iterator[tuple[PodFacts, MatchedContainer]]:
        """The containers of the pods that run what these containers of the pod template run."""
        return counterparts(self.pods, targets, self.targets, channel)

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
    every: Sequence[MatchedContainer],
    channel: ChannelName,
) -> Iterator[tuple[PodFacts, MatchedContainer]]:
    """The containers of pods that run what some containers of the pod template run.

    ``every`` are all of the template that run a product. Those that run the same component of the
    same product are meant. In an older pod the container may have had another name; but if a pod
    has containers of the same names, those count that no other container of the template that uses
    the channel has for counterparts. Besides, two of which the template says nothing:

    - a container of the product that uses the channel, of a component that the template does not
      have: an older pod's, or one that was added to the pod;
    - if a pod has none of these, a container of the same name with an image that the catalogue does
      not know.
    """
    wanted = {_part(target) for target in targets}
    products = {target.product.name for target in targets}
    names = {target.container.name: target for target in targets}
    in_template = {_part(target) for target in every}
    others = {
        target.container.name
        for target in every
        if target.product.name in products and target.product.has_channel(channel, target.image)
    } - names.keys()
    for pod in pods:
        found = [target for target in pod.targets if _part(target) in wanted]
        if any(target.container.name in names for target in found):
            found = [target for target in found if target.container.name not in others]
        found += [
            target
            for target in pod.targets
            if target.product.name in products
            and _part(target) not in in_template
            and target.product.has_channel(channel, target.image)
        ]
        yield from ((pod, target) for target in found or _unrecognised(pod, names))


def _part(target: MatchedContainer) -> tuple[str, str]:
    return target.product.name, target.image.component


def _unrecognised(
    pod: PodFacts, names: Mapping[str, MatchedContainer]
) -> Iterator[MatchedContainer]:
    known = {target.container.name for target in pod.targets}
    for container in pod.template.containers:
        if container.name in names and container.name not in known:
            yield names[container.name].with_unknown_image(container)
