"""Workloads and pods, reduced to what decisions need."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from fleet_telemetry.workloads.owner import Owner
from fleet_telemetry.workloads.references import ValueReference
from fleet_telemetry.workloads.registry import WorkloadKind
from fleet_telemetry.workloads.resource_fields import FieldStates

FIELD_MANAGER = "fleet-telemetry"
"""The field manager of everything this operator writes."""

LEFT_OUT_LABEL = "fleettelemetry.io/inject"
LEFT_OUT_VALUES = ("disabled", "false")
"""With the label and one of these values a workload is reported, and never changed."""

NO_OP_PATCH_MANAGER = "fleet-telemetry-no-op"
"""The field manager of no-op patches, which make the API server run admission for a workload."""


@dataclass(frozen=True, slots=True, order=True)
class WorkloadRef:
    """A workload by namespace, kind and name."""

    namespace: str
    kind: WorkloadKind
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.kind}/{self.name}"


@dataclass(frozen=True, slots=True)
class EnvVar:
    """An entry of a container's ``env``. A missing value is the empty string, as in Kubernetes.

    What stands in ``args`` for a switch is shown alike: the flag as name, its word as value.
    """

    name: str
    value: str = ""
    by_reference: bool = False
    is_argument: bool = False
    """It is a word in ``args``."""
    is_suspension: bool = False
    """It is ``spec.suspend`` of the CronJob."""
    reference: ValueReference | None = None
    """Where the value is, or where it was read: then it counts like one that stands there, and
    ``by_reference`` is False."""

    @property
    def label(self) -> str:
        """The name, and where the value comes from if it does not stand there."""
        return self.name if self.reference is None else f"{self.name}, {self.reference}"


@dataclass(frozen=True, slots=True)
class Mount:
    """Where a container mounts a volume."""

    path: str
    volume: str


@dataclass(frozen=True, slots=True)
class Schedule:
    """What a CronJob does with a container of its template."""

    suspended: bool
    """The CronJob starts no Job: ``spec.suspend`` is true."""
    alone: bool
    """The template has no other container, so nothing else stops with it."""


_NO_FIELDS: FieldStates = {}
"""One for all containers: nearly none has any."""


@dataclass(frozen=True, slots=True)
class Container:
    """One of the main containers, or a native sidecar: an init container that is restarted always,
    and so runs beside them."""

    index: int
    """See ``container_path``."""
    name: str
    image: str
    command: tuple[str, ...] = ()
    """What is run in place of the image's entry point; empty if the image decides."""
    args: tuple[str, ...] = ()
    """The arguments of the command or of the image's entry point."""
    has_post_start: bool = False
    """A command or a request is run beside the container's process when it starts."""
    working_dir: str = ""
    on_windows: bool = False
    """The pod is for nodes with Windows, as far as it says so."""
    user_id: int | None = None
    env: tuple[EnvVar, ...] = ()
    has_env_from: bool = False
    """Something gives it variables, and which ones is not known."""
    env_from: tuple[ValueReference, ...] = ()
    env_from_unread: ValueReference | None = None
    """The first one of ``env_from`` that could not be read in full, once they were looked for."""
    written: Container | None = field(default=None, compare=False, repr=False)
    """The same container as its manifest has it, if values were read for its references."""
    mounts: tuple[Mount, ...] = ()
    ports: tuple[tuple[str, int], ...] = ()
    """Name and number of each TCP port that it declares; the name may be empty."""
    schedule: Schedule | None = None
    """Set in the template of a CronJob; None in pods and in all other templates."""
    fields: FieldStates = field(default_factory=lambda: _NO_FIELDS, hash=False)
    """Fields of custom resources that its product reads, without their namespace. They are no part
    of the template; a decision adds what it knows of them."""

    @property
    def as_written(self) -> Container:
        """The container as its manifest has it, which is what can be edited."""
        return self if self.written is None else self.written

    @property
    def arguments(self) -> tuple[str, ...]:
        """``command`` followed by ``args``."""
        return (*self.command, *self.args)

    def variable(self, name: str) -> EnvVar | None:
        """The last entry of this name, as in Kubernetes; None if there is no entry."""
        return next((entry for entry in reversed(self.env) if entry.name == name), None)


