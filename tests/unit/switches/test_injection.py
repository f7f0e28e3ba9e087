"""What is written when: ``when``, ``rollout``, ``onConflict``, settings and refusals."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from fleet_telemetry.api.policy import Policy
from fleet_telemetry.api.workload_telemetry import InjectedVariable, State
from fleet_telemetry.switches.edits import EditCause
from tests.support.builders import (
    DIGEST,
    DTRACK_4,
    DTRACK_5,
    EMQX,
    EMQX_SWITCH,
    FROM_SECRET,
    LATER,
    LONG_AGO,
    NGINX,
    NOW,
    OWNER,
    SONAR_SWITCH,
    SONAR_UPDATES,
    SONARQUBE,
    V4_SWITCH,
    V5_CRON,
    V5_OFF,
    V5_SWITCH,
    WORKER,
    WORKER_6,
    WORKER_SWITCH,
    Cluster,
    Manifest,
    Written,
    catalogue,
    claimed,
    container,
    env_of,
    manifest,
    own_product,
    policy,
    product,
    touched,
    under,
    with_image,
    without_variable,
)
from tests.support.every import every

EMQX_OTHERWISE = "EMQX_telemetry__enable"
NEWER = "sonarqube:26.8.0.1-community"


def sonar(env: Mapping[str, Any] | None = None, image: str = SONARQUBE, **more: Any) -> Manifest:
    return claimed(manifest(container(image, env=env), **more))


def injected(env: Mapping[str, Any] | None = None, **more: Any) -> Manifest:
    """A workload in which the variable stands because of us."""
    return claimed(
        manifest(container(SONARQUBE, env={**(env or {}), SONAR_SWITCH: "false"}), **more),
        but=[SONAR_SWITCH],
    )


def causes(written: Written) -> dict[str, EditCause]:
    return {change.name: change.cause for change in written.plan.changes}


# When a setting may be added.


def at_creation(cluster: Cluster) -> Written:
    return cluster.create(sonar())


def at_an_upgrade(cluster: Cluster) -> Written:
    return cluster.update(sonar(), with_image(sonar(), NEWER))


def at_another_change(cluster: Cluster) -> Written:
    return cluster.update(sonar(), touched(sonar()))


def between_admissions(cluster: Cluster) -> Written:
    return cluster.reconcile(sonar())


def at_another_change_of_a_younger_workload(cluster: Cluster) -> Written:
    return cluster.update(sonar(created=NOW), touched(sonar(created=NOW)))


OCCASIONS = [
    at_creation,
    at_an_upgrade,
    at_another_change,
    at_another_change_of_a_younger_workload,
    between_admissions,
]


@pytest.mark.parametrize(
    ("injection", "at"),
    [
        ({}, {0, 1, 3}),
        ({"when": "FirstInstallOrUpgrade"}, {0, 1, 3}),
        ({"when": "Always"}, {0, 1, 2, 3}),
        ({"when": "Never"}, set()),
        ({"rollout": "Immediate"}, {0, 1, 3, 4}),
        ({"rollout": "Immediate", "when": "Always"}, {0, 1, 2, 3, 4}),
        ({"rollout": "Immediate", "when": "Never"}, set()),
    ],
)
def test_when_a_setting_is_added(injection: dict[str, Any], at: set[int]) -> None:
    cluster = under(policy(injection=injection))
    written = [occasion(cluster).env for occasion in OCCASIONS]
    assert written == [
        {SONAR_SWITCH: "false"} if index in at else {} for index in range(len(OCCASIONS))
    ]


@pytest.mark.parametrize(
    "shape",
    [
        {"kind": "CronJob"},
        {"kind": "ReplicaSet"},
        {"replicas": 0},
        {"kind": "StatefulSet", "replicas": 0},
        {"kind": "StatefulSet", "updateStrategy": {"type": "OnDelete"}},
        {"kind": "DaemonSet", "updateStrategy": {"type": "OnDelete"}},
    ],
)
def test_where_no_pod_can_restart_it_is_added_between_admissions(shape: dict[str, Any]) -> None:
    assert under(policy()).reconcile(sonar(**shape)).env == {SONAR_SWITCH: "false"}
    assert under(policy(injection={"when": "Never"})).reconcile(sonar(**shape)).env == {}


def test_a_paused_deployment_is_written_only_if_its_pods_may_be_replaced() -> None:
    """They are replaced as soon as it is resumed."""
    paused = sonar(paused=True)
    assert under(policy()).reconcile(paused).patch == []
    immediate = under(policy(injection={"rollout": "Immediate"}))
    assert immediate.reconcile(paused).env == {SONAR_SWITCH: "false"}


def test_a_workload_that_came_under_the_policy_missed_its_admission() -> None:
    created = NOW - timedelta(days=1)
    for policy_created, added in ((created, True), (created + timedelta(seconds=1), False)):
        given = sonar(created=created)
        written = under(policy(created=policy_created)).update(given, touched(given))
        assert bool(written.env) is added


@pytest.mark.parametrize("kind", ["Deployment", "Job"])
def test_a_template_that_somebody_elses_controller_owns_is_left_alone(kind: str) -> None:
    owned = sonar(kind=kind, owner=OWNER)
    cluster = under(policy(injection={"when": "Always", "rollout": "Immediate"}))
    assert cluster.create(owned).patch == []
    assert cluster.update(owned, touched(owned)).patch == []
    assert cluster.reconcile(owned).patch == []
    # An owner that does not control is no reason.
    other = {key: value for key, value in OWNER.items() if key != "controller"}
    assert cluster.create(sonar(kind=kind, owner=other)).env == {SONAR_SWITCH: "false"}


@pytest.mark.parametrize("label", ["pod-template-hash", "rollouts-pod-template-hash"])
def test_a_template_that_a_deployment_may_adopt_is_left_as_its_pods_were_started_with(
    label: str,
) -> None:
    # Adopted with the Deployment's own template, it would never replace its pods.
    orphan = sonar(kind="ReplicaSet", labels={label: "5d4f8c7b9"})
    cluster = under(policy(injection={"when": "Always", "rollout": "Immediate"}))
    assert cluster.update(orphan, touched(orphan)).patch == []
    assert cluster.reconcile(orphan).patch == []
    # No pod was started yet.
    assert cluster.create(orphan).env == {SONAR_SWITCH: "false"}


def test_a_job_is_written_at_its_creation_only() -> None:
    job = sonar(kind="Job")
    cluster = under(policy(injection={"when": "Always", "rollout": "Immediate"}))
    assert cluster.create(job).env == {SONAR_SWITCH: "false"}
    assert cluster.update(job, touched(job)).patch == []
    assert cluster.reconcile(job).patch == []


def test_a_container_of_another_name_is_a_first_install() -> None:
    old = sonar()
    new = claimed(manifest(container(SONARQUBE, name="renamed")))
    written = under(policy()).update(old, new)
    assert env_of(written.manifest, "renamed") == {SONAR_SWITCH: "false"}


def test_fifty_containers_keep_their_order_and_only_those_that_matter_are_touched() -> None:
    images = [NGINX, SONARQUBE, "busybox", EMQX, "sonarqube:2026.4.0-datacenter-search"] * 10
    containers = [
        container(image, name=f"c{index}", env={"A": str(index)})
        for index, image in enumerate(images)
    ]
    written = under(policy()).create(manifest(*containers))
    switches = {SONARQUBE: {SONAR_SWITCH: "false"}, EMQX: {EMQX_SWITCH: "false"}}
    for index, image in enumerate(images):
        assert env_of(written.manifest, f"c{index}") == {
            "A": str(index),
            **switches.get(image, {}),
        }
    assert len(written.patch) == 20


def test_init_containers_are_never_touched() -> None:
    given = manifest(container(SONARQUBE), pod={"initContainers": [container(SONARQUBE)]})
    written = under(policy()).create(given)
    spec = written.manifest["spec"]["template"]["spec"]
    assert spec["initContainers"] == [container(SONARQUBE)]
    assert all("initContainers" not in operation["path"] for operation in written.patch)


# What the user wrote already.


@pytest.mark.parametrize(
    ("image", "submission", "env"),
    [
        (SONARQUBE, "Disabled", {SONAR_SWITCH: "false"}),
        (SONARQUBE, "Disabled", {SONAR_SWITCH: " FALSE "}),
        # Whatever is not true is false to SonarQube.
        (SONARQUBE, "Disabled", {SONAR_SWITCH: "off"}),
        (SONARQUBE, "Enabled", {SONAR_SWITCH: "True"}),
        (DTRACK_5, "Disabled", {V5_SWITCH: "no", V5_CRON: "-"}),
        (DTRACK_5, "Enabled", {V5_SWITCH: "ja", V5_CRON: "0 3 * * *"}),
        (
            DTRACK_5,
            "Disabled",
            {
                "dt.telemetry.submission.default-enabled": "off",
                "dt.task.telemetry-submission.cron": "-",
            },
        ),
        (EMQX, "Disabled", {EMQX_OTHERWISE: "false"}),
        (WORKER, "Disabled", {WORKER_SWITCH: None}),
        (WORKER, "Enabled", {WORKER_SWITCH: "gateway.example:443"}),
        (WORKER, "Enabled", {}),
    ],
)
def test_whoever_says_so_already_in_whatever_words_is_left_alone(
    image: str, submission: str, env: dict[str, str]
) -> None:
    cluster = under(policy(submission=submission, injection={"when": "Always"}))
    written = cluster.create(manifest(container(image, env=env)))
    assert written.plan.changes == ()


@pytest.mark.parametrize(
    ("image", "submission", "env", "wanted"),
    [
        (SONARQUBE, "Disabled", {SONAR_SWITCH: "true"}, {SONAR_SWITCH: "false"}),
        # Empty is unset, and something that is expanded may come to anything.
        (SONARQUBE, "Disabled", {SONAR_SWITCH: ""}, {SONAR_SWITCH: "false"}),
        (SONARQUBE, "Disabled", {SONAR_SWITCH: None}, {SONAR_SWITCH: "false"}),
        (SONARQUBE, "Disabled", {SONAR_SWITCH: "$(OTHER)"}, {SONAR_SWITCH: "false"}),
        (SONARQUBE, "Enabled", {SONAR_SWITCH: "false"}, {SONAR_SWITCH: "true"}),
        (EMQX, "Disabled", {EMQX_OTHERWISE: "true"}, {EMQX_OTHERWISE: "false"}),
        (EMQX, "Disabled", {EMQX_SWITCH: "FALSE"}, {EMQX_SWITCH: "false"}),
        (WORKER, "Disabled", {WORKER_SWITCH: "x:443"}, {WORKER_SWITCH: ""}),
        (WORKER, "Enabled", {WORKER_SWITCH: ""}, {}),
    ],
)  # fmt: skip
def test_the_contrary_is_overridden_in_its_place_or_kept(
    image: str, submission: str, env: dict[str, str | None], wanted: dict[str, str]
) -> None:
    given = manifest(container(image, env={"A": "1", **env, "B": "2"}))
    written = under(policy(submission=submission)).create(given)
    assert list(written.env.items()) == list({"A": "1", **wanted, "B": "2"}.items())
    assert set(causes(written).values()) == {EditCause.OVERRIDDEN}

    kept = under(policy(submission=submission, injection={"onConflict": "Keep"})).create(given)
    assert kept.patch == []
    (remark,) = kept.plan.skipped_edits
    assert (remark.container_name, remark.cause) == ("app", EditCause.KEPT)
    assert remark.name in env


@pytest.mark.parametrize("on_conflict", ["Override", "Keep"])
@pytest.mark.parametrize("name", [SONAR_SWITCH, "LOG_LEVEL"])
def test_a_reference_is_never_replaced_only_reported(name: str, on_conflict: str) -> None:
    settings = [{"product": "sonarqube", "env": [{"name": "LOG_LEVEL", "value": "INFO"}]}]
    injection = {"onConflict": on_conflict, "settings": settings}
    written = under(policy(injection=injection)).create(
        manifest(container(SONARQUBE, env={name: FROM_SECRET}))
    )
    assert written.env[name] is None
    assert causes(written)[name] is EditCause.BY_REFERENCE


def test_variables_from_a_whole_config_map_are_shadowed() -> None:
    from_map = [{"configMapRef": {"name": "settings"}}]
    written = under(policy()).create(manifest(container(EMQX, envFrom=from_map)))
    assert written.env == {EMQX_SWITCH: "false"}
    assert causes(written) == {EMQX_SWITCH: EditCause.INJECTED}


def test_the_last_of_two_entries_is_the_one_that_counts_and_is_turned() -> None:
    given = manifest(container(SONARQUBE))
    given["spec"]["template"]["spec"]["containers"][0]["env"] = [
        {"name": SONAR_SWITCH, "value": "false"},
        {"name": SONAR_SWITCH, "value": "true"},
    ]
    written = under(policy()).create(given)
    env = written.manifest["spec"]["template"]["spec"]["containers"][0]["env"]
    assert [entry["value"] for entry in env] == ["false", "false"]


def test_an_overridden_value_is_overridden_again_and_one_that_is_dropped_is_set_again() -> None:
    """The user's next apply says the contrary again; FirstInstallOrUpgrade is long over."""
    contrary = sonar({SONAR_SWITCH: "true"})
    live = sonar({SONAR_SWITCH: "false"})
    again = under(policy()).update(live, touched(contrary))
    assert again.env == {SONAR_SWITCH: "false"}
    assert causes(again) == {SONAR_SWITCH: EditCause.OVERRIDDEN}
    dropped = under(policy()).update(live, touched(sonar()))
    assert dropped.env == {SONAR_SWITCH: "false"}
    assert causes(dropped) == {SONAR_SWITCH: EditCause.RESTORED}
    # A workload that is older than the policy and always said the contrary waits for an upgrade.
    assert under(policy()).update(contrary, touched(contrary)).env == {SONAR_SWITCH: "true"}


