"""The registered workload types. One line adds a type."""

from __future__ import annotations

from enum import StrEnum
from functools import cache
from typing import Self

from fleet_telemetry.objects.kind import Kind
from fleet_telemetry.workloads.cron_job import CronJob
from fleet_telemetry.workloads.daemon_set import DaemonSet
from fleet_telemetry.workloads.deployment import Deployment
from fleet_telemetry.workloads.job import Job
from fleet_telemetry.workloads.owner import Owner
from fleet_telemetry.workloads.ray_cluster import RayCluster
from fleet_telemetry.workloads.replica_set import ReplicaSet
from fleet_telemetry.workloads.replication_controller import ReplicationController
from fleet_telemetry.workloads.rollout import ArgoRollout
from fleet_telemetry.workloads.stateful_set import StatefulSet
from fleet_telemetry.workloads.workload_type import TemplatePath, WorkloadType


class WorkloadKind(StrEnum):
    """The kinds of workload that can run a product. The value is the kind in manifests."""

    type: WorkloadType

    def __new__(cls, workload_type: WorkloadType | str) -> Self:
        """Build a member from its type. Type checkers take this as the signature of the lookup,
        such as ``WorkloadKind("Job")``, too; at run time the lookup never comes here."""
        if isinstance(workload_type, str):
            raise TypeError(f"{workload_type!r} is a name, not a WorkloadType")
        member = str.__new__(cls, workload_type.api.kind)
        member._value_ = workload_type.api.kind
        member.type = workload_type
        return member

    DEPLOYMENT = Deployment()
    STATEFUL_SET = StatefulSet()
    DAEMON_SET = DaemonSet()
    CRON_JOB = CronJob()
    JOB = Job()
    REPLICA_SET = ReplicaSet()
    REPLICATION_CONTROLLER = ReplicationController()
    ROLLOUT = ArgoRollout()
    RAY_CLUSTER = RayCluster()


TEMPLATE_PATHS: dict[str, TemplatePath] = {
    **{kind: kind.type.template_path for kind in WorkloadKind},
    "Pod": (),
}
"""Where the pod template is, by kind. A Pod is its own template."""


def whole_of(part: Kind, controller: Owner | None) -> WorkloadKind | None:
    """The kind of workload that an object of kind ``part`` with this controller is a part of.

    None if it is a workload of its own.
    """
    if controller is None:
        return None
    return next((kind for kind in WorkloadKind if kind.type.owns(part, controller)), None)


def kind_of_owner(owner: Owner) -> WorkloadKind | None:
    """The registered kind that an owner reference names; None for any other."""
    place = owner.api_group, owner.kind
    return next(
        (kind for kind in WorkloadKind if (kind.type.api.group, kind.type.api.kind) == place), None
    )


@cache
def part_labels(part: WorkloadKind) -> frozenset[str]:
    """The labels of which one is on every object of a kind that is, or was, a part."""
    wholes = (kind.type for kind in WorkloadKind if part.type.is_part_of(kind.type))
    return frozenset(whole.part_label for whole in wholes if whole.part_label)
