"""DaemonSets: ``apps/v1``."""

from __future__ import annotations

from types import MappingProxyType

from fleet_telemetry.objects.kind import Kind
from fleet_telemetry.objects.manifest import Manifest, mapping_at, number_at
from fleet_telemetry.workloads.workload_type import (
    WorkloadType,
    is_generation_unobserved,
    updates_on_delete,
)


class DaemonSet(WorkloadType):
    """A DaemonSet."""

    api = Kind("apps", "v1", "daemonsets", "DaemonSet")
    added_labels = MappingProxyType(
        {"controller-revision-hash": False, "pod-template-generation": False}
    )

    def restarts_no_pod(self, manifest: Manifest) -> bool:
        """With the strategy OnDelete the pods stay."""
        return updates_on_delete(manifest)

    def is_settled(self, manifest: Manifest) -> bool:
        """Once the controller's status says so of the pod on every node."""
        status = mapping_at(manifest, "status")
        counts = {
            number_at(status, key, default=-1)
            for key in (
                "desiredNumberScheduled",
                "currentNumberScheduled",
                "updatedNumberScheduled",
            )
        }
        is_elsewhere = number_at(status, "numberMisscheduled") > 0
        is_known = len(counts) == 1 and -1 not in counts
        return is_known and not is_elsewhere and not is_generation_unobserved(manifest)

    def is_idle(self, manifest: Manifest) -> bool:
        """While no node is to run a pod."""
        status = mapping_at(manifest, "status")
        scheduled = {
            number_at(status, key, default=-1)
            for key in ("desiredNumberScheduled", "currentNumberScheduled")
        }
        return scheduled == {0} and not is_generation_unobserved(manifest)

    def is_rolling_out(self, manifest: Manifest) -> bool:
        """Until the pod on every node is up to date and ready."""
        status = mapping_at(manifest, "status")
        ready = min(number_at(status, "updatedNumberScheduled"), number_at(status, "numberReady"))
        desired = number_at(status, "desiredNumberScheduled")
        return is_generation_unobserved(manifest) or ready < desired
