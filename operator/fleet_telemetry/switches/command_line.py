"""The arguments of the product in a container's command line, and what a flag among them means.

Nothing is guessed. Where the words may be a shell's, another program's or those of an image that is
not known, there is a reason in place of them. A word that the product may take for something else
counts only if nothing contradicts it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fleet_telemetry.api.argument_names import SHELLS
from fleet_telemetry.api.product.argument_switch import ArgumentSwitch, ArgumentValues
from fleet_telemetry.api.product.setting import Setting
from fleet_telemetry.api.reasons import Reason
from fleet_telemetry.catalogue.image import ImageReference
from fleet_telemetry.switches.start import without_init
from fleet_telemetry.workloads.workload import Container

# A pod template of the largest size has a hundred thousand words.
_MOST_WORDS = 1024
_LONGEST_WORD = 4096
_MOST_SCRIPTS = 4
# What the tags of images for Windows are called by: windowsservercore-ltsc2022, nanoserver-1809.
_WINDOWS_TAG = re.compile(
    r"(^|[-._])(windows|nanoserver|servercore|ltsc)", re.ASCII | re.IGNORECASE
)
_SHELL_MARKS = ("\n", "\r", ";", "&&", "||", "`", "exec ")


@dataclass(frozen=True, slots=True)
class CommandLine:
    """A container's words from the product's first argument on."""

    words: tuple[str, ...]
    begin: int
    """The first index in ``words`` that the flag may have: behind the subcommand."""
    offset: int
    """The index in ``args`` of the first of ``words``; negative if ``command`` has it."""
    from_image: bool = False
    """The container has no words: these are the image's own arguments."""

    @property
    def place(self) -> int:
        """The first index in ``args`` where the flag may stand."""
        return max(self.begin + self.offset, 0)


@dataclass(frozen=True, slots=True)
class FlagWord:
    """A word of a flag, by its index in ``CommandLine.words``."""

    index: int
    word: str
    setting: Setting
    certain: bool
    """The product surely reads the word as the flag."""
    value_follows: bool = False
    """The next word is its value."""


def locate(container: Container, argument: ArgumentSwitch) -> CommandLine | Reason:
    """The product's arguments, or why they are not known."""
    if not container.command and not container.args:
        words = image_arguments(container, argument)
        if words is None:
            return Reason.IMAGE_ARGUMENTS_UNKNOWN
        return _after(argument, words, offset=0, from_image=True)
    words = container.arguments
    if len(words) > _MOST_WORDS or any(len(word) > _LONGEST_WORD for word in words):
        return Reason.PROGRAM_UNKNOWN
    if any(mark in word for word in words for mark in _SHELL_MARKS):
        return Reason.COMMAND_IS_SHELL
    rest = without_init(container.command)
    skipped = len(container.command) - len(rest)
    words = words[skipped:]
    is_command = bool(container.command) or _is_command(words, argument)
    for _ in range(_MOST_SCRIPTS):
        if not is_command:
            return _after(argument, words, offset=skipped - len(container.command))
        program = words[0].rpartition("/")[2] if words else ""
        words, skipped = words[1:], skipped + 1
        if program in argument.programs:
            is_command = False
        elif program in argument.scripts:
            is_command = _is_command(words, argument)
        else:
            return Reason.COMMAND_IS_SHELL if program in SHELLS else Reason.PROGRAM_UNKNOWN
    return Reason.PROGRAM_UNKNOWN


def image_arguments(container: Container, argument: ArgumentSwitch) -> tuple[str, ...] | None:
    """The arguments that the container's image has itself; None if they are not known.

    The catalogue has those of the images for Linux. On Windows the paths among them differ
    (grafana/alloy@00fdeecc: Dockerfile.windows).
    """
    tag = ImageReference.parse(container.image).tag
    if container.on_windows or _WINDOWS_TAG.search(tag):
        return None
    return argument.image_arguments


def _is_command(words: Sequence[str], argument: ArgumentSwitch) -> bool:
    """Whether the arguments of an entry point are a command, and not those of the product."""
    if not words or words[0].startswith("-"):
        return False
    return argument.after is None or words[0] != argument.after


def _after(
    argument: ArgumentSwitch, words: tuple[str, ...], *, offset: int, from_image: bool = False
) -> CommandLine | Reason:
    if argument.after is None:
        return CommandLine(words, 0, offset, from_image)
    if words[:1] != (argument.after,):
        return Reason.PROGRAM_UNKNOWN
    return CommandLine(words, 1, offset, from_image)


def find_flags(line: CommandLine, argument: ArgumentSwitch) -> Iterator[FlagWord]:
    """The words of the flag that the product may read, in their order."""
    certain = True
    is_open = False  # The word before is a flag that may take this word for its value.
    words = line.words
    index = line.begin
    while index < len(words):
        word, index = words[index], index + 1
        may_be_value, is_open = is_open, False
        if argument.is_flag(word):
            follows = (
                argument.values is ArgumentValues.NEXT
                and not argument.has_value(word)
                and index < len(words)
            )
            setting = argument.setting_of(word, words[index] if follows else None)
            setting = (
                Setting.UNKNOWN if "$(" in "".join(words[index - 1 : index + follows]) else setting
            )
            yield FlagWord(index - 1, word, setting, certain and not may_be_value, follows)
            index += follows
        elif word == "--":
            if not may_be_value:
                return
            certain = False
        elif word.startswith("-") and word != "-":
            is_open = "=" not in word and not _is_boolean(word, argument)
        elif argument.ends_at_word:
            if not may_be_value:
                return
            certain = False


def _is_boolean(word: str, argument: ArgumentSwitch) -> bool:
    return word.removeprefix("-").removeprefix("-") in argument.booleans


def may_hold_flag(line: CommandLine, argument: ArgumentSwitch) -> str:
    """A word that Kubernetes may expand to the flag; empty if there is none."""
    for word in line.words[line.begin :]:
        literal, dollar, _ = word.partition("$(")
        if dollar and argument.may_begin(literal):
            return word
    return ""
