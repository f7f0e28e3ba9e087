"""Invariants 3, 4 and 5 of the design, whatever stands in the cluster."""

from __future__ import annotations

import json
from itertools import permutations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_telemetry.api.policy import Policy
from fleet_telemetry.api.product.setting import Setting
from fleet_telemetry.api.reasons import Reason
from fleet_telemetry.api.workload_telemetry import State
from fleet_telemetry.decision import Plan, decide
from fleet_telemetry.switches.edits import Edit, EditCause, Trigger
from tests.support.builders import (
    DTRACK_4,
    DTRACK_5,
    EMQX_SWITCH,
    RC1_SWITCH,
    SONAR_UPDATES,
    V4_SWITCH,
    V5_CRON,
    V5_OFF,
    V5_SWITCH,
    WORKER_SWITCH,
    Cluster,
    Manifest,
    Written,
    claimed,
    container,
    containers_of,
    env_of,
    manifest,
    pod_of,
    policy,
    touched,
    under,
    with_image,
    without_variable,
)
from tests.support.decision_strategies import (
    CATALOGUE_NAMES,
    FREE_NAMES,
    OTHER_IMAGES,
    PATIENT,
    RELATED,
    RESTARTING,
    RESTING,
    SHAPES,
    SWITCH_OF_IMAGE,
    SWITCHES,
    entries,
    manifests,
    policy_sets,
)
from tests.support.depth import examples
from tests.support.every import every

TRIGGERS = st.sampled_from(list(Trigger))
UNREADABLE = tuple(
    image
    for image in SWITCH_OF_IMAGE
    if image.endswith((":latest", ":4")) or "@" in image
    if "sonarqube" not in image
)
FAMILIES = ("dependencytrack", "sonarqube", "emqx", "sourcegraph/worker")
UPGRADES = [
    (before, after)
    for family in FAMILIES
    for before, after in product(SWITCH_OF_IMAGE, repeat=2)
    if family in before and family in after
]


def write(cluster: Cluster, trigger: Trigger, given: Manifest, before: Manifest) -> Written:
    match trigger:
        case Trigger.CREATE:
            return cluster.create(given, claims=False)
        case Trigger.UPDATE:
            return cluster.update(before, given)
        case Trigger.RECONCILE:
            return cluster.reconcile(given)


def frozen(given: Manifest, edits: tuple[Edit, ...]) -> str:
    """The object byte for byte and in order, without the variables that were to be edited."""
    edited = {(edit.container_name, edit.name) for edit in edits}
    copied: Manifest = json.loads(json.dumps(given))
    for found in containers_of(copied):
        env = found.pop("env", None) or []
        found["env"] = [e for e in env if (found["name"], e["name"]) not in edited]
    return json.dumps(copied)


# Invariant 3: idempotent and minimal; it preserves order and everything that it does not own.


@examples(180)
@given(policy_sets(), policy_sets(), TRIGGERS, manifests(), manifests())
def test_what_was_decided_once_is_not_decided_again(
    policies: tuple[Policy, ...],
    former_policies: tuple[Policy, ...],
    trigger: Trigger,
    present: Manifest,
    before: Manifest,
) -> None:
    recorded = decide(under(*former_policies).input(present, Trigger.RECONCILE)).injected
    cluster = under(*policies, recorded=recorded)
    first = write(cluster, trigger, present, before)
    again = write(cluster, trigger, first.manifest, before)
    assert again.plan.edits == ()
    assert again.patch == []


@examples(180)
@given(policy_sets(), TRIGGERS, manifests(), manifests())
def test_nothing_but_what_is_edited_changes(
    policies: tuple[Policy, ...], trigger: Trigger, present: Manifest, before: Manifest
) -> None:
    written = write(under(*policies), trigger, present, before)
    edits = written.plan.edits
    assert frozen(written.manifest, edits) == frozen(present, edits)
    for old, new in zip(containers_of(present), containers_of(written.manifest), strict=True):
        own = [edit for edit in edits if edit.container_name == old["name"]]
        removed = {edit.name for edit in own if edit.value is None}
        kept = [entry for entry in old.get("env", ()) if entry["name"] not in removed]
        names = [entry["name"] for entry in new.get("env", ())]
        # What was there stays where it was; what is new comes last, and each is there once.
        assert names[: len(kept)] == [entry["name"] for entry in kept]
        added = names[len(kept) :]
        assert added == list(dict.fromkeys(added))
        assert set(added) <= {edit.name for edit in own if edit.value is not None}
        # A reference is left as it is or removed, never given a value beside it.
        for entry in new.get("env", ()):
            assert "valueFrom" not in entry or entry in old["env"]


