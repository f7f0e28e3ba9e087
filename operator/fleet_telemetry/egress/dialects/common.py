"""What the objects of all dialects have in common: names, labels, owners, and whose they are.

A label value is too short for a workload's name, so an annotation names the workload of an object.
A label alone does not make an object ours: a copy of one of ours has our labels and annotations,
too, but not the name that belongs to them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from ipaddress import ip_network
from typing import Any

from fleet_telemetry.api.policy import EgressAction
from fleet_telemetry.api.resources import GROUP
from fleet_telemetry.egress.model import DesiredNetworkPolicy, Network, OwnerReference
from fleet_telemetry.objects.kind import Kind
from fleet_telemetry.objects.manifest import Manifest, items_at, mapping_at, text_at
from fleet_telemetry.workloads.registry import WorkloadKind
from fleet_telemetry.workloads.workload import FIELD_MANAGER, WorkloadRef

Rendered = dict[str, Any]
"""A manifest of ours: the body of a server-side apply, and no more."""

MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
MANAGER = "fleet-telemetry"
"""The value of the label by which our objects are listed."""
ACTION_LABEL = f"{GROUP}/egress"
"""The action of an object: a workload may have one object for each action."""
WORKLOAD_ANNOTATION = f"{GROUP}/workload"
"""``<namespace>/<Kind>/<name>`` of the workload of an object."""
HOST_ANNOTATION = f"{GROUP}/host"
"""The telemetry host whose addresses an object holds."""

_LABELS = {MANAGED_BY_LABEL: MANAGER, "app.kubernetes.io/part-of": "fleet-telemetry-operator"}
_LONGEST_NAME = 253
_DIGEST = 10


# Names


def policy_name(kind: Kind, workload: WorkloadRef, action: EgressAction) -> str:
    """The name of a workload's object.

    ``fleet-telemetry-<action>-<kind>-<name>`` in lower case, cut where that is too long. A cut name
    ends with a hash. So does every name of a cluster-scoped object, which includes the namespace:
    ``a-b/c`` and ``a/b-c`` would otherwise be the same.
    """
    own = f"{workload.kind.lower()}-{workload.name}"
    if kind.namespaced:
        name = f"{MANAGER}-{action.lower()}-{own}"
        return name if len(name) <= _LONGEST_NAME else _hashed(name, name)
    return _hashed(f"{MANAGER}-{action.lower()}-{workload.namespace}-{own}", str(workload))


def group_name(host: str) -> str:
    """The name of the object that holds a host's addresses: ``fleet-telemetry-<host>-<hash>``."""
    return _hashed(f"{MANAGER}-{host}", host)


def _hashed(name: str, identity: str) -> str:
    """The name, cut where it is too long, with a hash of what distinguishes it from others."""
    digest = hashlib.sha256(identity.encode()).hexdigest()[:_DIGEST]
    return f"{name[: _LONGEST_NAME - _DIGEST - 1].rstrip('-.')}-{digest}"


# Writing


def policy(kind: Kind, desired: DesiredNetworkPolicy, spec: Rendered) -> Rendered:
    """The object that carries out an desired."""
    metadata: Rendered = {
        "name": policy_name(kind, desired.workload, desired.action),
        "labels": {**_LABELS, ACTION_LABEL: str(desired.action)},
        "annotations": {WORKLOAD_ANNOTATION: str(desired.workload)},
    }
    if kind.namespaced:
        metadata["namespace"] = desired.workload.namespace
        if desired.owners:
            metadata["ownerReferences"] = [_reference(owner) for owner in _sorted(desired.owners)]
    return _object(kind, metadata, spec)


def group(kind: Kind, host: str, spec: Rendered) -> Rendered:
    """The object that holds a host's addresses."""
    metadata = {
        "name": group_name(host),
        "labels": dict(_LABELS),
        "annotations": {HOST_ANNOTATION: host},
    }
    return _object(kind, metadata, spec)


