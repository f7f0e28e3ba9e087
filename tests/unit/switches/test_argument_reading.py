"""What a container's command line says of a switch that is an argument."""

from __future__ import annotations

from typing import Any

import pytest

from fleet_telemetry.api.product.setting import Setting
from fleet_telemetry.api.reasons import Reason
from fleet_telemetry.switches.overrides import read_switch
from fleet_telemetry.workloads.workload import Container
from tests.support.argument_products import ABSL, GO, NEXT, RUN, switch

ON, OFF, UNSET, UNKNOWN = Setting.ENABLED, Setting.DISABLED, Setting.UNSET, Setting.UNKNOWN


def read(of: dict[str, Any], args: str = "", command: str = "") -> tuple[Setting, Reason | None]:
    words = tuple(args.split()), tuple(command.split())
    found = read_switch(Container(0, "app", "acme", args=words[0], command=words[1]), switch(of))
    return found.setting, found.why_unknown if found.setting is UNKNOWN else None


@pytest.mark.parametrize(
    ("args", "setting"),
    [
        ("-telemetry=false", OFF),
        ("--telemetry=false", OFF),
        ("-telemetry=0", OFF),
        ("-telemetry=F", OFF),
        ("-telemetry", ON),
        ("-telemetry=true", ON),
        ("-a=1 -telemetry=false -b=2", OFF),
        # Go does not know these words.
        ("-telemetry=no", UNKNOWN),
        ("-telemetry=fAlSe", UNKNOWN),
        ("-telemetry=", UNKNOWN),
        # Other flags.
        ("-telemetry.x=false", UNSET),
        ("-Telemetry=false", UNSET),
        ("---telemetry=false", UNSET),
        ("-atelemetry=false", UNSET),
        # Go stops at the first word that is no flag, and at two dashes.
        ("-a=1 word -telemetry=false", UNSET),
        ("-a=1 - -telemetry=false", UNSET),
        ("-- -telemetry=false", UNSET),
        ("-telemetry false", ON),
    ],
)
def test_go_flags(args: str, setting: Setting) -> None:
    assert read(GO, args)[0] is setting


@pytest.mark.parametrize(
    "args",
    [
        # The word may be the value of the flag before it.
        "-a -telemetry=false",
        # Whether the word is the value of the flag before it, or ends the flags, is not known.
        "-a true -telemetry=false",
        "-a /etc/x -b=1 -telemetry=false",
        "-a -- -telemetry=false",
        # Which of two counts depends on the parser.
        "-telemetry=false -telemetry=true",
        "-telemetry=false -a -telemetry=true",
    ],
)
def test_what_the_product_may_read_otherwise_is_not_known(args: str) -> None:
    assert read(GO, args) == (UNKNOWN, Reason.ARGUMENTS_AMBIGUOUS)


def test_what_is_certain_stays_so_beside_the_same_in_doubt() -> None:
    assert read(GO, "-telemetry=false -a -telemetry=false")[0] is OFF
    assert read(GO, "-telemetry=false -a word -telemetry=false")[0] is OFF


@pytest.mark.parametrize(
    ("args", "setting"),
    [
        ("run --disable-telemetry", OFF),
        ("run /etc/acme --disable-telemetry --x=1", OFF),
        ("run --disable-telemetry=true", OFF),
        ("run --disable-telemetry=false", ON),
        ("run --verbose --disable-telemetry", OFF),
        ("run -v --disable-telemetry", UNKNOWN),
        ("run --name --disable-telemetry", UNKNOWN),
        ("run -- --disable-telemetry", UNSET),
        ("run -disable-telemetry", UNSET),
        ("run", UNSET),
        # Another subcommand has other flags.
        ("fmt --disable-telemetry", UNKNOWN),
        ("--disable-telemetry run", UNKNOWN),
        ("--disable-telemetry", UNKNOWN),
        ("acme run --disable-telemetry", OFF),
    ],
)
def test_a_subcommand_with_pflag(args: str, setting: Setting) -> None:
    assert read(RUN, args)[0] is setting


@pytest.mark.parametrize(
    ("args", "setting"),
    [
        ("--telemetry off", OFF),
        ("--telemetry=off", OFF),
        ("--telemetry OFF", OFF),
        ("--telemetry on --x", ON),
        ("--telemetry --x", UNKNOWN),
        ("--telemetry", UNKNOWN),
        ("--x --telemetry off", UNKNOWN),
        ("off", UNKNOWN),
    ],
)
def test_values_in_the_next_word(args: str, setting: Setting) -> None:
    assert read(NEXT, args)[0] is setting


