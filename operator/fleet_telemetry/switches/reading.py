"""What a container's manifest says of a switch: the evidence ``declared`` and ``running``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from fleet_telemetry.api.policy import Submission
from fleet_telemetry.api.product import DefaultState, EnvSwitch, Override, Setting, Switch
from fleet_telemetry.api.reasons import Reason
from fleet_telemetry.workloads.workload import Container, EnvVar


class Source(StrEnum):
    """What says so."""

    NOTHING = "Nothing"
    VARIABLE = "Variable"
    AMBIGUOUS = "Ambiguous"
    REFERENCE = "Reference"
    ENV_FROM = "EnvFrom"
    OVERRIDE = "Override"
    DEFAULT = "Default"
    UNREADABLE = "Unreadable"


_WHY_UNKNOWN = {
    Source.AMBIGUOUS: Reason.AMBIGUOUS_VARIABLE,
    Source.REFERENCE: Reason.SET_BY_REFERENCE,
    Source.ENV_FROM: Reason.MAY_BE_SET_BY_ENV_FROM,
    Source.OVERRIDE: Reason.SWITCH_OVERRIDDEN,
    Source.DEFAULT: Reason.DEFAULT_UNKNOWN,
    Source.UNREADABLE: Reason.VERSION_UNREADABLE,
}


@dataclass(frozen=True, slots=True)
class Reading:
    """What a switch is set to, and what says so: ``detail`` is a variable or an argument."""

    meaning: Setting
    source: Source
    detail: str = ""

    @property
    def why_unknown(self) -> Reason:
        """The reason, where the meaning is unknown."""
        return _WHY_UNKNOWN.get(self.source, Reason.VALUE_NOT_UNDERSTOOD)


def setting_of(wish: Submission) -> Setting:
    """The meaning that a wish asks for."""
    return Setting.DISABLED if wish is Submission.DISABLED else Setting.ENABLED


def find_variable(container: Container, switch: EnvSwitch) -> EnvVar | None:
    """The entry that is the switch, in whatever spelling the product accepts."""
    exact = container.variable(switch.name)
    if exact is not None:
        return exact
    return next((entry for entry in reversed(container.env) if switch.is_named(entry.name)), None)


def read_switch(container: Container, switch: Switch) -> Reading:
    """What the container declares, strongest source first."""
    for override in switch.overrides:
        found = _read_override(container, override, switch)
        if found is not None:
            return found
    if switch.env is None:
        return Reading(Setting.UNKNOWN, Source.NOTHING)
    return _read_variable(container, switch.env)


def _read_variable(container: Container, switch: EnvSwitch) -> Reading:
    spellings = {entry.name for entry in container.env if switch.is_named(entry.name)}
    if len(spellings) > 1:
        return Reading(Setting.UNKNOWN, Source.AMBIGUOUS, ", ".join(sorted(spellings)))
    entry = find_variable(container, switch)
    if entry is None:
        shadowed = [name for name in switch.shadows if container.variable(name) is not None]
        if shadowed:
            return Reading(Setting.UNKNOWN, Source.VARIABLE, shadowed[0])
        if container.has_env_from:
            return Reading(Setting.UNKNOWN, Source.ENV_FROM)
        return Reading(Setting.UNSET, Source.NOTHING)
    if entry.by_reference:
        return Reading(Setting.UNKNOWN, Source.REFERENCE, entry.name)
    if is_expanded(entry.value):
        return Reading(Setting.UNKNOWN, Source.VARIABLE, entry.name)
    return Reading(switch.setting_of(entry.value), Source.VARIABLE, entry.name)


def is_expanded(value: str) -> bool:
    """Whether a part of the value stands for something else, for Kubernetes or the product."""
    return "$(" in value or "${" in value


def _read_override(container: Container, override: Override, switch: Switch) -> Reading | None:
    if override.env is None:
        return _read_words(container.arguments, override, switch)
    entry = container.variable(override.env)
    if entry is None:
        return None
    if entry.by_reference:
        return Reading(Setting.UNKNOWN, Source.REFERENCE, entry.name)
    if override.argument is not None:
        return _read_words(entry.value.split(), override, switch)
    if override.values and entry.value.lower() not in (v.lower() for v in override.values):
        return None
    return Reading(_override_meaning(entry.value, override, switch), Source.OVERRIDE, entry.name)


def _read_words(words: Iterable[str], override: Override, switch: Switch) -> Reading | None:
    """The last argument of the name, which is the one that counts."""
    prefix = override.argument or ""
    found = [word for word in words if word.startswith(prefix)]
    if not found:
        return None
    meaning = _override_meaning(found[-1].removeprefix(prefix), override, switch)
    return Reading(meaning, Source.OVERRIDE, found[-1])


def _override_meaning(value: str, override: Override, switch: Switch) -> Setting:
    if override.means is not None:
        return override.means
    if switch.env is None or is_expanded(value):
        return Setting.UNKNOWN
    return switch.env.setting_of(value)


def with_default(reading: Reading, default: DefaultState) -> Reading:
    """What an unset switch comes to in a version with this default."""
    if reading.meaning is not Setting.UNSET:
        return reading
    match default:
        case DefaultState.ON:
            return Reading(Setting.ENABLED, Source.DEFAULT)
        case DefaultState.OFF | DefaultState.NO_TELEMETRY:
            return Reading(Setting.DISABLED, Source.DEFAULT)
        case _:
            return Reading(Setting.UNKNOWN, Source.DEFAULT)


_NEAREST_TO_SENDING = (Setting.ENABLED, Setting.UNSET, Setting.UNKNOWN, Setting.DISABLED)


def nearest_to_sending(readings: Iterable[Setting]) -> Setting:
    """One word for several containers, switches or pods; unknown if there are none."""
    return min(readings, key=_NEAREST_TO_SENDING.index, default=Setting.UNKNOWN)


def farthest_from(wanted: Setting, readings: Iterable[Reading]) -> Reading:
    """The reading that is least as wished: the contrary, then unset, then unknown."""
    order = {wanted: 3, Setting.UNKNOWN: 2, Setting.UNSET: 1}
    return min(readings, key=lambda reading: order.get(reading.meaning, 0))
