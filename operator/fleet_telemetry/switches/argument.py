"""The mechanism ``argument``: the product reads an argument of its command line.

The word is added in front of all other arguments, behind the subcommand: there the product surely
reads it, whatever follows. Words of the flag that mean something else are replaced where they
stand. Nothing is written into ``command``, and nothing that would not have the desired effect.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from fleet_telemetry.api.policy import Submission
from fleet_telemetry.api.product.argument_switch import ArgumentSwitch
from fleet_telemetry.api.product.setting import Setting
from fleet_telemetry.api.product.switch import Switch
from fleet_telemetry.api.reasons import Reason
from fleet_telemetry.catalogue.matching import MatchedContainer
from fleet_telemetry.objects.manifest import Manifest
from fleet_telemetry.switches.command_line import (
    CommandLine,
    FlagWord,
    find_flags,
    locate,
    may_hold_flag,
)
from fleet_telemetry.switches.edits import ArgumentEdit, Edit
from fleet_telemetry.switches.mechanism import Operation
from fleet_telemetry.switches.reading import ReadingSource, SwitchReading, setting_of
from fleet_telemetry.workloads.template_reading import read_words
from fleet_telemetry.workloads.workload import Container, EnvVar

_SOURCES = {
    Reason.COMMAND_IS_SHELL: ReadingSource.SHELL,
    Reason.PROGRAM_UNKNOWN: ReadingSource.PROGRAM,
    Reason.IMAGE_ARGUMENTS_UNKNOWN: ReadingSource.IMAGE_ARGUMENTS,
}


class ArgumentMechanism:
    """Entries are words of a container's ``args``."""

    name = "argument"

    def handles(self, switch: Switch) -> bool:
        """See SwitchMechanism."""
        return switch.argument is not None

    def label(self, switch: Switch) -> str:
        """See SwitchMechanism."""
        return _argument(switch).label

    def is_named(self, switch: Switch, name: str) -> bool:
        """No variable is the switch."""
        del switch, name
        return False

    def find(self, container: Container, switch: Switch) -> EnvVar | None:
        """The last word of the flag in ``args``."""
        argument = _argument(switch)
        line = locate(container, argument)
        if isinstance(line, Reason) or line.from_image:
            return None
        words = [flag for flag in find_flags(line, argument) if flag.index + line.offset >= 0]
        if not words:
            return None
        last = words[-1]
        return EnvVar(
            name=argument.label,
            value=last.word,
            by_reference="$(" in last.word,
            is_argument=True,
        )

    def read(self, container: Container, switch: Switch) -> SwitchReading:
        """See SwitchMechanism."""
        argument = _argument(switch)
        line = locate(container, argument)
        if isinstance(line, Reason):
            return SwitchReading(Setting.UNKNOWN, _SOURCES[line])
        expanded = may_hold_flag(line, argument)
        if expanded:
            return SwitchReading(Setting.UNKNOWN, ReadingSource.OVERRIDE, expanded)
        flags = list(find_flags(line, argument))
        if not flags:
            return SwitchReading(Setting.UNSET, ReadingSource.NOTHING)
        last = flags[-1]
        if len({flag.setting for flag in flags}) > 1 or not any(flag.certain for flag in flags):
            return SwitchReading(Setting.UNKNOWN, ReadingSource.WORDS, last.word)
        in_args = last.index + line.offset >= 0
        source = ReadingSource.VARIABLE if in_args else ReadingSource.OVERRIDE
        return SwitchReading(last.setting, source, last.word)

    def setting_of(self, switch: Switch, value: str) -> Setting:
        """What the product makes of a word."""
        return _argument(switch).setting_of(value)

    def value_for(self, switch: Switch, desired: Submission) -> str | None:
        """See SwitchMechanism."""
        return _argument(switch).value_for(desired)

    def may_have_written(self, switch: Switch, entry: EnvVar) -> bool:
        """See SwitchMechanism."""
        argument = _argument(switch)
        return entry.is_argument and entry.value in (argument.disabled, argument.enabled)

    def is_met(self, container: Container, switch: Switch, desired: Submission) -> bool:
        """Whether the container has the desired setting by the switch."""
        found = self.read(container, switch).setting
        absent = found is Setting.UNSET and self.value_for(switch, desired) is None
        return absent or found is setting_of(desired)

    def obstacle(
        self, target: MatchedContainer, switch: Switch, desired: Submission
    ) -> Reason | None:
        """Why the switch cannot be written; None if it can be."""
        argument, container = _argument(switch), target.container
        line = locate(container, argument)
        if isinstance(line, Reason):
            return line
        if line.from_image and (target.version is None or not target.verified):
            return Reason.IMAGE_ARGUMENTS_UNKNOWN
        word = argument.value_for(desired)
        after = replace(container, args=_edited(container, ArgumentEdit(argument), word))
        if self.is_met(after, switch, desired):
            return None
        reading = self.read(after, switch)
        if reading.setting is Setting.UNKNOWN:
            return reading.why_unknown
        return Reason.SWITCH_OVERRIDDEN

    def patch(
        self, pointer: str, container: Manifest, edits: Sequence[Edit]
    ) -> Iterator[Operation]:
        """A list of words has no keys, so it is replaced as a whole."""
        command, before = (tuple(read_words(container, key)) for key in ("command", "args"))
        now = Container(0, "", "", command=command, args=before)
        for edit in edits:
            assert edit.argument is not None, "the plan says what to edit"
            now = replace(now, args=_edited(now, edit.argument, edit.value))
        if now.args == before:
            return
        if not now.args:
            yield {"op": "remove", "path": f"{pointer}/args"}
        else:
            op = "replace" if "args" in container else "add"
            yield {"op": op, "path": f"{pointer}/args", "value": list(now.args)}


def _argument(switch: Switch) -> ArgumentSwitch:
    assert switch.argument is not None, "handles() was not asked"
    return switch.argument


def _edited(container: Container, edit: ArgumentEdit, word: str | None) -> tuple[str, ...]:
    """The container's ``args`` after an edit."""
    if edit.injected:
        left = tuple(one for one in container.args if one != edit.injected)
    elif edit.argument is None:
        left = container.args
    elif word is None:
        left = _without_flag(container, edit.argument)
    else:
        return _with_word(container, edit.argument, word)
    return () if left == edit.image_arguments else left


def _with_word(container: Container, argument: ArgumentSwitch, word: str) -> tuple[str, ...]:
    line = locate(container, argument)
    if isinstance(line, Reason):
        return container.args
    args: list[str | None] = list(line.words if line.from_image else container.args)
    wanted = argument.setting_of(word)
    is_read = False
    for flag in find_flags(line, argument):
        if flag.setting is wanted:
            is_read |= flag.certain
        elif flag.index + line.offset >= 0:
            _replace(args, line, flag, word)
            is_read |= flag.certain
    if not is_read and args[line.place : line.place + 1] != [word]:
        args.insert(line.place, word)
    return tuple(one for one in args if one is not None)


def _without_flag(container: Container, argument: ArgumentSwitch) -> tuple[str, ...]:
    line = locate(container, argument)
    if isinstance(line, Reason) or line.from_image:
        return container.args
    args: list[str | None] = list(container.args)
    for flag in find_flags(line, argument):
        if flag.index + line.offset >= 0:
            _replace(args, line, flag, None)
    return tuple(one for one in args if one is not None)


def _replace(args: list[str | None], line: CommandLine, flag: FlagWord, word: str | None) -> None:
    place = flag.index + line.offset
    args[place] = word
    if flag.value_follows:
        args[place + 1] = None
