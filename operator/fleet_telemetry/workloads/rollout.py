"""Rollouts of Argo Rollouts: ``argoproj.io/v1alpha1``. A Rollout runs its pods in ReplicaSets.

Facts from argoproj/argo-rollouts, tag v1.9.1:

- The ReplicaSets are named ``<rollout>-<hash>`` (rollout/sync.go), and pods have the hash as a
  label (``DefaultRolloutUniqueLabelKey`` in pkg/apis/rollouts/v1alpha1/types.go).
- ``status.observedGeneration`` is a string (types.go); rollout/sync.go writes
  ``metadata.generation`` in decimal.
- ``rollout.argoproj.io/revision`` counts pod templates (utils/annotations/annotations.go).
- ``spec.paused`` does not keep pods from being replaced: it only stops the Rollout from going to
  its next step (docs/features/specification.md, rollout/canary.go). Without steps, or if the first
  step is a ``setWeight``, a changed template replaces pods at once.
- With ``spec.workloadRef`` the template is in another object, and ``spec.template`` has to be empty
  (pkg/apis/rollouts/validation/validation.go).
- The CRD declares containers and variables as maps by name (manifests/crds/rollout-crd.yaml), so
  managed fields show who owns a variable, as for a Deployment.
"""

from __future__ import annotations

from types import MappingProxyType

from fleet_telemetry.objects.kind import Kind
from fleet_telemetry.objects.manifest import Manifest, dig, text_at
from fleet_telemetry.workloads.workload_type import (
    WorkloadType,
    are_replicas_outdated,
    has_no_replicas,
    is_first_revision,
)

_REVISION = "rollout.argoproj.io/revision"


class ArgoRollout(WorkloadType):
    """A Rollout."""

    api = Kind("argoproj.io", "v1alpha1", "rollouts", "Rollout")
    optional = True
    parts = frozenset({("apps", "ReplicaSet")})
    adopts = True
    part_label = "rollouts-pod-template-hash"
    added_labels = MappingProxyType({part_label: False})

    def has_own_template(self, manifest: Manifest) -> bool:
        """With a ``workloadRef``, the Deployment that it names is the one to inject into."""
        return not dig(manifest, "spec", "workloadRef")

    def restarts_no_pod(self, manifest: Manifest) -> bool:
        """A Rollout without replicas has no pods. A paused one can still replace pods."""
        return has_no_replicas(manifest)

    def has_first_template(self, manifest: Manifest) -> bool:
        """Scaling raises the generation; the controller's revision counts templates only."""
        return is_first_revision(manifest, _REVISION) or super().has_first_template(manifest)

    def is_rolling_out(self, manifest: Manifest) -> bool:
        """Until every replica is up to date and available, through all steps of the strategy."""
        generation = dig(manifest, "metadata", "generation")
        observed = text_at(manifest, "status", "observedGeneration")
        return observed != str(generation) or are_replicas_outdated(manifest)