@examples(80)
@given(policy_sets(), manifests(), manifests())
def test_only_containers_that_run_or_ran_a_product_are_touched(
    policies: tuple[Policy, ...], present: Manifest, before: Manifest
) -> None:
    written = under(*policies).update(before, present)
    ran = {
        found["name"]
        for shown in (present, before)
        for found in containers_of(shown)
        if found["image"] in SWITCH_OF_IMAGE
    }
    assert {edit.container_name for edit in written.plan.edits} <= ran


@examples(80)
@given(policy_sets(), TRIGGERS, manifests(), manifests())
def test_the_order_in_which_policies_come_makes_no_difference(
    policies: tuple[Policy, ...], trigger: Trigger, present: Manifest, before: Manifest
) -> None:
    def comparable(plan: Plan) -> object:
        by_policy = sorted(plan.by_policy, key=lambda found: str(found.policy))
        return plan.edits, plan.skipped_edits, plan.verdicts, plan.injected, by_policy

    plans = [
        comparable(write(under(*order), trigger, present, before).plan)
        for order in permutations(policies)
    ]
    assert all(found == plans[0] for found in plans)


# ... and never causes a rollout unless a policy says Immediate.


@examples(180)
@given(policy_sets(injections=PATIENT), manifests(shapes=RESTARTING))
def test_no_pod_restarts_between_admissions_but_to_free_a_product_of_our_own_variable(
    policies: tuple[Policy, ...], present: Manifest
) -> None:
    crashing = {
        found["name"]
        for found in containers_of(present)
        if "apiserver:5.0" in found["image"] and not found["image"].endswith("5.0.0-rc.1")
        if "hyades" not in found["image"]
        if {V4_SWITCH, RC1_SWITCH} & env_of(present, found["name"]).keys()
    }
    edits = under(*policies).reconcile(present).plan.edits
    assert {edit.container_name for edit in edits} <= crashing
    removed = {edit.container_name for edit in edits if edit.cause is EditCause.REFUSED}
    assert {edit.container_name for edit in edits} == removed


@examples(80)
@given(policy_sets(), TRIGGERS, manifests(shapes=({"kind": "Job"},)), manifests())
def test_a_job_is_written_at_its_creation_only(
    policies: tuple[Policy, ...], trigger: Trigger, present: Manifest, before: Manifest
) -> None:
    written = write(under(*policies), trigger, present, before)
    assert trigger is Trigger.CREATE or written.plan.edits == ()


@examples(80)
@given(policy_sets(mode="Audit"), TRIGGERS, manifests(), manifests())
def test_an_audit_sets_nothing_and_takes_no_setting_of_its_channels_away(
    policies: tuple[Policy, ...], trigger: Trigger, present: Manifest, before: Manifest
) -> None:
    written = write(under(*policies), trigger, present, before)
    assert all(edit.value is None for edit in written.plan.edits)
    assert written.plan.skipped_edits == ()


@examples(80)
@given(policy_sets(), TRIGGERS, manifests(unclaimed=((),)), manifests())
def test_under_keep_what_a_user_wrote_stays(
    policies: tuple[Policy, ...], trigger: Trigger, present: Manifest, before: Manifest
) -> None:
    keeping = tuple(
        policy(p.name, cluster=not p.namespace, injection={"onConflict": "Keep", "when": "Always"})
        for p in policies
    )
    written = write(under(*keeping), trigger, present, before)
    for old, new in zip(containers_of(present), containers_of(written.manifest), strict=True):
        env = old.get("env", [])
        assert new.get("env", [])[: len(env)] == env


# A setting stays, whoever drops it.

_OWNED = [shape for shape in SHAPES if "owner" not in shape and shape.get("kind") != "Job"]
_NO_REFERENCE = [entry for entry in entries(CATALOGUE_NAMES) if "valueFrom" not in entry]


@examples(200)
@given(
    st.sampled_from(["FirstInstallOrUpgrade", "Always"]),
    manifests(shapes=tuple(_OWNED)),
    st.lists(st.lists(st.sampled_from(_NO_REFERENCE), max_size=3), min_size=2, max_size=2),
)
def test_no_update_of_variables_turns_a_setting_back(
    when: str, given_: Manifest, variables: list[list[Manifest]]
) -> None:
    cluster = under(policy(injection={"when": when}))
    live = cluster.create(given_).manifest

    def declared(shown: Manifest) -> dict[object, Setting]:
        found = decide(cluster.input(shown, Trigger.RECONCILE)).verdicts
        return {(v.product, v.channel): v.observed("declared").setting for v in found if v.policy}

    changed = touched(live)
    for found, env in zip(containers_of(changed), variables, strict=False):
        found["env"] = [dict(entry) for entry in env]
    before, after = declared(live), declared(cluster.update(live, changed).manifest)
    for key, setting in before.items():
        if setting is Setting.DISABLED:
            assert after[key] in (Setting.DISABLED, Setting.UNKNOWN), key


