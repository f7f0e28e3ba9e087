"""What the operator has to know about a type of workload.

Each type has a file of its own and one line in ``registry.py``. Lists of workload types elsewhere
(watched kinds, webhook rules, RBAC, the enum in the CRDs) derive from the registry.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from fleet_telemetry.objects.kind import Kind
from fleet_telemetry.objects.manifest import Manifest, dig, mapping_at, number_at
from fleet_telemetry.workloads.owner import Owner

TemplatePath = tuple[str, ...]
"""Where an object has its pod template: the keys from the top of the manifest."""
TemplatePlace = tuple[str | int, ...]
"""Where one of several is: keys, and places in lists."""


class WorkloadType(ABC):
    """A type of workload.

    The methods take a whole manifest. They never raise: a missing or misshapen field reads as
    absent. The defaults fit a type that never replaces pods by itself.
    """

    api: Kind
    """The type's place in the API. Its ``kind`` has to be unique among the registered types."""
    template_path: TemplatePath = ("spec", "template")
    template_immutable: bool = False
    """The API server rejects every change of the pod template."""
    optional: bool = False
    """A cluster may not serve this API. It then has no workloads of this type."""
    parts: frozenset[tuple[str, str]] = frozenset()
    """API group and kind of the objects that this type creates to run its pods. Such an object is
    no workload of its own while a workload of this type controls it."""
    adopts: bool = False
    """Its controller takes over objects that have no controller and that its selector matches."""
    part_label: str = ""
    """A label that its controller gives to every part. A part keeps it when it is orphaned."""
    added_labels: Mapping[str, bool] = MappingProxyType({})
    """Labels that controllers add to its pods and that the template need not have. True: the value
    begins with the workload's name and a hyphen."""
    is_adopted: bool = False
    """Objects of this type may be taken over, template and all, by a workload that has no reason
    then to replace their pods."""
    keeps_finished_pods: bool = False
    """Pods that have finished still count as the workload's pods."""
    last_run_counts: bool = False
    """While no pod runs, those of the last part that ran count as the workload's pods."""
    is_injected_by_pod: bool = False
    """Its templates are never edited: its pods are injected as they are created."""
    suspends: bool = False
    """While ``spec.suspend`` is true, it starts no part."""

    @property
    def operations(self) -> tuple[str, ...]:
        """The admission operations at which the pod template can be edited."""
        if self.is_injected_by_pod:
            return ()
        return ("CREATE",) if self.template_immutable else ("CREATE", "UPDATE")

    def has_own_template(self, manifest: Manifest) -> bool:  # noqa: ARG002  # for overriding
        """Whether the pod template is in the object itself and not in another one."""
        return True

    def template_places(self, manifest: Manifest) -> Iterator[TemplatePlace]:  # noqa: ARG002  # for overriding
        """Where the pod templates are that it makes pods from: one, unless a type has more."""
        yield self.template_path

    def templates(self, manifest: Manifest) -> Iterator[Manifest]:
        """What is there."""
        for place in self.template_places(manifest):
            yield mapping_at(manifest, *place)

    @abstractmethod
    def restarts_no_pod(self, manifest: Manifest) -> bool:
        """Whether a change of the pod template restarts no pod."""

    def is_paused(self, manifest: Manifest) -> bool:  # noqa: ARG002  # for overriding
        """Whether a change of the pod template replaces pods only once somebody resumes."""
        return False

    def has_first_template(self, manifest: Manifest) -> bool:
        """Whether the pod template is certainly the one that the workload was created with."""
        return bool(dig(manifest, "metadata", "generation") == 1)

    def is_rolling_out(self, manifest: Manifest) -> bool:  # noqa: ARG002  # for overriding
        """Whether the workload's controller is still replacing pods. Only called where a change of
        the pod template restarts pods."""
        return False

    def revision(self, manifest: Manifest) -> str:  # noqa: ARG002  # for overriding
        """The ``controller-revision-hash`` of pods that are created from the present template;
        empty if that is not known."""
        return ""

    def is_settled(self, manifest: Manifest) -> bool:  # noqa: ARG002  # for overriding
        """Whether every pod was certainly created from the present template."""
        return False

    def is_idle(self, manifest: Manifest) -> bool:
        """Whether no pod starts until somebody changes the workload."""
        return has_no_replicas(manifest)

    def has_run(self, manifest: Manifest) -> bool:  # noqa: ARG002  # for overriding
        """Whether the workload is one that runs to its end, and has started pods."""
        return False

    def is_active(self, manifest: Manifest) -> bool:  # noqa: ARG002  # for overriding
        """Whether the workload is one that runs to its end and has not finished, or its status
        lists parts that have not."""
        return False

    def pod_selector(self, manifest: Manifest) -> Manifest:
        """A LabelSelector of the workload's pods. Without a selector in the manifest, the labels
        of the pod template; empty where there are no labels either."""
        labels = read_labels(mapping_at(manifest, *self.template_path, "metadata"))
        selector = mapping_at(manifest, "spec", "selector")
        return selector or ({"matchLabels": labels} if labels else {})

    def is_part_of(self, whole: WorkloadType) -> bool:
        """Whether objects of this type can be parts of workloads of another type."""
        return (self.api.group, self.api.kind) in whole.parts

    def owns(self, part: Kind, controller: Owner | None) -> bool:
        """Whether an object of kind ``part`` with this controller is a part of a workload of this
        type."""
        return (
            controller is not None
            and (controller.api_group, controller.kind) == (self.api.group, self.api.kind)
            and (part.group, part.kind) in self.parts
        )


def read_labels(metadata: Manifest) -> dict[str, str]:
    """The labels in an object's metadata."""
    labels = mapping_at(metadata, "labels")
    return {str(key): "" if value is None else str(value) for key, value in labels.items()}


def has_no_replicas(manifest: Manifest) -> bool:
    """Whether the workload is scaled to zero."""
    return bool(dig(manifest, "spec", "replicas") == 0)


def is_first_revision(manifest: Manifest, annotation: str) -> bool:
    """Whether the annotation, in which a controller counts pod templates, has the first."""
    return bool(dig(manifest, "metadata", "annotations", annotation) == "1")


def updates_on_delete(manifest: Manifest) -> bool:
    """Whether pods are only replaced when somebody deletes them."""
    return bool(dig(manifest, "spec", "updateStrategy", "type") == "OnDelete")


def is_generation_unobserved(manifest: Manifest) -> bool:
    """Whether the workload's controller has not yet handled the newest generation."""
    observed = number_at(manifest, "status", "observedGeneration")
    return observed < number_at(manifest, "metadata", "generation")


def are_replicas_outdated(manifest: Manifest) -> bool:
    """Whether fewer pods than desired are up to date and available."""
    status = mapping_at(manifest, "status")
    updated, available = (
        number_at(status, key) for key in ("updatedReplicas", "availableReplicas")
    )
    return min(updated, available) < number_at(manifest, "spec", "replicas", default=1)
