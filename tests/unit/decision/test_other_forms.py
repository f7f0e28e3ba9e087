"""Forms of settings that look harmless and are not: none of them is called compliant."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from fleet_telemetry.api.policy import ChannelName
from fleet_telemetry.api.reasons import Reason
from fleet_telemetry.api.workload_telemetry import State
from fleet_telemetry.evidence.verdict import Verdict
from fleet_telemetry.switches.edits import Trigger
from tests.support.builders import (
    DIGEST,
    DTRACK_5,
    SONAR_SWITCH,
    SONARQUBE,
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
