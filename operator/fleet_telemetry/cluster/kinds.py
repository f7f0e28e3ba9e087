"""The kinds of object that the operator reads or writes, and where the API server has them."""

from __future__ import annotations

from dataclasses import dataclass

from fleet_telemetry.model.resources import (
    CLUSTER_TELEMETRY_POLICY,
    GROUP,
    RESOURCES,
    TELEMETRY_HOST,
    TELEMETRY_POLICY,
    TELEMETRY_PRODUCT,
    VERSION,
    WORKLOAD_TELEMETRY,
    CustomResource,
)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of object by its place in the API. The core group is the empty string."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """As manifests write it."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """The path of an object, or of a list where there is no name."""
        parts = ["apis", self.group, self.version] if self.group else ["api", self.version]
        if namespace:
            parts += ["namespaces", namespace]
        parts += [part for part in (self.plural, name, subresource) if part]
        return "/" + "/".join(parts)


def _own(resource: CustomResource) -> Kind:
    return Kind(GROUP, VERSION, resource.plural, resource.kind, resource.namespaced)


NAMESPACE = Kind("", "v1", "namespaces", "Namespace", namespaced=False)
POD = Kind("", "v1", "pods", "Pod")
VOLUME_CLAIM = Kind("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim")
VOLUME = Kind("", "v1", "persistentvolumes", "PersistentVolume", namespaced=False)
SERVICE = Kind("", "v1", "services", "Service")
SECRET = Kind("", "v1", "secrets", "Secret")
CONFIG_MAP = Kind("", "v1", "configmaps", "ConfigMap")
EVENT = Kind("events.k8s.io", "v1", "events", "Event")
NETWORK_POLICY = Kind("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy")
LEASE = Kind("coordination.k8s.io", "v1", "leases", "Lease")
MUTATING_WEBHOOKS = Kind(
    "admissionregistration.k8s.io",
    "v1",
    "mutatingwebhookconfigurations",
    "MutatingWebhookConfiguration",
    namespaced=False,
)
VALIDATING_WEBHOOKS = Kind(
    "admissionregistration.k8s.io",
    "v1",
    "validatingwebhookconfigurations",
    "ValidatingWebhookConfiguration",
    namespaced=False,
)
WORKLOADS = (
    Kind("apps", "v1", "deployments", "Deployment"),
    Kind("apps", "v1", "statefulsets", "StatefulSet"),
    Kind("apps", "v1", "daemonsets", "DaemonSet"),
    Kind("apps", "v1", "replicasets", "ReplicaSet"),
    Kind("batch", "v1", "cronjobs", "CronJob"),
    Kind("batch", "v1", "jobs", "Job"),
)
WORKLOAD_BY_KIND = {kind.kind: kind for kind in WORKLOADS}
POLICY = _own(TELEMETRY_POLICY)
CLUSTER_POLICY = _own(CLUSTER_TELEMETRY_POLICY)
PRODUCT = _own(TELEMETRY_PRODUCT)
RECORD = _own(WORKLOAD_TELEMETRY)
HOST = _own(TELEMETRY_HOST)
OWN_PLURALS = frozenset(resource.plural for resource in RESOURCES)
WATCHED_BY_WEBHOOK = (NAMESPACE, POLICY, CLUSTER_POLICY, PRODUCT, RECORD, *WORKLOADS, POD)
"""Everything that the role mirrors, in the order of listing: what decides comes before what is
decided upon."""
WATCHED_BY_CONTROLLER = (HOST, NETWORK_POLICY, *WATCHED_BY_WEBHOOK)
