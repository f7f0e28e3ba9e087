"""Discovery of the dialects that the cluster serves, of the policies of others that are not
evaluated, and of our own objects of the kinds that are not watched.

The definitions of these kinds may come and go. They are listed now and then instead of watched, so
drift in such an object is reverted within a minute.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence

from fleet_telemetry.egress.dialects.dialect import Dialect
from fleet_telemetry.egress.dialects.foreign_kinds import ForeignKind
from fleet_telemetry.egress.dialects.plugin import NetworkPlugin
from fleet_telemetry.egress.dialects.registry import DIALECTS, always_served, foreign_kinds
from fleet_telemetry.kube.client import ApiError, KubernetesClient
from fleet_telemetry.kube.store import object_key
from fleet_telemetry.objects.kind import Kind
from fleet_telemetry.objects.manifest import Manifest, place_of
from fleet_telemetry.workloads.workload import FIELD_MANAGER

_log = logging.getLogger(__name__)
_DAEMON_SET = Kind("apps", "v1", "daemonsets", "DaemonSet")

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
        self.plugins: tuple[tuple[NetworkPlugin, str], ...] = ()
        """The network plug-ins of which there is a sign, with the sign."""
        self._resources: dict[tuple[str, str], frozenset[str]] = {}
        """The plurals of each group version, as they were last read."""
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
        groups = await self._client.served_groups()
        self._resources = await self._find_resources(groups)
        present = frozenset(
            kind
            for kind in self._kinds
            if kind.plural in self._resources.get((kind.group, kind.version), ())
        )
        plugins = await self._find_plugins(groups)
        served = frozenset(
            dialect for dialect in self._dialects if present.issuperset(dialect.required_kinds)
        )
        unreadable = {
            (group, version) for group, versions in groups.items() for version in versions
        } - self._resources.keys()
        others, lower_tier = await self._find_others(present, unreadable)
        live: dict[ObjectPlace, Manifest] = {
            (kind, *object_key(manifest)): manifest
            # Objects of a dialect that is no longer served as a whole are stale.
            for dialect in self._dialects
            for kind in dialect.required_kinds
            if kind in present
            async for manifest in self._client.list(kind, selector=OURS)
        }
        for place in self._touched:
            live.pop(place, None)
            if place in self.live:
                live[place] = self.live[place]
        same = (
            self.known
            and (served, others, lower_tier, plugins)
            == (self.served, self.others, self._lower_tier, self.plugins)
            and _alike(live, self.live)
        )
        self.served, self.others, self._lower_tier, self.live = served, others, lower_tier, live
        self.plugins = plugins
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

    async def _find_resources(
        self, groups: Mapping[str, Collection[str]]
    ) -> dict[tuple[str, str], frozenset[str]]:
        """The resources of each group version of interest that the cluster serves. One that fails
        has those of the last time; it is left out if it has never been read."""
        wanted = {(kind.group, kind.version) for kind in self._kinds}
        wanted |= {
            (plugin.api_group, version)
            for plugin in self._known_plugins()
            for version in groups.get(plugin.api_group, ())
        }
        found: dict[tuple[str, str], frozenset[str]] = {}
        for group, version in sorted(wanted):
            if version not in groups.get(group, ()):
                continue
            try:
                plurals = await self._client.served_plurals(group, version)
            except ApiError as error:
                _log.warning("the resources of %s/%s cannot be read: %s", group, version, error)
                if (group, version) in self._resources:
                    found[group, version] = self._resources[group, version]
            else:
                found[group, version] = frozenset(plurals)
        return found

    def _known_plugins(self) -> list[NetworkPlugin]:
        return [dialect.plugin for dialect in self._dialects if dialect.plugin is not None]

    async def _find_plugins(
        self, groups: Mapping[str, Collection[str]]
    ) -> tuple[tuple[NetworkPlugin, str], ...]:
        """The network plug-ins of which the cluster has any sign."""
        found = []
        for plugin in self._known_plugins():
            versions = groups.get(plugin.api_group, ())
            plurals = {
                version: self._resources.get((plugin.api_group, version)) for version in versions
            }
            if plugin.is_served(plurals):
                found.append((plugin, f"API group {plugin.api_group}"))
            elif plugin.daemon_selector and (name := await self._find_daemon(plugin)):
                found.append((plugin, f"DaemonSet {name}"))
        return tuple(found)

    async def _find_daemon(self, plugin: NetworkPlugin) -> str:
        """The DaemonSet of a plug-in's agent; empty if there is none, or it may not be listed."""
        try:
            async for manifest in self._client.list(_DAEMON_SET, selector=plugin.daemon_selector):
                return place_of(manifest)
        except ApiError as error:
            if not (error.is_forbidden or error.is_not_found):
                raise
        return ""

    async def _find_others(
        self, present: frozenset[Kind], unreadable: Collection[tuple[str, str]]
    ) -> tuple[tuple[str, ...], dict[str, tuple[str, ...]]]:
        """The kinds of which others have policies, and their policies of a lower tier."""
        others: list[str] = []
        lower_tier: dict[str, list[str]] = {}
        for foreign in self._foreign:
            version = (foreign.kind.group, foreign.kind.version)
            if foreign.stored_as in present:
                continue
            if foreign.kind in present:
                may_allow, places = await self._inspect(foreign)
            elif version in unreadable:
                may_allow, places = _unseen(foreign)
            else:
                continue
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
                return _unseen(foreign)
            if not error.is_not_found:
                raise
        return may_allow, places


def _unseen(foreign: ForeignKind) -> tuple[bool, list[tuple[str, str]]]:
    """What is assumed of a kind that cannot be listed: whatever there can be of it."""
    return True, [("", "")] if foreign.is_lower_tier is not None else []


def _alike(some: Mapping[ObjectPlace, Manifest], others: Mapping[ObjectPlace, Manifest]) -> bool:
    """Whether they are the same objects with the same resource versions."""

    def versions(found: Mapping[ObjectPlace, Manifest]) -> dict[ObjectPlace, object]:
        return {key: one["metadata"].get("resourceVersion") for key, one in found.items()}

    return versions(some) == versions(others)
