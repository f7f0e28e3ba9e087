"""The kinds of object that the operator reads or writes, by their place in the API."""

from __future__ import annotations

from fleet_telemetry.api import resources
from fleet_telemetry.api.resources import GROUP, RESOURCES, VERSION, CustomResource
from fleet_telemetry.objects.kind import Kind
from fleet_telemetry.workloads.registry import WorkloadKind


def _own(resource: CustomResource) -> Kind:
    return Kind(GROUP, VERSION, resource.plural, resource.kind, resource.namespaced)


NAMESPACE = Kind("", "v1", "namespaces", "Namespace", namespaced=False)
POD = Kind("", "v1", "pods", "Pod")
VOLUME_CLAIM = Kind("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim")
VOLUME = Kind("", "v1", "persistentvolumes", "PersistentVolume", namespaced=False)
SERVICE = Kind("", "v1", "services", "Service")
SECRET = Kind("", "v1", "secrets", "Secret")
CONFIG_MAP = Kind("", "v1", "configmaps", "ConfigMap")
ENDPOINT_SLICE = Kind("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice")
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
WORKLOADS = tuple(kind.type.api for kind in WorkloadKind)
WORKLOAD_BY_KIND = {kind.kind: kind for kind in WORKLOADS}
OPTIONAL = frozenset(kind.type.api for kind in WorkloadKind if kind.type.optional)
"""Kinds that a cluster may not serve. A list that the API server answers with 404 is empty."""
POLICY = _own(resources.TELEMETRY_POLICY)
CLUSTER_POLICY = _own(resources.CLUSTER_TELEMETRY_POLICY)
PRODUCT = _own(resources.TELEMETRY_PRODUCT)
WORKLOAD_TELEMETRY = _own(resources.WORKLOAD_TELEMETRY)
HOST = _own(resources.TELEMETRY_HOST)
OWN_PLURALS = frozenset(resource.plural for resource in RESOURCES)
WATCHED_BY_WEBHOOK = (
    NAMESPACE,
    POLICY,
    CLUSTER_POLICY,
    PRODUCT,
    WORKLOAD_TELEMETRY,
    *WORKLOADS,
    POD,
)
"""The kinds in the webhook's cache, in the order of listing: policies come before workloads."""
WATCHED_BY_CONTROLLER = (HOST, NETWORK_POLICY, *WATCHED_BY_WEBHOOK)
WATCHED_BY_KOPF = frozenset({NAMESPACE, POLICY, CLUSTER_POLICY, PRODUCT, HOST})
"""The kinds of which there are few. What grows with the fleet has a reflector of its own."""
