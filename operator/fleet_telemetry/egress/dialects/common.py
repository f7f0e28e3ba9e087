"""What all our network policies have in common: kinds, names, labels, owners, and whose they are.

A label value is too short for a workload's name, so an annotation says which workload an object is
for. Nothing is believed of an object by its label alone: a copy that somebody made of one of ours
carries our labels and annotations, too, but not the name that goes with them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fleet_telemetry.api.policy import EgressAction
from fleet_telemetry.api.resources import GROUP
from fleet_telemetry.egress.model import Order, OwnerReference
from fleet_telemetry.objects.manifest import Manifest, items_at, mapping_at, text_at
from fleet_telemetry.workloads.registry import WorkloadKind
from fleet_telemetry.workloads.workload import FIELD_MANAGER, WorkloadRef

Rendered = dict[str, Any]
"""A manifest of ours: what server-side apply is sent, and no more."""

MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
MANAGER = "fleet-telemetry"
"""The value of the label by which our objects are listed."""
ACTION_LABEL = f"{GROUP}/egress"
"""Which action an object carries out: a workload may have one object for each."""
WORKLOAD_ANNOTATION = f"{GROUP}/workload"
"""``<namespace>/<Kind>/<name>`` of the workload that an object is for."""
HOST_ANNOTATION = f"{GROUP}/host"
"""The telemetry host whose addresses an object holds."""

_LABELS = {MANAGED_BY_LABEL: MANAGER, "app.kubernetes.io/part-of": "fleet-telemetry-operator"}
_LONGEST_NAME = 253
_DIGEST = 10


@dataclass(frozen=True, slots=True)
class ObjectKind:
    """A kind of object by its place in the API."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """As manifests write it."""
        return f"{self.group}/{self.version}"


NETWORK_POLICY = ObjectKind("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy")
CILIUM_NETWORK_POLICY = ObjectKind(
    "cilium.io", "v2", "ciliumnetworkpolicies", "CiliumNetworkPolicy"
)
CILIUM_CIDR_GROUP = ObjectKind(
    "cilium.io", "v2", "ciliumcidrgroups", "CiliumCIDRGroup", namespaced=False
)
"""v2 is the stored version, v2alpha1 is deprecated (cilium/cilium@v1.20.2:
pkg/k8s/apis/cilium.io/client/crds/v2/ciliumcidrgroups.yaml)."""
CLUSTER_NETWORK_POLICY = ObjectKind(
    "policy.networking.k8s.io",
    "v1alpha2",
    "clusternetworkpolicies",
    "ClusterNetworkPolicy",
    namespaced=False,
)
KINDS = (NETWORK_POLICY, CILIUM_NETWORK_POLICY, CILIUM_CIDR_GROUP, CLUSTER_NETWORK_POLICY)
"""All that are written."""


# Names


def policy_name(kind: ObjectKind, workload: WorkloadRef, action: EgressAction) -> str:
    """The name of a workload's object.

    ``fleet-telemetry-<action>-<kind>-<name>`` in lower case, cut where that is too long. A cut name
    has a hash at its end, and so has every name of a cluster-scoped object, which has the namespace
    in it: ``a-b/c`` and ``a/b-c`` would read the same.
    """
    own = f"{workload.kind.lower()}-{workload.name}"
    if kind.namespaced:
        name = f"{MANAGER}-{action.lower()}-{own}"
        return name if len(name) <= _LONGEST_NAME else _hashed(name, name)
    return _hashed(f"{MANAGER}-{action.lower()}-{workload.namespace}-{own}", str(workload))


def group_name(host: str) -> str:
    """The name of the object that holds a host's addresses: ``fleet-telemetry-<host>-<hash>``."""
    return _hashed(f"{MANAGER}-{host}", host)


def _hashed(name: str, told: str) -> str:
    """The name, cut where it is too long, and what tells it from any other that reads the same."""
    digest = hashlib.sha256(told.encode()).hexdigest()[:_DIGEST]
    return f"{name[: _LONGEST_NAME - _DIGEST - 1].rstrip('-.')}-{digest}"


# Writing


