"""A label leaves a workload out: nothing of it is changed, and policies still decide on it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from fleet_telemetry.api.policy import ChannelName
from fleet_telemetry.api.reasons import Reason
from fleet_telemetry.api.workload_telemetry import State
from fleet_telemetry.decision import Plan, decide
from fleet_telemetry.evidence.verdict import Verdict
from fleet_telemetry.switches.edits import Trigger
from fleet_telemetry.workloads.registry import TEMPLATE_PATHS
from fleet_telemetry.workloads.template_reading import read_template
from tests.support.builders import (
    DTRACK_5,
    OWNER,
    SONAR_SWITCH,
    SONARQUBE,
    V4_SWITCH,
    Cluster,
    Manifest,
    container,
    manifest,
    pod_manifest,
    policy,
)
from tests.support.every import every

LABEL = "fleettelemetry.io/inject"
IMMEDIATE = {"when": "Always", "rollout": "Immediate"}
CLUSTER = Cluster((policy(injection=IMMEDIATE),))
KINDS = ["Deployment", "StatefulSet", "DaemonSet", "CronJob", "Job"]


def labelled(given: Manifest, value: str, *, on_pods: bool) -> Manifest:
    """With the label, on the workload or on its pod template."""
    if not on_pods:
        given["metadata"]["labels"][LABEL] = value
        return given
    template: Any = given
    for key in TEMPLATE_PATHS[given["kind"]]:
        template = template[key]
    template["metadata"]["labels"] = {**template["metadata"]["labels"], LABEL: value}
    return given


def usage(plan: Plan) -> Verdict:
    return next(found for found in plan.verdicts if found.channel is ChannelName.USAGE)


@every("on_pods", [False, True])
@every("value", ["disabled", "false"])
@every("kind", KINDS)
@every("trigger", Trigger)
def test_nothing_is_changed(trigger: Trigger, kind: str, value: str, on_pods: bool) -> None:
    given = labelled(manifest(container(SONARQUBE), kind=kind), value, on_pods=on_pods)
    assert decide(CLUSTER.input(given, trigger)).changes == ()
    if trigger is Trigger.CREATE:
        assert decide(CLUSTER.input(manifest(container(SONARQUBE), kind=kind), trigger)).edits


@pytest.mark.parametrize("value", ["Disabled", "enabled", "true", "no", ""])
def test_another_value_says_nothing(value: str) -> None:
    given = labelled(manifest(container(SONARQUBE)), value, on_pods=False)
    assert decide(CLUSTER.input(given, Trigger.CREATE)).edits


@pytest.mark.parametrize("on_pods", [False, True])
def test_nor_is_a_pod_of_a_workload_with_a_foreign_template(on_pods: bool) -> None:
    owner = labelled(manifest(container(SONARQUBE), owner=OWNER), "disabled", on_pods=on_pods)
    for whole, count in ((owner, 0), (manifest(container(SONARQUBE), owner=OWNER), 1)):
        given = CLUSTER.input(whole, Trigger.CREATE)
        pod = replace(given.workload, template=read_template(pod_manifest(whole)))
        assert len(decide(replace(given, workload=pod, is_pod=True)).edits) == count


def test_not_even_a_variable_that_keeps_the_product_from_starting() -> None:
    # It may be what the label is there for.
    bare = manifest(container(DTRACK_5, env={V4_SWITCH: "false"}))
    assert decide(CLUSTER.input(bare, Trigger.RECONCILE)).edits
    given = labelled(bare, "disabled", on_pods=False)
    assert decide(CLUSTER.input(given, Trigger.RECONCILE)).edits == ()


@pytest.mark.parametrize("kind", ["TelemetryPolicy", "ClusterTelemetryPolicy"])
@pytest.mark.parametrize("on_pods", [False, True])
def test_no_policys_verdict_is_escaped(kind: str, on_pods: bool) -> None:
    cluster = Cluster((policy(kind=kind, injection=IMMEDIATE),))
    given = labelled(manifest(container(SONARQUBE)), "disabled", on_pods=on_pods)
    found = usage(decide(cluster.input(given, Trigger.RECONCILE)))
    assert (found.state, found.reason) == (State.NON_COMPLIANT, Reason.LEFT_OUT_BY_LABEL)


def test_what_opts_out_by_itself_complies() -> None:
    given = manifest(container(SONARQUBE, env={SONAR_SWITCH: "false"}))
    plain, left_out = (
        usage(decide(CLUSTER.input(one, Trigger.RECONCILE)))
        for one in (given, labelled(given, "disabled", on_pods=False))
    )
    assert plain == left_out
