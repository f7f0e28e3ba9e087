"""What ConfigMaps hold, and since when.

A container gets the values that its ConfigMaps have when it starts, and it starts again within its
pod without anybody's doing. So a value is known of a pod only if it has not changed since the pod
was created. What an object shows of that (kubernetes/kubernetes@121460de: staging/src/k8s.io/
apimachinery/pkg/util/managedfields/internal/managedfieldsupdater.go):

- Whoever changes the value of a key becomes an owner of the key in ``metadata.managedFields``, with
  the time of the change, in whole seconds. A later change of another field by the same manager
  gives its entry a later time. So a key has had its value at least since the latest time among its
  owners, and nobody can say so of a key without an owner.
- A key that is removed leaves no trace. So nothing shows how long a key has been missing, except in
  a ConfigMap that is immutable since then.
- An object that was deleted and created again has a new ``creationTimestamp``.

All these times, and that of a pod's creation, are of the API server's clock. One case does not
show: the kubelet keeps an immutable ConfigMap for as long as a pod on its node refers to it, also
when it is deleted and created again under the same name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from fleet_telemetry.objects.manifest import Manifest, items_at, mapping_at, read_time

LONGEST_VALUE = 16 << 10
"""Characters of a value that is kept. No switch is longer; the JVM's arguments may be long."""
MOST_KEPT = 64 << 10
"""Characters of all keys and values of a ConfigMap that are kept, the shortest values first."""


@dataclass(frozen=True, slots=True)
class ConfigMapFacts:
    """A ConfigMap as it was read; or that there is none."""

    data: Mapping[str, str] = field(default_factory=dict)
    exists: bool = True
    too_long: frozenset[str] = frozenset()
    """Keys whose values are not kept."""
    is_partial: bool = False
    """Nor are all of its keys."""
    since: Mapping[str, datetime] = field(default_factory=dict)
    """By key: since when the value has surely been the same. Missing: not known."""
    created: datetime | None = None
    immutable_since: datetime | None = None
    """Since when nothing in it can have changed; None if it can change."""
    is_in_file: bool = False
    """It stands in a file: no pod is older than it."""

    def held(self, key: str, created: datetime | None, *, required: bool) -> bool:
        """Whether a pod that was created then can only have got the present value of a key.

        In the second of its creation a ConfigMap may be younger than the pod. A container that
        needs it has waited for it then.
        """
        if self.is_in_file:
            return True
        since = self.since.get(key)
        if since is None or created is None:
            return False
        return since < created or (required and since == created == self.created)

    def held_no_more(self, created: datetime | None) -> bool:
        """Whether a pod that was created then can have got no key that is missing now."""
        if self.is_in_file:
            return True
        since = self.immutable_since
        return since is not None and created is not None and since < created


ConfigMaps = Mapping[str, ConfigMapFacts]
"""The ConfigMaps of one namespace that were read, by name. All others are not known."""

ABSENT = ConfigMapFacts(exists=False)
NO_CONFIG_MAPS: ConfigMaps = {}


def read_config_map(manifest: Manifest, *, is_in_file: bool = False) -> ConfigMapFacts:
    """What the manifest of a ConfigMap shows. Nothing is raised: what is misshapen is absent."""
    data: dict[str, str] = {}
    too_long: set[str] = set()
    left = MOST_KEPT
    entries = [
        (key, value)
        for key, value in mapping_at(manifest, "data").items()
        if type(key) is str and type(value) is str
    ]
    for key, value in sorted(entries, key=lambda one: (len(one[1]), one[0])):
        left -= len(key)
        if left < 0:
            break
        if len(value) <= min(LONGEST_VALUE, left):
            left -= len(value)
            data[key] = value
        else:
            too_long.add(key)
    created = read_time(mapping_at(manifest, "metadata").get("creationTimestamp"))
    owned = _Owned(manifest, created)
    immutable = manifest.get("immutable") is True
    return ConfigMapFacts(
        data=data,
        too_long=frozenset(too_long),
        is_partial=left < 0,
        since=owned.since(data),
        created=created,
        immutable_since=owned.latest("f:immutable") if immutable else None,
        is_in_file=is_in_file,
    )


class _Owned:
    """The times of the managed fields."""

    def __init__(self, manifest: Manifest, created: datetime | None) -> None:
        self._created = created
        self._entries = [
            (read_time(entry.get("time")), mapping_at(entry, "fieldsV1"))
            for entry in items_at(manifest, "metadata", "managedFields")
        ]

    def since(self, data: Mapping[str, str]) -> dict[str, datetime]:
        """By key, see ``ConfigMapFacts.since``."""
        if self._created is None:
            return {}
        found: dict[str, datetime] = {}
        undated: set[str] = set()
        for time, fields in self._entries:
            for key in _keys(fields):
                if key not in data:
                    continue
                if time is None:
                    undated.add(key)
                else:
                    found[key] = max(found.get(key, self._created), time)
        return {key: time for key, time in found.items() if key not in undated}

    def latest(self, field_: str) -> datetime | None:
        """When a field got its value at the latest; None if that is not known."""
        times = [time for time, fields in self._entries if field_ in fields]
        known = [time for time in times if time is not None]
        if self._created is None or not known or len(known) < len(times):
            return None
        return max(self._created, *known)


def _keys(fields: Manifest) -> Iterator[str]:
    for key in mapping_at(fields, "f:data"):
        if str(key).startswith("f:"):
            yield str(key)[2:]
