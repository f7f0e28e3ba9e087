"""ReplicaSets: ``apps/v1``. One that a registered workload controls is a part of that workload."""

from __future__ import annotations

from fleet_telemetry.objects.kind import Kind
from fleet_telemetry.objects.manifest import Manifest
from fleet_telemetry.workloads.workload_type import WorkloadType


class ReplicaSet(WorkloadType):
    """A ReplicaSet."""

    api = Kind("apps", "v1", "replicasets", "ReplicaSet")
    is_adopted = True

    def is_settled(self, manifest: Manifest) -> bool:
        """Only as long as the template cannot have changed."""
        return self.has_first_template(manifest)

    def restarts_no_pod(self, manifest: Manifest) -> bool:  # noqa: ARG002  # the same for all
        """A ReplicaSet never replaces pods because its template changed."""
        return True
