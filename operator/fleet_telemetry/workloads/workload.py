"""Workloads and pods, cut down to what a decision needs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

FIELD_MANAGER = "fleet-telemetry"
"""The field manager of everything this operator writes."""

NO_OP_PATCH_MANAGER = "fleet-telemetry-no-op"
"""The field manager of patches that change nothing, sent so that admission sees a workload."""


class WorkloadKind(StrEnum):
    """The kinds of workload that can run a product."""

    DEPLOYMENT = "Deployment"
    STATEFUL_SET = "StatefulSet"
    DAEMON_SET = "DaemonSet"
    CRON_JOB = "CronJob"
    JOB = "Job"
    REPLICA_SET = "ReplicaSet"


@dataclass(frozen=True, slots=True, order=True)
class WorkloadRef:
    """Which workload."""

    namespace: str
    kind: WorkloadKind
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.kind}/{self.name}"


@dataclass(frozen=True, slots=True)
class EnvVar:
    """An entry of a container's ``env``. A missing value is the empty string, as in Kubernetes."""

    name: str
    value: str = ""
    by_reference: bool = False


@dataclass(frozen=True, slots=True)
class Mount:
    """Where a volume stands in a container."""

    path: str
    volume: str


@dataclass(frozen=True, slots=True)
class Container:
    """One of the main containers; ``index`` is its place in the manifest's list."""

    index: int
    name: str
    image: str
    arguments: tuple[str, ...] = ()
    """``command`` and ``args``, one after the other."""
    working_dir: str = ""
    user_id: int | None = None
    env: tuple[EnvVar, ...] = ()
    has_env_from: bool = False
    mounts: tuple[Mount, ...] = ()
    ports: tuple[tuple[str, int], ...] = ()
    """The TCP ports that have a name: the name and the number."""

    def variable(self, name: str) -> EnvVar | None:
        """The entry that counts: the last one of this name, as in Kubernetes. Or None."""
        return next((entry for entry in reversed(self.env) if entry.name == name), None)


class VolumeKind(StrEnum):
    """What a volume's age says about its content."""

    PER_POD = "PerPod"
    """Born with the pod: ``emptyDir``, or an ephemeral claim that copies nothing."""
    CLAIM = "Claim"
    """A claim that outlives the pod."""
    OTHER = "Other"


@dataclass(frozen=True, slots=True)
class Volume:
    """A pod's volume; ``claim`` is the claim's name where there is one."""

    name: str
    kind: VolumeKind
    claim: str = ""


@dataclass(frozen=True, slots=True)
class PodTemplate:
    """What pods are made from. Init containers are left out on purpose: vendors' charts run
    product images there for chores, and no product sends anything from one."""

    containers: tuple[Container, ...]
    volumes: tuple[Volume, ...] = ()
    labels: dict[str, str] = field(default_factory=dict, hash=False)
    """By which Services and network policies find the pods."""
    init_volumes: frozenset[str] = frozenset()
    """Volumes that an init container may have filled."""
    host_network: bool = False
    """The pods have the node's own network."""


@dataclass(frozen=True, slots=True)
class Owner:
    """The controller that an object says it belongs to."""

    api_group: str
    kind: str
    name: str
    uid: str


OwnedField = tuple[str, str]
"""A container's name and a variable's name."""


@dataclass(frozen=True, slots=True)
class FieldOwners:
    """Which variables somebody has a claim on, by the object's managed fields.

    What admission puts into an object has no field manager. So a variable without a claim came
    by admission, and if it also carries a catalogue name and a value of ours, it is ours.
    ``known`` is False where the managed fields are missing; then everything counts as claimed.
    """

    known: bool = False
    entries: frozenset[OwnedField] = frozenset()
    interrupted: bool = False
    """Our own name stands there: a write of ours was cut short before its last step."""

    def covers(self, container: str, variable: str) -> bool:
        """Whether somebody else answers for this variable."""
        return not self.known or (container, variable) in self.entries


@dataclass(frozen=True, slots=True)
class Workload:
    """A workload as far as a decision needs it."""

    ref: WorkloadRef
    template: PodTemplate
    uid: str = ""
    labels: dict[str, str] = field(default_factory=dict, hash=False)
    created: datetime | None = None
    generation: int = 0
    controller: Owner | None = None
    field_owners: FieldOwners = FieldOwners()
    replicas: int = 1
    template_immutable: bool = False
    restarts_no_pod: bool = False
    """A write to the template restarts nothing: CronJob, OnDelete, no replicas, paused."""
    first_template: bool = False
    """The pod template is the one that the workload was created with."""
    rolling_out: bool = False
    """The workload's own controller is still replacing pods."""
    claim_templates: frozenset[str] = frozenset()
    """Volume claim templates that begin empty."""
    pod_selector: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """A LabelSelector, as in manifests, of the workload's pods; empty where there is none."""


_GROUPS = ("apps", "batch")
"""Others have kinds of the same names, such as the StatefulSets of OpenKruise."""


class PodPhase(StrEnum):
    """The phases of a pod."""

    PENDING = "Pending"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod: what its containers were really started with."""

    name: str
    template: PodTemplate
    uid: str = ""
    owner: Owner | None = None
    template_hash: str = ""
    address: str = ""
    """Its IP; empty until it has one."""
    phase: PodPhase = PodPhase.UNKNOWN
    terminating: bool = False

    @property
    def counts(self) -> bool:
        """Whether it runs, or soon will."""
        return not self.terminating and self.phase not in (PodPhase.SUCCEEDED, PodPhase.FAILED)

    def holder(self, namespace: str) -> WorkloadRef | None:
        """The workload behind the pod's controller; None for a controller of another kind.

        A Deployment's ReplicaSets are not looked up: Kubernetes names them after the Deployment
        and the pod-template-hash, which the pod carries too.
        """
        if (
            self.owner is None
            or self.owner.api_group not in _GROUPS
            or self.owner.kind not in WorkloadKind.__members__.values()
        ):
            return None
        kind, name = WorkloadKind(self.owner.kind), self.owner.name
        suffix = f"-{self.template_hash}"
        if kind is WorkloadKind.REPLICA_SET and self.template_hash and name.endswith(suffix):
            kind, name = WorkloadKind.DEPLOYMENT, name.removesuffix(suffix)
        return WorkloadRef(namespace, kind, name)


def volumes_by_name(volumes: Iterable[Volume]) -> dict[str, Volume]:
    """Volumes as containers refer to them."""
    return {volume.name: volume for volume in volumes}