def _object(kind: Kind, metadata: Rendered, spec: Rendered) -> Rendered:
    return {
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        "metadata": metadata,
        "spec": spec,
    }


def _sorted(owners: tuple[OwnerReference, ...]) -> list[OwnerReference]:
    return sorted(set(owners), key=lambda own: (own.api_version, own.kind, own.name, own.uid))


def _reference(owner: OwnerReference) -> Rendered:
    # Neither controller nor blockOwnerDeletion: several policies may own one object, and the
    # deletion of none has to wait for it.
    return {
        "apiVersion": owner.api_version,
        "kind": str(owner.kind),
        "name": owner.name,
        "uid": owner.uid,
    }


# Reading


def workload_of(manifest: Manifest) -> WorkloadRef | None:
    """The workload that an object names; None where it names none."""
    text = text_at(manifest, "metadata", "annotations", WORKLOAD_ANNOTATION)
    namespace, _, rest = text.partition("/")
    kind, _, name = rest.partition("/")
    if not namespace or not name or kind not in WorkloadKind.__members__.values():
        return None
    return WorkloadRef(namespace, WorkloadKind(kind), name)


def action_of(manifest: Manifest) -> EgressAction | None:
    """The action that an object names; None where it names none."""
    text = text_at(manifest, "metadata", "labels", ACTION_LABEL)
    return EgressAction(text) if text in EgressAction.__members__.values() else None


def host_of(manifest: Manifest) -> str:
    """The telemetry host that an object names; empty where it names none."""
    return text_at(manifest, "metadata", "annotations", HOST_ANNOTATION)


def is_our_policy(kind: Kind, manifest: Manifest) -> bool:
    """Whether this operator made the policy object: kind, label, annotation, name and namespace all
    agree.

    The manifest needs its apiVersion and kind, which the items of a list do not have by themselves.
    """
    workload, action = workload_of(manifest), action_of(manifest)
    if workload is None or action is None or not _is_labelled(kind, manifest):
        return False
    namespace = workload.namespace if kind.namespaced else ""
    return _place(manifest) == (namespace, policy_name(kind, workload, action))


def is_our_group(kind: Kind, manifest: Manifest) -> bool:
    """The same for an object that holds a host's addresses."""
    host = host_of(manifest)
    return (
        bool(host) and _is_labelled(kind, manifest) and _place(manifest) == ("", group_name(host))
    )


def is_same_object(rendered: Manifest, live: Manifest) -> bool:
    """Whether kind, namespace and name are the same."""
    return _kind_in(rendered) == _kind_in(live) and _place(rendered) == _place(live)


def is_applied_by_us(live: Manifest) -> bool:
    """Whether the managed fields show that this operator applied the object."""
    return any(
        (entry.get("manager"), entry.get("operation")) == (FIELD_MANAGER, "Apply")
        for entry in items_at(live, "metadata", "managedFields")
    )


def read_networks(texts: Iterable[object]) -> tuple[Network, ...]:
    """The networks in a live object of ours, each once. What is malformed is left out, and so is a
    range of every address: the operator never writes one."""
    return tuple(dict.fromkeys(_valid_networks(texts)))


def _valid_networks(texts: Iterable[object]) -> Iterator[Network]:
    for text in texts:
        try:
            network = ip_network(text) if isinstance(text, str) else None
        except ValueError:
            continue
        if network is not None and network.prefixlen:
            yield network


def _is_labelled(kind: Kind, manifest: Manifest) -> bool:
    # The version may be any: objects are read in whichever the cluster serves.
    return (
        _kind_in(manifest) == (kind.group, kind.kind)
        and mapping_at(manifest, "metadata", "labels").get(MANAGED_BY_LABEL) == MANAGER
    )


def _kind_in(manifest: Manifest) -> tuple[str, str]:
    return text_at(manifest, "apiVersion").partition("/")[0], text_at(manifest, "kind")


def _place(manifest: Manifest) -> tuple[str, str]:
    return text_at(manifest, "metadata", "namespace"), text_at(manifest, "metadata", "name")