# The setting stays, whoever drops it.


def brought_under(injection: Mapping[str, Any], env: Mapping[str, Any]) -> tuple[Cluster, Manifest]:
    """A workload that is older than its policy, after an upgrade."""
    cluster = under(policy(injection=injection))
    first = sonar(env)
    live = cluster.update(first, with_image(first, NEWER))
    return cluster, live.manifest


def dropped(live: Manifest) -> Manifest:
    return touched(without_variable(live, SONAR_SWITCH))


def emptied(_: Manifest) -> Manifest:
    return touched(claimed(manifest(container(NEWER, env={SONAR_SWITCH: ""}))))


def undone(_: Manifest) -> Manifest:
    """To the revision before the policy: another version, too."""
    return claimed(manifest(container(SONARQUBE)), manager="kubectl")


def replaced(_: Manifest) -> Manifest:
    return touched(claimed(manifest(container(NEWER, env={"B": "2"})), manager="kubectl-replace"))


def renamed(_: Manifest) -> Manifest:
    return claimed(manifest(container(NEWER, name="other"), container(NGINX, name="app")))


WAYS = [dropped, emptied, undone, replaced, renamed]
CONTRARY_OR_NOTHING: list[dict[str, str]] = [{}, {SONAR_SWITCH: "true"}, {SONAR_SWITCH: "false"}]


