"""A switch that is a word of a command line, which a variable holds a part of."""

from __future__ import annotations

import shlex
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_telemetry.api.product.setting import Setting
from fleet_telemetry.api.product.spec import TelemetryProductSpec
from fleet_telemetry.api.product.switch import Switch
from fleet_telemetry.catalogue.product import Product, ProductError
from fleet_telemetry.switches.overrides import read_switch
from fleet_telemetry.switches.reading import ReadingSource
from fleet_telemetry.workloads.template_reading import read_template
from tests.support.builders import FROM_SECRET, container
from tests.support.depth import examples
from tests.support.every import every

BEGINS = "-Dacme.quiet="
_ENV: dict[str, Any] = {
    "name": "ACME_JAVA_OPTS",
    "disabled": f"{BEGINS}true",
    "enabled": f"{BEGINS}false",
    "word": {"begins": BEGINS, "weaker": ["JAVA_TOOL_OPTIONS", "JAVA_OPTS"]},
    "reading": {"enabled": ["false"], "disabled": ["true"], "empty": "Enabled"},
}
SWITCH = msgspec.convert({"semantics": "Start", "env": _ENV}, Switch)
OFF, ON, UNSET, UNKNOWN = Setting.DISABLED, Setting.ENABLED, Setting.UNSET, Setting.UNKNOWN


def read(env: Any) -> tuple[Setting, str]:
    given = {"metadata": {}, "spec": {"containers": [container("acme", env=env)]}}
    found = read_switch(read_template(given).containers[0], SWITCH)
    return found.setting, found.detail


@pytest.mark.parametrize(
    ("before", "setting"),
    [("-cp", UNKNOWN), ("-Xmx4g --add-opens", UNKNOWN), ("-cp a.jar", OFF), ("--a=b", OFF)],
)
def test_the_last_word_of_a_weaker_variable_may_take_it_as_its_value(
    before: str, setting: Setting
) -> None:
    assert read({"JAVA_OPTS": before, "ACME_JAVA_OPTS": f"{BEGINS}true"})[0] is setting


@every(
    ("value", "setting"),
    [
        (f"{BEGINS}true", OFF),
        (f"-Xmx4g {BEGINS}TRUE -server", OFF),
        (f"{BEGINS}true\n{BEGINS}false", ON),
        (f"{BEGINS}false {BEGINS}true", OFF),
        (f"{BEGINS}true {BEGINS[:-1]}", ON),
        (f"{BEGINS}yes", UNKNOWN),
        ("", UNSET),
        ("true", UNSET),
        ("-Xmx4g", UNSET),
        (f"-Dx{BEGINS}true", UNSET),
        (f"-Dx=1\u00a0{BEGINS}true", UNSET),
        (f"-Dx=1\r{BEGINS}true", UNSET),
        # What stands in quotes is one word with more in it, or the word itself.
        (f'-Dx="1 {BEGINS}true"', UNKNOWN),
        (f'"{BEGINS}true"', UNKNOWN),
        (f"-Dx=\\ {BEGINS}true", UNKNOWN),
        ("-Dacme.qu'iet'=false", UNKNOWN),
        ("-Dx='1 2'", UNSET),
        # Words before it take it as their value, or as an argument of the program.
        (f"-cp {BEGINS}true", UNKNOWN),
        (f"--class-path {BEGINS}true", UNKNOWN),
        (f"-jar acme.jar {BEGINS}true", UNKNOWN),
        (f"acme.Main {BEGINS}true", UNKNOWN),
        (f"# {BEGINS}true", UNKNOWN),
        (f"-cp acme.jar --enable-preview {BEGINS}true", OFF),
        (f"{BEGINS}true -jar acme.jar", OFF),
        # Further words that are not seen here.
        (f"{BEGINS}true $(MORE)", UNKNOWN),
        (f"{BEGINS}true $MORE", UNKNOWN),
        (f"{BEGINS}true `cat more`", UNKNOWN),
        (f"{BEGINS}true @more", UNKNOWN),
        (f"{BEGINS}true '@more'", UNKNOWN),
        (f"{BEGINS}true -XX:Flags=.hotspotrc", UNKNOWN),
    ],
)
def test_the_last_word_counts_if_the_words_are_certain(value: str, setting: Setting) -> None:
    assert read({"ACME_JAVA_OPTS": value})[0] is setting


