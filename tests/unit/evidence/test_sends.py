"""Whether a channel sends something, whatever policies say."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_telemetry.api.policy import ChannelName, Policy
from fleet_telemetry.api.product.setting import Setting
from fleet_telemetry.api.reasons import EgressReason, Reason
from fleet_telemetry.api.workload_telemetry import EgressVerdict, Sends, State
from fleet_telemetry.catalogue.catalogue import builtin
from fleet_telemetry.decision import Plan, decide, with_egress
from fleet_telemetry.evidence.egress import EgressFinding
from fleet_telemetry.evidence.report import Reported
from fleet_telemetry.evidence.seed import VolumeClaimFacts
from fleet_telemetry.evidence.sends_sentences import sends_sentence
from fleet_telemetry.evidence.verdict import SendsFinding
from fleet_telemetry.linting.table import ChannelRow
from fleet_telemetry.switches.edits import Trigger
from fleet_telemetry.workloads.workload import PodPhase
from tests.support.builders import (
    DTRACK_4,
    NOW,
    OWNER,
    V4_SWITCH,
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
from tests.support.decision_strategies import SWITCH_OF_IMAGE, manifests, policy_sets
from tests.support.depth import examples
from tests.support.every import every
from tests.support.table_rows import tables
from tests.unit.evidence.test_verdict import CASES, FAULTS, Case

YES, NO, UNKNOWN = Sends.YES, Sends.NO, Sends.UNKNOWN
KEY = ("acme", ChannelName.USAGE)
SWITCH = {"semantics": "Start", "env": {"name": "ACME", "disabled": "no", "enabled": "yes"}}
SECOND = {"semantics": "Start", "env": {"name": "MORE", "disabled": "no", "enabled": "yes"}}
SEED = {**SWITCH, "semantics": "Seed"}
RUNTIME = {"semantics": "Runtime"}
SUMMARY = "The server posts its version daily. More of it follows."
WHAT = "The server posts its version daily."
ASKED = {"runtime": {"credentials": [{"product": "acme", "secretRef": {"name": "key"}}]}}
AUDITS = policy("audits", mode="Audit", additionalProducts=["acme"], **ASKED)
OFF, ON = {"ACME": "no"}, {"ACME": "yes"}
FROM_MAP = {"ACME": {"configMapKeyRef": {"name": "settings", "key": "acme"}}}


def rule(**more: Any) -> dict[str, Any]:
    return {"default": "On", "switches": [SWITCH], **more}


def acme(env: dict[str, Any] | None, tag: str = "2.0.0", **shape: Any) -> Manifest:
    more = shape.pop("more", {})
    return manifest(container(f"acme/acme:{tag}", env=env, **more), **shape)


def plan_of(
    *rules: dict[str, Any],
    env: dict[str, Any] | None = None,
    tag: str = "2.0.0",
    pods: list[Manifest] | None = None,
    reported: Reported | None = None,
    phase: PodPhase = PodPhase.RUNNING,
    in_file: bool = False,
    active: bool = False,
    **shape: Any,
) -> Plan:
    """The decision on acme; without a policy unless the product reports."""
    channel = {"name": "Usage", "summary": SUMMARY, "rules": list(rules)}
    images = [{"pattern": "acme/acme", "onlyContainers": ["app"]}]
    api = {"adapter": "EMQX", "port": 80}
    found = product("acme", images=images, channels=[channel], api=api)
    policies = () if reported is None else (AUDITS,)
    cluster = under(*policies, catalogue=catalogue(found))
    present = acme(env, tag, **shape)
    started = [present] if pods is None else pods
    given = cluster.input(
        present,
        Trigger.RECONCILE,
        pods=tuple(pod_of(pod, f"it-{at}", phase=phase) for at, pod in enumerate(started)),
        reported={} if reported is None else {KEY: reported},
        active_parts=active,
    )
    if in_file:
        given = replace(given, workload=replace(given.workload, created=None, uid=""))
    return decide(given)


def answer(plan: Plan) -> tuple[Sends, Reason]:
    found = sends_of(plan)
    return found.sends, found.reason


def sends_of(plan: Plan) -> SendsFinding:
    found = plan.verdicts[0].sends
    assert found is not None
    return found


ON_CRON: dict[str, Any] = {"kind": "CronJob", "pods": []}
SUSPENDS = {"semantics": "Start", "suspend": True}
NO_TELEMETRY = {"default": "NoTelemetry"}
REMEDY = "Set ACME to no in the container, or give it the flag --quiet."


@every(
    ("plan", "expected"),
    [
        # The default counts, and so does what is set.
        (plan_of(rule()), (YES, Reason.DEFAULT_APPLIES)),
        (plan_of(rule(), env=ON), (YES, Reason.RUNNING_IN_EVERY_POD)),
        (plan_of(rule(), env=OFF), (NO, Reason.RUNNING_IN_EVERY_POD)),
        (plan_of(rule(default="Off")), (NO, Reason.DEFAULT_APPLIES)),
        (plan_of(rule(default="Off"), env=ON), (YES, Reason.RUNNING_IN_EVERY_POD)),
        (plan_of(rule(default="ByLicence")), (UNKNOWN, Reason.DEFAULT_UNKNOWN)),
        (plan_of(rule(default="Unknown")), (UNKNOWN, Reason.DEFAULT_UNKNOWN)),
        (plan_of(rule(default="Unknown"), env=OFF), (NO, Reason.RUNNING_IN_EVERY_POD)),
        (plan_of(NO_TELEMETRY), (NO, Reason.NO_TELEMETRY_IN_VERSION)),
        (plan_of(rule(), env=FROM_MAP), (UNKNOWN, Reason.CONFIG_MAP_NOT_READ)),
        (plan_of(rule(), env={"ACME": "perhaps"}), (UNKNOWN, Reason.VALUE_NOT_UNDERSTOOD)),
        # No switch outside the product.
        (plan_of(rule(switches=[])), (YES, Reason.NO_EFFECTIVE_SWITCH)),
        (plan_of(rule(switches=[RUNTIME])), (YES, Reason.NOT_REPORTED)),
        (
            plan_of(rule(switches=[]), reported=Reported(Setting.DISABLED)),
            (NO, Reason.REPORTED),
        ),
        (
            plan_of(rule(switches=[RUNTIME]), reported=Reported(fault=Reason.UNREACHABLE)),
            (YES, Reason.NOT_REPORTED),
        ),
        (
            plan_of(rule(switches=[], default="ByLicence")),
            (UNKNOWN, Reason.NO_EFFECTIVE_SWITCH),
        ),
        (plan_of(rule(switches=[], default="Off")), (UNKNOWN, Reason.NO_EFFECTIVE_SWITCH)),
        (plan_of(rule(switches=[RUNTIME], default="Unknown")), (UNKNOWN, Reason.NOT_REPORTED)),
        # The user has done what the catalogue advises.
        (
            plan_of(rule(switches=[], remedy=REMEDY), env=OFF),
            (UNKNOWN, Reason.NO_EFFECTIVE_SWITCH),
        ),
        (
            plan_of(rule(switches=[], remedy=REMEDY), more={"args": ["--quiet=true"]}),
            (UNKNOWN, Reason.NO_EFFECTIVE_SWITCH),
        ),
        (
            plan_of(rule(switches=[], remedy=REMEDY), env={"OTHER": "no"}),
            (YES, Reason.NO_EFFECTIVE_SWITCH),
        ),
        (
            plan_of(rule(switches=[]), more={"command": ["sh", "-c", "sleep 1"]}),
            (UNKNOWN, Reason.COMMAND_OVERRIDDEN),
        ),
        (
            plan_of(rule(), more={"command": ["sh", "-c", "sleep 1"]}),
            (UNKNOWN, Reason.COMMAND_OVERRIDDEN),
        ),
        # All of several switches must be off.
        (
            plan_of(rule(switches=[SWITCH, SECOND]), env=OFF),
            (YES, Reason.DEFAULT_APPLIES),
        ),
        (
            plan_of(rule(switches=[SWITCH, SECOND]), env={**OFF, "MORE": "no"}),
            (NO, Reason.RUNNING_IN_EVERY_POD),
        ),
        (
            plan_of(rule(switches=[{**SWITCH, "sufficient": True}, SECOND]), env=OFF),
            (NO, Reason.RUNNING_IN_EVERY_POD),
        ),
        (
            plan_of(rule(switches=[{**SWITCH, "sufficient": True}, SECOND]), env=FROM_MAP),
            (UNKNOWN, Reason.CONFIG_MAP_NOT_READ),
        ),
        # What the switches leave is still sent.
        (plan_of(rule(leaves="one event"), env=OFF), (YES, Reason.PARTLY_DISABLED)),
        (
            plan_of(rule(leaves="one event"), env=OFF, reported=Reported(Setting.DISABLED)),
            (YES, Reason.PARTLY_DISABLED),
        ),
        (
            plan_of(
                rule(versions=["<2"], leaves="one event"),
                rule(versions=[">=2"]),
                env=OFF,
                pods=[acme(OFF, "1.0.0")],
            ),
            (YES, Reason.PARTLY_DISABLED),
        ),
        (
            plan_of(
                rule(versions=["<2"], leaves="one event"),
                rule(versions=[">=2"]),
                tag="latest",
                env=OFF,
                reported=Reported(Setting.DISABLED),
            ),
            (UNKNOWN, Reason.PARTLY_DISABLED),
        ),
        # A report overrides everything.
        (
            plan_of(rule(), env=OFF, reported=Reported(Setting.ENABLED)),
            (YES, Reason.REPORTED),
        ),
        (
            plan_of(rule(), env=OFF, reported=Reported(Setting.ENABLED, restart_needed=True)),
            (YES, Reason.RESTART_NEEDED),
        ),
        (
            plan_of(rule(), tag="latest", reported=Reported(Setting.ENABLED)),
            (YES, Reason.REPORTED),
        ),
        (
            plan_of(rule(), reported=Reported(Setting.DISABLED)),
            (UNKNOWN, Reason.RESTART_MAY_UNDO),
        ),
        (
            plan_of(rule(switches=[SEED]), env=ON, reported=Reported(Setting.DISABLED)),
            (NO, Reason.REPORTED),
        ),
        (
            plan_of(
                rule(switches=[{**SWITCH, "sufficient": True}, RUNTIME]),
                env=OFF,
                reported=Reported(Setting.ENABLED),
            ),
            (NO, Reason.RUNNING_IN_EVERY_POD),
        ),
        # Pods and templates that differ: Yes, if either sends.
        (plan_of(rule(), env=OFF, pods=[acme(ON)]), (YES, Reason.PODS_OUTDATED)),
        (plan_of(rule(), env=OFF, pods=[acme(OFF), acme({})]), (YES, Reason.PODS_OUTDATED)),
        (plan_of(rule(), env=OFF, pods=[acme(FROM_MAP)]), (UNKNOWN, Reason.PODS_OUTDATED)),
        (plan_of(rule(), env=FROM_MAP, pods=[acme(ON)]), (YES, Reason.RUNNING_IN_EVERY_POD)),
        (plan_of(rule(), env=ON, pods=[acme(OFF)]), (YES, Reason.NEXT_PODS_SEND)),
        (
            plan_of(
                rule(versions=["<2"]),
                {**NO_TELEMETRY, "versions": [">=2"]},
                pods=[acme({}, "1.0.0")],
            ),
            (YES, Reason.PODS_OUTDATED),
        ),
        # Nothing runs.
        (plan_of(rule(), env=OFF, replicas=0, pods=[]), (NO, Reason.SCALED_TO_ZERO)),
        (plan_of(rule(), replicas=0, pods=[]), (YES, Reason.SCALED_TO_ZERO)),
        (plan_of(rule(switches=[]), replicas=0, pods=[]), (YES, Reason.NO_EFFECTIVE_SWITCH)),
        (plan_of(rule(), env=OFF, pods=[]), (UNKNOWN, Reason.NO_PODS)),
        (plan_of(rule(), pods=[]), (YES, Reason.NO_PODS)),
        (plan_of(rule(), suspend=True, **ON_CRON), (YES, Reason.SCALED_TO_ZERO)),
        (plan_of(rule(), env=OFF, suspend=True, **ON_CRON), (NO, Reason.SCALED_TO_ZERO)),
        (
            plan_of(rule(), kind="CronJob", phase=PodPhase.SUCCEEDED),
            (YES, Reason.DEFAULT_APPLIES),
        ),
        (
            plan_of(rule(), env=ON, kind="CronJob", phase=PodPhase.SUCCEEDED),
            (YES, Reason.LAST_RUN_COMPLIANT),
        ),
        (
            plan_of(rule(), env=OFF, kind="CronJob", phase=PodPhase.SUCCEEDED),
            (NO, Reason.LAST_RUN_COMPLIANT),
        ),
        # The last run is over, and the next one is off.
        (
            plan_of(
                rule(),
                env=OFF,
                kind="CronJob",
                phase=PodPhase.SUCCEEDED,
                pods=[acme(ON, kind="CronJob")],
            ),
            (UNKNOWN, Reason.PODS_OUTDATED),
        ),
        # The switch suspends the CronJob.
        (
            plan_of(rule(switches=[SUSPENDS]), suspend=True, **ON_CRON),
            (NO, Reason.CRON_JOB_SUSPENDED),
        ),
        (plan_of(rule(switches=[SUSPENDS]), **ON_CRON), (YES, Reason.NO_PODS)),
        (
            plan_of(rule(switches=[SUSPENDS]), suspend=True, active=True, **ON_CRON),
            (UNKNOWN, Reason.JOB_STILL_RUNS),
        ),
        (
            plan_of(rule(switches=[SUSPENDS]), suspend=True, kind="CronJob", pods=[acme({})]),
            (YES, Reason.JOB_STILL_RUNS),
        ),
        # Another controller's pods may be injected, and are the evidence.
        (
            plan_of(rule(), kind="StatefulSet", owner=OWNER, pods=[]),
            (UNKNOWN, Reason.NO_PODS),
        ),
        (
            plan_of(rule(), kind="StatefulSet", owner=OWNER, replicas=0, pods=[]),
            (UNKNOWN, Reason.NO_PODS),
        ),
        (
            plan_of(rule(), kind="StatefulSet", owner=OWNER, pods=[acme(OFF)]),
            (NO, Reason.RUNNING_IN_EVERY_POD),
        ),
        (plan_of(rule(), kind="StatefulSet", owner=OWNER), (YES, Reason.DEFAULT_APPLIES)),
        # A seed: the data of a cluster may be older; that of a file's new installation is not.
        (plan_of(rule(switches=[SEED])), (UNKNOWN, Reason.SEED_NOT_PROVEN)),
        (plan_of(rule(switches=[SEED]), env=ON), (UNKNOWN, Reason.SEED_NOT_PROVEN)),
        (plan_of(rule(switches=[SEED]), env=OFF), (UNKNOWN, Reason.SEED_NOT_PROVEN)),
        (plan_of(rule(switches=[SEED]), in_file=True), (YES, Reason.SEED_NOT_PROVEN)),
        (plan_of(rule(switches=[SEED]), env=ON, in_file=True), (YES, Reason.SEED_NOT_PROVEN)),
        (
            plan_of(rule(switches=[SEED]), in_file=True, replicas=0, pods=[]),
            (YES, Reason.SEED_NOT_PROVEN),
        ),
        (plan_of(rule(switches=[SEED]), env=OFF, in_file=True), (UNKNOWN, Reason.SEED_NOT_PROVEN)),
        (
            plan_of(rule(switches=[SEED]), env=FROM_MAP, in_file=True),
            (UNKNOWN, Reason.SEED_NOT_PROVEN),
        ),
        (
            plan_of(rule(switches=[SEED], default="Unknown"), in_file=True),
            (UNKNOWN, Reason.SEED_NOT_PROVEN),
        ),
        # A product that does not start, and one whose version nobody knows.
        (
            plan_of(rule(refuses=[{"env": "OLD", "effect": "it stops"}]), env={"OLD": "1"}),
            (UNKNOWN, Reason.REFUSED_VARIABLE),
        ),
        (plan_of(rule(versions=["<2"]), tag="latest"), (UNKNOWN, Reason.VERSION_UNREADABLE)),
        (plan_of(rule(versions=["<2"])), (UNKNOWN, Reason.VERSION_NOT_COVERED)),
    ],
)
def test_what_is_answered(plan: Plan, expected: tuple[Sends, Reason]) -> None:
    assert answer(plan) == expected
    found = sends_of(plan)
    assert found.message.startswith(sends_sentence(*expected))
    says_what = found.sends is YES and found.reason is not Reason.PARTLY_DISABLED
    assert found.message.endswith(WHAT) is says_what
    assert _speaks_of_no_policy(found)


def _speaks_of_no_policy(found: SendsFinding) -> bool:
    return (
        found.reason not in (Reason.AUDIT_ONLY, Reason.OVERRULED, Reason.SWITCH_CONTESTED)
        and "AuditOnly" not in found.message
        and "desired setting" not in found.message
    )


def test_one_container_that_sends_is_not_hidden_by_another_one() -> None:
    channel = {"name": "Usage", "rules": [rule()]}
    cluster = under(catalogue=catalogue(product("acme", channels=[channel])))
    image = "acme/acme:2.0.0"
    both = manifest(container(image, env=OFF), container(image, name="b", env=ON))
    plan = decide(cluster.input(both, Trigger.RECONCILE, pods=(pod_of(both),)))
    assert answer(plan) == (YES, Reason.RUNNING_IN_EVERY_POD)


def test_a_switch_that_two_policies_contest_is_as_it_is_set() -> None:
    rules = [rule()]
    channels = [{"name": name, "rules": rules} for name in ("ErrorReport", "Usage")]
    found = product("acme", channels=channels)
    wishes = (policy("a"), policy("b", channels=["ErrorReport"], submission="Enabled"))
    for env, sends in (({"ACME": "perhaps"}, UNKNOWN), (ON, YES), (OFF, NO)):
        present = acme(env)
        for policies in ((), wishes):
            cluster = under(*policies, catalogue=catalogue(found))
            plan = decide(cluster.input(present, Trigger.RECONCILE, pods=(pod_of(present),)))
            answers = {one.sends.sends for one in plan.verdicts if one.sends is not None}
            assert answers == {sends}
            reasons = {one.sends.reason for one in plan.verdicts if one.sends is not None}
            assert Reason.SWITCH_CONTESTED not in reasons


def test_a_default_says_nothing_of_a_version_that_nobody_has_verified() -> None:
    versions = {"lines": [{"lowest": "1.0.0", "verified": "2.0", "highest": "3.0"}]}
    channels = [{"name": "Usage", "rules": [rule(switches=[])]}]
    cluster = under(catalogue=catalogue(product("acme", versions=versions, channels=channels)))
    for tag, expected in (
        ("2.0.0", (YES, Reason.NO_EFFECTIVE_SWITCH)),
        ("2.5.0", (UNKNOWN, Reason.VERSION_NOT_VERIFIED)),
    ):
        present = acme({}, tag)
        plan = decide(cluster.input(present, Trigger.RECONCILE, pods=(pod_of(present),)))
        assert answer(plan) == expected


def test_what_a_users_product_says_of_itself_is_shown_on_one_line() -> None:
    channel = {"name": "Usage", "summary": "It sends\n\x1b[31m its version\u2028.  No more. " * 9}
    found = product("acme", channels=[{**channel, "rules": [rule()]}])
    present = acme({})
    cluster = under(catalogue=catalogue(found))
    plan = decide(cluster.input(present, Trigger.RECONCILE, pods=(pod_of(present),)))
    assert sends_of(plan).what == "It sends [31m its version."
    long = product("acme", channels=[{"name": "Usage", "summary": "x" * 2048, "rules": [rule()]}])
    plan = decide(under(catalogue=catalogue(long)).input(present, Trigger.RECONCILE))
    assert sends_of(plan).what == ""


DENIED = EgressFinding(EgressVerdict.DENIED, EgressReason.EVERY_ADDRESS_DENIED)


@pytest.mark.parametrize(
    ("plan", "expected"),
    [
        (plan_of(rule()), Reason.HOSTS_DENIED),
        (plan_of(rule(leaves="one event"), env=OFF), Reason.HOSTS_DENIED),
        (plan_of(rule(), tag="latest"), Reason.HOSTS_DENIED),
        (plan_of(rule(), env=OFF), Reason.RUNNING_IN_EVERY_POD),
    ],
)
def test_the_network_keeps_it_from_sending(plan: Plan, expected: Reason) -> None:
    for verdict in EgressVerdict:
        found = with_egress(plan, {KEY: replace(DENIED, verdict=verdict)})
        is_denied = verdict is EgressVerdict.DENIED
        assert answer(found) == ((NO, expected) if is_denied else answer(plan))
    assert with_egress(plan, {}).verdicts == plan.verdicts
    # The policy's own verdict stays what it is without switches.
    assert (sends_of(plan).sends is NO) or with_egress(plan, {KEY: DENIED}) != plan


def test_a_seed_that_is_proven_answers_both_ways() -> None:
    data = {"volumeMounts": [{"name": "data", "mountPath": "/data"}]}
    pod = {"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "it-data"}}]}
    fresh = {"it-data": VolumeClaimFacts("uid-1", NOW, began_empty=True)}
    for env, expected in (({V4_SWITCH: "false"}, NO), ({V4_SWITCH: "true"}, YES), ({}, YES)):
        present = manifest(container(DTRACK_4, env=env, **data), generation=1, created=NOW, pod=pod)
        cluster = under()
        given = cluster.input(present, Trigger.RECONCILE, pods=(pod_of(present),), claims=fresh)
        assert sends_of(decide(given)).sends is expected


@pytest.mark.thorough
@every("case", CASES.values(), ids=list(CASES))
def test_every_situation_of_a_verdict_has_an_answer_that_fits_it(case: Case) -> None:
    plan = case.plan()
    for verdict in plan.verdicts:
        found = verdict.sends
        assert found is not None
        assert _speaks_of_no_policy(found)
        if verdict.state is State.COMPLIANT and verdict.desired is not None:
            is_off = verdict.desired == "Disabled"
            assert found.sends is (NO if is_off else YES) or found.reason is Reason.NO_PODS


def test_every_reason_has_a_sentence_that_needs_no_policy() -> None:
    reasons = set(Reason) - FAULTS
    for sends in (YES, NO):
        own = {one for one in reasons if sends_sentence(sends, one) != one.meaning}
        for one in own:
            assert sends_sentence(sends, one).endswith(".")
    for one in Reason:
        if one in _ONLY_OF_POLICIES:
            continue
        sentence = sends_sentence(UNKNOWN, one)
        assert "the policy has" not in sentence, one
        assert "is the desired" not in sentence, one


_ONLY_OF_POLICIES = {
    # Compliant is Yes or No, and these are reasons for what a policy does or does not write.
    *(Reason.RUNNING_IN_EVERY_POD, Reason.DEFAULT_APPLIES, Reason.REPORTED),
    *(
        Reason.AUDIT_ONLY,
        Reason.CONTRARY_VALUE_KEPT,
        Reason.INJECTION_OFF,
        Reason.VALUE_MAY_HOLD_MORE,
    ),
}


# Whatever there is in a cluster.


@st.composite
def plans(draw: st.DrawFn) -> tuple[Manifest, tuple[Any, ...], dict[Any, Reported]]:
    present = draw(manifests())
    older = draw(st.sampled_from((None, "same", "other")))
    pods: tuple[Any, ...] = ()
    if older is not None:
        started = present if older == "same" else draw(manifests())
        phase = draw(st.sampled_from((PodPhase.RUNNING, PodPhase.SUCCEEDED)))
        pods = (pod_of(present, "it-0"), pod_of(started, "it-1", phase=phase))
    setting = draw(st.sampled_from((None, Setting.ENABLED, Setting.DISABLED)))
    names = ("dependency-track", "sonarqube", "emqx", "sourcegraph")
    reported = {(name, ChannelName.USAGE): Reported(setting) for name in names} if setting else {}
    return present, pods, reported


EVERY = {"channels": [*ChannelName], "mode": "Audit", "asked": True}
WANTS_OFF = policy("off", submission="Disabled", **EVERY)
WANTS_ON = policy("on", submission="Enabled", **EVERY)


@examples(150)
@given(plans(), policy_sets())
def test_no_is_what_would_be_compliant_and_no_policy_changes_an_answer(
    found: tuple[Manifest, tuple[Any, ...], dict[Any, Reported]], others: tuple[Policy, ...]
) -> None:
    present, pods, reported = found

    def decided(*policies: Policy, told: bool) -> Plan:
        more = {"reported": reported} if told else {}
        return decide(under(*policies).input(present, Trigger.RECONCILE, pods=pods, **more))

    off, on = decided(WANTS_OFF, told=True), decided(WANTS_ON, told=True)
    for verdict in off.verdicts:
        assert verdict.sends is not None
        assert (verdict.sends.sends is NO) is (verdict.state is State.COMPLIANT)
        if verdict.state is State.NON_COMPLIANT:
            assert verdict.sends.sends is not NO
        assert _speaks_of_no_policy(verdict.sends)
    assert [one.sends for one in on.verdicts] == [one.sends for one in off.verdicts]
    for verdict in on.verdicts:
        if verdict.state is State.COMPLIANT and verdict.reason is not Reason.SCALED_TO_ZERO:
            assert verdict.sends is not None
            assert verdict.sends.sends is YES
    without = decided(told=False)
    silent = decided(*others, WANTS_OFF, told=False)
    assert [one.sends for one in silent.verdicts] == [one.sends for one in without.verdicts]


def test_the_images_of_these_examples_have_channels() -> None:
    assert any("sonarqube" in image for image in SWITCH_OF_IMAGE)


def _rows() -> list[tuple[str, ChannelRow]]:
    known = builtin().products
    return [
        (name, row)
        for name, table in tables().items()
        if known[name].spec.images
        for row in table.channels
    ]


@pytest.mark.thorough
def test_every_row_of_every_table_has_an_answer_that_fits_its_verdict() -> None:
    rows = _rows()
    assert len(rows) > 300
    for name, row in rows:
        for image in row.images[:2]:
            _check_row(name, row, image)


def _check_row(name: str, row: ChannelRow, image: str) -> None:
    words = {"command": list(row.command), "args": list(row.args)}
    more = {key: value for key, value in words.items() if value}
    env = dict(row.env) or None
    present = manifest(container(image, name=row.container, env=env, **more), kind=row.kind.value)
    cluster = under(policy(channels=[row.channel], mode="Audit"))
    plan = decide(cluster.input(present, Trigger.RECONCILE, pods=(pod_of(present),)))
    verdict = next(
        one for one in plan.verdicts if (one.product, one.channel) == (name, row.channel)
    )
    found = verdict.sends
    assert found is not None
    assert (found.sends is NO) is (verdict.state is State.COMPLIANT), (name, image)
    assert _speaks_of_no_policy(found), (name, image, found)
    # What a policy would have to switch off, and is not doubtful, is sent.
    if verdict.state is State.NON_COMPLIANT and verdict.reason is Reason.AUDIT_ONLY:
        assert found.sends is YES or found.reason in _IN_DOUBT, (name, image, found)


_IN_DOUBT = {
    *(Reason.SEED_NOT_PROVEN, Reason.OPT_OUT_PERSISTS, Reason.SETTING_PERSISTS),
    Reason.VERSION_NOT_VERIFIED,
}


def test_the_manifest_of_a_workload_in_a_file_has_no_time_of_creation() -> None:
    given = acme({})
    del given["metadata"]["creationTimestamp"]
    assert workload(given).created is None