@every("way", WAYS)
@every("env", CONTRARY_OR_NOTHING)
@every("when", ["FirstInstallOrUpgrade", "Always"])
def test_a_setting_stays_whoever_drops_it(way: Any, env: dict[str, str], when: str) -> None:
    cluster, live = brought_under({"when": when}, env)
    assert env_of(live) == {SONAR_SWITCH: "false"}
    written = cluster.update(live, way(live))
    name = "other" if way is renamed else "app"
    assert env_of(written.manifest, name)[SONAR_SWITCH] == "false"
    assert written.plan.changes
    # And so does the next one that drops it.
    again = cluster.update(written.manifest, way(written.manifest))
    assert env_of(again.manifest, name)[SONAR_SWITCH] == "false"


def test_a_container_that_goes_and_comes_back_has_the_setting_again() -> None:
    cluster, live = brought_under({}, {SONAR_SWITCH: "true"})
    gone = cluster.update(live, claimed(manifest(container(NGINX, name="web")))).manifest
    back = cluster.update(gone, claimed(manifest(container(NEWER))))
    assert back.env == {SONAR_SWITCH: "false"}


@pytest.mark.parametrize(
    "before",
    [
        {"args": ["-Dsonar.telemetry.enable=false"]},
        {"env": {SONAR_SWITCH: FROM_SECRET}},
        {"envFrom": [{"configMapRef": {"name": "settings"}}]},
        {"env": {SONAR_SWITCH: "$(OTHER)"}},
    ],
)
def test_a_setting_that_stood_or_may_have_stood_in_another_form_stays_too(
    before: dict[str, Any],
) -> None:
    live = claimed(manifest(container(SONARQUBE, **before)))
    written = under(policy()).update(live, touched(sonar()))
    assert written.env == {SONAR_SWITCH: "false"}
    # Nobody knows whether a whole ConfigMap had it.
    cause = EditCause.INJECTED if "envFrom" in before else EditCause.RESTORED
    assert causes(written) == {SONAR_SWITCH: cause}


def test_under_never_only_what_was_injected_is_set_again_and_the_rest_is_told() -> None:
    never = under(policy(injection={"when": "Never"}))
    ours = never.update(injected(), touched(sonar()))
    assert ours.env == {SONAR_SWITCH: "false"}
    theirs = never.update(sonar({SONAR_SWITCH: "false"}), touched(sonar()))
    assert theirs.env == {}
    (skipped,) = theirs.plan.skipped_edits
    assert (skipped.name, skipped.cause) == (SONAR_SWITCH, EditCause.DROPPED)


def test_under_keep_an_empty_value_is_kept_and_told() -> None:
    cluster, live = brought_under({"onConflict": "Keep"}, {})
    written = cluster.update(live, emptied(live))
    assert written.patch == []
    assert causes(written) == {SONAR_SWITCH: EditCause.KEPT}
    assert cluster.update(live, dropped(live)).env == {SONAR_SWITCH: "false"}


# What was recorded as injected stays ours.

V4_INJECTED = InjectedVariable(container="app", name=V4_SWITCH, value="false")
DTRACK_4_13 = "dependencytrack/apiserver:4.13.2"
WRITES_BACK = ["kubectl", "kubectl-rollout", "kubectl-edit", "kubectl-replace", "velero-server"]
DECLARES = ["helm", "kubectl-client-side-apply", "argocd-controller", "Terraform", "kubectl-set"]


def brought_back(manager: str) -> Manifest:
    return claimed(manifest(container(DTRACK_4_13, env={V4_SWITCH: "false"})), manager=manager)


