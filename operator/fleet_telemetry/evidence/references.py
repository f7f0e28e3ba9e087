"""Containers with the values of the ConfigMaps that they refer to.

What is built here is only evidence. Injection sees the container as its manifest has it
(``Container.as_written``): nothing that stands in a ConfigMap can be edited in the container, and
admission reads no ConfigMap.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime

from fleet_telemetry.catalogue.matching import MatchedContainer
from fleet_telemetry.evidence.config_maps import ConfigMapFacts, ConfigMaps
from fleet_telemetry.workloads.references import ReferenceKind, Unread, ValueReference
from fleet_telemetry.workloads.workload import Container, EnvVar

MOST_NAMES = 8
"""ConfigMaps that are read for one workload."""
MOST_SOURCES = 32
"""Entries of a container's ``envFrom`` that are followed."""
MOST_GIVEN = 500
"""Variables that all of them may give a container. Each of its pods has them."""


def referenced_config_maps(containers: Iterable[Container]) -> Iterator[str]:
    """The names of the ConfigMaps that containers take variables from, each once."""
    seen = set()
    for container in containers:
        for one in (*(entry.reference for entry in container.env), *container.env_from):
            if one is not None and one.kind is ReferenceKind.CONFIG_MAP and one.name not in seen:
                seen.add(one.name)
                yield one.name


def names_to_read(targets: Iterable[MatchedContainer]) -> tuple[str, ...]:
    """The ConfigMaps to read for the containers of a workload and its pods, at most
    ``MOST_NAMES``: first those that are named for a switch, then those of ``envFrom``."""
    first: dict[str, None] = {}
    second: dict[str, None] = {}
    third: dict[str, None] = {}
    for target in targets:
        container = target.container
        second |= dict.fromkeys(map(_name_of, filter(_is_config_map, container.env_from)))
        for entry in container.env:
            if entry.reference is not None and _is_config_map(entry.reference):
                rank = first if _is_switch(target, entry) else third
                rank[_name_of(entry.reference)] = None
    return tuple({**first, **second, **third})[:MOST_NAMES]


def _name_of(reference: ValueReference) -> str:
    return reference.name


def _is_config_map(reference: ValueReference) -> bool:
    return reference.kind is ReferenceKind.CONFIG_MAP and bool(reference.name)


def _is_switch(target: MatchedContainer, entry: EnvVar) -> bool:
    return any(
        switch.env is not None
        and (
            switch.env.is_named(entry.name)
            or any(override.env == entry.name for override in switch.overrides)
        )
        for switch in target.product.all_switches
    )


def with_values(
    targets: tuple[MatchedContainer, ...], config_maps: ConfigMaps
) -> tuple[MatchedContainer, ...]:
    """The containers of a pod template with the values that its next pod gets."""
    return _resolved(targets, lambda one: _Environment(one, config_maps).build())


def with_values_of_pod(
    targets: tuple[MatchedContainer, ...], config_maps: ConfigMaps, created: datetime | None
) -> tuple[MatchedContainer, ...]:
    """The containers of a pod that was created then, with the values that it surely got."""

    def build(container: Container) -> Container:
        return _Environment(container, config_maps, created, of_pod=True).build()

    return _resolved(targets, build)


def _resolved(
    targets: tuple[MatchedContainer, ...], build: Callable[[Container], Container]
) -> tuple[MatchedContainer, ...]:
    if not any(_has_references(target.container) for target in targets):
        return targets
    return tuple(
        replace(target, container=build(target.container))
        if _has_references(target.container)
        else target
        for target in targets
    )


def _has_references(container: Container) -> bool:
    return any(True for _ in referenced_config_maps((container,)))


@dataclass
class _Environment:
    """The variables of one container, as the kubelet builds them."""

    container: Container
    config_maps: ConfigMaps
    created: datetime | None = None
    of_pod: bool = False
    _given: dict[str, EnvVar] = field(default_factory=dict)
    """By ``envFrom``."""
    _unread: ValueReference | None = None

    def build(self) -> Container:
        for place, source in enumerate(self.container.env_from):
            if place < MOST_SOURCES:
                self._add_all(source)
        for source in self.container.env_from[MOST_SOURCES:][:1]:
            self._may_hold_any(replace(source, prefix=""), Unread.NOT_READ)
        return replace(
            self.container,
            env=(*self._given.values(), *self._entries()),
            has_env_from=self._unread is not None,
            env_from_unread=self._unread,
            written=self.container.as_written,
        )

    def _add_all(self, source: ValueReference) -> None:
        found = self._look_up(source)
        if isinstance(found, Unread):
            self._may_hold_any(source, found)
            return
        if not found.exists and source.optional:
            if self.of_pod and not found.held_no_more(self.created):
                self._may_hold_any(source, Unread.CHANGED)
            return
        if not found.exists:
            self._may_hold_any(source, Unread.MISSING)
            return
        if len(self._given) + len(found.data) + len(found.too_long) > MOST_GIVEN:
            self._may_hold_any(source, Unread.NOT_READ)
            return
        if found.is_partial:
            self._may_hold_any(source, Unread.NOT_READ)
        if self.of_pod and not found.held_no_more(self.created):
            self._may_hold_any(source, Unread.CHANGED)  # what was removed meanwhile
        for key in (*found.data, *found.too_long):
            name = f"{source.prefix}{key}"
            entry = EnvVar(name, by_reference=True, reference=replace(source, key=key))
            # The last one of a name counts, and stands last.
            self._given.pop(name, None)
            self._given[name] = self._valued(entry, found, key, required=not source.optional)

    def _may_hold_any(self, source: ValueReference, unread: Unread) -> None:
        """What comes later in ``envFrom`` overrides what came before."""
        source = replace(source, unread=unread)
        self._unread = self._unread or source
        for name in self._given:
            if name.startswith(source.prefix):
                self._given[name] = EnvVar(name, by_reference=True, reference=source)

    def _entries(self) -> Iterator[EnvVar]:
        for entry in self.container.env:
            reference = entry.reference
            if reference is None:
                yield entry
                continue
            found = self._look_up(reference)
            if isinstance(found, Unread):
                yield _unread(entry, found)
            elif reference.key in found.data or reference.key in found.too_long:
                required = not reference.optional
                yield self._valued(entry, found, reference.key, required=required)
            elif self.of_pod and not found.is_partial and not found.held_no_more(self.created):
                unread = Unread.CHANGED if reference.optional else Unread.MISSING
                yield _unread(entry, unread)
            elif found.is_partial:
                yield _unread(entry, Unread.NOT_READ)
            elif not reference.optional:
                yield _unread(entry, Unread.MISSING)

    def _look_up(self, reference: ValueReference) -> ConfigMapFacts | Unread:
        if reference.kind is not ReferenceKind.CONFIG_MAP:
            return Unread.NEVER
        found = self.config_maps.get(reference.name)
        return Unread.NOT_READ if found is None else found

    def _valued(self, entry: EnvVar, found: ConfigMapFacts, key: str, *, required: bool) -> EnvVar:
        if key in found.too_long:
            return _unread(entry, Unread.NOT_READ)
        if self.of_pod and not found.held(key, self.created, required=required):
            return _unread(entry, Unread.CHANGED)
        return replace(entry, value=found.data[key], by_reference=False)


def _unread(entry: EnvVar, unread: Unread) -> EnvVar:
    assert entry.reference is not None, "only those are looked for"
    return replace(entry, reference=replace(entry.reference, unread=unread))
