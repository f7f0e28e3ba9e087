"""Discovery of the dialects that the cluster serves, of the policies of others that are not
evaluated, and of our own objects of the kinds that are not watched.

The definitions of these kinds may come and go. They are listed now and then instead of watched, so
drift in such an object is reverted within a minute.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fleet_telemetry.egress.dialects.dialect import Dialect
from fleet_telemetry.egress.dialects.foreign_kinds import ForeignKind
from fleet_telemetry.egress.dialects.registry import DIALECTS, always_served, foreign_kinds
from fleet_telemetry.kube.client import ApiError, KubernetesClient
from fleet_telemetry.kube.store import object_key
from fleet_telemetry.objects.kind import Kind
from fleet_telemetry.objects.manifest import Manifest
from fleet_telemetry.workloads.workload import FIELD_MANAGER

OURS = f"app.kubernetes.io/managed-by={FIELD_MANAGER}"
_NOT_OURS = f"app.kubernetes.io/managed-by!={FIELD_MANAGER}"

ObjectPlace = tuple[Kind, str, str]
"""Kind, namespace and name."""


class DialectDiscovery:
    """What the last ``refresh`` found."""

    def __init__(self, client: KubernetesClient, dialects: Sequence[Dialect] = DIALECTS) -> None:
        self._client = client
        self._dialects = dialects
        self._foreign = foreign_kinds(dialects)
        required = {kind for dialect in dialects for kind in dialect.required_kinds}
        self._kinds = required | {foreign.kind for foreign in self._foreign}
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self.known = False
        """Whether a refresh has succeeded. Before, the absence of anything means nothing."""
        self.served: frozenset[Dialect] = always_served(self._dialects)
        self.others: tuple[str, ...] = ()
        """Kinds that are not evaluated and of which others have a policy that may allow what
        NetworkPolicies deny. A kind that may not be listed counts as present."""
        self.live: dict[ObjectPlace, Manifest] = {}
        """Objects with our label, of the kinds that are not watched."""
        self._lower_tier: dict[str, tuple[str, ...]] = {}
        """By namespace; those of the whole cluster by the empty string."""
        self._touched: set[ObjectPlace] = set()
        """What was written while objects were listed, which is newer than the list."""

    def lower_tier(self, namespace: str) -> tuple[str, ...]:
        """The policies of a lower tier that may select pods of a namespace, by name."""
        return (*self._lower_tier.get("", ()), *self._lower_tier.get(namespace, ()))

    async def refresh(self) -> bool:
        """List everything again; whether anything changed. Raises ApiError."""
        self._touched.clear()
        present = await self._find_kinds()
        served = frozenset(
            dialect for dialect in self._dialects if present.issuperset(dialect.required_kinds)
        )
        others, lower_tier = await self._find_others(present)
        live: dict[ObjectPlace, Manifest] = {
            (kind, *object_key(manifest)): manifest
            for dialect in self._dialects
            if dialect in served
            for kind in dialect.required_kinds
            async for manifest in self._client.list(kind, selector=OURS)
        }
        for place in self._touched:
            live.pop(place, None)
            if place in self.live:
                live[place] = self.live[place]
        same = (
            self.known
            and (served, others, lower_tier) == (self.served, self.others, self._lower_tier)
            and _alike(live, self.live)
        )
        self.served, self.others, self._lower_tier, self.live = served, others, lower_tier, live
        self.known = True
        return not same

    def upsert(self, kind: Kind, manifest: Manifest) -> None:
        """An object of ours as it was written."""
        place = (kind, *object_key(manifest))
        self._touched.add(place)
        self.live[place] = manifest

    def delete(self, kind: Kind, manifest: Manifest) -> None:
        """An object of ours that was deleted."""
        place = (kind, *object_key(manifest))
        self._touched.add(place)
        self.live.pop(place, None)

    async def _find_kinds(self) -> frozenset[Kind]:
        """The kinds of interest that the cluster serves: each API group is asked once."""
        groups = {(kind.group, kind.version) for kind in self._kinds}
        plurals = {group: await self._client.served_plurals(*group) for group in sorted(groups)}
        return frozenset(
            kind for kind in self._kinds if kind.plural in plurals[kind.group, kind.version]
        )

    async def _find_others(
        self, present: frozenset[Kind]
    ) -> tuple[tuple[str, ...], dict[str, tuple[str, ...]]]:
        """The kinds of which others have policies, and their policies of a lower tier."""
        others: list[str] = []
        lower_tier: dict[str, list[str]] = {}
        for foreign in self._foreign:
            if foreign.kind not in present:
                continue
            may_allow, places = await self._inspect(foreign)
            name = foreign.kind.kind
            if may_allow and foreign.may_allow:
                others.append(name)
            for namespace, policy in places:
                lower_tier.setdefault(namespace, []).append(f"{name} {policy}".strip())
        return tuple(others), {place: tuple(sorted(names)) for place, names in lower_tier.items()}

    async def _inspect(self, foreign: ForeignKind) -> tuple[bool, list[tuple[str, str]]]:
        """Whether others have a policy of the kind that may allow anything, and the places of those
        of a lower tier."""
        may_allow = False
        places: list[tuple[str, str]] = []
        try:
            async for manifest in self._client.list(foreign.kind, selector=_NOT_OURS):
                if foreign.is_lower_tier is not None and foreign.is_lower_tier(manifest):
                    places.append(object_key(manifest))
                    may_allow = may_allow or foreign.lower_tier_may_allow
                else:
                    may_allow = True
                if may_allow and foreign.is_lower_tier is None:
                    break
        except ApiError as error:
            if error.is_forbidden:
                return True, [("", "")] if foreign.is_lower_tier is not None else []
            if not error.is_not_found:
                raise
        return may_allow, places


def _alike(some: Mapping[ObjectPlace, Manifest], others: Mapping[ObjectPlace, Manifest]) -> bool:
    """Whether they are the same objects with the same resource versions."""

    def versions(found: Mapping[ObjectPlace, Manifest]) -> dict[ObjectPlace, object]:
        return {key: one["metadata"].get("resourceVersion") for key, one in found.items()}

    return versions(some) == versions(others)
