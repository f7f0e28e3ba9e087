"""Reading a property of MicroProfile Config as SmallRye does.

Read in smallrye/smallrye-config (implementation/src/main/java/io/smallrye/config/
EnvConfigSource.java) and DependencyTrack/dependency-track@5.0.4 (common/config/src/main/java/org/
dependencytrack/common/config/ConfigFactory.java), and tried on a running Dependency-Track 5.0.4. Of
the sources that have a property, the one with the highest ordinal counts:

- 400: system properties, which are arguments of the JVM.
- 300: the environment, unless a variable CONFIG_ORDINAL gives it another ordinal.
- 260 and 250: files with the product's defaults.
- any: files in ``smallrye.config.locations``, which are not read here.

From one source, a value for an active profile counts before one without a profile. A name may have
several profiles, as in ``%a,b.name``; it counts if one of them is active and nothing is set for
that one alone (smallrye/smallrye-config@3f13795e: documentation/src/main/docs/config/profiles.md
and implementation/src/main/java/io/smallrye/config/SmallRyeConfigBuilder.java). Such a name, if one
of its profiles is active, is read as unknown.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from fleet_telemetry.api.product.env_switch import EnvSwitch, spelt_in_capitals
from fleet_telemetry.api.product.setting import Setting
from fleet_telemetry.switches.jvm import (
    inserts_words,
    jvm_variables,
    jvm_words,
    may_set_property,
    system_property,
)
from fleet_telemetry.switches.reading import (
    ReadingSource,
    SwitchReading,
    is_expanded,
    may_come_from,
    unread_value,
    value_reading,
)
from fleet_telemetry.workloads.workload import Container, EnvVar

_PROFILES = ("smallrye.config.profile", "smallrye.config.profile.parent", "mp.config.profile")
_LOCATIONS = "smallrye.config.locations"
_ORDINALS = ("config_ordinal", "CONFIG_ORDINAL")
_BELOW_DEFAULTS = 249
"""Up to it, the environment counts less than the files with the product's defaults."""
_ABOVE_DEFAULTS = range(261, 400)
"""The environment counts more than those files and less than system properties."""
_LONGEST_ORDINAL = 9


def find_property(container: Container, env: EnvSwitch) -> EnvVar | None:
    """The entry that takes effect; the last one if that is not known."""
    entries = _spellings(container, env)
    known = next((name for name in _in_order(env) if name in entries), None)
    return entries[known] if known else next(reversed(entries.values()), None)


def read_property(container: Container, env: EnvSwitch) -> SwitchReading:
    """What the container declares, by the strongest source that declares something."""
    reader = _PropertyReader(container, env)
    for read in (
        reader.unreadable,
        reader.from_arguments,
        reader.from_ordinal,
        reader.from_profile,
        reader.from_variable,
    ):
        found = read()
        if found is not None:
            return found
    if container.has_env_from:
        return may_come_from(container)
    return SwitchReading(Setting.UNSET, ReadingSource.NOTHING)


def _name(env: EnvSwitch) -> str:
    assert env.config_property is not None, "other switches are read by their names"
    return env.config_property.name


def _in_order(env: EnvSwitch) -> Iterator[str]:
    """Of several spellings, the first of these counts; of others it is not known which does."""
    yield _name(env)
    yield spelt_in_capitals(_name(env)).lower()
    yield spelt_in_capitals(_name(env))


def _spellings(container: Container, env: EnvSwitch) -> dict[str, EnvVar]:
    """The entries that are the property; of one name, the last."""
    return {entry.name: entry for entry in container.env if env.is_named(entry.name)}