@pytest.mark.parametrize("manager", WRITES_BACK)
def test_what_a_tool_brings_back_is_still_ours_and_goes_with_its_version(manager: str) -> None:
    """4.13.2, 5.0.4, `kubectl rollout undo`, 5.0.4: what version 5 refuses must not stay."""
    keep = under(policy(injection={"onConflict": "Keep"}), recorded=(V4_INJECTED,))
    five = keep.update(brought_back("helm"), with_image(brought_back("helm"), DTRACK_5)).manifest
    undo = keep.update(five, brought_back(manager))
    assert undo.env == {V4_SWITCH: "false"}
    assert undo.plan.injected == (V4_INJECTED,)
    again = keep.update(undo.manifest, with_image(undo.manifest, DTRACK_5))
    assert again.env == V5_OFF
    assert again.plan.skipped_edits == ()


@pytest.mark.parametrize("manager", DECLARES)
def test_what_somebody_declares_is_theirs_even_if_it_was_injected_before(manager: str) -> None:
    keep = under(policy(injection={"onConflict": "Keep"}), recorded=(V4_INJECTED,))
    live = brought_back(manager)
    written = keep.update(live, with_image(live, DTRACK_5))
    assert written.env.keys() == {V4_SWITCH, *V5_OFF}
    assert causes(written)[V4_SWITCH] is EditCause.KEPT


@pytest.mark.parametrize("operation", ["Update", "Apply"])
def test_who_brings_back_and_who_declares_are_told_apart_by_the_operation(operation: str) -> None:
    live = brought_back("kubectl")
    live["metadata"]["managedFields"][0]["operation"] = operation
    cluster = Cluster(recorded=(V4_INJECTED,))
    is_ours = cluster.update(live, touched(live)).env == {}
    assert is_ours is (operation == "Update")


@pytest.mark.thorough
def test_what_the_last_applied_manifest_has_is_its_authors() -> None:
    """An old kubectl applies under the same name as it undoes a rollout."""
    live = brought_back("kubectl")
    applied = manifest(container(DTRACK_4_13, env={V4_SWITCH: "false"}))
    cluster = Cluster(recorded=(V4_INJECTED,))
    for text, stays in (
        (json.dumps(applied), True),
        (json.dumps(manifest(container(DTRACK_4_13))), False),
        ("{", True),
        ("[" * 100_000, True),
        ("null", False),
    ):
        annotations = {"kubectl.kubernetes.io/last-applied-configuration": text}
        given = {**live, "metadata": {**live["metadata"], "annotations": annotations}}
        assert (cluster.update(given, touched(given)).env != {}) is stays, text[:20]


def test_without_managed_fields_the_record_says_what_is_ours() -> None:
    live = manifest(container(DTRACK_4_13, env={V4_SWITCH: "false"}))
    assert Cluster(recorded=(V4_INJECTED,)).update(live, touched(live)).env == {}


def test_what_was_brought_back_with_another_value_is_not_ours() -> None:
    live = claimed(manifest(container(DTRACK_4, env={V4_SWITCH: "true"})), manager="kubectl")
    assert Cluster(recorded=(V4_INJECTED,)).update(live, touched(live)).plan.edits == ()


# What is ours follows the policy.


@pytest.mark.parametrize("when", ["FirstInstallOrUpgrade", "Always", "Never"])
@pytest.mark.parametrize("on_conflict", ["Override", "Keep"])
def test_a_value_of_ours_turns_with_its_policy_at_the_next_change(
    when: str, on_conflict: str
) -> None:
    turned = policy(submission="Enabled", injection={"when": when, "onConflict": on_conflict})
    written = under(turned).update(injected(), touched(injected()))
    assert written.env == {SONAR_SWITCH: "true"}
    assert causes(written) == {SONAR_SWITCH: EditCause.INJECTED}


def test_a_value_of_ours_turns_between_admissions_only_where_the_policy_or_nothing_restarts() -> (
    None
):
    turned = policy(submission="Enabled")
    assert under(turned).reconcile(injected()).plan.edits == ()
    immediate = policy(submission="Enabled", injection={"rollout": "Immediate"})
    assert under(immediate).reconcile(injected()).env == {SONAR_SWITCH: "true"}
    resting = injected(replicas=0)
    assert under(turned).reconcile(resting).env == {SONAR_SWITCH: "true"}


def test_a_policy_that_turns_to_where_absence_enables_removes_its_own_value() -> None:
    live = under(policy()).create(manifest(container(WORKER))).manifest
    turned = under(policy(submission="Enabled")).update(live, touched(live))
    assert turned.env == {}
    assert turned.manifest == touched(claimed(manifest(container(WORKER))))


def test_what_nobody_knows_the_author_of_is_not_ours() -> None:
    unknown = manifest(container(SONARQUBE, env={SONAR_SWITCH: "false"}))
    assert Cluster().update(unknown, touched(unknown)).plan.edits == ()
    keep = under(policy(submission="Enabled", injection={"onConflict": "Keep"}))
    assert causes(keep.update(unknown, touched(unknown))) == {SONAR_SWITCH: EditCause.KEPT}


@pytest.mark.parametrize("value", ["FALSE", "no", "", "$(A)"])
def test_a_value_that_we_would_not_write_is_not_ours(value: str) -> None:
    given = claimed(manifest(container(SONARQUBE, env={SONAR_SWITCH: value})), but=[SONAR_SWITCH])
    assert Cluster().update(given, touched(given)).plan.edits == ()


def test_an_entry_in_another_spelling_that_nobody_claims_is_kept_while_the_policy_stands() -> None:
    name = "EMQX_TELEMETRY__enable"
    given = claimed(manifest(container(EMQX, env={name: "false"})), but=[name])
    for mode in ("Enforce", "Audit"):
        assert under(policy(mode=mode)).update(given, touched(given)).plan.edits == ()
    assert Cluster().update(given, touched(given)).env == {}


# Related settings.


def settings(**values: str) -> dict[str, Any]:
    env = [{"name": name, "value": value} for name, value in values.items()]
    return {"settings": [{"product": "sonarqube", "env": env}]}


def test_related_settings_come_with_the_switch() -> None:
    cluster = under(policy(injection=settings(LOG_LEVEL="INFO")))
    written = cluster.create(manifest(container(SONARQUBE), container(EMQX, name="emqx")))
    assert written.env == {SONAR_SWITCH: "false", "LOG_LEVEL": "INFO"}
    assert causes(written)["LOG_LEVEL"] is EditCause.SETTING
    assert "LOG_LEVEL" not in env_of(written.manifest, "emqx")
    assert cluster.update(sonar(), touched(sonar())).env == {}


