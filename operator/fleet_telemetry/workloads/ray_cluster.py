"""Ray clusters of KubeRay: ``ray.io/v1``. KubeRay makes their pods itself, without a ReplicaSet.

Facts from ray-project/kuberay@b2f504f2 and @0055bf30 (ray-operator/controllers/ray/common/pod.go,
raycluster_controller.go) and @026f1433 (ray-operator/apis/ray/v1/raycluster_types.go):

- There are several pod templates: ``spec.headGroupSpec.template``, and one in each entry of
  ``spec.workerGroupSpecs``. The first container of each is Ray's.
- KubeRay adds containers and variables to what the templates say, and runs Ray's container by a
  shell line, unless the container's own command starts Ray.
- The pods' controller is the RayCluster, and they have its name as a label. KubeRay deletes a pod
  that has ended, and makes a new one. A changed template replaces no pod by itself.
- ``spec.suspend`` deletes all pods.

RayServices and RayJobs make RayClusters, which are workloads all the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import MappingProxyType

from fleet_telemetry.objects.kind import Kind
from fleet_telemetry.objects.manifest import Manifest, dig, text_at
from fleet_telemetry.workloads.workload_type import TemplatePlace, WorkloadType

_WORKER_GROUPS = ("spec", "workerGroupSpecs")


class RayCluster(WorkloadType):
    """A RayCluster. Its spec is never edited: its pods are injected as they are created."""

    api = Kind("ray.io", "v1", "rayclusters", "RayCluster")
    template_path = ("spec", "headGroupSpec", "template")
    optional = True
    is_injected_by_pod = True
    added_labels = MappingProxyType(
        {
            f"ray.io/{name}": False
            for name in ("cluster", "group", "identifier", "is-ray-node", "node-type")
        }
    )

    def template_places(self, manifest: Manifest) -> Iterator[TemplatePlace]:
        """Those of the head and of each group of workers."""
        yield from super().template_places(manifest)
        groups = dig(manifest, *_WORKER_GROUPS)
        # What is no list has no template in its first place, either.
        count = len(groups) if isinstance(groups, list) else int(groups is not None)
        for place in range(count):
            yield (*_WORKER_GROUPS, place, "template")

    def restarts_no_pod(self, manifest: Manifest) -> bool:  # noqa: ARG002  # the same for all
        """KubeRay replaces no pod because a template changed."""
        return True

    def is_idle(self, manifest: Manifest) -> bool:
        """While it is suspended."""
        return dig(manifest, "spec", "suspend") is True

    def pod_selector(self, manifest: Manifest) -> Manifest:
        """The label that KubeRay gives to all pods of a cluster."""
        return {"matchLabels": {"ray.io/cluster": text_at(manifest, "metadata", "name")}}
