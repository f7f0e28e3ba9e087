"""The NetworkPolicies of the cluster, reduced to their effect on egress, and our manifests."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable

from fleet_telemetry.egress.network_policies import NetworkPolicy, read_network_policy
from fleet_telemetry.kube.store import ObjectKey, ReflectorStore
from fleet_telemetry.objects.manifest import Manifest, text_at


class NetworkPolicyStore(ReflectorStore):
    """The policies by namespace."""

    def __init__(self, on_change: Callable[[str], None]) -> None:
        """``on_change`` gets the namespace of a policy that was added, changed or deleted."""
        super().__init__()
        self._on_change = on_change
        self.ours: dict[ObjectKey, Manifest] = {}
        """The manifests of those that this operator wrote."""
        self._policies: defaultdict[str, dict[str, NetworkPolicy]] = defaultdict(dict)
        self._uids: dict[ObjectKey, str] = {}

    def of(self, namespace: str) -> tuple[NetworkPolicy, ...]:
        """The policies of a namespace, by name."""
        found = self._policies.get(namespace, {})
        return tuple(found[name] for name in sorted(found))

    def _put(self, key: ObjectKey, manifest: Manifest, /) -> None:
        namespace, name = key
        policy = read_network_policy(manifest)
        is_same = self._policies[namespace].get(name) == policy
        if policy.ours:
            is_same = is_same and _written(self.ours.get(key)) == _written(manifest)
            self.ours[key] = manifest
        else:
            self.ours.pop(key, None)
        self._uids[key] = text_at(manifest, "metadata", "uid")
        self._policies[namespace][name] = policy
        if not is_same:
            self._on_change(namespace)

    def _remove(self, key: ObjectKey, uid: str | None) -> None:
        if uid is not None and self._uids.get(key, uid) != uid:
            return
        namespace, name = key
        self._uids.pop(key, None)
        self.ours.pop(key, None)
        if self._policies.get(namespace, {}).pop(name, None) is not None:
            if not self._policies[namespace]:
                del self._policies[namespace]
            self._on_change(namespace)

    def _object_keys(self) -> Iterable[ObjectKey]:
        return self._uids


def _written(manifest: Manifest | None) -> object:
    """What somebody may have edited of what we wrote."""
    if manifest is None:
        return None
    metadata = {
        key: value
        for key, value in manifest["metadata"].items()
        if key not in ("managedFields", "resourceVersion", "generation")
    }
    return metadata, manifest.get("spec")