# Invariant 4: every version gets the switch of that version, an unreadable one no harm.


def kept_env(before: str, after: str, submission: str) -> dict[str, str | None]:
    """What the next version has of the switch that was injected: all of it if the version cannot be
    read, unless a version that it may be refuses it."""
    if after in UNREADABLE:
        kept = wanted_env(before, submission)
        return {name: kept[name] for name in kept if name not in (V4_SWITCH, RC1_SWITCH)}
    return wanted_env(after, submission)


def wanted_env(image: str, submission: str) -> dict[str, str | None]:
    switch = SWITCH_OF_IMAGE[image]
    if switch is None:
        return {}
    if switch == WORKER_SWITCH:
        return {switch: ""} if submission == "Disabled" else {}
    wanted: dict[str, str | None] = {switch: "false" if submission == "Disabled" else "true"}
    if submission == "Disabled" and "dependencytrack/apiserver:5" in image:
        wanted[V5_CRON] = "-"
    return wanted


@every("submission", ["Disabled", "Enabled"])
@every("image", SWITCH_OF_IMAGE)
def test_a_new_workload_gets_the_switch_of_its_version(image: str, submission: str) -> None:
    written = under(policy(submission=submission)).create(manifest(container(image)))
    assert written.env == wanted_env(image, submission)


@pytest.mark.thorough
@every(("before", "after"), UPGRADES)
def test_another_version_has_its_own_switch_and_no_other(before: str, after: str) -> None:
    for submission in ("Disabled", "Enabled"):
        cluster = under(policy(submission=submission))
        old = cluster.create(manifest(container(before, env={"A": "1"})))
        new = cluster.update(old.manifest, with_image(old.manifest, after))
        assert new.env == {"A": "1", **kept_env(before, after, submission)}
        # Where the webhook was away, only what keeps the product from starting goes.
        missed = cluster.reconcile(with_image(old.manifest, after))
        if missed.plan.edits:
            assert missed.env == new.env
            assert wanted_env(before, submission).keys() <= {V4_SWITCH, RC1_SWITCH, V5_CRON}


@examples(80)
@given(policy_sets(), TRIGGERS, manifests(images=UNREADABLE), manifests())
def test_a_version_that_cannot_be_read_gets_nothing_and_is_unknown(
    policies: tuple[Policy, ...], trigger: Trigger, present: Manifest, before: Manifest
) -> None:
    written = write(under(*policies), trigger, present, before)
    assert all(edit.value is None for edit in written.plan.edits)
    states = {verdict.state for verdict in written.plan.verdicts}
    assert states <= {State.UNKNOWN, State.EXEMPT, None}


# Tags hold other numbers than versions: of builds, of dates, of a mirror's own calendar.
NO_VERSIONS = (
    *("dependencytrack/apiserver:" + tag for tag in ("1187", "3", "4", "5", "42-main", "24.10.1")),
    "dependencytrack/apiserver:2024.10.1",
    "dependencytrack/apiserver:20241101",
    "dependencytrack/apiserver:6.0.0",
    "dependencytrack/apiserver:4.0.1187",
    "dependencytrack/apiserver:5.1187",
    "dependencytrack/apiserver:1.4.13",
    "dependencytrack/apiserver:4.2.0-dt5.0.4",
    "dependencytrack/hyades-apiserver:4.13.2",
    "emqx/emqx:6",
    "emqx/emqx:2024.10.1",
    "sourcegraph/worker:5",
    "sourcegraph/worker:287912",
    "sourcegraph/worker:9.1.0",
)


@pytest.mark.thorough
@every("image", NO_VERSIONS)
@every("submission", ["Disabled", "Enabled"])
def test_a_number_that_is_no_version_changes_nothing_and_proves_nothing(
    image: str, submission: str
) -> None:
    override = {"onConflict": "Override", "when": "Always", "rollout": "Immediate"}
    for switch in SWITCHES:
        own = claimed(manifest(container(image, env={switch: "false"})))
        for injection in ({}, override):
            cluster = under(policy(submission=submission, injection=injection))
            for written in (
                cluster.create(own, claims=False),
                cluster.update(own, touched(own)),
                cluster.reconcile(own),
            ):
                assert written.env == {switch: "false"}
                (verdict,) = written.plan.verdicts[:1]
                assert verdict.state is State.UNKNOWN
                assert verdict.reason in (Reason.VERSION_NOT_KNOWN, Reason.VERSION_UNREADABLE)


def test_a_later_version_of_a_line_keeps_the_switch_and_proves_nothing() -> None:
    for image, switch in (
        ("dependencytrack/apiserver:5.9.0", V5_SWITCH),
        ("emqx/emqx:6.9.0", EMQX_SWITCH),
        ("sourcegraph/worker:5.11.0", WORKER_SWITCH),
    ):
        cluster = under(policy())
        live = claimed(cluster.create(manifest(container(image))).manifest)
        assert switch in env_of(live)
        runs = cluster.input(live, Trigger.RECONCILE, pods=(pod_of(live, "it-0"),))
        verdict = decide(runs).verdicts[0]
        assert (verdict.state, verdict.reason) == (State.UNKNOWN, Reason.VERSION_NOT_VERIFIED)