@pytest.mark.parametrize(
    ("args", "setting"),
    [
        ("--notelemetry", OFF),
        ("-notelemetry", OFF),
        ("--TELEMETRY=False", OFF),
        ("--phone_home=false", OFF),
        ("--notelemetry=true", OFF),
        ("--notelemetry=false", ON),
        ("--telemetry", ON),
        ("--notelemetry --telemetry", UNKNOWN),
    ],
)
def test_negations_aliases_and_case(args: str, setting: Setting) -> None:
    assert read(ABSL, args)[0] is setting


@pytest.mark.parametrize(
    ("args", "command", "setting", "why"),
    [
        ("-telemetry=false", "/usr/bin/acme", OFF, None),
        ("", "/usr/bin/acme -telemetry=false", OFF, None),
        ("", "acme", UNSET, None),
        ("-telemetry=false", "/usr/bin/tini -- acme", OFF, None),
        ("acme -telemetry=false", "/sbin/tini --", OFF, None),
        ("-telemetry=false", "other", UNKNOWN, Reason.PROGRAM_UNKNOWN),
        ("-telemetry=false", "tini -g -- acme", UNKNOWN, Reason.PROGRAM_UNKNOWN),
        ("-telemetry=false", "env X=1 acme", UNKNOWN, Reason.PROGRAM_UNKNOWN),
        ("-telemetry=false", "/usr/bin/acme/other", UNKNOWN, Reason.PROGRAM_UNKNOWN),
        ("-c acme", "/bin/sh", UNKNOWN, Reason.COMMAND_IS_SHELL),
        ("sh -telemetry=false", "", UNKNOWN, Reason.COMMAND_IS_SHELL),
        ("other -telemetry=false", "", UNKNOWN, Reason.PROGRAM_UNKNOWN),
        ("acme -telemetry=false", "", OFF, None),
        # The image's own arguments are known.
        ("", "", UNSET, None),
    ],
)
def test_what_is_started(args: str, command: str, setting: Setting, why: Reason | None) -> None:
    assert read(GO, args, command) == (setting, why)


@pytest.mark.parametrize(
    "word", ["a;b", "a && b", "exec acme", "a\nb", "a || b", "a`b`", "acme -telemetry=false; x"]
)
def test_a_line_of_shell_is_not_read(word: str) -> None:
    for words in ({"args": (word,)}, {"command": ("acme",), "args": ("-telemetry=false", word)}):
        found = read_switch(Container(0, "app", "acme", **words), switch(GO))
        assert found.why_unknown is Reason.COMMAND_IS_SHELL


def test_the_arguments_of_an_unknown_image() -> None:
    assert read(RUN) == (UNKNOWN, Reason.IMAGE_ARGUMENTS_UNKNOWN)


@pytest.mark.parametrize("word", ["$(X)", "-$(X)", "-tele$(X)", "--$(X)", "-telemetry$(X)"])
def test_a_word_that_may_become_the_flag(word: str) -> None:
    assert read(GO, f"-telemetry=false {word}") == (UNKNOWN, Reason.SWITCH_OVERRIDDEN)
    assert read(GO, f"-telemetry=$(X) -a={word}")[0] is UNKNOWN


def test_a_word_that_may_not() -> None:
    assert read(GO, "-telemetry=false -storage=$(X) -b$(X)")[0] is OFF


def test_scripts_pass_their_arguments_on() -> None:
    assert read(RUN, "run --disable-telemetry", "/entrypoint.sh")[0] is OFF
    assert read(RUN, "acme run --disable-telemetry", "/entrypoint.sh")[0] is OFF
    assert read(RUN, "bash -x", "/entrypoint.sh") == (UNKNOWN, Reason.COMMAND_IS_SHELL)
    assert read(RUN, "/entrypoint.sh " * 9, "/entrypoint.sh")[0] is UNKNOWN


def test_long_command_lines_are_not_read() -> None:
    assert read(GO, "-a=1 " * 2000)[1] is Reason.PROGRAM_UNKNOWN
    assert read(GO, "-a=" + "b" * 5000)[1] is Reason.PROGRAM_UNKNOWN