def test_weaker_variables_count_where_the_stronger_ones_have_no_such_word() -> None:
    off, on = f"{BEGINS}true", f"{BEGINS}false"
    there = "key telemetry of the Secret settings"
    assert read({"JAVA_OPTS": off}) == (OFF, "JAVA_OPTS")
    assert read({"JAVA_OPTS": off, "JAVA_TOOL_OPTIONS": on}) == (OFF, "JAVA_OPTS")
    assert read({"JAVA_OPTS": off, "ACME_JAVA_OPTS": on}) == (ON, "ACME_JAVA_OPTS")
    assert read({"JAVA_OPTS": off, "ACME_JAVA_OPTS": "-Xmx4g"}) == (OFF, "JAVA_OPTS")
    assert read({"JAVA_OPTS": FROM_SECRET, "ACME_JAVA_OPTS": off}) == (
        UNKNOWN,
        f"JAVA_OPTS, {there}",
    )
    given = {"JAVA_OPTS": FROM_SECRET, "ACME_JAVA_OPTS": "-Xmx4g"}
    assert read(given) == (UNKNOWN, f"JAVA_OPTS, {there}")
    given = {"ACME_JAVA_OPTS": FROM_SECRET, "JAVA_OPTS": off}
    assert read(given) == (UNKNOWN, f"ACME_JAVA_OPTS, {there}")


@pytest.mark.parametrize(
    ("before", "setting"),
    [
        ("-Xmx4g -Dx='1 2'", OFF),
        ("--add-opens java.base/java.lang=ALL-UNNAMED -cp a.jar", OFF),
        ("", OFF),
        ("-Dx='1", UNKNOWN),
        ("-Dx=1\\", UNKNOWN),
        ("-jar other.war", UNKNOWN),
        ("-Xmx4g Main", UNKNOWN),
        ("-m acme/acme.Main", UNKNOWN),
        ("$(MORE)", UNKNOWN),
    ],
)
def test_what_stands_before_may_take_the_word_for_its_own(before: str, setting: Setting) -> None:
    assert read({"JAVA_OPTS": before, "ACME_JAVA_OPTS": f"{BEGINS}true"})[0] is setting


def test_an_env_from_may_set_any_of_them() -> None:
    given = container("acme", env={"JAVA_OPTS": "-Xmx4g"})
    given["envFrom"] = [{"secretRef": {"name": "more"}}]
    template = read_template({"metadata": {}, "spec": {"containers": [given]}})
    assert read_switch(template.containers[0], SWITCH).source is ReadingSource.ENV_FROM


@given(
    st.lists(st.sampled_from([f"{BEGINS}true", f"{BEGINS}false", "-Xmx1g", "'", '"', "\\", " "]))
)
@examples(300)
def test_a_shell_never_sees_another_setting_than_is_read(parts: list[str]) -> None:
    value = " ".join(parts)
    setting = read({"ACME_JAVA_OPTS": value})[0]
    try:
        words = shlex.split(value)
    except ValueError:
        return
    found = [word.removeprefix(BEGINS) for word in words if word.startswith(BEGINS)]
    real = {"true": OFF, "false": ON}.get(found[-1], UNKNOWN) if found else UNSET
    assert setting in (real, UNKNOWN)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"disabled": "true"}, "the value true does not begin with -Dacme.quiet="),
        ({"enabled": "-Dacme.loud=true"}, "the value -Dacme.loud=true does not begin"),
        ({"aliases": ["ACME_OPTS"]}, "excludes configProperty"),
        ({"word": {"begins": BEGINS, "weaker": ["ACME_JAVA_OPTS"]}}, "weaker than itself"),
    ],
)
def test_a_word_that_contradicts_the_rest_is_refused(changed: Any, said: str) -> None:
    switch = {"semantics": "Start", "env": {**_ENV, **changed}}
    rules = [{"default": "On", "switches": [switch]}]
    given = {
        "title": "Acme",
        "images": [{"pattern": "acme/widget"}],
        "channels": [{"name": "Usage", "rules": rules}],
    }
    with pytest.raises(ProductError, match=said):
        Product.compile("acme", msgspec.convert(given, TelemetryProductSpec))