def container_path(index: int) -> tuple[str, int]:
    """The list of a pod's spec that a container is in, and its position there. Main containers
    count from 0 up, init containers from -1 down."""
    return ("containers", index) if index >= 0 else ("initContainers", -index - 1)


class VolumeKind(StrEnum):
    """How long a volume lives, compared with its pod."""

    PER_POD = "PerPod"
    """Created empty with the pod: ``emptyDir``, or an ephemeral claim without a data source."""
    CLAIM = "Claim"
    """A volume claim, which outlives the pod."""
    OTHER = "Other"


@dataclass(frozen=True, slots=True)
class Volume:
    """A pod's volume; ``claim`` is the name of its volume claim, or empty."""

    name: str
    kind: VolumeKind
    claim: str = ""


@dataclass(frozen=True, slots=True)
class PodTemplate:
    """A pod template, or the same parts of a pod. Init containers that end are left out: vendors'
    charts run product images there for setup tasks, and no product sends anything from one."""

    containers: tuple[Container, ...]
    volumes: tuple[Volume, ...] = ()
    labels: dict[str, str] = field(default_factory=dict, hash=False)
    """Services and network policies select the pods by these."""
    init_volumes: frozenset[str] = frozenset()
    """Volumes that an init container that ends mounts, and may have written to."""
    init_ports: frozenset[int] = frozenset()
    """TCP ports that init containers that end declare."""
    host_network: bool = False
    """The pods use the network of the node."""
    own_dns: bool = False
    """The pods may ask other name servers than the cluster's."""


OwnedField = tuple[str, str]
"""A container's name and a variable's name."""

AppliedArguments = tuple[str, tuple[str, ...]]
"""A container's name and its ``args``."""


@dataclass(frozen=True, slots=True)
class FieldOwners:
    """Which variables have an owner, by the object's managed fields.

    A mutation by admission leaves no field manager. So a variable without an owner came from
    admission; if it also has a name from the catalogue and one of our values, it is ours.
    ``known`` is False where the managed fields do not say it; then every variable counts as owned.
    """

    known: bool = False
    entries: frozenset[OwnedField] = frozenset()
    restored: frozenset[OwnedField] = frozenset()
    """Those of ``entries`` whose owners are only tools that write back what stood there before,
    such as ``kubectl rollout undo``. Such an owner did not decide on the variable."""
    interrupted: bool = False
    """The operator's field manager is still an owner: a write stopped before its last step."""
    argument_lists: frozenset[str] = frozenset()
    """The containers whose ``args`` somebody else owns. A list of words has one owner as a whole,
    also while admission adds a word."""
    applied_arguments: tuple[AppliedArguments, ...] | None = None
    """The ``args`` in the manifest of the last client-side apply; None if there is none."""
    applied_alone: frozenset[str] = frozenset()
    """The containers of which nobody owns ``args`` but who applied that manifest."""
    suspension: bool = False
    """Somebody else owns ``spec.suspend``."""

    def covers(self, container: str, variable: str) -> bool:
        """Whether somebody else owns this variable."""
        return not self.known or (container, variable) in self.entries

    def declares_argument(self, container: str, word: str) -> bool:
        """Whether the last applied manifest has the word in the container's ``args``."""
        return any(
            word in words for name, words in self.applied_arguments or () if name == container
        )

    def denies_argument(self, container: str, word: str) -> bool:
        """Whether the word surely came from admission: nobody owns the list, or only who applied a
        manifest without the word."""
        if not self.known or self.declares_argument(container, word):
            return False
        return container not in self.argument_lists or (
            self.applied_arguments is not None and container in self.applied_alone
        )

    def declares(self, container: str, variable: str) -> bool:
        """Whether somebody decided on this variable, as far as the owners say it."""
        field_ = container, variable
        return self.known and field_ in self.entries and field_ not in self.restored


