"""The mechanism ``env``: the product reads an environment variable."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fleet_telemetry.api.policy import Submission
from fleet_telemetry.api.product.env_switch import EnvSwitch
from fleet_telemetry.api.product.setting import Setting
from fleet_telemetry.api.product.switch import Switch
from fleet_telemetry.api.reasons import Reason
from fleet_telemetry.catalogue.matching import MatchedContainer
from fleet_telemetry.objects.manifest import Manifest, dig
from fleet_telemetry.switches.command_word import read_command_word, setting_of_words
from fleet_telemetry.switches.config_property import find_property, read_property
from fleet_telemetry.switches.edits import Edit
from fleet_telemetry.switches.mechanism import Operation, has_desired_value
from fleet_telemetry.switches.reading import (
    ReadingSource,
    SwitchReading,
    is_expanded,
    may_come_from,
    unread_value,
    value_reading,
)
from fleet_telemetry.workloads.workload import Container, EnvVar


class EnvMechanism:
    """Entries are entries of a container's ``env``."""

    name = "env"

    def handles(self, switch: Switch) -> bool:
        """See SwitchMechanism."""
        return switch.env is not None

    def label(self, switch: Switch) -> str:
        """See SwitchMechanism."""
        return _env(switch).name

    def is_named(self, switch: Switch, name: str) -> bool:
        """See SwitchMechanism."""
        return _env(switch).is_named(name)

    def find(self, container: Container, switch: Switch) -> EnvVar | None:
        """The exact name first: of several spellings it is the likelier one to take effect."""
        env = _env(switch)
        if env.config_property is not None:
            return find_property(container, env)
        exact = container.variable(env.name)
        if exact is not None:
            return exact
        return next((entry for entry in reversed(container.env) if env.is_named(entry.name)), None)

    def read(self, container: Container, switch: Switch) -> SwitchReading:
        """See SwitchMechanism."""
        env = _env(switch)
        beside = next((one.name for one in container.env if env.excludes(one.name)), None)
        if beside is not None:  # it may hold the same setting, in a form that is not read here
            return SwitchReading(Setting.UNKNOWN, ReadingSource.EXCLUSIVE, beside)
        if env.config_property is not None:
            return read_property(container, env)
        if env.word is not None:
            return read_command_word(container, env, env.word)
        return self._read_variable(container, switch, env)

    def _read_variable(self, container: Container, switch: Switch, env: EnvSwitch) -> SwitchReading:
        spellings = {entry.name for entry in container.env if env.is_named(entry.name)}
        if len(spellings) > 1:
            names = ", ".join(sorted(spellings))
            return SwitchReading(Setting.UNKNOWN, ReadingSource.AMBIGUOUS, names)
        stronger = next((one.name for one in container.env if _is_stronger(env, one.name)), None)
        if stronger is not None:
            return SwitchReading(Setting.UNKNOWN, ReadingSource.OVERRIDE, stronger)
        entry = self.find(container, switch)
        if entry is None:
            shadowed = [name for name in env.shadows if container.variable(name) is not None]
            if shadowed:
                return SwitchReading(Setting.UNKNOWN, ReadingSource.VARIABLE, shadowed[0])
            if container.has_env_from:
                return may_come_from(container)
            return SwitchReading(Setting.UNSET, ReadingSource.NOTHING)
        if entry.by_reference:
            return unread_value(entry)
        if is_expanded(entry.value):
            return value_reading(Setting.UNKNOWN, ReadingSource.VARIABLE, entry)
        return value_reading(env.setting_of(entry.value), ReadingSource.VARIABLE, entry)

    def setting_of(self, switch: Switch, value: str) -> Setting:
        """See SwitchMechanism."""
        env = _env(switch)
        if env.word is not None:
            return setting_of_words(env, env.word, value)
        return env.setting_of(value)

    def value_for(self, switch: Switch, desired: Submission) -> str | None:
        """See SwitchMechanism."""
        return _env(switch).value_for(desired)

    def may_have_written(self, switch: Switch, entry: EnvVar) -> bool:
        """See SwitchMechanism."""
        env = _env(switch)
        return env.is_named(entry.name) and entry.value in (env.disabled, env.enabled)

    def is_met(self, container: Container, switch: Switch, desired: Submission) -> bool:
        """See SwitchMechanism."""
        return has_desired_value(self, switch, self.find(container, switch), desired)

    def obstacle(
        self, target: MatchedContainer, switch: Switch, desired: Submission
    ) -> Reason | None:
        """A variable can always be set."""
        del target, switch, desired
        return None

    def patch(
        self, pointer: str, container: Manifest, edits: Sequence[Edit]
    ) -> Iterator[Operation]:
        """Keeps the order of all other entries."""
        env = container.get("env")
        yield from _patch_list(f"{pointer}/env", env if isinstance(env, list) else [], edits)


def _env(switch: Switch) -> EnvSwitch:
    assert switch.env is not None, "handles() was not asked"
    return switch.env


def _is_stronger(env: EnvSwitch, name: str) -> bool:
    """Whether a variable is a shadow of the switch in another case, where any case is accepted. The
    switch overrides only the spelling that comes before its own name."""
    prefix = env.any_case_after
    return (
        bool(prefix)
        and name.startswith(prefix)
        and name not in env.shadows
        and name.lower() in {shadow.lower() for shadow in env.shadows}
    )


def _patch_list(
    pointer: str, entries: Sequence[object], edits: Sequence[Edit]
) -> Iterator[Operation]:
    names = [dig(entry, "name") for entry in entries]
    removed = {edit.name for edit in edits if edit.value is None}
    added = []
    for edit in edits:
        if edit.value is None:
            continue
        places = [place for place, name in enumerate(names) if name == edit.name]
        if places:
            # The last entry of a name takes effect.
            last = entries[places[-1]]
            op = "replace" if isinstance(last, dict) and "value" in last else "add"
            yield {"op": op, "path": f"{pointer}/{places[-1]}/value", "value": edit.value}
        else:
            added.append({"name": edit.name, "value": edit.value})
    gone = [place for place, name in enumerate(names) if isinstance(name, str) and name in removed]
    if gone and len(gone) == len(entries) and not added:
        yield {"op": "remove", "path": pointer}
        return
    for place in reversed(gone):
        yield {"op": "remove", "path": f"{pointer}/{place}"}
    if added and not entries:
        yield {"op": "add", "path": pointer, "value": added}
        return
    for entry in added:
        yield {"op": "add", "path": f"{pointer}/-", "value": entry}