@dataclass(frozen=True)
class _PropertyReader:
    container: Container
    env: EnvSwitch

    def unreadable(self) -> SwitchReading | None:
        """What may hold the property, or change what counts, and cannot be read."""
        for entry in jvm_variables(self.container, self._java_options):
            if entry.by_reference:
                return unread_value(entry)
            if inserts_words(self.container, entry):
                return SwitchReading(Setting.UNKNOWN, ReadingSource.OVERRIDE, entry.name)
        for word in self._words:
            name, value = system_property(word) or ("", "")
            has_locations = name.endswith(_LOCATIONS) and value
            if may_set_property(word) or has_locations or name == _ORDINALS[0]:
                return SwitchReading(Setting.UNKNOWN, ReadingSource.OVERRIDE, word)
        locations = spelt_in_capitals(_LOCATIONS)
        for entry in self.container.env:
            name = spelt_in_capitals(entry.name)
            if (name == locations or name.endswith(f"_{locations}")) and (
                entry.by_reference or entry.value
            ):
                return SwitchReading(Setting.UNKNOWN, ReadingSource.OVERRIDE, entry.name)
        ordinal = self._ordinal_entry
        if ordinal is None or self._is_below_defaults or self._ordinal in _ABOVE_DEFAULTS:
            return None
        return SwitchReading(Setting.UNKNOWN, ReadingSource.OVERRIDE, ordinal.name)

    def from_arguments(self) -> SwitchReading | None:
        """A system property, for an active profile or for all."""
        plain = None
        profiled: dict[str, SwitchReading] = {}
        for word in self._words:
            name, value = system_property(word) or ("", "")
            if name == _name(self.env):
                plain = self._reading(value, ReadingSource.OVERRIDE, word)
            elif name.startswith("%") and name.endswith(f".{_name(self.env)}"):
                active = self._is_active_exactly(name[1 : -len(_name(self.env)) - 1])
                if active is None:
                    return SwitchReading(Setting.UNKNOWN, ReadingSource.OVERRIDE, word)
                if active:
                    profiled[name] = self._reading(value, ReadingSource.OVERRIDE, word)
        if len(profiled) > 1:
            return SwitchReading(Setting.UNKNOWN, ReadingSource.AMBIGUOUS, _list(profiled))
        return next(iter(profiled.values()), plain)

    def from_ordinal(self) -> SwitchReading | None:
        """The product's default, if the whole environment counts less."""
        entry = self._ordinal_entry
        if entry is None or not self._is_below_defaults:
            return None
        return SwitchReading(Setting.UNSET, ReadingSource.OVERRIDE, entry.name)

    def from_profile(self) -> SwitchReading | None:
        """A variable for an active profile, such as _WEB_A_B for a.b in the profile web."""
        suffix = f"_{spelt_in_capitals(_name(self.env))}"
        found: dict[str, EnvVar] = {}
        for entry in self.container.env:
            name = spelt_in_capitals(entry.name)
            if not (name.startswith("_") and name.endswith(suffix) and len(name) > len(suffix)):
                continue
            active = self._is_active(name[1 : -len(suffix)])
            if active is None:
                return SwitchReading(Setting.UNKNOWN, ReadingSource.OVERRIDE, entry.name)
            if active:
                found[entry.name] = entry
        if len(found) > 1:
            return SwitchReading(Setting.UNKNOWN, ReadingSource.AMBIGUOUS, _list(found))
        return next((self._entry(one, ReadingSource.OVERRIDE) for one in found.values()), None)

    def from_variable(self) -> SwitchReading | None:
        """The variable itself, in whatever spelling."""
        entries = _spellings(self.container, self.env)
        if len(entries) > 1 and not any(name in entries for name in _in_order(self.env)):
            return SwitchReading(Setting.UNKNOWN, ReadingSource.AMBIGUOUS, _list(entries))
        entry = find_property(self.container, self.env)
        return None if entry is None else self._entry(entry, ReadingSource.VARIABLE)

    def _entry(self, entry: EnvVar, source: ReadingSource) -> SwitchReading:
        if entry.by_reference:
            return unread_value(entry)
        setting = Setting.UNKNOWN if is_expanded(entry.value) else self.env.setting_of(entry.value)
        return value_reading(setting, source, entry)

    def _reading(self, value: str, source: ReadingSource, detail: str) -> SwitchReading:
        setting = Setting.UNKNOWN if is_expanded(value) else self.env.setting_of(value)
        return SwitchReading(setting, source, detail)

    @property
    def _java_options(self) -> tuple[str, ...]:
        return self.env.config_property.java_options if self.env.config_property else ()

    @cached_property
    def _words(self) -> tuple[str, ...]:
        return jvm_words(self.container, self._java_options)

    @cached_property
    def _profile_names(self) -> frozenset[str] | None:
        """The active profiles; None if they cannot be read."""
        more = self.env.config_property.profiles if self.env.config_property else ()
        names = {*_PROFILES, *more}
        spellings = set(map(spelt_in_capitals, names))
        values = []
        for entry in self.container.env:
            if spelt_in_capitals(entry.name) in spellings:
                if entry.by_reference:
                    return None
                values.append(entry.value)
        for word in self._words:
            name, value = system_property(word) or ("", "")
            if name in names:
                values.append(value)
        if any(map(is_expanded, values)) or (not values and self.container.has_env_from):
            return None
        if len(set(values)) > 1:
            return None  # One of them overrides the others, and which one depends on its source.
        return frozenset(profile.strip() for value in values for profile in value.split(","))

    @cached_property
    def _profiles(self) -> frozenset[str] | None:
        """The active profiles, spelt in capitals; None if they cannot be read."""
        names = self._profile_names
        return None if names is None else frozenset(map(spelt_in_capitals, names))

    def _is_active_exactly(self, profile: str) -> bool | None:
        """Whether a profile in the name of a system property is active.

        None if that cannot be read, if it is active in another spelling only, and if it is a list
        with an active profile.
        """
        if self._profile_names is None:
            return None
        if profile and profile in self._profile_names:
            return True
        return self._contains_active(spelt_in_capitals(profile))

    def _is_active(self, profile: str) -> bool | None:
        """Whether a profile, spelt in capitals, is active; None if that cannot be read, and if it
        may be a list with an active profile."""
        if self._profiles is None:
            return None
        return True if profile in self._profiles else self._contains_active(profile)

    def _contains_active(self, profiles: str) -> bool | None:
        """None if what may be a list of profiles, spelt in capitals, has an active one; or else
        False."""
        listed = f"_{profiles}_"
        return None if any(f"_{one}_" in listed for one in self._profiles or ()) else False

    @cached_property
    def _ordinal_entry(self) -> EnvVar | None:
        found = (self.container.variable(name) for name in _ORDINALS)
        return next((entry for entry in found if entry is not None), None)

    @cached_property
    def _ordinal(self) -> int | None:
        """The ordinal that a variable gives to the environment; None if it cannot be read."""
        entry = self._ordinal_entry
        if entry is None or entry.by_reference or len(entry.value) > _LONGEST_ORDINAL:
            return None
        text = entry.value.strip().removeprefix("-")
        if not (text.isascii() and text.isdecimal()):
            return None
        return int(entry.value)

    @property
    def _is_below_defaults(self) -> bool:
        return self._ordinal is not None and self._ordinal <= _BELOW_DEFAULTS


def _list(entries: Iterable[str]) -> str:
    return ", ".join(sorted(entries))
