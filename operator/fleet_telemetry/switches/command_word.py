"""A switch that is a word of a command line, part of which a variable holds.

Shells, xargs, launchers and the JVM split such a variable in different ways. So a value is read
only where all of them agree: its words stand between blanks, and it has no quotes or backslashes.
"""

from __future__ import annotations

import re
import shlex
from itertools import pairwise

from fleet_telemetry.api.product.env_switch import CommandWord, EnvSwitch
from fleet_telemetry.api.product.setting import Setting
from fleet_telemetry.switches.reading import (
    ReadingSource,
    SwitchReading,
    may_come_from,
    unread_value,
    value_reading,
)
from fleet_telemetry.switches.start import names_options_file
from fleet_telemetry.workloads.workload import Container

# xargs of findutils and POSIX shells split at these; other white space is a part of a word.
_BLANKS = re.compile(r"[ \t\n]")
# What is run (openjdk/jdk@jdk-21+35: src/java.base/share/man/java.1).
_RUNS = frozenset({"-jar", "-m", "--module", "--source"})
_TAKES_WORD = frozenset({"-cp", "-classpath", "-p"})
_ALONE = frozenset({"--enable-preview"})
_NO_QUOTES = str.maketrans("", "", "'\"\\")


def read_command_word(container: Container, env: EnvSwitch, word: CommandWord) -> SwitchReading:
    """What a container declares by the variable and by the weaker ones."""
    for name in word.weaker:  # they come first, and may leave the rest no options of the program
        entry = container.variable(name)
        if entry is not None and entry.by_reference:
            return unread_value(entry)
        if entry is not None and _ends_options(entry.value):
            return SwitchReading(Setting.UNKNOWN, ReadingSource.VARIABLE, name)
    for name in (env.name, *reversed(word.weaker)):
        entry = container.variable(name)
        if entry is None:
            continue
        if entry.by_reference:
            return unread_value(entry)
        setting = setting_of_words(env, word, entry.value)
        if setting is not Setting.UNSET:
            return value_reading(setting, ReadingSource.VARIABLE, entry)
    if container.has_env_from:
        return may_come_from(container)
    return SwitchReading(Setting.UNSET, ReadingSource.NOTHING)


def _ends_options(value: str) -> bool:
    """Whether words after these may be something else than options of the JVM: a quote is not
    closed, or what is run follows, which takes the rest as its arguments."""
    if "$" in value or "`" in value:
        return True
    try:
        words = shlex.split(value)
    except ValueError:
        return True
    if words and _takes_word(words[-1]):
        return True
    # Java also takes the value of a long option, and a class path, as the next word.
    return any(
        word in _RUNS
        or not (word.startswith("-") or before.startswith("--") or before in _TAKES_WORD)
        for before, word in pairwise(("", *words))
    )


def _takes_word(word: str) -> bool:
    """Whether Java takes the next word as the value of this one, as far as it can be seen."""
    return word in _TAKES_WORD or (word.startswith("--") and "=" not in word and word not in _ALONE)


def setting_of_words(env: EnvSwitch, word: CommandWord, value: str) -> Setting:
    """What a variable's whole value means; Unset if the word is not in it."""
    if "$" in value or "`" in value:
        return Setting.UNKNOWN  # Kubernetes or a shell inserts further words
    plain = value.translate(_NO_QUOTES)
    if plain != value:
        name = word.begins.rstrip("=")
        return Setting.UNKNOWN if name in plain or "@" in plain else Setting.UNSET
    words = _BLANKS.split(value)
    if any(map(names_options_file, words)):
        return Setting.UNKNOWN
    # Java takes -Da for -Da=: the property is set, and empty.
    found = [
        (place, one)
        for place, one in enumerate(words)
        if one.startswith(word.begins) or f"{one}=" == word.begins
    ]
    if not found:
        return Setting.UNSET
    place, last = found[-1]
    if _ends_options(" ".join(words[:place])):
        return Setting.UNKNOWN  # it may be the value of the word before it, or the program's
    return env.reading.setting_of(last[len(word.begins) :])
