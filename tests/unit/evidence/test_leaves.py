"""What is still sent although a channel is disabled: no switch and no report makes it Compliant."""

from __future__ import annotations

from typing import Any

import pytest

from fleet_telemetry.api.policy import ChannelName
from fleet_telemetry.api.product.setting import Setting
from fleet_telemetry.api.reasons import EgressReason, Reason
from fleet_telemetry.api.workload_telemetry import EgressVerdict, State
from fleet_telemetry.decision import Plan, decide, with_egress
from fleet_telemetry.evidence.egress import EgressFinding
from fleet_telemetry.evidence.report import Reported
from fleet_telemetry.reporting.workload_status import build_workload_status
from fleet_telemetry.switches.edits import Trigger
from tests.support.builders import (
    NOW,
    Manifest,
    catalogue,
    container,
    manifest,
    pod_of,
    policy,
    product,
    under,
    workload,
)

KEY = ("acme", ChannelName.USAGE)
SWITCH = {"semantics": "Start", "env": {"name": "ACME", "disabled": "no", "enabled": "yes"}}
SEED = {**SWITCH, "semantics": "Seed"}
RUNTIME = {"semantics": "Runtime"}
LEFT = "one event at each start"
ASKED = {"runtime": {"credentials": [{"product": "acme", "secretRef": {"name": "key"}}]}}
SAYS_NO = Reported(Setting.DISABLED)
OFF = {"ACME": "no"}


def rule(**more: Any) -> dict[str, Any]:
    return {"default": "On", "switches": [SWITCH], **more}


def acme(env: dict[str, Any] | None, tag: str = "2.0.0", **shape: Any) -> Manifest:
    return manifest(container(f"acme/acme:{tag}", env=env), **shape)


def plan_of(
    *rules: dict[str, Any],
    env: dict[str, Any] | None = None,
    tag: str = "2.0.0",
    pod: Manifest | None = None,
    reported: Reported | None = None,
    shape: dict[str, Any] | None = None,
    **spec: Any,
) -> Plan:
    known = product(
        "acme",
        channels=[{"name": "Usage", "rules": list(rules)}],
        api={"adapter": "EMQX", "port": 80},
    )
    cluster = under(policy(**ASKED, **spec), catalogue=catalogue(known))
    present = acme(OFF if env is None else env, tag, **(shape or {}))
    pods = () if shape else (pod_of(pod or present),)
    found = {KEY: reported} if reported is not None else {}
    return decide(cluster.input(present, Trigger.RECONCILE, pods=pods, reported=found))


def states(plan: Plan) -> set[tuple[State | None, Reason | None]]:
    every = [*plan.verdicts, *(one for found in plan.by_policy for one in found.verdicts)]
    return {(one.state, one.reason) for one in every}


def finding(verdict: EgressVerdict) -> dict[tuple[str, ChannelName], EgressFinding]:
    return {KEY: EgressFinding(verdict, EgressReason.EVERY_ADDRESS_DENIED)}


def denied(plan: Plan) -> Plan:
    return with_egress(plan, finding(EgressVerdict.DENIED))


PARTLY = {(State.NOT_ENFORCEABLE, Reason.PARTLY_DISABLED)}
BOTH = {(State.COMPLIANT, Reason.REST_DENIED)}


