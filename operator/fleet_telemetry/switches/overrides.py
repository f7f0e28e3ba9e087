"""Reading a switch with everything that overrides it."""

from __future__ import annotations

from collections.abc import Iterable

from fleet_telemetry.api.product.setting import Setting
from fleet_telemetry.api.product.switch import Override, Switch
from fleet_telemetry.switches.jvm import inserts_words, split_options
from fleet_telemetry.switches.reading import (
    ReadingSource,
    SwitchReading,
    is_expanded,
    unread_value,
)
from fleet_telemetry.switches.registry import mechanism_of
from fleet_telemetry.switches.start import names_options_file, without_init
from fleet_telemetry.workloads.workload import Container


def read_switch(container: Container, switch: Switch) -> SwitchReading:
    """What the container declares. The first override that is present takes precedence."""
    found = read_overrides(container, switch)
    if found is not None:
        return found
    mechanism = mechanism_of(switch)
    if mechanism is None:
        return SwitchReading(Setting.UNKNOWN, ReadingSource.NOTHING)
    return mechanism.read(container, switch)


def read_overrides(container: Container, switch: Switch) -> SwitchReading | None:
    """What the first override that is present declares; None if there is none."""
    for override in switch.overrides:
        found = _read_override(container, override, switch)
        if found is None:
            continue
        if _is_own_argument(override):
            return _unless_contradicted(container, override, found, switch)
        return found
    return None


def _is_own_argument(override: Override) -> bool:
    """Whether it is one of the container's own words."""
    return override.argument is not None and override.env is None


def _unless_contradicted(
    container: Container, override: Override, found: SwitchReading, switch: Switch
) -> SwitchReading:
    """Unknown if another word of the command line says the opposite, or may say it in another form
    of the same flag: which of the two counts, is the parser's business."""
    for other in switch.overrides:
        if other is override or not _is_own_argument(other):
            continue
        beside = _read_override(container, other, switch)
        if beside is None or beside.setting is found.setting:
            continue
        is_certain = Setting.UNKNOWN not in (beside.setting, found.setting)
        if is_certain or _is_same_flag(found.detail, beside.detail):
            return SwitchReading(Setting.UNKNOWN, ReadingSource.OVERRIDE, beside.detail)
    return found


def _is_same_flag(one: str, other: str) -> bool:
    """Whether two words may set the same, such as --telemetry=off and --telemetry, or --a.b=off and
    --a={"b": "on"}."""
    if any("$(" in word or names_options_file(word) for word in (one, other)):
        return True  # it may become any flag
    first, second = (word.partition("=")[0].lower() for word in (one, other))
    return first == second or f"{first}.".startswith(f"{second}.") or second.startswith(f"{first}.")


def _read_override(
    container: Container, override: Override, switch: Switch
) -> SwitchReading | None:
    if override.mount is not None:
        path = _mounted_at(container, override.mount)
        setting = override.means or Setting.UNKNOWN
        return SwitchReading(setting, ReadingSource.OVERRIDE, path) if path else None
    if override.env is None:
        return _read_command_line(container, override, switch)
    entry = container.variable(override.env)
    if entry is None:
        return None
    if entry.by_reference:
        return unread_value(entry)
    if override.argument is not None:
        if inserts_words(container, entry):
            return SwitchReading(Setting.UNKNOWN, ReadingSource.OVERRIDE, entry.name)
        return _read_words(split_options(entry.name, entry.value), override, switch)
    if override.values and is_expanded(entry.value):
        return SwitchReading(Setting.UNKNOWN, ReadingSource.OVERRIDE, entry.name)
    if not _counts(entry.value, override):
        return None
    setting = _override_setting(entry.value, override, switch)
    return SwitchReading(setting, ReadingSource.OVERRIDE, entry.label)


