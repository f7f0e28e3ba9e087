"""What one decision says of a whole workload."""

from __future__ import annotations

from dataclasses import replace

from fleet_telemetry.api.policy import ChannelName, Policy
from fleet_telemetry.api.reasons import Reason
from fleet_telemetry.api.workload_telemetry import InjectedVariable, State
from fleet_telemetry.decision import Plan, decide, plan_injection
from fleet_telemetry.switches.edits import EditCause, Trigger
from fleet_telemetry.workloads.template_reading import read_template
from fleet_telemetry.workloads.workload import FieldOwners, Pod
from tests.support.builders import (
    DTRACK_4,
    EMQX,
    EMQX_SWITCH,
    FROM_SECRET,
    FRONTEND,
    NGINX,
    OWNER,
    SONAR_SWITCH,
    SONAR_UPDATES,
    SONARQUBE,
    V4_SWITCH,
    WORKER,
    Cluster,
    Manifest,
    claimed,
    container,
    manifest,
    pod_of,
    policy,
    under,
)

OFF = {SONAR_SWITCH: "false"}


def decided(given: Manifest, *policies: Policy, pods: tuple[Pod, ...] = ()) -> Plan:
    return decide(under(*policies).input(given, Trigger.RECONCILE, pods=pods))


def test_every_channel_that_the_containers_use_has_a_verdict_in_the_catalogues_order() -> None:
    given = manifest(
        container(FRONTEND, name="front"),
        container(SONARQUBE),
        container(WORKER, name="worker"),
        container(SONARQUBE, name="again"),
    )
    plan = decided(given, policy())
    assert [(v.product, v.channel) for v in plan.verdicts] == [
        ("sourcegraph", "Usage"),
        ("sonarqube", "Usage"),
        ("sonarqube", "UpdateCheck"),
    ]
    assert [v.state for v in plan.verdicts][2] is None


def test_the_admission_and_the_controller_decide_alike() -> None:
    given = claimed(manifest(container(SONARQUBE), container(DTRACK_4, name="dtrack")))
    for trigger in Trigger:
        asked = under(policy(injection={"rollout": "Immediate"})).input(given, trigger)
        brief, full = plan_injection(asked), decide(asked)
        assert (brief.edits, brief.skipped_edits, brief.effective) == (
            full.edits,
            full.skipped_edits,
            full.effective,
        )
        assert (brief.verdicts, brief.by_policy, brief.injected) == ((), (), ())


# What each policy makes of it.


def test_each_policy_judges_by_its_own_wish_and_learns_who_beat_it() -> None:
    given = claimed(manifest(container(SONARQUBE, env=OFF)))
    out = policy("out", channels=["Usage", "UpdateCheck"])
    into = policy("into", submission="Enabled", channels=["Usage", "UpdateCheck"])
    updates = policy("updates", channels=["UpdateCheck"], cluster=True)
    audit = policy("audit", mode="Audit")
    plan = decided(given, into, audit, out, updates, pods=(pod_of(given),))
    found = {entry.policy.name: entry for entry in plan.by_policy}
    assert found.keys() == {"out", "into", "updates", "audit"}

    lost = found["into"]
    assert lost.overruled_by == (out, updates)
    assert [(v.channel, v.state, v.reason) for v in lost.verdicts] == [
        ("Usage", State.NON_COMPLIANT, Reason.OVERRULED),
        # Nothing is set there, and the default is what this policy wishes.
        ("UpdateCheck", State.COMPLIANT, Reason.DEFAULT_APPLIES),
    ]
    # Policies that ask for the same do not conflict, whoever of them decides.
    for name in ("out", "updates", "audit"):
        assert found[name].overruled_by == ()
    assert found["out"].verdicts[1].policy is updates
    assert [v.channel for v in found["updates"].verdicts] == [ChannelName.UPDATE_CHECK]
    assert found["audit"].verdicts[0].state is State.COMPLIANT


def test_a_policy_that_wins_over_two_is_named_once() -> None:
    given = manifest(container(SONARQUBE))
    both = ["Usage", "UpdateCheck"]
    out = policy("out", channels=both)
    plan = decided(given, out, policy("into", submission="Enabled", channels=both))
    (lost,) = (found for found in plan.by_policy if found.policy.name == "into")
    assert lost.overruled_by == (out,)


def test_a_policy_that_covers_no_channel_of_the_workload_is_silent() -> None:
    given = manifest(container(SONARQUBE))
    for other in (
        policy(channels=["License"]),
        policy(products=["emqx"]),
        policy(selector={"matchLabels": {"tier": "gold"}}),
    ):
        plan = decided(given, other)
        assert plan.by_policy == ()
        assert plan.effective == {}