@pytest.mark.parametrize(
    "plan",
    [
        plan_of(rule(leaves=LEFT)),
        plan_of(rule(leaves=LEFT), reported=SAYS_NO),
        plan_of(rule(leaves=LEFT, switches=[SEED]), reported=SAYS_NO),
        plan_of(rule(leaves=LEFT, switches=[RUNTIME]), reported=SAYS_NO),
        # The default is off, and no switch is set.
        plan_of(rule(leaves=LEFT, default="Off"), env={}),
        # Nothing runs now; what starts next sends it.
        plan_of(rule(leaves=LEFT), shape={"replicas": 0}),
        # The version is one of those that send it, or may be.
        plan_of(rule(leaves=LEFT), tag="latest", reported=SAYS_NO),
        plan_of(
            rule(versions=["<2"]),
            rule(versions=[">=2"], leaves=LEFT),
            tag="latest",
            reported=SAYS_NO,
        ),
        plan_of(rule(versions=["<2"]), rule(versions=[">=2"], leaves=LEFT)),
    ],
)
def test_no_switch_and_no_report_makes_it_compliant_and_the_network_does(plan: Plan) -> None:
    assert states(plan) == PARTLY
    assert f"What is left: {LEFT}." in plan.verdicts[0].message
    assert "spec.egress.action: Deny" in plan.verdicts[0].message
    for verdict in EgressVerdict:
        is_denied = verdict is EgressVerdict.DENIED
        assert states(with_egress(plan, finding(verdict))) == (BOTH if is_denied else PARTLY)
    assert states(with_egress(plan, {})) == PARTLY
    assert f"What is left: {LEFT}." in denied(plan).verdicts[0].message


@pytest.mark.parametrize(
    ("plan", "expected"),
    [
        # Of other versions nothing is left.
        (
            plan_of(rule(versions=["<2"], leaves=LEFT), rule(versions=[">=2"])),
            (State.COMPLIANT, Reason.RUNNING_IN_EVERY_POD),
        ),
        # The switch is missing, and the network does not put that right.
        (
            plan_of(rule(leaves=LEFT), env={"ACME": "yes"}, injection={"onConflict": "Keep"}),
            (State.NON_COMPLIANT, Reason.CONTRARY_VALUE_KEPT),
        ),
        (
            plan_of(rule(leaves=LEFT), pod=acme({})),
            (State.PENDING, Reason.PODS_OUTDATED),
        ),
        (
            plan_of(rule(leaves=LEFT), reported=Reported(Setting.ENABLED)),
            (State.NON_COMPLIANT, Reason.REPORTED_CONTRARY),
        ),
        # An opt-in asks for everything.
        (
            plan_of(rule(leaves=LEFT), env={"ACME": "yes"}, submission="Enabled"),
            (State.COMPLIANT, Reason.RUNNING_IN_EVERY_POD),
        ),
    ],
)
def test_other_findings_stay_whatever_the_network_does(
    plan: Plan, expected: tuple[State, Reason]
) -> None:
    assert states(plan) == {expected}
    assert states(denied(plan)) == {expected}


def test_an_older_pod_sends_what_its_version_leaves() -> None:
    rules = rule(versions=["<2"], leaves=LEFT), rule(versions=[">=2"])
    plan = plan_of(*rules, pod=acme(OFF, "1.0.0"))
    assert states(plan) == {(State.PENDING, Reason.PODS_OUTDATED)}
    assert f"1 of 1 pods. What is left: {LEFT}." in plan.verdicts[0].message
    assert states(denied(plan)) == BOTH


def test_one_container_that_waits_is_not_hidden_by_another_one_that_is_denied() -> None:
    known = product(
        "acme",
        channels=[{"name": "Usage", "rules": [rule(leaves=LEFT)]}],
    )
    cluster = under(policy(), catalogue=catalogue(known))
    image = "acme/acme:2.0.0"
    present = manifest(container(image, env=OFF), container(image, name="b", env=OFF))
    older = manifest(container(image, env=OFF), container(image, name="b"))
    plan = decide(cluster.input(present, Trigger.RECONCILE, pods=(pod_of(older),)))
    assert states(plan) == PARTLY
    assert states(denied(plan)) == {(State.PENDING, Reason.PODS_OUTDATED)}


def test_the_status_shows_both_together() -> None:
    plan = plan_of(rule(leaves=LEFT))
    for found, state, status in (
        (plan, State.NOT_ENFORCEABLE, "False"),
        (denied(plan), State.COMPLIANT, "True"),
    ):
        shown = build_workload_status(workload(acme(OFF)), found, None, NOW)
        assert shown.channels[0].state is state
        assert shown.conditions[0].status == status
