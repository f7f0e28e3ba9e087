"""Deployments: ``apps/v1``. A Deployment runs its pods in ReplicaSets."""

from __future__ import annotations

from types import MappingProxyType

from fleet_telemetry.objects.kind import Kind
from fleet_telemetry.objects.manifest import Manifest, dig
from fleet_telemetry.workloads.workload_type import (
    WorkloadType,
    are_replicas_outdated,
    has_no_replicas,
    is_first_revision,
    is_generation_unobserved,
)

_REVISION = "deployment.kubernetes.io/revision"


class Deployment(WorkloadType):
    """A Deployment."""

    api = Kind("apps", "v1", "deployments", "Deployment")
    parts = frozenset({("apps", "ReplicaSet")})
    adopts = True
    part_label = "pod-template-hash"
    added_labels = MappingProxyType({part_label: False})

    def restarts_no_pod(self, manifest: Manifest) -> bool:
        """A Deployment without replicas has no pods. A paused one replaces its pods as soon as it
        is resumed."""
        return has_no_replicas(manifest)

    def is_paused(self, manifest: Manifest) -> bool:
        """A paused Deployment keeps its pods until it is resumed."""
        return bool(dig(manifest, "spec", "paused"))

    def has_first_template(self, manifest: Manifest) -> bool:
        """Scaling raises the generation; the controller's revision counts templates only."""
        return is_first_revision(manifest, _REVISION) or super().has_first_template(manifest)

    def is_rolling_out(self, manifest: Manifest) -> bool:
        """Until every replica is up to date and available. A paused Deployment replaces no pod, and
        nobody can say for how long."""
        if self.is_paused(manifest):
            return False
        return is_generation_unobserved(manifest) or are_replicas_outdated(manifest)