def _read_command_line(
    container: Container, override: Override, switch: Switch
) -> SwitchReading | None:
    """Two dashes end the flags of nearly every parser, so what stands behind them counts for
    nothing and hides nothing. Those of ``command`` are a launcher's, such as tini -g --."""
    before = container.arguments
    behind: tuple[str, ...] = ()
    args = container.args if container.command else without_init(container.args)
    if "--" in args:
        behind = args[args.index("--") + 1 :]
        before = before[: len(before) - len(behind) - 1]
    found = _read_words(before, override, switch)
    if found is not None or not behind:
        return found
    unread = _read_words(behind, override, switch)
    if unread is None:
        return None
    return SwitchReading(Setting.UNKNOWN, ReadingSource.OVERRIDE, unread.detail)


def _read_words(words: Iterable[str], override: Override, switch: Switch) -> SwitchReading | None:
    """The last argument of a name takes effect. A word is that of the longest name: --a=b is no
    word of --a where --a= is another override."""
    prefix = override.argument or ""
    if override.ignore_case:
        return _read_folded(words, prefix.lower(), override)
    longer = _longer_names(override, switch)
    # The JVM takes -Da for -Da=: the property is set, and empty.
    bare = prefix[:-1] if prefix.startswith("-D") and prefix.endswith("=") else None
    full = (prefix if word == bare else word for word in words)
    found = [
        word
        for word in full
        if (word.startswith(prefix) and not word.startswith(longer)) or _may_become(word, prefix)
    ]
    if not found:
        return None
    if not found[-1].startswith(prefix):
        return SwitchReading(Setting.UNKNOWN, ReadingSource.OVERRIDE, found[-1])
    value = found[-1].removeprefix(prefix)
    if override.values and is_expanded(value):
        return SwitchReading(Setting.UNKNOWN, ReadingSource.OVERRIDE, found[-1])
    if not _counts(value, override):
        return None
    setting = _override_setting(value, override, switch)
    return SwitchReading(setting, ReadingSource.OVERRIDE, found[-1])


def _longer_names(override: Override, switch: Switch) -> tuple[str, ...]:
    """The arguments that begin with this one, in the same place."""
    name = override.argument or ""
    return tuple(
        other.argument
        for other in switch.overrides
        if other.argument is not None
        and other.env == override.env
        and other.argument != name
        and other.argument.startswith(name)
    )


def _read_folded(words: Iterable[str], prefix: str, override: Override) -> SwitchReading | None:
    """The same where upper and lower case are equal; what it means does not depend on the value."""
    folded = ((word, word.lower()) for word in words)
    found = [word for word, low in folded if low.startswith(prefix) or _may_become(low, prefix)]
    if not found:
        return None
    return SwitchReading(override.means or Setting.UNKNOWN, ReadingSource.OVERRIDE, found[-1])


def _mounted_at(container: Container, path: str) -> str:
    """The path of a volume at, above or below a path; empty if there is none."""
    wanted = path.rstrip("/")
    for mount in container.mounts:
        mounted = mount.path.rstrip("/")
        if f"{wanted}/".startswith(f"{mounted}/") or f"{mounted}/".startswith(f"{wanted}/"):
            return mount.path
    return ""


def _may_become(word: str, prefix: str) -> bool:
    """Whether the word may be an argument of this name when it is used: it begins with a reference
    that is expanded before, or names a file of further arguments."""
    literal, dollar, _ = word.partition("$(")
    return (bool(dollar) and prefix.startswith(literal)) or names_options_file(word)


def _counts(value: str, override: Override) -> bool:
    """Whether an override with this value is one."""
    return not override.values or value.lower() in (one.lower() for one in override.values)


def _override_setting(value: str, override: Override, switch: Switch) -> Setting:
    if override.means is not None:
        return override.means
    mechanism = mechanism_of(switch)
    if mechanism is None or is_expanded(value):
        return Setting.UNKNOWN
    if switch.env is not None and switch.env.word is not None:
        return switch.env.reading.setting_of(value)  # the rest of a word
    return mechanism.setting_of(switch, value)
