"""Which containers of pods count as evidence for those of the pod template."""

from __future__ import annotations

from typing import Any

import pytest

from fleet_telemetry.api.policy import ChannelName
from fleet_telemetry.api.reasons import Reason
from fleet_telemetry.api.workload_telemetry import Sends, Setting, State
from fleet_telemetry.decision import decide
from fleet_telemetry.evidence.verdict import Verdict
from fleet_telemetry.switches.edits import Trigger
from tests.support.builders import (
    SONAR_SWITCH,
    SONARQUBE,
    container,
    manifest,
    pod_of,
    policy,
    under,
)

ALL_IN_ONE = "hyperdx/hyperdx-all-in-one:2.1.0"
APP = "hyperdx/hyperdx:2.1.0"
"""Another component of the same product, with the same switch. It sends by default."""
OFF = {"USAGE_STATS_ENABLED": "false"}
SONAR = container(SONARQUBE, env={SONAR_SWITCH: "false"})
UNKNOWN_IMAGE = "mirror.example/abc:1"


def verdict(template: Any, *pods: Any) -> Verdict:
    """On a workload that was opted out."""
    given = manifest(template)
    asked = under(policy()).input(given, Trigger.RECONCILE, pods=pods)
    return next(one for one in decide(asked).verdicts if one.channel is ChannelName.USAGE)


def running(*containers: Any) -> Any:
    """A pod with these containers."""
    return pod_of(manifest(*containers), f"pod-of-{len(containers)}-{containers[0]['image']}")


@pytest.mark.parametrize(
    "pod",
    [
        [container(APP)],
        [container(APP, name="another")],
        # A webhook that adds a container.
        [container(ALL_IN_ONE, env=OFF), container(APP, name="added")],
    ],
    ids=["in its place", "by another name", "beside it"],
)
def test_a_component_that_the_template_does_not_have_counts(pod: list[Any]) -> None:
    template = container(ALL_IN_ONE, env=OFF)
    assert verdict(template, running(template)).state is State.COMPLIANT

    found = verdict(template, running(template), running(*pod))

    assert (found.state, found.reason) == (State.PENDING, Reason.PODS_OUTDATED)
    assert found.observed("running").effect is not Setting.DISABLED
    assert found.sends is not None
    assert found.sends.sends is Sends.YES


def test_one_that_is_switched_off_as_well_counts_for_it() -> None:
    template = container(ALL_IN_ONE, env=OFF)

    found = verdict(template, running(template), running(container(APP, env=OFF)))

    assert found.state is State.COMPLIANT


@pytest.mark.parametrize("env", [{}, {SONAR_SWITCH: "false"}])
def test_an_unknown_image_in_its_place_may_be_anything(env: dict[str, str]) -> None:
    found = verdict(SONAR, running(SONAR), running(container(UNKNOWN_IMAGE, env=env)))

    assert (found.state, found.reason) == (State.UNKNOWN, Reason.VERSION_UNREADABLE)
    assert f"Image: {UNKNOWN_IMAGE}, 1 of 2 pods." in found.message
    assert found.observed("running").setting is Setting.UNKNOWN
    assert found.sends is not None
    assert found.sends.sends is Sends.UNKNOWN


@pytest.mark.parametrize(
    "pod",
    [
        [SONAR, container("docker.io/istio/proxyv2:1.27.0", name="istio-proxy")],
        [container(UNKNOWN_IMAGE), {**SONAR, "name": "renamed"}],
    ],
    ids=["a sidecar", "the product is in another one"],
)
def test_other_unknown_images_are_nobodys(pod: list[Any]) -> None:
    assert verdict(SONAR, running(SONAR), running(*pod)).state is State.COMPLIANT


def test_another_product_in_its_place_says_nothing_of_this_one() -> None:
    other = container("grafana/grafana:11.2.0")

    assert verdict(SONAR, running(SONAR), running(other)).state is State.COMPLIANT


@pytest.mark.parametrize(("number", "state"), [(64, State.COMPLIANT), (65, State.UNKNOWN)])
def test_very_many_of_other_names_show_nothing(number: int, state: State) -> None:
    others = [{**SONAR, "name": f"other-{n}"} for n in range(number)]

    assert verdict(SONAR, running(*others)).state is state
