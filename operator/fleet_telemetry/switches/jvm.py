"""Arguments of the Java virtual machine in a container."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from fleet_telemetry.switches.start import names_options_file
from fleet_telemetry.workloads.workload import Container, EnvVar

_BEFORE_ALL = ("JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS")
_AFTER_ALL = "_JAVA_OPTIONS"
STRONGEST_FIRST = (_AFTER_ALL, *reversed(_BEFORE_ALL))
"""The variables that every JVM reads. Of what the command line says, only the first one is
stronger."""
# What separates words: isspace() in C, and IFS in a shell. Other white space is a part of a word.
_WHITE = frozenset(" \t\n\r\f\v")
_BLANKS = re.compile(r"[ \t\n]+")


def split_options(variable: str, value: str) -> list[str]:
    """The arguments in a variable. The JVM removes quotes from its own variables. Others are split
    by a shell, which keeps quotes that a variable contains."""
    if variable not in (*_BEFORE_ALL, _AFTER_ALL):
        return [word for word in _BLANKS.split(value) if word]
    words: list[str] = []
    word: list[str] | None = None
    quote = ""
    for character in value:
        if quote:
            quote, kept = ("", False) if character == quote else (quote, True)
        elif character in "'\"":
            quote, kept, word = character, False, word or []
        else:
            kept = character not in _WHITE
            if not kept and word is not None:
                words.append("".join(word))
                word = None
        if kept:
            word = word or []
            word.append(character)
    return words if word is None else [*words, "".join(word)]


def jvm_variables(container: Container, java_options: Iterable[str]) -> Iterator[EnvVar]:
    """The variables with arguments that the container sets, weakest first."""
    for name in (*_BEFORE_ALL, *java_options, _AFTER_ALL):
        entry = container.variable(name)
        if entry is not None:
            yield entry


def jvm_words(container: Container, java_options: Iterable[str]) -> tuple[str, ...]:
    """All arguments in the order in which the JVM reads them: of several, the last takes effect.

    HotSpot reads JAVA_TOOL_OPTIONS first and _JAVA_OPTIONS last (openjdk/jdk@jdk-21+35:
    src/hotspot/share/runtime/arguments.cpp); the launcher puts JDK_JAVA_OPTIONS in front of the
    command line.
    """
    words: list[str] = []
    for entry in jvm_variables(container, java_options):
        if entry.name != _AFTER_ALL:
            words += split_options(entry.name, entry.value)
    words += container.arguments
    last = container.variable(_AFTER_ALL)
    return (*words, *(split_options(last.name, last.value) if last is not None else ()))


def inserts_words(container: Container, entry: EnvVar) -> bool:
    """Whether a variable with arguments may hold more of them than it shows.

    Kubernetes replaces ``$(NAME)`` before the value is split, so ``-Xmx1g$(MORE)`` may become
    several arguments. It does not if NAME is one literal word, or a variable that nothing sets.
    """
    _, *references = entry.value.split("$(")
    if not references:
        return False
    variables = {one.name: one for one in container.env}
    for reference in references:
        found = variables.get(reference.partition(")")[0])
        if found is None:
            if container.has_env_from:
                return True
        elif found.by_reference or "$(" in found.value or found.value.split() != [found.value]:
            return True
    return False


def system_property(word: str) -> tuple[str, str] | None:
    """The name and value of an argument that sets a system property; the value may be left out."""
    if not word.startswith("-D"):
        return None
    name, _, value = word[2:].partition("=")
    return name, value


def may_set_property(word: str) -> bool:
    """Whether an argument may set a property that cannot be read: it begins with a reference that
    is expanded before, or names a file with further arguments."""
    literal, dollar, _ = word.partition("$(")
    may_begin = "-D".startswith(literal) or (literal.startswith("-D") and "=" not in literal)
    return (bool(dollar) and may_begin) or names_options_file(word)