@pytest.mark.parametrize(
    ("name", "value"),
    [("LD_PRELOAD", "/tmp/x.so"), ("http_proxy", "x"), ("java.tool.options", "x"), ("A", "$(KEY)")],
)
@pytest.mark.parametrize("cluster", [True, False])
def test_a_setting_that_no_policy_may_set_is_not_obeyed(
    name: str, value: str, *, cluster: bool
) -> None:
    # As if it had been stored before the rule, or past admission.
    injection = settings(**{name: value, "LOG": "x"}) | {"rollout": "Immediate", "when": "Always"}
    asking = under(policy(cluster=cluster, injection=injection))
    assert asking.create(manifest(container(SONARQUBE))).env == {SONAR_SWITCH: "false", "LOG": "x"}
    assert name not in asking.reconcile(sonar()).env
    own = manifest(container(SONARQUBE, env={name: "mine"}))
    assert asking.create(own).env[name] == "mine"


def test_a_refused_setting_that_was_injected_goes_with_the_next_change() -> None:
    recorded = (InjectedVariable(container="app", name="LD_PRELOAD", value="x"),)
    asking = under(policy(injection=settings(LD_PRELOAD="x")), recorded=recorded)
    before = injected({"LD_PRELOAD": "x"})
    before = claimed(before, but=[SONAR_SWITCH, "LD_PRELOAD"])
    assert asking.update(before, touched(before)).env == {SONAR_SWITCH: "false"}


def test_a_setting_overrides_what_the_user_wrote_or_is_kept() -> None:
    given = manifest(container(SONARQUBE, env={"LOG_LEVEL": "DEBUG"}))
    overriding = under(policy(injection=settings(LOG_LEVEL="INFO"))).create(given)
    assert overriding.env["LOG_LEVEL"] == "INFO"
    keeping = policy(injection={**settings(LOG_LEVEL="INFO"), "onConflict": "Keep"})
    kept = under(keeping).create(given)
    assert kept.env == {"LOG_LEVEL": "DEBUG", SONAR_SWITCH: "false"}
    assert causes(kept)["LOG_LEVEL"] is EditCause.KEPT


@pytest.mark.parametrize("on_conflict", ["Override", "Keep"])
def test_a_setting_of_ours_follows_its_policy(on_conflict: str) -> None:
    cluster = under(policy(injection=settings(LOG_LEVEL="INFO")))
    live = cluster.create(manifest(container(SONARQUBE))).manifest
    recorded = (InjectedVariable(container="app", name="LOG_LEVEL", value="INFO"),)
    injection = {**settings(LOG_LEVEL="DEBUG"), "onConflict": on_conflict}
    turned = under(policy(injection=injection), recorded=recorded)
    written = turned.update(live, touched(live))
    assert written.env["LOG_LEVEL"] == "DEBUG"
    assert causes(written) == {"LOG_LEVEL": EditCause.SETTING}
    assert turned.reconcile(live).plan.edits == ()


def test_a_recorded_setting_that_somebody_claims_by_now_is_theirs() -> None:
    recorded = (InjectedVariable(container="app", name="LOG_LEVEL", value="INFO"),)
    given = sonar({"LOG_LEVEL": "INFO"})
    assert Cluster(recorded=recorded).update(given, touched(given)).plan.edits == ()
    unclaimed = claimed(given, but=["LOG_LEVEL"])
    assert Cluster(recorded=recorded).update(unclaimed, touched(unclaimed)).env == {}
    for other in ({"value": "DEBUG"}, {"container": "side"}, {"name": "LEVEL"}):
        entry = {"container": "app", "name": "LOG_LEVEL", "value": "INFO"} | other
        cluster = Cluster(recorded=(InjectedVariable(**entry),))
        assert cluster.update(unclaimed, touched(unclaimed)).plan.edits == ()


@pytest.mark.parametrize(
    ("product_name", "image", "name"),
    [
        ("sonarqube", SONARQUBE, SONAR_SWITCH),
        ("emqx", EMQX, EMQX_SWITCH),
        ("emqx", EMQX, "EMQX_Telemetry__Enable"),
        ("dependency-track", DTRACK_4, V5_SWITCH),
        ("dependency-track", DTRACK_5, "dt.telemetry.submission.default-enabled"),
    ],
)
def test_a_setting_that_names_a_switch_in_any_spelling_is_ignored(
    product_name: str, image: str, name: str
) -> None:
    env = [{"name": name, "value": "true"}, {"name": "B", "value": "2"}]
    injection = {"settings": [{"product": product_name, "env": env}]}
    written = under(policy(injection=injection)).create(manifest(container(image)))
    assert "true" not in written.env.values()
    assert written.env["B"] == "2"


def test_the_switch_of_another_channel_may_be_a_setting_but_that_channels_policy_beats_it() -> None:
    tenant = policy("tenant", injection=settings(**{SONAR_UPDATES: "true"}))
    assert under(tenant).create(manifest(container(SONARQUBE))).env[SONAR_UPDATES] == "true"
    owner = policy("owner", channels=["UpdateCheck"], cluster=True)
    written = under(tenant, owner).create(manifest(container(SONARQUBE)))
    assert written.env == {SONAR_SWITCH: "false", SONAR_UPDATES: "false"}


def test_a_setting_is_not_added_where_the_version_cannot_be_read() -> None:
    env = [{"name": "LOG_LEVEL", "value": "INFO"}]
    injection = {"settings": [{"product": "dependency-track", "env": env}]}
    cluster = under(policy(injection=injection))
    assert cluster.create(manifest(container("dependencytrack/apiserver:latest"))).patch == []
    assert cluster.create(manifest(container(DTRACK_4))).env["LOG_LEVEL"] == "INFO"


def test_a_setting_that_the_version_refuses_is_not_added() -> None:
    acme = product(
        "acme",
        channels=[
            {
                "name": "Usage",
                "rules": [
                    {
                        "default": "On",
                        "switches": [
                            {"semantics": "Start", "env": {"name": "ACME", "disabled": "no"}}
                        ],
                        "refuses": [{"env": "OLD", "effect": "it does not start"}],
                    }
                ],
            }
        ],
    )
    env = [{"name": "OLD", "value": "1"}, {"name": "NEW", "value": "1"}]
    injection = {"settings": [{"product": "acme", "env": env}]}
    cluster = under(policy(injection=injection), catalogue=catalogue(acme))
    written = cluster.create(manifest(container("acme/acme:1.0")))
    assert written.env == {"ACME": "no", "NEW": "1"}