def policy(kind: ObjectKind, order: Order, spec: Rendered) -> Rendered:
    """The object that carries out an order."""
    metadata: Rendered = {
        "name": policy_name(kind, order.workload, order.action),
        "labels": {**_LABELS, ACTION_LABEL: str(order.action)},
        "annotations": {WORKLOAD_ANNOTATION: str(order.workload)},
    }
    if kind.namespaced:
        metadata["namespace"] = order.workload.namespace
        if order.owners:
            metadata["ownerReferences"] = [_reference(owner) for owner in _sorted(order.owners)]
    return _object(kind, metadata, spec)


def group(kind: ObjectKind, host: str, spec: Rendered) -> Rendered:
    """The object that holds a host's addresses."""
    metadata = {
        "name": group_name(host),
        "labels": dict(_LABELS),
        "annotations": {HOST_ANNOTATION: host},
    }
    return _object(kind, metadata, spec)


def _object(kind: ObjectKind, metadata: Rendered, spec: Rendered) -> Rendered:
    return {
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        "metadata": metadata,
        "spec": spec,
    }


def _sorted(owners: tuple[OwnerReference, ...]) -> list[OwnerReference]:
    return sorted(set(owners), key=lambda own: (own.api_version, own.kind, own.name, own.uid))


def _reference(owner: OwnerReference) -> Rendered:
    # Neither controller nor blockOwnerDeletion: several policies may own one object, and none of
    # them has to wait for it.
    return {
        "apiVersion": owner.api_version,
        "kind": str(owner.kind),
        "name": owner.name,
        "uid": owner.uid,
    }


# Reading


def workload_of(manifest: Manifest) -> WorkloadRef | None:
    """The workload that an object says it is for; None where it says none."""
    text = text_at(manifest, "metadata", "annotations", WORKLOAD_ANNOTATION)
    namespace, _, rest = text.partition("/")
    kind, _, name = rest.partition("/")
    if not namespace or not name or kind not in WorkloadKind.__members__.values():
        return None
    return WorkloadRef(namespace, WorkloadKind(kind), name)


def action_of(manifest: Manifest) -> EgressAction | None:
    """The action that an object says it carries out; None where it says none."""
    text = text_at(manifest, "metadata", "labels", ACTION_LABEL)
    return EgressAction(text) if text in EgressAction.__members__.values() else None


def host_of(manifest: Manifest) -> str:
    """The telemetry host whose addresses an object says it holds; empty where it says none."""
    return text_at(manifest, "metadata", "annotations", HOST_ANNOTATION)


def kind_of(manifest: Manifest) -> ObjectKind | None:
    """Which of our kinds an object is of, in whichever version it was read; None for others."""
    of_group = text_at(manifest, "apiVersion").partition("/")[0]
    of_kind = text_at(manifest, "kind")
    return next((kind for kind in KINDS if (kind.group, kind.kind) == (of_group, of_kind)), None)


def is_ours(manifest: Manifest) -> bool:
    """Whether this operator made the object: label, annotation, name and namespace all agree.

    The manifest needs its apiVersion and kind, which the items of a list do not have by themselves.
    """
    labels = mapping_at(manifest, "metadata", "labels")
    kind = kind_of(manifest)
    if kind is None or labels.get(MANAGED_BY_LABEL) != MANAGER:
        return False
    place = (text_at(manifest, "metadata", "namespace"), text_at(manifest, "metadata", "name"))
    if kind is CILIUM_CIDR_GROUP:
        host = host_of(manifest)
        return bool(host) and place == ("", group_name(host))
    workload, action = workload_of(manifest), action_of(manifest)
    if workload is None or action is None:
        return False
    namespace = workload.namespace if kind.namespaced else ""
    return place == (namespace, policy_name(kind, workload, action))


def may_replace(rendered: Manifest, live: Manifest) -> bool:
    """Whether the object that has the name already may be written over.

    It may where it is ours, and where somebody took off our label or annotation but the API server
    still knows that our field manager applied it. Any other object of that name is somebody else's.
    """
    same_place = all(
        text_at(rendered, "metadata", key) == text_at(live, "metadata", key)
        for key in ("namespace", "name")
    )
    return same_place and kind_of(rendered) == kind_of(live) and (is_ours(live) or _applied(live))


def _applied(live: Mapping[str, Any]) -> bool:
    return any(
        (entry.get("manager"), entry.get("operation")) == (FIELD_MANAGER, "Apply")
        for entry in items_at(live, "metadata", "managedFields")
    )
