"""Forms of settings that look harmless and are not: none of them is called compliant."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from fleet_telemetry.api.policy import ChannelName
from fleet_telemetry.api.reasons import Reason
from fleet_telemetry.api.workload_telemetry import State
from fleet_telemetry.evidence.verdict import Verdict
from fleet_telemetry.switches.edits import EditCause, Trigger
from tests.support.builders import (
    DIGEST,
    DTRACK_4,
    DTRACK_5,
    EMQX,
    EMQX_SWITCH,
    SONAR_SWITCH,
    SONARQUBE,
    V4_SWITCH,
    V5_OFF,
    WORKER,
    WORKER_SWITCH,
    claimed,
    container,
    decide,
    manifest,
    pod_of,
    policy,
    under,
)
from tests.support.every import every

_SONAR_OFF = {SONAR_SWITCH: "false"}
_WORKER_OFF = {WORKER_SWITCH: ""}
_ON = " -Dsonar.telemetry.enable=true"
_CRON = "dt.task.telemetry-submission.cron"


def _verdict(
    image: str, env: Mapping[str, str], *, pod_image: str = "", more: object = ()
) -> Verdict:
    extra = {"envFrom": more} if more else {}
    stands = claimed(manifest(container(image, env=env, **extra)))
    runs = manifest(container(pod_image or image, env=env, **extra))
    given = under(policy()).input(stands, Trigger.RECONCILE, pods=(pod_of(runs),))
    return next(one for one in decide(given).verdicts if one.channel is ChannelName.USAGE)


@pytest.mark.parametrize("variable", ["JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS"])
@pytest.mark.parametrize("value", ["-Xmx1g$(MORE)", "-Dfoo=$(MORE)", "-Xmx1g $(MORE)"])
def test_a_reference_may_insert_arguments(variable: str, value: str) -> None:
    found = _verdict(SONARQUBE, {"MORE": _ON, variable: value, **_SONAR_OFF})
    assert (found.state, found.reason) == (State.UNKNOWN, Reason.SWITCH_OVERRIDDEN)
    # One word, and a name that nothing can set, insert none.
    one_word = _verdict(SONARQUBE, {"MORE": "512m", variable: "-Dfoo=$(MORE)", **_SONAR_OFF})
    no_name = _verdict(SONARQUBE, {variable: "-Dfoo=$(MORE)", **_SONAR_OFF})
    assert (one_word.state, no_name.state) == (State.COMPLIANT, State.COMPLIANT)
    source = [{"configMapRef": {"name": "more"}}]
    from_map = _verdict(SONARQUBE, {variable: "-Dfoo=$(MORE)", **_SONAR_OFF}, more=source)
    assert from_map.state is State.UNKNOWN


@pytest.mark.parametrize("variable", ["JAVA_OPTIONS", "EXTRA_JAVA_OPTIONS", "JAVA_TOOL_OPTIONS"])
def test_a_reference_may_insert_arguments_of_a_property(variable: str) -> None:
    env = {"MORE": f" -D{_CRON}=0", variable: "-Xmx1g$(MORE)", **V5_OFF}
    assert _verdict(DTRACK_5, env).state is State.UNKNOWN


@pytest.mark.parametrize("variable", ["JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS"])
def test_an_argument_without_a_value_sets_an_empty_property(variable: str) -> None:
    found = _verdict(SONARQUBE, {variable: "-Dsonar.telemetry.enable", **_SONAR_OFF})
    assert (found.state, found.reason) == (State.NON_COMPLIANT, Reason.SWITCH_OVERRIDDEN)
    longer = _verdict(SONARQUBE, {variable: "-Dsonar.telemetry.enabled", **_SONAR_OFF})
    assert longer.state is State.COMPLIANT


@pytest.mark.parametrize("profiles", ["a,b", "b,a", "{a,b}", "{b, a}"])
def test_a_property_of_several_profiles_counts_for_each(profiles: str) -> None:
    option = f"-D%{profiles}.{_CRON}=0".replace(" ", "")
    found = _verdict(DTRACK_5, {"JAVA_OPTIONS": option, "DT_CONFIG_PROFILE": "a", **V5_OFF})
    assert found.state is not State.COMPLIANT
    other = _verdict(DTRACK_5, {"JAVA_OPTIONS": option, "DT_CONFIG_PROFILE": "c", **V5_OFF})
    assert other.state is State.COMPLIANT


@pytest.mark.parametrize(
    "variable",
    [
        "SRC_TELEMETRY_EVENTS_EXPORT_ALL",
        "SRC_TELEMETRY_EVENTS_EXPORT_ALL_worker",
        "EXPORT_USAGE_DATA_ENABLED",
        "EXPORT_USAGE_DATA_ENABLED_worker",
    ],
)
def test_a_variable_that_forces_sending_may_be_a_reference(variable: str) -> None:
    forced = _verdict(WORKER, {"FORCE": "true", variable: "$(FORCE)", **_WORKER_OFF})
    assert forced.state is State.UNKNOWN
    assert _verdict(WORKER, {variable: "1", **_WORKER_OFF}).state is State.NON_COMPLIANT
    assert _verdict(WORKER, {variable: "false", **_WORKER_OFF}).state is State.COMPLIANT


@pytest.mark.parametrize("value", ["{b64}dHJ1ZQ==", " {aes}abc", "\x01true"])
def test_a_value_that_the_product_decodes_is_not_understood(value: str) -> None:
    assert _verdict(SONARQUBE, {SONAR_SWITCH: value}).state is not State.COMPLIANT


@pytest.mark.parametrize("tag", [":7.9-community", ":1187", ":latest", DIGEST])
def test_what_every_version_may_have_proves_nothing_of_a_pod(tag: str) -> None:
    """Version 7.9 does not read the variable."""
    found = _verdict(SONARQUBE, _SONAR_OFF, pod_image=f"sonarqube{tag}")
    assert (found.state, found.reason) == (State.UNKNOWN, Reason.VERSION_UNREADABLE)


_PATHS = ("data", "/data/", "//data", "/data/../data", "/./data/.dependency-track", "/")


@pytest.mark.parametrize("path", _PATHS)
def test_the_path_of_a_volume_has_many_forms(path: str) -> None:
    mounts = {"volumeMounts": [{"name": "data", "mountPath": path}]}
    volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]
    given = manifest(
        container(DTRACK_4, env={V4_SWITCH: "false"}, **mounts), pod={"volumes": volumes}
    )
    plan = decide(under(policy()).input(claimed(given), Trigger.RECONCILE, pods=(pod_of(given),)))
    assert [(one.state, one.reason) for one in plan.verdicts] == [
        (State.UNKNOWN, Reason.SEED_NOT_PROVEN)
    ]


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("BASH_FUNC_exec%%", "() { unset SONAR_TELEMETRY_ENABLE; builtin exec $@; }"),
        ("SHELLOPTS", "xtrace"),
        ("JAVA_HOME", "/scripts"),
        ("SONAR_JAVA_PATH", "/scripts/java"),
    ],
)
def test_a_variable_may_put_a_program_in_front(variable: str, value: str) -> None:
    found = _verdict(SONARQUBE, {variable: value, **_SONAR_OFF})
    assert (found.state, found.reason) == (State.UNKNOWN, Reason.COMMAND_OVERRIDDEN)


@every("variable", ["ERL_FLAGS", "ERL_AFLAGS", "ERL_ZFLAGS", "ERL_OTP26_FLAGS", "EPMD_ARGS"])
@every(
    ("value", "state"),
    [
        ("-env EMQX_TELEMETRY__ENABLE true", State.UNKNOWN),
        ("+S 4 -eval os:putenv(x)", State.UNKNOWN),
        ("'-s' module", State.UNKNOWN),
        ("-e'nv' EMQX_TELEMETRY__ENABLE true", State.UNKNOWN),
        ("\\-env EMQX_TELEMETRY__ENABLE true", State.UNKNOWN),
        ("-S module", State.UNKNOWN),
        ("-loader inet", State.UNKNOWN),
        ("$(MORE)", State.UNKNOWN),
        ("+S 4:4 -kernel inet_dist_listen_min 4370", State.COMPLIANT),
    ],
)
def test_erlang_arguments_may_set_variables(variable: str, value: str, state: State) -> None:
    assert _verdict(EMQX, {EMQX_SWITCH: "false", variable: value}).state is state


@pytest.mark.parametrize("variable", ["ERL_LIBS", "CERL_DETACHED_PROG"])
def test_a_variable_may_put_other_code_into_the_emulator(variable: str) -> None:
    found = _verdict(EMQX, {EMQX_SWITCH: "false", variable: "/scripts"})
    assert (found.state, found.reason) == (State.UNKNOWN, Reason.COMMAND_OVERRIDDEN)


@pytest.mark.parametrize(
    "variable",
    [
        "EMQX_telemetry",
        "EMQX_Telemetry",
        "EMQX_TElEMETRY",
        "EMQX_TELEMETRy",
        "HOCON_ENV_OVERRIDE_PREFIX",
    ],
)
def test_a_whole_section_or_another_prefix_overrides_the_switch(variable: str) -> None:
    found = _verdict(EMQX, {EMQX_SWITCH: "false", variable: "{enable=true}"})
    assert (found.state, found.reason) == (State.UNKNOWN, Reason.SWITCH_OVERRIDDEN)
    capitals = _verdict(EMQX, {EMQX_SWITCH: "false", "EMQX_TELEMETRY": "{enable=true}"})
    assert capitals.state is State.COMPLIANT


@pytest.mark.parametrize(
    ("injection", "says"), [({}, EditCause.INJECTED), ({"when": "Never"}, EditCause.DROPPED)]
)
def test_nothing_is_said_to_be_dropped_that_was_perhaps_never_there(
    injection: dict[str, str], says: EditCause
) -> None:
    source = [{"secretRef": {"name": "jdbc"}}]
    before = claimed(manifest(container(SONARQUBE, envFrom=source)))
    written = under(policy(injection=injection)).update(
        before, claimed(manifest(container(SONARQUBE)))
    )
    (change,) = written.plan.changes
    assert change.cause is says
    assert ("may have been" in change.note) is (says is EditCause.DROPPED)


@pytest.mark.parametrize(
    ("template", "pod", "expected"),
    [
        ("apiserver:4.12.7", "apiserver:4.12.6", (State.COMPLIANT, Reason.NO_TELEMETRY_IN_VERSION)),
        ("apiserver:4.12.7", "apiserver:4.14.3", (State.PENDING, Reason.PODS_OUTDATED)),
        ("apiserver:4.12.7", "bundled:5.0.4", (State.PENDING, Reason.PODS_OUTDATED)),
        ("apiserver:4.12.7", "apiserver:latest", (State.UNKNOWN, Reason.VERSION_UNREADABLE)),
        ("apiserver:4.12.7", f"apiserver{DIGEST}", (State.UNKNOWN, Reason.VERSION_UNREADABLE)),
    ],
)
def test_a_version_without_telemetry_says_nothing_of_pods_of_another(
    template: str, pod: str, expected: tuple[State, Reason]
) -> None:
    found = _verdict(f"dependencytrack/{template}", {}, pod_image=f"dependencytrack/{pod}")
    assert (found.state, found.reason) == expected


def test_a_container_that_only_the_pod_has_counts() -> None:
    wanted = container(SONARQUBE, name="a", env=_SONAR_OFF)
    stands = claimed(manifest(wanted))
    runs = manifest(wanted, container(SONARQUBE, name="b"))
    given = under(policy()).input(stands, Trigger.RECONCILE, pods=(pod_of(runs),))
    found = next(one for one in decide(given).verdicts if one.channel is ChannelName.USAGE)
    assert (found.state, found.reason) == (State.PENDING, Reason.PODS_OUTDATED)
