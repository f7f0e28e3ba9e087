"""Whether a container starts its product in a way that passes the container's variables on.

Whoever writes a pod template may put anything in front of the product: a shell that unsets the
switch, a script, a program that replaces variables. So only ways that are known count: the image's
own entry point, and the commands that the catalogue lists for the image.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable

from fleet_telemetry.api.product import Arguments, Start
from fleet_telemetry.catalogue.matching import MatchedContainer
from fleet_telemetry.workloads.workload import Container

# Both run one command, wait for it, and pass variables on (krallin/tini v0.19.0, README.md;
# Yelp/dumb-init v1.2.5, README.md). Only the form without options of their own is read.
_INITS = frozenset(
    f"{folder}{name}"
    for folder in ("", "/", "/bin/", "/sbin/", "/usr/bin/", "/usr/sbin/", "/usr/local/bin/")
    for name in ("tini", "tini-static", "dumb-init")
)
# They make bash, the dynamic linker or the search for programs run other files first.
_START_VARIABLES = (
    *("BASH_ENV", "LD_AUDIT", "LD_LIBRARY_PATH", "LD_PRELOAD", "PATH", "SHELLOPTS"),
    # Which program is the JVM.
    *("JAVA_HOME", "SONAR_JAVA_PATH"),
)
_BASH_FUNCTION = "BASH_FUNC_"
# Arguments of the Erlang emulator, and those among them that set variables or run code
# (erlang/otp@OTP-26.2: erts/doc/src/erl_cmd.xml and init.xml).
_ERLANG_VARIABLES = ("ERL_AFLAGS", "ERL_FLAGS", "ERL_ZFLAGS")
_ERLANG_CODE = frozenset(
    {"-args_file", "-boot", "-config", "-configfd", "-env", "-eval", "-pa", "-pz", "-run", "-s"}
)
# What the entry points themselves need. A volume in their place may do anything.
_SYSTEM_FILES = frozenset({"/bin/bash", "/bin/sh", "/etc/ld.so.preload", "/usr/bin/env"})
_OPTIONS_FILES = ("@", "--env-file", "--flagfile", "-XX:Flags=", "-XX:VMOptionsFile=")
# A pod template of the largest size has a hundred thousand words; each command starts another one.
_MOST_WORDS = 256
_MOST_COMMANDS = 8

_UNKNOWN_START = Start(arguments=Arguments.FLAGS)


def names_options_file(word: str) -> bool:
    """Whether an argument names a file with further arguments or variables."""
    return word.startswith(_OPTIONS_FILES)


def doubt_of_start(target: MatchedContainer) -> str:
    """What may change the container's variables before the product reads them.

    Empty if nothing may. The text names fields and variables and has no values.
    """
    container = target.container
    start = target.image.start
    if container.working_dir:
        return "workingDir"
    if container.has_post_start:
        return "lifecycle.postStart"
    for name in _START_VARIABLES:
        if container.variable(name) is not None:
            return f"the variable {name}"
    for entry in container.env:
        runs_code = entry.name in _ERLANG_VARIABLES and (
            entry.by_reference or "$(" in entry.value or _has_erlang_code(entry.value.split())
        )
        if runs_code or entry.name.startswith(_BASH_FUNCTION):
            return f"the variable {entry.name}"
    if start is None and any(map(_runs_text, container.args)):
        return "args"
    known = start or _UNKNOWN_START
    mounted = _mounted_program(container, known)
    if mounted:
        return f"the volume mounted at {mounted}"
    if container.command:
        return "" if _is_known(container.arguments, known) else "command"
    return "" if _passes(container.args, known, known.arguments) else "args"


def _has_erlang_code(words: Iterable[str]) -> bool:
    """Whether arguments of the emulator set variables or run code; quotes are ignored."""
    return not _ERLANG_CODE.isdisjoint(word.strip("'\"") for word in words)


def _runs_text(word: str) -> bool:
    """Whether it makes a shell, python and others read a program from the next word: ``-c``, alone
    or with other letters."""
    letters = word[1:]
    return word.startswith("-") and "c" in letters and letters.isascii() and letters.isalpha()


def _is_known(words: tuple[str, ...], start: Start, left: int = _MOST_COMMANDS) -> bool:
    """Whether a whole command line starts the product with all variables. A line that is too long,
    or has more than ``left`` commands, is not known."""
    if len(words) > _MOST_WORDS or not left:
        return False
    while words and words[0] in _INITS:
        words = words[2:] if words[1:2] == ("--",) else words[1:]
    return any(
        words[: len(command.words)] == command.words
        and _passes(words[len(command.words) :], start, command.arguments, left - 1)
        for command in start.commands
    )


def _passes(
    words: tuple[str, ...], start: Start, arguments: Arguments, left: int = _MOST_COMMANDS
) -> bool:
    """Whether the words after a command leave the product its variables."""
    if not words:
        return True
    is_command = arguments is Arguments.COMMAND or (
        arguments is Arguments.FLAGS and not words[0].startswith("-")
    )
    if is_command:
        return _is_known(words, start, left)
    return not any(map(names_options_file, words)) and "-env" not in words


def _mounted_program(container: Container, start: Start) -> str:
    """The path of a volume that replaces a program of the start; empty if none does."""
    programs = {word for command in start.commands for word in command.words}
    programs |= {word for word in container.arguments if word in _INITS} | _SYSTEM_FILES
    for mount in container.mounts:
        path = posixpath.normpath(f"/{mount.path.lstrip('/')}").rstrip("/")
        if any(one == path or one.startswith(f"{path}/") for one in programs):
            return mount.path
    return ""
