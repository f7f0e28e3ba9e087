"""CronJobs: ``batch/v1``. A CronJob runs its pods in Jobs."""

from __future__ import annotations

from types import MappingProxyType

from fleet_telemetry.objects.kind import Kind
from fleet_telemetry.objects.manifest import Manifest, dig, list_at
from fleet_telemetry.workloads.workload_type import WorkloadType


class CronJob(WorkloadType):
    """A CronJob. It has no pod selector; the labels that it gives to its pods serve as one."""

    api = Kind("batch", "v1", "cronjobs", "CronJob")
    template_path = ("spec", "jobTemplate", "spec", "template")
    parts = frozenset({("batch", "Job")})
    last_run_counts = True
    added_labels = MappingProxyType(
        {
            "job-name": True,
            "batch.kubernetes.io/job-name": True,
            "controller-uid": False,
            "batch.kubernetes.io/controller-uid": False,
        }
    )
    suspends = True

    def is_idle(self, manifest: Manifest) -> bool:
        """While it is suspended."""
        return dig(manifest, "spec", "suspend") is True

    def is_active(self, manifest: Manifest) -> bool:
        """Whether the status lists a Job that has not finished."""
        return bool(list_at(manifest, "status", "active"))

    def restarts_no_pod(self, manifest: Manifest) -> bool:  # noqa: ARG002  # the same for all
        """A new template only counts for the next Job."""
        return True
