"""Jobs: ``batch/v1``. One that a CronJob controls is a part of the CronJob."""

from __future__ import annotations

from fleet_telemetry.objects.kind import Kind
from fleet_telemetry.objects.manifest import Manifest, dig, items_at, mapping_at, number_at, text_at
from fleet_telemetry.workloads.workload_type import WorkloadType


class Job(WorkloadType):
    """A Job."""

    api = Kind("batch", "v1", "jobs", "Job")
    template_immutable = True
    keeps_finished_pods = True
    """They show what the Job ran with."""

    def restarts_no_pod(self, manifest: Manifest) -> bool:  # noqa: ARG002  # the same for all
        """The template of a Job cannot change."""
        return False

    def has_first_template(self, manifest: Manifest) -> bool:  # noqa: ARG002  # the same for all
        """The template of a Job cannot change."""
        return True

    def is_settled(self, manifest: Manifest) -> bool:  # noqa: ARG002  # the same for all
        """The template of a Job cannot change."""
        return True

    def is_idle(self, manifest: Manifest) -> bool:
        """While it is suspended."""
        return dig(manifest, "spec", "suspend") is True

    def has_run(self, manifest: Manifest) -> bool:
        """Whether the status counts a pod, running or not."""
        status = mapping_at(manifest, "status")
        counted = (number_at(status, key) for key in ("active", "succeeded", "failed"))
        return any(count > 0 for count in counted)

    def is_active(self, manifest: Manifest) -> bool:
        """Until it is complete or has failed."""
        return not any(
            one.get("type") in ("Complete", "Failed") and one.get("status") == "True"
            for one in items_at(manifest, "status", "conditions")
        )

    def pod_selector(self, manifest: Manifest) -> Manifest:
        """A generated selector matches the Job's uid, a label that some network plug-ins do not
        tell pods apart by. The label with the Job's name serves as well."""
        if dig(manifest, "spec", "manualSelector"):
            return super().pod_selector(manifest)
        name = text_at(manifest, "metadata", "name")
        return {"matchLabels": {"batch.kubernetes.io/job-name": name}}