# Upgrades, and variables that a version refuses.


def test_an_upgrade_from_4_to_5_swaps_the_variables_and_keeps_all_others() -> None:
    old = under(policy()).create(manifest(container(DTRACK_4, env={"A": "1"}))).manifest
    new = under(policy()).update(old, with_image(old, DTRACK_5))
    assert list(new.env.items()) == [("A", "1"), *V5_OFF.items()]
    assert causes(new) == {
        V4_SWITCH: EditCause.REFUSED,
        **dict.fromkeys(V5_OFF, EditCause.INJECTED),
    }
    refused = next(edit for edit in new.plan.edits if edit.value is None)
    assert "refuses to start" in refused.note
    assert refused.policy is None


def test_a_downgrade_from_5_to_4_swaps_them_back() -> None:
    old = under(policy()).create(manifest(container(DTRACK_5))).manifest
    new = under(policy()).update(old, with_image(old, DTRACK_4))
    assert new.env == {V4_SWITCH: "false"}
    assert causes(new) == {
        **dict.fromkeys(V5_OFF, EditCause.REVERTED),
        V4_SWITCH: EditCause.INJECTED,
    }


def test_a_version_whose_switch_is_not_verified_loses_the_old_one() -> None:
    old = under(policy()).create(manifest(container(WORKER))).manifest
    assert env_of(old) == {WORKER_SWITCH: ""}
    assert under(policy()).update(old, with_image(old, WORKER_6)).env == {}


@pytest.mark.parametrize("value", ["true", "false", FROM_SECRET])
def test_a_refused_variable_of_the_users_own_goes_under_override_and_stays_under_keep(
    value: Any,
) -> None:
    given = claimed(manifest(container(DTRACK_5, env={"A": "1", V4_SWITCH: value})))
    overriding = under(policy()).create(given)
    assert overriding.env == {"A": "1", **V5_OFF}
    assert causes(overriding)[V4_SWITCH] is EditCause.REFUSED
    assert overriding.plan.edits[0].policy == policy()

    kept = under(policy(injection={"onConflict": "Keep"})).create(given)
    assert kept.env.keys() == {"A", V4_SWITCH, *V5_OFF}
    (remark,) = kept.plan.skipped_edits
    assert (remark.name, remark.cause) == (V4_SWITCH, EditCause.KEPT)
    assert "refuses to start" in remark.note

    for nobody in (Cluster(), under(policy(mode="Audit")), under(policy(products=["emqx"]))):
        assert nobody.create(given).plan.changes == ()


def test_between_admissions_a_refused_variable_of_the_users_own_goes_only_with_immediate() -> None:
    given = claimed(manifest(container(DTRACK_5, env={V4_SWITCH: "false"})))
    assert under(policy()).reconcile(given).plan.edits == ()
    immediate = under(policy(injection={"rollout": "Immediate"}))
    assert immediate.reconcile(given).env == V5_OFF
    resting = claimed(manifest(container(DTRACK_5, env={V4_SWITCH: "false"}), replicas=0))
    assert under(policy()).reconcile(resting).env == V5_OFF


def test_a_refused_variable_of_ours_goes_at_once_and_whatever_the_policies_say() -> None:
    given = claimed(manifest(container(DTRACK_5, env={V4_SWITCH: "false"})), but=[V4_SWITCH])
    for injection, env in (
        ({}, V5_OFF),
        ({"onConflict": "Keep"}, V5_OFF),
        ({"when": "Never"}, {}),
    ):
        assert under(policy(injection=injection)).reconcile(given).env == env
    for nobody in (Cluster(), under(policy(mode="Audit")), under(exempting())):
        (edit,) = nobody.reconcile(given).plan.edits
        assert (edit.name, edit.value, edit.cause, edit.policy) == (
            V4_SWITCH,
            None,
            EditCause.REFUSED,
            None,
        )


def test_of_two_policies_for_a_product_the_one_that_overrides_rules_on_refused_variables() -> None:
    acme = product(
        "acme",
        channels=[
            {
                "name": name,
                "rules": [{"default": "On", "refuses": [{"env": f"OLD_{name}", "effect": "no"}]}],
            }
            for name in ("Usage", "UpdateCheck")
        ],
    )
    keep = policy("keep", injection={"onConflict": "Keep"})
    override = policy("override", channels=["UpdateCheck"])
    given = manifest(container("acme/acme:1", env={"OLD_Usage": "1", "OLD_UpdateCheck": "1"}))
    both = under(keep, override, catalogue=catalogue(acme)).create(given)
    assert both.env == {}
    assert {edit.policy for edit in both.plan.edits} == {override}
    alone = under(keep, catalogue=catalogue(acme)).create(given)
    assert alone.patch == []
    assert len(alone.plan.skipped_edits) == 2


# Versions that cannot be read.


@pytest.mark.parametrize("tag", ["", ":latest", ":4", ":main", DIGEST])
def test_without_a_version_nothing_is_injected_that_could_do_harm(tag: str) -> None:
    written = under(policy(injection={"when": "Always"})).create(
        manifest(container(f"dependencytrack/apiserver{tag}"))
    )
    assert written.patch == []


@pytest.mark.parametrize("tag", ["", ":latest", ":community", ":7.9-community", DIGEST])
def test_what_does_no_harm_to_any_version_is_injected_without_one(tag: str) -> None:
    assert under(policy()).create(manifest(container(f"sonarqube{tag}"))).env == {
        SONAR_SWITCH: "false"
    }


def test_an_image_that_becomes_unreadable_loses_what_could_do_harm() -> None:
    old = under(policy()).create(manifest(container(DTRACK_4))).manifest
    unreadable = with_image(old, "dependencytrack/apiserver" + DIGEST)
    assert under(policy()).update(old, unreadable).env == {}
    assert under(policy()).reconcile(unreadable).plan.edits == ()


# Taking back.


def exempting(mode: str = "Enforce", **more: Any) -> Policy:
    workload = {"kind": "Deployment", "name": "it"}
    return policy(mode=mode, exceptions=[{"workload": workload, "reason": "because", **more}])


