"""What a manifest says of a switch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from fleet_telemetry.api.policy import ChannelName, Submission
from fleet_telemetry.api.product.setting import DefaultState, Setting
from fleet_telemetry.api.product.switch import Switch
from fleet_telemetry.catalogue.catalogue import builtin
from fleet_telemetry.catalogue.matching import match_containers
from fleet_telemetry.switches.desired import injectable_rule
from fleet_telemetry.switches.overrides import read_switch
from fleet_telemetry.switches.reading import (
    ReadingSource,
    SwitchReading,
    farthest_from,
    is_expanded,
    nearest_to_sending,
    setting_of,
    with_default,
)
from tests.support.builders import (
    DTRACK_4,
    DTRACK_5,
    EMQX,
    EMQX_SWITCH,
    FROM_SECRET,
    SONAR_SWITCH,
    SONARQUBE,
    SONARQUBE_9_8,
    V4_SWITCH,
    V5_SWITCH,
    WORKER,
    WORKER_SWITCH,
    container,
    manifest,
    workload,
)
from tests.support.every import every

ENABLED, DISABLED, UNSET, UNKNOWN = (
    Setting.ENABLED,
    Setting.DISABLED,
    Setting.UNSET,
    Setting.UNKNOWN,
)


def read(image: str, env: Mapping[str, Any] | None = None, **more: Any) -> SwitchReading:
    """What a container declares of the channel Usage."""
    template = workload(manifest(container(image, env=env, **more))).template
    (target,) = match_containers(template, builtin())
    rule = injectable_rule(target, ChannelName.USAGE)
    assert rule is not None
    return read_switch(target.container, rule.switches[0])


@every(
    ("image", "env", "meaning"),
    [
        (DTRACK_4, {}, UNSET),
        (DTRACK_4, {V4_SWITCH: "true"}, ENABLED),
        (DTRACK_4, {V4_SWITCH: " TRUE "}, ENABLED),
        (DTRACK_4, {V4_SWITCH: "false"}, DISABLED),
        (DTRACK_4, {V4_SWITCH: "yes"}, DISABLED),
        (DTRACK_4, {V4_SWITCH: ""}, UNSET),
        (DTRACK_4, {V4_SWITCH: None}, UNSET),
        (DTRACK_4, {V5_SWITCH: "false"}, UNSET),
        (DTRACK_5, {V5_SWITCH: "oui"}, ENABLED),
        (DTRACK_5, {V5_SWITCH: "what"}, DISABLED),
        (DTRACK_5, {"dt.telemetry.submission.default-enabled": "on"}, ENABLED),
        (SONARQUBE, {SONAR_SWITCH: "true"}, ENABLED),
        (SONARQUBE, {"SONAR_TELEMETRY_ENABLED": "false"}, UNSET),
        (EMQX, {EMQX_SWITCH: "false"}, DISABLED),
        (EMQX, {"EMQX_telemetry__Enable": "true"}, ENABLED),
        (EMQX, {"emqx_telemetry__enable": "false"}, UNSET),
        (EMQX, {EMQX_SWITCH: "False"}, UNKNOWN),
        (EMQX, {EMQX_SWITCH: ""}, UNKNOWN),
        (WORKER, {}, UNSET),
        (WORKER, {WORKER_SWITCH: ""}, DISABLED),
        (WORKER, {WORKER_SWITCH: "gateway:443"}, ENABLED),
        (WORKER, {"SRC_TELEMETRY_EVENTS_EXPORT_ALL": "false"}, UNSET),
        (SONARQUBE, {SONAR_SWITCH: "$(OTHER)"}, UNKNOWN),
        (SONARQUBE, {SONAR_SWITCH: "${OTHER}"}, UNKNOWN),
        (SONARQUBE, {SONAR_SWITCH: "$OTHER"}, DISABLED),
    ],
)
def test_the_meaning_of_a_variable(image: str, env: dict[str, str], meaning: Setting) -> None:
    found = read(image, env)
    assert found.setting is meaning
    assert found.source is (
        ReadingSource.VARIABLE if found.detail in env else ReadingSource.NOTHING
    )


@every(
    ("image", "given", "meaning", "source"),
    [
        (SONARQUBE, {"env": {SONAR_SWITCH: FROM_SECRET}}, UNKNOWN, ReadingSource.REFERENCE),
        (SONARQUBE, {"envFrom": [{"secretRef": {"name": "x"}}]}, UNKNOWN, ReadingSource.ENV_FROM),
        (
            SONARQUBE,
            {"env": {SONAR_SWITCH: "false"}, "envFrom": [{"secretRef": {"name": "x"}}]},
            DISABLED,
            ReadingSource.VARIABLE,
        ),
        (
            EMQX,
            {"env": {EMQX_SWITCH: "false", "EMQX_telemetry__enable": "true"}},
            UNKNOWN,
            ReadingSource.AMBIGUOUS,
        ),
        (EMQX, {"env": {"EMQX_TELEMETRY": "{enable=false}"}}, UNKNOWN, ReadingSource.VARIABLE),
        (
            EMQX,
            {"env": {"EMQX_TELEMETRY": "{enable=false}", EMQX_SWITCH: "true"}},
            ENABLED,
            ReadingSource.VARIABLE,
        ),
        (
            EMQX,
            {"env": {"EMQX_telemetry": "x", EMQX_SWITCH: "false"}},
            UNKNOWN,
            ReadingSource.OVERRIDE,
        ),
        # Arguments beat the variable, wherever they come from; the last one counts.
        (SONARQUBE, {"args": ["-Dsonar.telemetry.enable=true"]}, ENABLED, ReadingSource.OVERRIDE),
        (
            SONARQUBE,
            {"command": ["-Dsonar.telemetry.enable=false"]},
            DISABLED,
            ReadingSource.OVERRIDE,
        ),
        (
            SONARQUBE,
            {"args": ["-Dsonar.telemetry.enable=true", "x", "-Dsonar.telemetry.enable=false"]},
            DISABLED,
            ReadingSource.OVERRIDE,
        ),
        (
            SONARQUBE,
            {"args": ["-Dsonar.telemetry.enable=true"], "env": {SONAR_SWITCH: "false"}},
            ENABLED,
            ReadingSource.OVERRIDE,
        ),
        (SONARQUBE, {"args": ["-Dsonar.telemetry.enable=$(X)"]}, UNKNOWN, ReadingSource.OVERRIDE),
        (SONARQUBE, {"args": ["--sonar.telemetry.enable=true"]}, UNSET, ReadingSource.NOTHING),
        # An argument that becomes one of the name only when it is used.
        (SONARQUBE, {"args": ["$(X)"]}, UNKNOWN, ReadingSource.OVERRIDE),
        (SONARQUBE, {"args": ["-Dsonar.$(X)"]}, UNKNOWN, ReadingSource.OVERRIDE),
        (
            SONARQUBE,
            {"args": ["-Dsonar.telemetry.enable=false", "$(X)"]},
            UNKNOWN,
            ReadingSource.OVERRIDE,
        ),
        (SONARQUBE, {"args": ["-Dsonar.name=$(X)"]}, UNSET, ReadingSource.NOTHING),
        (SONARQUBE, {"args": ["@/scripts/options"]}, UNKNOWN, ReadingSource.OVERRIDE),
        (
            SONARQUBE,
            {"env": {"JDK_JAVA_OPTIONS": "@/scripts/options", SONAR_SWITCH: "false"}},
            UNKNOWN,
            ReadingSource.OVERRIDE,
        ),
        (
            SONARQUBE,
            {"env": {"JAVA_TOOL_OPTIONS": "-XX:Flags=/x $(X)"}},
            UNKNOWN,
            ReadingSource.OVERRIDE,
        ),
        (
            SONARQUBE,
            {"env": {"_JAVA_OPTIONS": "-Xmx1g -Dsonar.telemetry.enable=true"}},
            ENABLED,
            ReadingSource.OVERRIDE,
        ),
        (SONARQUBE, {"env": {"_JAVA_OPTIONS": "-Xmx1g"}}, UNSET, ReadingSource.NOTHING),
        (SONARQUBE, {"env": {"_JAVA_OPTIONS": FROM_SECRET}}, UNKNOWN, ReadingSource.REFERENCE),
        # What beats most stands first, whatever the order in the manifest.
        (
            SONARQUBE,
            {
                "args": ["-Dsonar.telemetry.enable=false"],
                "env": {"_JAVA_OPTIONS": "-Dsonar.telemetry.enable=true"},
            },
            ENABLED,
            ReadingSource.OVERRIDE,
        ),
        # Dotted variables become arguments in images before 9.9 only.
        (
            SONARQUBE_9_8,
            {"env": {"sonar.telemetry.enable": "true"}},
            ENABLED,
            ReadingSource.OVERRIDE,
        ),
        (SONARQUBE, {"env": {"sonar.telemetry.enable": "true"}}, UNSET, ReadingSource.NOTHING),
        (
            WORKER,
            {"env": {WORKER_SWITCH: "", "SRC_TELEMETRY_EVENTS_EXPORT_ALL": "True"}},
            ENABLED,
            ReadingSource.OVERRIDE,
        ),
        (
            WORKER,
            {"env": {WORKER_SWITCH: "", f"{WORKER_SWITCH}_worker": "gateway:443"}},
            ENABLED,
            ReadingSource.OVERRIDE,
        ),
    ],
)
def test_what_says_so(
    image: str, given: dict[str, Any], meaning: Setting, source: ReadingSource
) -> None:
    found = read(image, **given)
    assert (found.setting, found.source) == (meaning, source)


@pytest.mark.parametrize(
    ("image", "name"), [(SONARQUBE, SONAR_SWITCH), (EMQX, "EMQX_telemetry__enable")]
)
def test_the_last_entry_of_a_name_counts(image: str, name: str) -> None:
    given = manifest(container(image))
    given["spec"]["template"]["spec"]["containers"][0]["env"] = [
        {"name": name, "value": "true"},
        {"name": name, "value": "false"},
    ]
    (target,) = match_containers(workload(given).template, builtin())
    rule = injectable_rule(target, ChannelName.USAGE)
    assert rule is not None
    assert read_switch(target.container, rule.switches[0]).setting is DISABLED


def test_a_switch_without_a_variable_says_nothing() -> None:
    template = workload(manifest(container(SONARQUBE))).template
    found = read_switch(template.containers[0], Switch(semantics="Runtime"))  # type: ignore[arg-type]
    assert found == SwitchReading(UNKNOWN, ReadingSource.NOTHING)


@pytest.mark.parametrize(
    ("default", "meaning"),
    [
        (DefaultState.ON, ENABLED),
        (DefaultState.OFF, DISABLED),
        (DefaultState.NO_TELEMETRY, DISABLED),
        (DefaultState.BY_LICENCE, UNKNOWN),
        (DefaultState.UNKNOWN, UNKNOWN),
    ],
)
def test_an_unset_switch_comes_to_the_default(default: DefaultState, meaning: Setting) -> None:
    assert with_default(SwitchReading(UNSET, ReadingSource.NOTHING), default) == SwitchReading(
        meaning, ReadingSource.DEFAULT
    )
    for other in (ENABLED, DISABLED, UNKNOWN):
        reading = SwitchReading(other, ReadingSource.VARIABLE, "A")
        assert with_default(reading, default) is reading


@pytest.mark.parametrize(
    ("value", "expanded"),
    [
        ("$(A)", True),
        ("x$(A)y", True),
        ("${A}", True),
        ("$$(A)", True),
        ("$A", False),
        ("(A)", False),
        ("", False),
    ],
)
def test_what_is_expanded(value: str, *, expanded: bool) -> None:
    assert is_expanded(value) is expanded


def test_several_readings_come_to_the_one_nearest_to_sending() -> None:
    assert nearest_to_sending([]) is UNKNOWN
    assert nearest_to_sending([DISABLED, UNKNOWN, UNSET, ENABLED]) is ENABLED
    assert nearest_to_sending([DISABLED, UNKNOWN, UNSET]) is UNSET
    assert nearest_to_sending([DISABLED, UNKNOWN]) is UNKNOWN
    assert nearest_to_sending([DISABLED, DISABLED]) is DISABLED


def test_the_reading_farthest_from_a_wish() -> None:
    meanings = (ENABLED, DISABLED, UNSET, UNKNOWN)
    readings = [SwitchReading(meaning, ReadingSource.VARIABLE) for meaning in meanings]
    for wanted, contrary in ((ENABLED, DISABLED), (DISABLED, ENABLED)):
        left = list(readings)
        order = []
        while left:
            farthest = farthest_from(wanted, left)
            order.append(farthest.setting)
            left.remove(farthest)
        assert order == [contrary, UNSET, UNKNOWN, wanted]


def test_a_wish_means_what_it_says() -> None:
    assert setting_of(Submission.DISABLED) is DISABLED
    assert setting_of(Submission.ENABLED) is ENABLED
