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