@dataclass(frozen=True, slots=True)
class Workload:
    """A workload, reduced to what decisions need."""

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
    """A change of the template restarts nothing: CronJob, OnDelete, no replicas."""
    paused: bool = False
    """A change of the template replaces pods once somebody resumes the workload."""
    first_template: bool = False
    """The pod template is the one that the workload was created with."""
    rolling_out: bool = False
    """The workload's controller is still replacing pods."""
    revision: str = ""
    """The value of the label ``controller-revision-hash`` of pods that are created from the present
    template; empty if that is not known."""
    is_settled: bool = False
    """Every pod was certainly created from the present template."""
    is_idle: bool = False
    """No pod starts until somebody changes the workload: it has no replicas, or is suspended."""
    has_run: bool = False
    """It is a Job that has started pods."""
    is_active: bool = False
    """It is a Job that has not finished, or a CronJob whose status lists such Jobs."""
    claim_templates: frozenset[str] = frozenset()
    """Names of the volume claim templates whose volumes start empty."""
    pod_selector: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """A LabelSelector of the workload's pods, as in manifests; empty where there is none."""
    is_orphan: bool = False
    """Its labels are those of a part, and it has no controller."""
    is_selected: bool = False
    """The selector of another workload matches its labels, and it has no controller."""

    @property
    def as_owner(self) -> Owner:
        """The workload as an owner reference names it."""
        api = self.ref.kind.type.api
        return Owner(api.group, api.kind, self.ref.name, self.uid)

    @property
    def is_adoptable(self) -> bool:
        """Another workload may take it over. If the templates are equal then, no pod is ever
        replaced, so an edited template would say what its pods were not started with."""
        return self.is_orphan or self.is_selected

    @property
    def is_left_out(self) -> bool:
        """A label of the workload or of its pods says that nothing of it may be changed."""
        return any(
            labels.get(LEFT_OUT_LABEL) in LEFT_OUT_VALUES
            for labels in (self.labels, self.template.labels)
        )

    @property
    def is_injected_by_pod(self) -> bool:
        """The template is not ours to edit: its pods are injected as they are created, and they are
        the evidence."""
        by_type = self.ref.kind.type.is_injected_by_pod
        return by_type or self.controller is not None or self.is_adoptable


class PodPhase(StrEnum):
    """The phases of a pod."""

    PENDING = "Pending"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod, with the settings that its containers were started with."""

    name: str
    template: PodTemplate
    uid: str = ""
    owner: Owner | None = None
    address: str = ""
    """The pod's IP address; empty until it has one."""
    addresses: tuple[str, ...] = ()
    """All IP addresses of the pod, one for each family; empty until it has one."""
    created: datetime | None = None
    """When the API server created the pod; None if that is not known."""
    started: datetime | None = None
    """When the node accepted the pod; None if it has not."""
    containers_started: datetime | None = None
    """When the first of the containers that are listed now started; None if none has."""
    containers_ended: datetime | None = None
    """When the last container ended; None if one runs or may run again."""
    node_address: str = ""
    """The IP address of the pod's node; empty until it has one."""
    phase: PodPhase = PodPhase.UNKNOWN
    ready: bool = False
    terminating: bool = False
    origin: PodTemplate | None = field(default=None, hash=False)
    """The template that the pod was certainly created from; None if that is not certain."""

    @property
    def counts(self) -> bool:
        """Whether the pod runs or is about to."""
        return not self.terminating and self.phase not in (PodPhase.SUCCEEDED, PodPhase.FAILED)


def volumes_by_name(volumes: Iterable[Volume]) -> dict[str, Volume]:
    """Volumes by the name that containers mount them by."""
    return {volume.name: volume for volume in volumes}
