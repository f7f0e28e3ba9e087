"""Whether a container starts its product in a way that passes the container's variables on.

Whoever writes a pod template may put anything in front of the product: a shell that unsets the
switch, a script, a program that replaces variables. So only ways that are known count: the image's
own entry point, and the commands that the catalogue lists for the image.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable

from fleet_telemetry.api.product.argument_switch import ArgumentSwitch
from fleet_telemetry.api.product.image import Arguments, Start, StartCommand
from fleet_telemetry.api.product.switch import Switch
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
    # Which program is the JVM. In SonarQube's archive, sonar.sh reads SONAR_JAVA_PATH
    # (SonarSource/sonarqube@07b207e2:
    # sonar-application/src/main/assembly/bin/linux-x86-64/sonar.sh). The vendor's images do not run
    # it: their entry points name the JVM by its path, up to 8 and in some images of 9 by PATH
    # (SonarSource/docker-sonarqube@df5a6ae: community-build/entrypoint.sh; @8.9.10:
    # 8/community/sonar.sh). Images that others build may run it, or look for the JVM in JAVA_HOME.
    *("JAVA_HOME", "SONAR_JAVA_PATH"),
    # The Erlang emulator: a program in its place, and more directories with code
    # (erlang/otp@00855bc6: erts/etc/common/erlexec.c; @06e50bb7: erts/doc/references/erl_cmd.md).
    *("CERL_DETACHED_PROG", "ERL_LIBS"),
)
_BASH_FUNCTION = "BASH_FUNC_"
# Arguments of the Erlang emulator. One of the variables has the release of OTP in its name, such as
# ERL_OTP26_FLAGS (erlang/otp@00855bc6: erts/etc/common/erlexec.c). EMQX passes EPMD_ARGS on
# (emqx/emqx@6.2.2: bin/emqx).
_ERLANG_VARIABLES = re.compile(r"ERL_(A|Z|OTP[^=]*_)?FLAGS|EPMD_ARGS", re.ASCII)
# Those among the arguments that set variables, run code, or load other code or settings
# (erlang/otp@06e50bb7: erts/doc/references/erl_cmd.md).
_ERLANG_CODE = frozenset(
    {
        *("-args_file", "-boot", "-boot_var", "-config", "-configfd", "-env", "-eval", "-loader"),
        *("-pa", "-path", "-pz", "-run", "-S", "-s"),
    }
)
# The emulator removes them anywhere in a word (erlexec.c, build_args_from_string).
_NO_QUOTES = str.maketrans("", "", "'\"\\")
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


def doubt_of_start(target: MatchedContainer, switch: Switch | None = None) -> str:
    """What may change the container's variables, or the product's arguments if the switch is one,
    before the product reads them.

    Empty if nothing may. The text names fields and variables and has no values.
    """
    container = target.container
    if switch is not None and (switch.suspend or switch.resource is not None):
        return ""
    start = target.image.start
    if switch is not None and switch.argument is not None:
        start = _start_of_program(container)
        replaced = _replaced_program(container, switch.argument)
        if replaced:
            return f"the volume mounted at {replaced}"
    if container.working_dir:
        return "workingDir"
    if container.has_post_start:
        return "lifecycle.postStart"
    variable = _start_variable(container)
    if variable:
        return f"the variable {variable}"
    if start is None and any(map(_runs_text, container.args)):
        return "args"
    known = start or _UNKNOWN_START
    mounted = _mounted_program(container, known)
    if mounted:
        return f"the volume mounted at {mounted}"
    if container.command:
        return "" if _is_known(container.arguments, known) else "command"
    return "" if _passes(container.args, known, known.arguments) else "args"


def _replaced_program(container: Container, argument: ArgumentSwitch) -> str:
    """The path of a volume that has the name of the product's program; empty if none has. Where the
    image has that program is not known."""
    names = {*argument.programs, *argument.scripts}
    paths = (mount.path for mount in container.mounts)
    return next((path for path in paths if posixpath.basename(path.rstrip("/")) in names), "")


def _start_variable(container: Container) -> str:
    """A variable that changes what is started; empty if there is none."""
    for name in _START_VARIABLES:
        if container.variable(name) is not None:
            return name
    for entry in container.env:
        runs_code = _ERLANG_VARIABLES.fullmatch(entry.name) and (
            entry.by_reference or "$(" in entry.value or _has_erlang_code(entry.value.split())
        )
        if runs_code or entry.name.startswith(_BASH_FUNCTION):
            return entry.name
    return ""


def _start_of_program(container: Container) -> Start:
    """The start of a container whose program is known to be the product: whoever reads an argument
    reads it behind that program."""
    program = without_init(container.command)[:1]
    commands = (StartCommand(words=program),) if program else ()
    return Start(arguments=Arguments.PRODUCT, commands=commands)


def _has_erlang_code(words: Iterable[str]) -> bool:
    """Whether arguments of the emulator set variables or run code; quotes are ignored."""
    return not _ERLANG_CODE.isdisjoint(word.translate(_NO_QUOTES) for word in words)


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
    words = without_init(words)
    return any(
        words[: len(command.words)] == command.words
        and _passes(words[len(command.words) :], start, command.arguments, left - 1)
        for command in start.commands
    )


def without_init(words: tuple[str, ...]) -> tuple[str, ...]:
    """A command without tini or dumb-init before it."""
    while words and words[0] in _INITS:
        words = words[2:] if words[1:2] == ("--",) else words[1:]
    return words


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