NO_LONGER_COVERED = {
    "no policy": Cluster(),
    "an exception": under(exempting(expiresAt=LATER)),
    "an exception of an audit": under(exempting("Audit")),
    "another product": under(policy(products=["emqx"])),
    "another channel": under(policy(channels=["License"])),
    "another namespace": under(policy(namespace="elsewhere")),
    "another label": under(policy(selector={"matchLabels": {"tier": "gold"}})),
}


@pytest.mark.parametrize("case", NO_LONGER_COVERED)
def test_what_no_policy_asks_for_any_more_goes_at_the_next_change(case: str) -> None:
    cluster = NO_LONGER_COVERED[case]
    live = injected({"A": "1"})
    assert cluster.reconcile(live).plan.edits == ()
    written = cluster.update(live, touched(live))
    assert written.env == {"A": "1"}
    assert causes(written) == {SONAR_SWITCH: EditCause.REVERTED}
    assert cluster.reconcile(injected(replicas=0)).env == {}


def test_an_exception_that_ended_and_an_audit_take_nothing_back() -> None:
    live = injected()
    for cluster in (under(exempting(expiresAt=LONG_AGO)), under(policy(mode="Audit"))):
        assert cluster.update(live, touched(live)).plan.edits == ()
        assert cluster.reconcile(injected(replicas=0)).plan.edits == ()


def test_an_audit_takes_back_what_is_none_of_its_business() -> None:
    live = injected({SONAR_UPDATES: "false"})
    live = claimed(live, but=[SONAR_SWITCH, SONAR_UPDATES])
    audit = under(policy(mode="Audit", channels=["UpdateCheck"]))
    assert audit.update(live, touched(live)).env == {SONAR_UPDATES: "false"}
    asking = policy(mode="Audit", injection=settings(LOG_LEVEL="INFO"))
    recorded = (InjectedVariable(container="app", name="LOG_LEVEL", value="INFO"),)
    live = claimed(sonar({"LOG_LEVEL": "INFO"}), but=["LOG_LEVEL"])
    assert under(asking, recorded=recorded).update(live, touched(live)).patch == []


@pytest.mark.parametrize("image", [NGINX, EMQX, DTRACK_4])
def test_a_container_that_runs_something_else_now_is_left_clean(image: str) -> None:
    recorded = (InjectedVariable(container="app", name="LOG_LEVEL", value="INFO"),)
    live = under(policy(injection=settings(LOG_LEVEL="INFO"))).create(
        manifest(container(SONARQUBE, env={"A": "1"}), container(NGINX, name="side"))
    )
    for cluster in (Cluster(recorded=recorded), under(policy(), recorded=recorded)):
        written = cluster.update(live.manifest, with_image(live.manifest, image))
        assert written.env["A"] == "1"
        assert not written.env.keys() & {SONAR_SWITCH, "LOG_LEVEL"}
        assert env_of(written.manifest, "side") == {}
    owned = sonar({SONAR_SWITCH: "false"})
    assert SONAR_SWITCH in Cluster().update(owned, with_image(owned, image)).env


def test_a_setting_that_the_next_product_has_too_stays() -> None:
    env = [{"name": "LOG_LEVEL", "value": "INFO"}]
    injection = {"settings": [{"product": p, "env": env} for p in ("sonarqube", "emqx")]}
    recorded = (InjectedVariable(container="app", name="LOG_LEVEL", value="INFO"),)
    cluster = under(policy(injection=injection), recorded=recorded)
    live = cluster.create(manifest(container(SONARQUBE))).manifest
    written = cluster.update(live, with_image(live, EMQX))
    assert written.env == {"LOG_LEVEL": "INFO", EMQX_SWITCH: "false"}


def test_at_a_creation_nothing_is_taken_back() -> None:
    """An object restored from a backup may carry what we injected; the backup is its author."""
    assert Cluster().create(injected(), claims=False).plan.edits == ()


def test_a_replace_that_drops_a_variable_of_ours_is_no_wish_of_the_user() -> None:
    live = injected({"A": "1"})
    dropped = without_variable(touched(live), SONAR_SWITCH)
    assert under(policy()).update(live, dropped).env == {"A": "1", SONAR_SWITCH: "false"}
    assert under(policy(submission="Enabled")).update(live, dropped).env == {"A": "1"}


def test_a_decision_for_a_workload_without_a_product_is_empty() -> None:
    plan = under(policy()).create(manifest(container(NGINX))).plan
    assert (plan.targets, plan.changes, plan.verdicts, plan.by_policy) == ((), (), (), ())


# What is set and has no effect.


@pytest.mark.parametrize(
    ("more", "note"),
    [
        ({}, ""),
        (
            {"args": ["-Dsonar.telemetry.enable=true"]},
            "-Dsonar.telemetry.enable=true overrides it",
        ),
        ({"command": ["sh", "-c", "x"]}, "it may not reach the product, because of command"),
    ],
)
@pytest.mark.parametrize("env", CONTRARY_OR_NOTHING[:2])
def test_what_may_have_no_effect_is_set_and_says_so(
    more: dict[str, Any], note: str, env: dict[str, str]
) -> None:
    (edit,) = under(policy()).create(manifest(container(SONARQUBE, env=env, **more))).plan.edits
    assert edit.note == note


# Variables that hold more than the switch.


def own_acme(*, otherwise: str = "Unknown", refuses: bool = False) -> Cluster:
    """Under a policy that overrides and covers acme, a product that nobody reviewed."""
    env = {"name": "ACME", "disabled": "no", "reading": {"otherwise": otherwise}}
    rule = {"default": "On", "switches": [{"semantics": "Start", "env": env}]}
    rules = [rule | {"versions": ["<2.0"]}] if refuses else [rule]
    if refuses:
        refusal = {"env": "ACME", "effect": "it does not start"}
        rules.append({"default": "On", "versions": [">=2.0"], "refuses": [refusal]})
    acme = own_product("acme", channels=[{"name": "Usage", "rules": rules}])
    asking = policy(additionalProducts=["acme"], injection={"when": "Always"})
    return under(asking, catalogue=catalogue(acme))


HOLDS_MORE = [
    *("-Xmx4g", " -Xmx4g", "a=b", "true -Da=b", "reports=true; sentry=true;", '{"a": true}', "[a]"),
    *("a,b", "a|b", "a&b", "x\ny", "'x'", "true;", "true false"),
]


