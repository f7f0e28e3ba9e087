"""ReplicationControllers: ``v1``. They are what ReplicaSets were before, and still run pods."""

from __future__ import annotations

from fleet_telemetry.objects.kind import Kind
from fleet_telemetry.objects.manifest import Manifest, mapping_at
from fleet_telemetry.workloads.workload_type import WorkloadType


class ReplicationController(WorkloadType):
    """A ReplicationController. One of another controller, such as OpenShift's DeploymentConfig, is
    injected by its pods."""

    api = Kind("", "v1", "replicationcontrollers", "ReplicationController")

    def restarts_no_pod(self, manifest: Manifest) -> bool:  # noqa: ARG002  # the same for all
        """A ReplicationController never replaces pods because its template changed."""
        return True

    def is_settled(self, manifest: Manifest) -> bool:
        """Only as long as the template cannot have changed."""
        return self.has_first_template(manifest)

    def pod_selector(self, manifest: Manifest) -> Manifest:
        """Its selector is plain labels, and by default those of the template."""
        labels = mapping_at(manifest, "spec", "selector")
        return {"matchLabels": labels} if labels else super().pod_selector(manifest)
