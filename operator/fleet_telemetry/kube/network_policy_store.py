"""The NetworkPolicies of the cluster, reduced to their effect on egress, and our manifests."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from fleet_telemetry.egress.network_policies import NetworkPolicy, read_network_policy
from fleet_telemetry.kube.store import ObjectKey
from fleet_telemetry.objects.manifest import Manifest


@dataclass
class Networks:
    """``changed`` is called with the namespace whose policies came, changed or went."""

    changed: Callable[[str], None]
    ours: dict[ObjectKey, Manifest] = field(default_factory=dict)
    """The manifests of those that this operator wrote."""
    _policies: defaultdict[str, dict[str, NetworkPolicy]] = field(
        default_factory=lambda: defaultdict(dict)
    )

    def of(self, namespace: str) -> tuple[NetworkPolicy, ...]:
        """The policies of a namespace, by name."""
        found = self._policies.get(namespace, {})
        return tuple(found[name] for name in sorted(found))

    def keys(self) -> Iterator[ObjectKey]:
        """Every policy that is kept."""
        for namespace, policies in self._policies.items():
            for name in policies:
                yield namespace, name

    def take(self, key: ObjectKey, manifest: Manifest) -> None:
        """A policy as it is now."""
        namespace, name = key
        policy = read_network_policy(manifest)
        is_same = self._policies[namespace].get(name) == policy
        if policy.ours:
            is_same = is_same and _written(self.ours.get(key)) == _written(manifest)
            self.ours[key] = manifest
        else:
            self.ours.pop(key, None)
        self._policies[namespace][name] = policy
        if not is_same:
            self.changed(namespace)

    def drop(self, key: ObjectKey) -> None:
        """A policy that is gone."""
        namespace, name = key
        self.ours.pop(key, None)
        if self._policies.get(namespace, {}).pop(name, None) is not None:
            if not self._policies[namespace]:
                del self._policies[namespace]
            self.changed(namespace)


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