@every("value", HOLDS_MORE)
@every("otherwise", ["Unknown", "Enabled", "Unset"])
def test_a_value_that_may_hold_more_is_never_replaced(value: str, otherwise: str) -> None:
    given = manifest(container("acme/acme:1.0", env={"ACME": value}))
    written = own_acme(otherwise=otherwise).create(given)
    assert written.env == {"ACME": value}
    assert causes(written) == {"ACME": EditCause.HOLDS_MORE}
    (verdict,) = written.plan.verdicts
    assert verdict.state is not State.COMPLIANT
    # Nor is it of a built-in product.
    written = under(policy()).create(manifest(container(EMQX, env={EMQX_SWITCH: value})))
    assert written.env == {EMQX_SWITCH: value}
    assert causes(written) == {EMQX_SWITCH: EditCause.HOLDS_MORE}


@pytest.mark.parametrize("value", ["true", "TRUE", "", " ", "false"])
def test_a_value_that_is_understood_is_replaced(value: str) -> None:
    given = manifest(container("acme/acme:1.0", env={"ACME": value}))
    written = own_acme().create(given)
    assert written.env == {"ACME": value if value == "false" else "no"}


@pytest.mark.parametrize("value", ["maybe", "$(X)", "${X}", "4g"])
def test_a_word_that_is_not_understood_is_replaced_only_of_a_reviewed_product(value: str) -> None:
    given = manifest(container("acme/acme:1.0", env={"ACME": value}))
    assert own_acme().create(given).env == {"ACME": value}
    built_in = under(policy()).create(manifest(container(EMQX, env={EMQX_SWITCH: value})))
    assert built_in.env == {EMQX_SWITCH: "false"}
    if not value.startswith("$"):
        assert own_acme(otherwise="Enabled").create(given).env == {"ACME": "no"}


@pytest.mark.parametrize(("value", "stays"), [("-Xmx4g", True), ("maybe", True), ("yes", True)])
def test_a_refused_variable_of_an_own_product_that_holds_more_stays(
    value: str, *, stays: bool
) -> None:
    given = manifest(container("acme/acme:2.0", env={"ACME": value}))
    assert (own_acme(refuses=True).create(given).env == {"ACME": value}) is stays
    understood = manifest(container("acme/acme:2.0", env={"ACME": "true"}))
    assert own_acme(refuses=True).create(understood).env == {}


def test_what_we_wrote_ourselves_is_replaced_whatever_it_looks_like() -> None:
    env = {"name": "ACME", "disabled": "reports=false;", "enabled": "reports=true;"}
    rule = {"default": "On", "switches": [{"semantics": "Start", "env": env}]}
    acme = own_product("acme", channels=[{"name": "Usage", "rules": [rule]}])
    asking = policy(additionalProducts=["acme"])
    both = under(asking, catalogue=catalogue(acme))
    written = both.create(manifest(container("acme/acme:1.0", env={"ACME": "reports=true;"})))
    assert written.env == {"ACME": "reports=false;"}


# A product that is no longer known.


def test_what_was_injected_goes_without_its_product() -> None:
    recorded = (InjectedVariable(container="app", name="ACME", value="no"),)
    after = Cluster((policy(),), recorded=recorded)
    env = {"ACME": "no", "OWN": "1"}
    stands = claimed(manifest(container("acme/acme:1.0", env=env)), but=["ACME"])
    # Not at once, because pods would restart; the record stays, for the command revert, too.
    waiting = after.reconcile(stands)
    assert waiting.plan.edits == ()
    assert waiting.plan.injected == recorded
    written = after.update(stands, touched(stands))
    assert written.env == {"OWN": "1"}
    assert causes(written) == {"ACME": EditCause.REVERTED}
    assert after.reconcile(written.manifest).plan.injected == ()


def test_without_a_restart_it_goes_at_once() -> None:
    recorded = (InjectedVariable(container="app", name="ACME", value="no"),)
    given = manifest(container("acme/acme:1.0", env={"ACME": "no"}), kind="CronJob")
    written = Cluster(recorded=recorded).reconcile(claimed(given, but=["ACME"]))
    assert written.env == {}


@pytest.mark.parametrize("name", [V5_CRON, V5_CRON.lower(), "dt.task.telemetry-submission.cron"])
def test_a_schedule_of_the_users_own_is_replaced_under_override_and_stays_under_keep(
    name: str,
) -> None:
    given = claimed(manifest(container(DTRACK_5, env={name: "0 3 * * *"})))
    assert under(policy()).create(given).env == {name: "-", V5_SWITCH: "false"}
    kept = under(policy(injection={"onConflict": "Keep"})).create(given)
    assert kept.env == {name: "0 3 * * *", V5_SWITCH: "false"}
    assert kept.plan.skipped_edits[0].name == name
    opt_in = under(policy(submission="Enabled")).create(given)
    assert opt_in.env == {name: "0 3 * * *", V5_SWITCH: "true"}


@pytest.mark.parametrize("own", [True, False])
def test_a_product_that_nobody_reviewed_writes_no_forbidden_variable(*, own: bool) -> None:
    # As if it had got past the loader.
    env = {"name": "LD_PRELOAD", "disabled": "x"}
    rule = {"default": "On", "switches": [{"semantics": "Start", "env": env}]}
    make = own_product if own else product
    known = catalogue(make("acme", channels=[{"name": "Usage", "rules": [rule]}]))
    asking = under(policy(additionalProducts=["acme"]), catalogue=known)
    written = asking.create(manifest(container("acme/acme:1.0")))
    assert written.env == ({} if own else {"LD_PRELOAD": "x"})


@pytest.mark.parametrize("name", ["LD_PRELOAD", "DB_HOST"])
def test_a_product_that_nobody_reviewed_removes_only_its_own_switches(name: str) -> None:
    # As if it had got past the loader.
    rule = {"default": "On", "refuses": [{"env": name, "effect": "it does not start"}]}
    channels = [{"name": "Usage", "rules": [rule]}]
    known = catalogue(own_product("acme", channels=channels))
    asking = under(policy(additionalProducts=["acme"]), catalogue=known)
    given = manifest(container("acme/acme:1.0", env={name: "true"}))
    assert asking.create(given).env == {name: "true"}
