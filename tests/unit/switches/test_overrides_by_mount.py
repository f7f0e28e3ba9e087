"""A configuration file and a flag in any case that make a switch void."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from fleet_telemetry.api.product.setting import Setting
from fleet_telemetry.api.product.switch import Switch
from fleet_telemetry.switches.edits import EditCause
from fleet_telemetry.switches.overrides import read_switch
from fleet_telemetry.workloads.workload import Container, Mount
from tests.support.argument_products import GO, acme, opt
from tests.support.builders import catalogue, product, under

VOID = [
    {"argument": "--configfile", "ignoreCase": True, "means": "Unknown"},
    {"mount": "/etc/acme", "means": "Unknown"},
]
SWITCH = msgspec.convert({"semantics": "Start", "argument": GO, "overrides": VOID}, Switch)


def setting(args: tuple[str, ...] = ("-telemetry=false",), *mounts: str) -> Setting:
    found = Container(0, "app", "acme", args=args, mounts=tuple(Mount(one, "v") for one in mounts))
    return read_switch(found, SWITCH).setting


@pytest.mark.parametrize(
    "path", ["/etc/acme", "/etc", "/", "/etc/acme/acme.yaml", "/etc/acme/conf.d"]
)
def test_a_mount_at_above_or_below(path: str) -> None:
    assert setting(("-telemetry=false",), "/data", path) is Setting.UNKNOWN


@pytest.mark.parametrize("path", ["/etc/acme2", "/etc/other", "/data", "/acme"])
def test_another_mount(path: str) -> None:
    assert setting(("-telemetry=false",), path) is Setting.DISABLED


@pytest.mark.parametrize(
    "word", ["--configFile=/x", "--CONFIGFILE", "--configfile=", "$(X)", "--Conf$(X)"]
)
def test_a_flag_in_any_case(word: str) -> None:
    assert setting(("-telemetry=false", word)) is Setting.UNKNOWN
    assert setting(("-telemetry=false", "--config=x")) is Setting.DISABLED


def test_nothing_is_written_beside_it() -> None:
    rule: dict[str, Any] = {
        "default": "On",
        "switches": [{"semantics": "Start", "argument": GO, "overrides": VOID}],
    }
    acme_product = product("acme", channels=[{"name": "Usage", "rules": [rule]}])
    of = under(opt(), catalogue=catalogue(acme_product))

    void = of.create(acme(["--configFile=/x"]), claims=False)
    assert not void.plan.edits
    assert [one.cause for one in void.plan.changes] == [EditCause.NOT_WRITABLE]
    assert of.create(acme(["--a=/x"]), claims=False).plan.edits
