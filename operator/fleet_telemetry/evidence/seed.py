"""Whether a Seed switch can be shown to have counted.

A Seed switch is read once, when the product first initialises its data. So the setting is proven
only where the data is shown to have begun with it: an embedded database, on a volume that is no
older than the pod, or no older than the workload whose very first template had the setting, and
nothing that could have pointed the product at other data or filled the volume beforehand.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from fleet_telemetry.api.product.switch import SeedProof
from fleet_telemetry.catalogue.glob import glob_matches
from fleet_telemetry.workloads.workload import (
    Container,
    PodTemplate,
    Volume,
    VolumeKind,
    Workload,
    volumes_by_name,
)


class DataAge(StrEnum):
    """How old the product's data can be."""

    PER_POD = "PerPod"
    """It begins with each pod, so each pod reads the seed anew."""
    CLAIM = "Claim"
    """It lives on a volume claim."""
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True)
class VolumeClaimFacts:
    """What the cluster says of a volume claim."""

    uid: str
    created: datetime
    began_empty: bool
    """Provisioned on demand, from no snapshot, clone or given volume."""


@dataclass(frozen=True, slots=True)
class Data:
    """Where the data of one container lives."""

    age: DataAge
    claim: str = ""


def locate_data(container: Container, template: PodTemplate, proof: SeedProof | None) -> Data:
    """Where a container's embedded database lives, or UNKNOWN."""
    if proof is None or _may_be_redirected(container, proof):
        return Data(DataAge.UNKNOWN)
    volume = _volume_under(proof.path, container, template)
    if volume is None:
        return Data(DataAge.PER_POD)  # the container's own layer, younger still than the pod
    if volume.name in template.init_volumes or _is_shared(volume, container, template):
        return Data(DataAge.UNKNOWN)
    match volume.kind:
        case VolumeKind.PER_POD:
            return Data(DataAge.PER_POD)
        case VolumeKind.CLAIM:
            return Data(DataAge.CLAIM, volume.claim)
        case VolumeKind.OTHER:
            return Data(DataAge.UNKNOWN)


def _may_be_redirected(container: Container, proof: SeedProof) -> bool:
    return (
        container.has_env_from
        or bool(container.arguments)
        or bool(container.working_dir)
        or (proof.user_id is not None and container.user_id not in (None, proof.user_id))
        or any(
            glob_matches(pattern, entry.name)
            for pattern in proof.redirected_by
            for entry in container.env
        )
        or any(
            _is_below(mount.path, path) or _is_below(path, mount.path)
            for mount in container.mounts
            for path in proof.redirected_by_mounts
        )
        or any(
            _is_below(mount.path, proof.path) and not _is_below(proof.path, mount.path)
            for mount in container.mounts
        )
    )


def _is_below(path: str, parent: str) -> bool:
    """Whether a path is another one or lies under it."""
    return path.rstrip("/") == parent.rstrip("/") or path.startswith(parent.rstrip("/") + "/")


def _volume_under(path: str, container: Container, template: PodTemplate) -> Volume | None:
    """The volume of the deepest mount above a path."""
    above = [mount for mount in container.mounts if _is_below(path, mount.path)]
    if not above:
        return None
    deepest = max(above, key=lambda mount: len(mount.path.rstrip("/")))
    unknown = Volume(deepest.volume, VolumeKind.OTHER)
    return volumes_by_name(template.volumes).get(deepest.volume, unknown)


def _is_shared(volume: Volume, container: Container, template: PodTemplate) -> bool:
    return any(
        mount.volume == volume.name
        for other in template.containers
        if other.index != container.index
        for mount in other.mounts
    )


def prove_volume_claims(
    workload: Workload,
    claims: Iterable[str],
    facts: Mapping[str, VolumeClaimFacts],
    recorded: Iterable[str],
) -> tuple[str, ...] | None:
    """The UIDs of claims whose data began with this workload's first template; None if not shown.

    ``recorded`` are UIDs for which that was shown before, while the first template still stood.
    """
    known = set(recorded)
    proven = []
    for claim in claims:
        fact = facts.get(claim)
        if fact is None:
            return None
        fresh = (
            workload.first_template
            and workload.created is not None
            and fact.began_empty
            and fact.created >= workload.created
        )
        if not fresh and fact.uid not in known:
            return None
        proven.append(fact.uid)
    return tuple(sorted(proven))
