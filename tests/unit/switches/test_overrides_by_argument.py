"""Arguments that override a variable: which of several counts."""

from __future__ import annotations

from typing import Any

import msgspec

from fleet_telemetry.api.product.setting import Setting
from fleet_telemetry.api.product.switch import Switch
from fleet_telemetry.switches.overrides import read_switch
from fleet_telemetry.workloads.workload import Container, EnvVar
from tests.support.every import every

ON, OFF, UNSET, UNKNOWN = Setting.ENABLED, Setting.DISABLED, Setting.UNSET, Setting.UNKNOWN
ENV = {"name": "ACME_TELEMETRY", "disabled": "false", "enabled": "true"}


def setting(
    overrides: list[dict[str, Any]], args: str = "", command: str = "", **env: str
) -> Setting:
    switch = {"semantics": "Start", "env": ENV, "overrides": overrides}
    found = Container(
        0,
        "app",
        "acme",
        args=tuple(args.split()),
        command=tuple(command.split()),
        env=tuple(EnvVar(name, value) for name, value in env.items()),
    )
    return read_switch(found, msgspec.convert(switch, Switch)).setting


OF_VALUES = [
    {"env": "OPTS", "argument": "-Da=", "values": ["false", "off"], "means": "Disabled"},
    {"env": "OPTS", "argument": "-Da=", "values": ["on"], "means": "Enabled"},
    {"argument": "--a=", "values": ["false"], "means": "Disabled"},
]


@every(
    ("given", "expected"),
    [
        ({"OPTS": "-Da=false"}, OFF),
        ({"OPTS": "-Da=OFF"}, OFF),
        ({"OPTS": "-Da=on"}, ON),
        ({"OPTS": "-Da=false -Da=on"}, ON),
        ({"OPTS": "-Da=on -Da=false"}, OFF),
        # Any other value is none of them, and the switch itself counts.
        ({"OPTS": "-Da=false -Da=other"}, UNSET),
        ({"OPTS": "-Da=other", "ACME_TELEMETRY": "false"}, OFF),
        ({"OPTS": "-Da", "ACME_TELEMETRY": "true"}, ON),
        ({"OPTS": "-Da=${X}"}, UNKNOWN),
        ({"OPTS": "-Da=$(X)"}, UNKNOWN),
        ({"args": "--a=False", "ACME_TELEMETRY": "true"}, OFF),
        ({"args": "--a=true", "ACME_TELEMETRY": "false"}, OFF),
    ],
)
def test_certain_values_of_an_argument(given: dict[str, str], expected: Setting) -> None:
    assert setting(OF_VALUES, **given) is expected


PAIR = [{"argument": "--off", "means": "Disabled"}, {"argument": "--on", "means": "Enabled"}]
NEXT = [{"argument": "--telemetry="}, {"argument": "--telemetry", "means": "Unknown"}]
BARE = [{"argument": "--telemetry="}, {"argument": "--telemetry", "means": "Enabled"}]
FILE = [{"argument": "--telemetry="}, {"argument": "--config=", "means": "Unknown"}]
FIRST = [{"env": "DO_NOT_TRACK", "means": "Disabled"}, *PAIR]


@every(
    ("overrides", "given", "expected"),
    [
        # Which of the two counts is not known, whatever their order.
        (PAIR, {"args": "--off --on"}, UNKNOWN),
        (PAIR, {"args": "--on --off"}, UNKNOWN),
        (PAIR, {"args": "--on", "command": "acme --off"}, UNKNOWN),
        (PAIR, {"args": "--off --other --off"}, OFF),
        (PAIR, {"args": "--on"}, ON),
        (PAIR, {"ACME_TELEMETRY": "false"}, OFF),
        (PAIR[::-1], {"args": "--off --on"}, UNKNOWN),
        # What is stronger than both.
        (FIRST, {"args": "--off --on", "DO_NOT_TRACK": "1"}, OFF),
        (FIRST, {"args": "--off --on"}, UNKNOWN),
        # A value in the next word, and the same flag with a value.
        (NEXT, {"args": "--telemetry=false"}, OFF),
        (NEXT, {"args": "--telemetry true", "ACME_TELEMETRY": "false"}, UNKNOWN),
        (NEXT, {"args": "--telemetry=false --telemetry true"}, UNKNOWN),
        (NEXT, {"args": "--telemetry true --telemetry=false"}, UNKNOWN),
        (NEXT, {"args": "--telemetry=true --telemetry=false"}, OFF),
        (NEXT[::-1], {"args": "--telemetry=false"}, OFF),
        (BARE, {"args": "--telemetry=false"}, OFF),
        (BARE, {"args": "--telemetry"}, ON),
        (BARE, {"args": "--telemetry=true --telemetry"}, ON),
        (BARE, {"args": "--telemetry=false --telemetry"}, UNKNOWN),
        # Another flag that may say anything is weaker where it stands behind.
        (FILE, {"args": "--telemetry=false --config=/x"}, OFF),
        (FILE[::-1], {"args": "--telemetry=false --config=/x"}, UNKNOWN),
        (FILE, {"args": "--config=/x", "ACME_TELEMETRY": "false"}, UNKNOWN),
    ],
)
def test_words_that_contradict_each_other(
    overrides: list[dict[str, Any]], given: dict[str, str], expected: Setting
) -> None:
    assert setting(overrides, **given) is expected


@every(
    ("given", "expected"),
    [
        ({"args": "run -- --off"}, UNKNOWN),
        ({"args": "run -- --off", "ACME_TELEMETRY": "true"}, UNKNOWN),
        ({"args": "run --off -- x"}, OFF),
        ({"args": "run --off -- --on"}, OFF),
        ({"args": "-- --off"}, UNKNOWN),
        ({"args": "run -- x", "ACME_TELEMETRY": "false"}, OFF),
        # The dashes are not the product's.
        ({"args": "run --off", "command": "/usr/bin/tini -g -- acme"}, OFF),
        ({"args": "tini -- acme run --off"}, OFF),
        ({"args": "tini -- acme run -- --off"}, UNKNOWN),
    ],
)
def test_what_stands_behind_two_dashes(given: dict[str, str], expected: Setting) -> None:
    assert setting(PAIR, **given) is expected
