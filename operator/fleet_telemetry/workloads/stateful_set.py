"""StatefulSets: ``apps/v1``."""

from __future__ import annotations

from types import MappingProxyType

from fleet_telemetry.objects.kind import Kind
from fleet_telemetry.objects.manifest import Manifest, mapping_at, number_at, text_at
from fleet_telemetry.workloads.workload_type import (
    WorkloadType,
    has_no_replicas,
    is_generation_unobserved,
    updates_on_delete,
)


class StatefulSet(WorkloadType):
    """A StatefulSet."""

    api = Kind("apps", "v1", "statefulsets", "StatefulSet")
    added_labels = MappingProxyType(
        {
            "statefulset.kubernetes.io/pod-name": True,
            "controller-revision-hash": True,
            "apps.kubernetes.io/pod-index": False,
        }
    )

    def restarts_no_pod(self, manifest: Manifest) -> bool:
        """With the strategy OnDelete the pods stay, and without replicas there are none."""
        return has_no_replicas(manifest) or updates_on_delete(manifest)

    def revision(self, manifest: Manifest) -> str:
        """As the controller's status says, once it has handled the newest generation."""
        is_old = is_generation_unobserved(manifest)
        return "" if is_old else text_at(manifest, "status", "updateRevision")

    def is_rolling_out(self, manifest: Manifest) -> bool:
        """Until every pod has the newest revision and is ready."""
        status = mapping_at(manifest, "status")
        desired = number_at(manifest, "spec", "replicas", default=1)
        return (
            is_generation_unobserved(manifest)
            or status.get("currentRevision") != status.get("updateRevision")
            or number_at(status, "readyReplicas") < desired
        )
