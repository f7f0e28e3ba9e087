"""What an audit judges: a workload with all that was found out about it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from fleet_telemetry.api.policy import ChannelName
from fleet_telemetry.api.workload_telemetry import InjectedVariable, SeedRecord
from fleet_telemetry.audit.result import Place
from fleet_telemetry.evidence.config_maps import ConfigMaps
from fleet_telemetry.evidence.contacts import NO_CONTACTS, Contacts
from fleet_telemetry.evidence.egress import EgressFinding
from fleet_telemetry.evidence.report import Reported
from fleet_telemetry.evidence.seed import VolumeClaimFacts
from fleet_telemetry.workloads.resource_fields import FieldStates
from fleet_telemetry.workloads.workload import Pod, PodTemplate, Workload


@dataclass(frozen=True, slots=True)
class Subject:
    """One workload of a file or a cluster."""

    place: Place
    workload: Workload
    pods: tuple[Pod, ...] = ()
    """Of a file: one pod, as the template would start it."""
    namespace_labels: Mapping[str, str] = field(default_factory=dict)
    claims: Mapping[str, VolumeClaimFacts] = field(default_factory=dict)
    config_maps: ConfigMaps = field(default_factory=dict)
    fields: FieldStates = field(default_factory=dict)
    """The fields of custom resources that its products read."""
    """Those of its namespace that were read."""
    reported: Mapping[tuple[str, ChannelName], Reported] = field(default_factory=dict)
    """What an installed operator recorded of the products' own reports."""
    egress: Mapping[tuple[str, ChannelName], EgressFinding] = field(default_factory=dict)
    """What an installed operator recorded of the network."""
    contacts: Contacts = NO_CONTACTS
    """What an installed operator recorded of lookups."""
    recorded_at: datetime | None = None
    """When an installed operator last wrote its record."""
    seeds: tuple[SeedRecord, ...] = ()
    """What an installed operator recorded of data that began with a setting."""
    recorded: tuple[InjectedVariable, ...] = ()
    """What an installed operator recorded as injected, now or earlier."""
    pods_unread: bool = False
    """There may be more pods: they could not all be read."""
    excluded: bool = False
    """Whether an installed operator changes nothing in the namespace."""
    active_parts: bool = False
    """Whether a Job of the CronJob has not finished, also while none of its pods runs."""


@dataclass(frozen=True, slots=True)
class Other:
    """An object with containers that is no workload of a registered kind: a pod without a
    controller, or of another one's. Nothing is decided for it, as in the operator."""

    place: Place
    namespace: str
    kind: str
    name: str
    template: PodTemplate


def workloads_in(subjects: Iterable[Subject | Other]) -> Iterator[Workload]:
    """The workloads that can be judged."""
    return (one.workload for one in subjects if isinstance(one, Subject))