def test_an_exception_is_its_own_policys_business() -> None:
    workload = {"kind": "Deployment", "name": "it"}
    lifted = policy("lifted", exceptions=[{"workload": workload, "reason": "because"}])
    other = policy("other", submission="Enabled")
    given = manifest(container(SONARQUBE))
    plan = decided(given, lifted, other)
    states = {found.policy.name: found.verdicts[0].state for found in plan.by_policy}
    assert states == {"lifted": State.EXEMPT, "other": State.PENDING}
    assert all(found.overruled_by == () for found in plan.by_policy)
    (usage, _) = plan.verdicts
    assert usage.policy is other
    # Alone, it leaves nothing to decide on.
    (usage, _) = decided(given, lifted).verdicts
    assert (usage.state, usage.policy) == (State.EXEMPT, lifted)


def test_a_namespace_label_selects() -> None:
    selecting = policy(cluster=True, namespaceSelector={"matchLabels": {"team": "a"}})
    given = manifest(container(SONARQUBE))
    assert under(selecting).create(given).patch == []
    labelled = under(selecting, namespace_labels={"team": "a"})
    assert labelled.create(given).env == OFF


# What stands there because of us.


def injected(given: Manifest, *policies: Policy, **more: object) -> list[tuple[str, str, str]]:
    plan = decide(Cluster(policies, **more).input(given, Trigger.RECONCILE))  # type: ignore[arg-type]
    return [(entry.container, entry.name, entry.value) for entry in plan.injected]


def test_what_we_put_there_is_listed_with_or_without_a_policy() -> None:
    settings = [{"product": "emqx", "env": [{"name": "LOG", "value": "x"}]}]
    asking = policy(injection={"settings": settings})
    given = manifest(
        container(SONARQUBE, env={"A": "1"}),
        container(EMQX, name="emqx"),
        container(NGINX, name="side", env={"LOG": "x", SONAR_SWITCH: "false"}),
    )
    live = under(asking).create(given).manifest
    switches = [("app", SONAR_SWITCH, "false"), ("emqx", EMQX_SWITCH, "false")]
    assert injected(live, asking) == [*switches, ("emqx", "LOG", "x")]
    assert injected(live) == switches
    recorded = (InjectedVariable(container="emqx", name="LOG", value="x"),)
    assert injected(live, recorded=recorded) == [*switches, ("emqx", "LOG", "x")]


def test_what_somebody_claims_or_refers_to_is_not_listed() -> None:
    env = {SONAR_SWITCH: "false", SONAR_UPDATES: FROM_SECRET}
    own = claimed(manifest(container(SONARQUBE, env=env)))
    assert injected(own, policy()) == []
    assert injected(manifest(container(SONARQUBE, env=env)), policy()) == []
    assert injected(claimed(own, but=env), policy()) == [("app", SONAR_SWITCH, "false")]
    settings = [{"product": "sonarqube", "env": [{"name": "LOG", "value": "x"}]}]
    recorded = (InjectedVariable(container="app", name="LOG", value="x"),)
    setting = claimed(manifest(container(SONARQUBE, env={"LOG": "x"})))
    assert injected(setting, policy(injection={"settings": settings}), recorded=recorded) == []
    turned = claimed(manifest(container(SONARQUBE, env={SONAR_SWITCH: "off"})), but=env)
    assert injected(turned, policy()) == []


# Pods of somebody else's controller.


def as_pod(owner: Manifest, env: dict[str, str], *policies: Policy) -> Plan:
    """A pod on its way in, of a workload that somebody else's controller owns."""
    asked = under(*policies).input(owner, Trigger.CREATE, is_pod=True)
    template = read_template({"spec": {"containers": [container(EMQX, env=env)]}})
    pod = replace(asked.workload, template=template, field_owners=FieldOwners(known=True))
    return plan_injection(replace(asked, workload=pod))


def test_the_pods_of_a_foreign_template_are_injected_at_their_creation() -> None:
    owned = manifest(container(EMQX, env={EMQX_SWITCH: "true"}), kind="StatefulSet", owner=OWNER)
    (edit,) = as_pod(owned, {}, policy()).edits
    assert (edit.name, edit.value, edit.cause) == (EMQX_SWITCH, "false", EditCause.INJECTED)
    assert as_pod(owned, {}, policy(injection={"when": "Never"})).edits == ()
    assert as_pod(owned, {}, policy(selector={"matchLabels": {"a": "b"}})).edits == ()


def test_the_pods_of_an_ordinary_workload_are_not() -> None:
    ordinary = manifest(container(EMQX), kind="StatefulSet")
    assert as_pod(ordinary, {}, policy()).edits == ()


def test_the_pods_of_a_foreign_job_are_injected_too() -> None:
    owned = manifest(container(EMQX), kind="Job", owner=OWNER)
    assert as_pod(owned, {}, policy()).edits != ()


def test_edits_say_for_whom_and_where() -> None:
    given = manifest(container(NGINX, name="side"), container(DTRACK_4))
    (edit,) = under(policy()).create(given).plan.edits
    assert (edit.container, edit.container_name, edit.name) == (1, "app", V4_SWITCH)
    assert edit.policy == policy()
