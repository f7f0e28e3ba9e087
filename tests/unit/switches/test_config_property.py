"""How a property of MicroProfile Config is read: as a running Dependency-Track 5.0.4 reads it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_telemetry.api.product.channel import ChannelRule
from fleet_telemetry.api.product.setting import DefaultState, Setting
from fleet_telemetry.api.product.switch import Switch
from fleet_telemetry.switches.jvm import split_options
from fleet_telemetry.switches.overrides import read_switch
from fleet_telemetry.switches.reading import ReadingSource, SwitchReading, with_default
from fleet_telemetry.switches.registry import mechanism_of
from fleet_telemetry.workloads.workload import Container, EnvVar
from tests.support.depth import steady
from tests.support.every import every
from tests.support.manifest_strategies import WILD_TEXT
from tests.support.product_tables import rule_of

SEED = "DT_TELEMETRY_SUBMISSION_DEFAULT_ENABLED"
CRON = "DT_TASK_TELEMETRY_SUBMISSION_CRON"
LOWER, DOTTED = SEED.lower(), "dt.telemetry.submission.default-enabled"
D = f"-D{DOTTED}="
ON, OFF, UNKNOWN = Setting.ENABLED, Setting.DISABLED, Setting.UNKNOWN
OURS = {SEED: "false"}

Env = Mapping[str, str | None]


def five() -> ChannelRule:
    return rule_of("dependencytrack/apiserver:5.0.4")


def switch(name: str = SEED) -> Switch:
    return next(one for one in five().switches if one.env is not None and one.env.name == name)


def a_container(env: Env, args: Iterable[str] = (), *, env_from: bool = False) -> Container:
    entries = tuple(
        EnvVar(name, value or "", by_reference=value is None) for name, value in env.items()
    )
    return Container(
        0,
        "main",
        "dependencytrack/apiserver:5.0.4",
        args=tuple(args),
        env=entries,
        has_env_from=env_from,
    )


def read(env: Env, args: Iterable[str] = (), name: str = SEED, **more: Any) -> SwitchReading:
    return with_default(read_switch(a_container(env, args, **more), switch(name)), DefaultState.ON)


@every(
    ("value", "setting"),
    [
        *((word, ON) for word in ("true", "1", "yes", "y", "on", "oui", "ja", "j", "si", "sim")),
        *((word, ON) for word in ("TRUE", "Ja", " sim ", "", " ")),
        *((word, OFF) for word in ("false", "0", "no", "n", "off", "t", "disabled", "nein", "-")),
        # Evaluated: an unknown one is the default, which is on; a known one may be anything.
        *((word, UNKNOWN) for word in ("${x}", "${x:false}", "$(X)", "a${", None)),
    ],
)
def test_a_value_means_what_the_server_makes_of_it(value: str | None, setting: Setting) -> None:
    for name in (SEED, LOWER, DOTTED, "Dt_Telemetry.submission-DEFAULT_enabled"):
        assert read({name: value}).setting is setting


@pytest.mark.parametrize(
    ("env", "setting"),
    [
        # The exact name, then lower case, then capitals.
        ({SEED: "false", LOWER: "true"}, ON),
        ({SEED: "false", LOWER: ""}, ON),
        ({SEED: "true", LOWER: "false"}, OFF),
        ({SEED: "false", DOTTED: "true"}, ON),
        ({LOWER: "true", DOTTED: "false"}, OFF),
        ({SEED: "true", LOWER: "true", DOTTED: "false"}, OFF),
        # Any other spelling counts after those.
        ({SEED: "false", "DT_TELEMETRY_SUBMISSION_DEFAULT-ENABLED": "true"}, OFF),
        ({SEED: "false", "dt.telemetry.submission.default.enabled": "true"}, OFF),
        ({"dt.telemetry.submission.default.enabled": "false"}, OFF),
        ({"Dt_Telemetry_Submission_Default_Enabled": "false"}, OFF),
        # Which of several others does is not known.
        (
            {
                "Dt_Telemetry_Submission_Default_Enabled": "false",
                "dt.telemetry.submission.default.enabled": "false",
            },
            UNKNOWN,
        ),
        ({SEED: "false", LOWER: None}, UNKNOWN),
        ({"DT_TELEMETRY_SUBMISSION_DEFAULT_ENABLED_": "false"}, ON),
        ({"XDT_TELEMETRY_SUBMISSION_DEFAULT_ENABLED": "false"}, ON),
    ],
)
def test_one_of_several_spellings_counts(env: Env, setting: Setting) -> None:
    assert read(env).setting is setting
    found = mechanism_of(switch())
    assert found is not None
    entry = found.find(a_container(env), switch())
    if setting is not UNKNOWN and entry is not None:
        # What is edited is what counts.
        assert read({**env, entry.name: "false"}).setting is OFF
        assert read({**env, entry.name: "true"}).setting is ON


@every(
    ("ordinal", "setting"),
    [
        *((word, ON) for word in ("100", "0", "-1", "249", " 100 ")),
        *((word, OFF) for word in ("300", "261", "399", " 300 ")),
        *((word, UNKNOWN) for word in ("250", "260", "400", "500", "", "x", "1e2", "${x}", None)),
        *((word, UNKNOWN) for word in ("9" * 10_000, "--1", "\u0661", "2147483648")),
    ],
)
def test_an_ordinal_may_put_the_environment_behind_the_defaults(
    ordinal: str | None, setting: Setting
) -> None:
    for name in ("CONFIG_ORDINAL", "config_ordinal"):
        assert read({**OURS, name: ordinal}).setting is setting
        cron = read({CRON: "-", name: ordinal}, name=CRON)
        assert cron.setting is setting
        if setting is not OFF:
            assert cron.source is ReadingSource.OVERRIDE
    # Lower case is read first, and arguments do not depend on it.
    both = {**OURS, "config_ordinal": "300", "CONFIG_ORDINAL": "100"}
    assert read(both).setting is OFF
    assert read({"CONFIG_ORDINAL": "100"}, [f"{D}false"]).setting is OFF


CARRIERS = (
    "JAVA_TOOL_OPTIONS",
    "JDK_JAVA_OPTIONS",
    "JAVA_OPTIONS",
    "EXTRA_JAVA_OPTIONS",
    "_JAVA_OPTIONS",
)


@pytest.mark.parametrize("carrier", CARRIERS)
def test_arguments_of_the_jvm_count_before_the_environment(carrier: str) -> None:
    assert read({**OURS, carrier: f"-Xmx1g {D}true"}).setting is ON
    # Also empty, with a value or without.
    assert read({**OURS, carrier: D}).setting is ON
    assert read({**OURS, carrier: D.rstrip("=")}).setting is ON
    assert read({**OURS, carrier: f"{D}ja"}).setting is ON
    assert read({SEED: "true", carrier: f"{D}false"}).setting is OFF
    assert read({**OURS, carrier: f"{D}true {D}false"}).setting is OFF
    assert read({**OURS, carrier: f"{D}${{x}}"}).setting is UNKNOWN
    assert read({**OURS, carrier: "-Xmx1g"}).setting is OFF
    # Other names, and names in other spellings, are other properties.
    assert read({**OURS, carrier: f"-D{LOWER}=true {D.rstrip('=')}-x=true"}).setting is OFF


def test_the_last_argument_of_all_counts() -> None:
    for at, weaker in enumerate(CARRIERS[:-1]):
        for stronger in CARRIERS[at + 1 :]:
            env = {weaker: f"{D}true", stronger: f"{D}false"}
            assert read(env).setting is OFF
            assert read(dict(reversed(env.items()))).setting is OFF
    assert read({"JAVA_OPTIONS": f"{D}false"}, ["java", f"{D}true"]).setting is ON
    assert read({"_JAVA_OPTIONS": f"{D}false"}, ["java", f"{D}true"]).setting is OFF


@pytest.mark.parametrize(
    "env",
    [
        {"JAVA_OPTIONS": None},
        {"JAVA_OPTIONS": "$(MORE) -Xmx1g"},
        {"JAVA_OPTIONS": "-D$(NAME)=true"},
        {"JDK_JAVA_OPTIONS": "@/etc/jvm.args"},
        {"JAVA_TOOL_OPTIONS": "-XX:VMOptionsFile=/etc/jvm.args"},
        {"SMALLRYE_CONFIG_LOCATIONS": "/config"},
        {"smallrye.config.locations": "/config"},
        {"_WEB_SMALLRYE_CONFIG_LOCATIONS": "/config"},
        {"SMALLRYE_CONFIG_LOCATIONS": None},
        {"JAVA_OPTIONS": "-Dsmallrye.config.locations=/config"},
        {"JAVA_OPTIONS": "-D%web.smallrye.config.locations=/config"},
        {"JAVA_OPTIONS": "-Dconfig_ordinal=100"},
    ],
)
def test_what_cannot_be_read_makes_it_unknown(env: Env) -> None:
    for name, value in ((SEED, "false"), (CRON, "-")):
        assert read({name: value, **env}, name=name).setting is UNKNOWN
        assert read({name: value}, name=name).setting is OFF


def test_what_says_nothing_of_the_property_changes_nothing() -> None:
    for env in (
        {"JAVA_OPTIONS": "-Dx=$(Y) -Xmx1g", "SMALLRYE_CONFIG_LOCATIONS": ""},
        {"DT_CONFIG_PROFILE": "web"},
        {"_WEB_DT_TELEMETRY_SUBMISSION_DEFAULT_ENABLED": "true"},
        {"DT_CONFIG_PROFILE": "worker", "_WEB_DT_TELEMETRY_SUBMISSION_DEFAULT_ENABLED": "true"},
        {"JAVA_OPTIONS": f"-D%web.{DOTTED}=true"},
    ):
        assert read({**OURS, **env}).setting is OFF


@pytest.mark.parametrize(
    "name", ["DT_CONFIG_PROFILE", "SMALLRYE_CONFIG_PROFILE", "MP_CONFIG_PROFILE"]
)
def test_a_value_for_an_active_profile_counts_first(name: str) -> None:
    dotted = name.lower().replace("_", ".")
    for of_web in (f"_WEB_{SEED}", f"_web_{LOWER}", f"_Web_{SEED}"):
        for active in ({name: "web"}, {dotted: "web"}, {name: "a, web"}, {name: "WEB"}):
            assert read({**OURS, **active, of_web: "true"}).setting is ON
            assert read({**OURS, **active, of_web: ""}).setting is ON
            assert read({SEED: "true", **active, of_web: "false"}).setting is OFF
            assert read({**OURS, **active, of_web: None}).setting is UNKNOWN
        by_argument = {"JAVA_OPTIONS": f"-D{dotted}=web"}
        assert read({**OURS, **by_argument, of_web: "true"}).setting is ON
        for hidden in (None, "${x}", "$(X)"):
            assert read({**OURS, name: hidden, of_web: "true"}).setting is UNKNOWN
        # An argument for all profiles is the stronger source.
        env = {name: "web", of_web: "true", "JAVA_OPTIONS": f"{D}false"}
        assert read(env).setting is OFF
    argument = {"JAVA_OPTIONS": f"-D%web.{DOTTED}=true {D}false"}
    assert read({name: "web", **argument}).setting is ON
    assert read({name: None, **argument}).setting is UNKNOWN
    assert read({name: "a", **argument}).setting is OFF
    two = {name: "a,b", f"_A_{SEED}": "false", f"_B_{SEED}": "false"}
    assert read(two).setting is UNKNOWN


def test_an_argument_for_a_profile_counts_if_it_is_surely_the_one_that_is_read() -> None:
    on, off = {SEED: "true"}, f"-D%web.{DOTTED}=false"
    assert read({**on, "DT_CONFIG_PROFILE": "web", "JAVA_OPTIONS": off}).setting is OFF
    assert read({**on, "DT_CONFIG_PROFILE": "a", "JAVA_OPTIONS": off}).setting is ON
    # Another spelling is another profile, and which of several counts depends on their order.
    assert read({**on, "DT_CONFIG_PROFILE": "WEB", "JAVA_OPTIONS": off}).setting is UNKNOWN
    for profiles in ("web,a", "a,web", "{web}", "{a,web}", "a, web"):
        several = f'"-D%{profiles}.{DOTTED}=false"'
        env = {**on, "JAVA_TOOL_OPTIONS": several}
        assert read({**env, "DT_CONFIG_PROFILE": "web"}).setting is UNKNOWN
        assert read({**env, "DT_CONFIG_PROFILE": "b"}).setting is ON
    two = {**on, "DT_CONFIG_PROFILE": "a,web", "JAVA_OPTIONS": f"-D%a.{DOTTED}=true {off}"}
    assert read(two).setting is UNKNOWN
    for name in (f"%a,web.{DOTTED}", f"_A_WEB_{SEED}", f"_WEB_A_{SEED}"):
        assert read({**OURS, "DT_CONFIG_PROFILE": "web", name: "true"}).setting is UNKNOWN
        assert read({**OURS, "DT_CONFIG_PROFILE": "we", name: "true"}).setting is OFF


def test_which_of_two_settings_of_the_profile_counts_is_not_guessed() -> None:
    of_web = {SEED: "true", f"_WEB_{SEED}": "false"}
    other = {"JAVA_OPTIONS": "-Ddt.config.profile=worker"}
    assert read({**of_web, **other, "DT_CONFIG_PROFILE": "web"}).setting is UNKNOWN
    assert read({**of_web, **other}).setting is ON
    same = {"JAVA_OPTIONS": "-Ddt.config.profile=web"}
    assert read({**of_web, **same, "DT_CONFIG_PROFILE": "web"}).setting is OFF
    both = {"MP_CONFIG_PROFILE": "a", "SMALLRYE_CONFIG_PROFILE": "web"}
    assert read({**of_web, **both}).setting is UNKNOWN


def test_a_profile_may_come_from_a_config_map() -> None:
    of_web = {f"_WEB_{SEED}": "true"}
    assert read({**OURS, **of_web}, env_from=True).setting is UNKNOWN
    assert read({**OURS, **of_web, "DT_CONFIG_PROFILE": "a"}, env_from=True).setting is OFF
    assert read(OURS, env_from=True).setting is OFF
    assert read({}, env_from=True).source is ReadingSource.ENV_FROM


@pytest.mark.parametrize(
    ("value", "setting"),
    [
        ("-", OFF),
        ("0 */1 * * *", ON),
        (" - ", ON),
        ("--", ON),
        # What an empty one does has not been tried.
        ("", UNKNOWN),
        ("${x}", UNKNOWN),
    ],
)
def test_a_task_that_never_runs_sends_nothing(value: str, setting: Setting) -> None:
    for name in (CRON, CRON.lower(), "dt.task.telemetry-submission.cron"):
        assert read({name: value}, name=CRON).setting is setting
    argument = f"-Ddt.task.telemetry-submission.cron={value}"
    if " " not in value:
        assert read({CRON: "-"}, [argument], name=CRON).setting is setting
    assert read({CRON: "-", CRON.lower(): value}, name=CRON).setting is setting


@steady
@given(
    st.dictionaries(
        st.one_of(
            WILD_TEXT,
            st.sampled_from(
                [
                    SEED,
                    LOWER,
                    DOTTED,
                    *CARRIERS,
                    "CONFIG_ORDINAL",
                    "DT_CONFIG_PROFILE",
                    f"_A_{SEED}",
                ]
            ),
        ),
        st.one_of(st.none(), WILD_TEXT, st.sampled_from(["false", D, "100", "a", f"{D}false"])),
        max_size=6,
    ),
    st.lists(WILD_TEXT, max_size=3),
)
def test_whatever_a_container_has_it_is_read(env: Env, args: list[str]) -> None:
    for name in (SEED, CRON):
        found = read(env, args, name=name)
        assert found.setting in (ON, OFF, UNKNOWN)


@pytest.mark.parametrize("carrier", ["JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS"])
@pytest.mark.parametrize(
    "written", ['"{}"', "'{}'", '-Xmx1g "{}"', "-Dx='a b' '{}' -Dy", '-D"{}"', '-Dx="\'" {}']
)
def test_the_jvm_removes_quotes_from_its_own_variables(carrier: str, written: str) -> None:
    argument = f"{D}true"
    value = written.format(argument[2:] if written.startswith('-D"') else argument)
    assert read({**OURS, carrier: value}).setting is ON


def test_a_quoted_argument_is_one() -> None:
    assert read({**OURS, "JAVA_TOOL_OPTIONS": f"'-Dx=1 {D}true'"}).setting is OFF
    assert read({**OURS, "JAVA_TOOL_OPTIONS": f"-Dx=' {D}true"}).setting is OFF
    # A shell keeps quotes that stand in a variable.
    assert split_options("JAVA_OPTIONS", '"-Dx=1 2"') == ['"-Dx=1', '2"']


@every("space", ["\xa0", "\x1f", "\x85", "\u2003"])
def test_what_the_jvm_does_not_take_for_white_space_separates_no_arguments(space: str) -> None:
    text = f"-Dx=1{space}-Dy=2"
    assert split_options("JAVA_TOOL_OPTIONS", text) == [text]
    assert split_options("JAVA_OPTIONS", text) == [text]


@every("space", ["\r", "\f", "\v"])
def test_a_shell_splits_at_fewer_characters_than_the_jvm(space: str) -> None:
    text = f"-Dx=1{space}-Dy=2"
    assert split_options("_JAVA_OPTIONS", text) == ["-Dx=1", "-Dy=2"]
    assert split_options("JAVA_OPTIONS", text) == [text]


@steady
@given(WILD_TEXT, st.sampled_from(["JAVA_TOOL_OPTIONS", "JAVA_OPTIONS"]))
def test_without_quotes_options_are_words(text: str, variable: str) -> None:
    plain = text.replace("'", "").replace('"', "")
    # As isspace() of C and the shell's IFS see it. Python knows more white space.
    space = "[ \t\n]+" if variable == "JAVA_OPTIONS" else "[ \t\n\r\f\v]+"
    assert split_options(variable, plain) == [word for word in re.split(space, plain) if word]
    assert split_options("JAVA_TOOL_OPTIONS", f"'{plain}'") == [plain]
    split_options(variable, text)