# Invariant 5: what a policy injected goes with the next change after the policy, and only then.


@examples(180)
@given(
    policy_sets(),
    policy_sets(),
    manifests(names=FREE_NAMES, unclaimed=((),), shapes=(*RESTARTING, *RESTING)),
    st.sampled_from((*OTHER_IMAGES, *SWITCH_OF_IMAGE)),
    st.booleans(),
)
def test_without_its_policy_the_next_change_takes_back_what_was_injected_and_nothing_else(
    policies: tuple[Policy, ...],
    turned: tuple[Policy, ...],
    original: Manifest,
    image: str,
    turns: bool,
) -> None:
    def changed(shown: Manifest) -> Manifest:
        return touched(with_image(shown, image) if image else shown)

    live = under(*policies).create(original).manifest
    recorded = decide(under(*policies).input(live, Trigger.RECONCILE)).injected
    # The policies may turn before they go, and the image may be another one, or nothing we know.
    cluster = under(*(turned if turns else policies), recorded=recorded)
    live = cluster.update(live, touched(live)).manifest
    recorded = decide(cluster.input(live, Trigger.RECONCILE)).injected
    gone = Cluster(recorded=recorded).update(live, changed(live)).manifest
    assert json.dumps(gone) == json.dumps(changed(touched(original)))


@examples(60)
@given(
    policy_sets(),
    manifests(names=FREE_NAMES, unclaimed=((),), shapes=RESTARTING),
    manifests(names=FREE_NAMES, unclaimed=((),), shapes=RESTING),
)
def test_without_its_policy_nothing_restarts_and_what_rests_is_cleared_at_once(
    policies: tuple[Policy, ...], running: Manifest, resting: Manifest
) -> None:
    live = under(*policies).create(running).manifest
    assert Cluster().reconcile(live).plan.edits == ()
    live = under(*policies).create(resting).manifest
    recorded = decide(under(*policies).input(live, Trigger.RECONCILE)).injected
    assert json.dumps(Cluster(recorded=recorded).reconcile(live).manifest) == json.dumps(resting)


@examples(80)
@given(TRIGGERS, manifests(unclaimed=((), None)), manifests())
def test_without_a_policy_nothing_that_somebody_wrote_is_touched(
    trigger: Trigger, present: Manifest, before: Manifest
) -> None:
    written = write(Cluster(), trigger, present, before)
    assert written.plan.edits == ()
    assert all(verdict.state is None for verdict in written.plan.verdicts)


@pytest.mark.thorough
@pytest.mark.parametrize("image", [image for image in SWITCH_OF_IMAGE if SWITCH_OF_IMAGE[image]])
def test_what_was_injected_is_kept_while_the_policy_stands_whatever_when_says(image: str) -> None:
    live = under(policy()).create(manifest(container(image))).manifest
    for when in ("FirstInstallOrUpgrade", "Always", "Never"):
        cluster = under(policy(injection={"when": when}))
        kept = cluster.update(live, touched(live))
        assert env_of(kept.manifest) == env_of(live)
        # A replace that knows nothing of it does not lose it either.
        dropped = without_variable(touched(live), *env_of(live))
        assert env_of(cluster.update(live, dropped).manifest) == env_of(live)


def test_the_variable_of_version_4_goes_at_once_where_it_keeps_version_5_from_starting() -> None:
    live = under(policy()).create(manifest(container(DTRACK_4))).manifest
    upgraded = with_image(live, DTRACK_5)
    assert Cluster().reconcile(upgraded).env == {}
    assert under(policy()).reconcile(upgraded).env == V5_OFF
    # The user's own is theirs to remove between admissions.
    own = claimed(manifest(container(DTRACK_5, env={V4_SWITCH: "false"})))
    assert Cluster().reconcile(own).plan.edits == ()
    assert under(policy()).reconcile(own).plan.edits == ()


def test_related_settings_are_taken_back_in_every_form() -> None:
    settings = [{"product": "sonarqube", "env": [{"name": SONAR_UPDATES, "value": "no"}]}]
    original = manifest(container("sonarqube:25.6.0", env={"A": "1"}))
    for more in (*RELATED, settings):
        cluster = under(policy(injection={"settings": more}))
        live = cluster.create(original).manifest
        recorded = decide(cluster.input(live, Trigger.RECONCILE)).injected
        gone = Cluster(recorded=recorded).update(live, touched(live))
        assert env_of(gone.manifest) == {"A": "1"}
