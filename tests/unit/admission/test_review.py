"""Admission requests in, patches and warnings out."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_telemetry.admission.review import (
    NOTHING,
    review_pod,
    review_workload,
)
from fleet_telemetry.kube import kinds
from fleet_telemetry.reporting.changes import warning_for
from fleet_telemetry.switches.edits import Edit, EditCause, SkippedEdit
from fleet_telemetry.workloads.registry import WorkloadKind
from fleet_telemetry.workloads.workload import NO_OP_PATCH_MANAGER
from tests.support.admission_requests import (
    admitted,
    answer,
    cache_with,
    creation,
    policy_manifest,
    rolled,
    update,
)
from tests.support.admission_strategies import broken
from tests.support.builders import (
    DTRACK_4,
    DTRACK_5,
    EMQX,
    EMQX_SWITCH,
    FROM_SECRET,
    LONG_AGO,
    NAMESPACE,
    NGINX,
    NOW,
    OWNER,
    SONAR_SWITCH,
    SONARQUBE,
    V4_SWITCH,
    V5_OFF,
    Manifest,
    claimed,
    container,
    controller_of,
    env_of,
    manifest,
    policy,
    touched,
    with_image,
    workload,
)
from tests.support.depth import examples
from tests.support.json_patch import apply_patch

OPT_OUT = policy_manifest()
CLUSTER = f"ClusterTelemetryPolicy opt-out: Deployment {NAMESPACE}/it: "
DEPLOYMENT, CRON_JOB = (OWNER | {"kind": kind} for kind in ("Deployment", "CronJob"))
POLICY = f"TelemetryPolicy {NAMESPACE}/opt-out: "
WHO = f"{POLICY}Deployment {NAMESPACE}/it: "
NOBODY = f"fleet-telemetry: Deployment {NAMESPACE}/it: "


@pytest.mark.parametrize(
    "kind", [kind for kind in WorkloadKind if not kind.type.is_injected_by_pod]
)
def test_a_new_workload_of_any_kind_gets_the_setting(kind: str) -> None:
    request = creation(manifest(container(SONARQUBE, env={"A": "1"}), kind=kind))
    assert env_of(admitted(request, OPT_OUT)) == {"A": "1", SONAR_SWITCH: "false"}
    assert answer(request, OPT_OUT).warnings == (
        f'{POLICY}{kind} {NAMESPACE}/it: set {SONAR_SWITCH}="false" in container app',
    )


@pytest.mark.parametrize(
    "request_",
    [
        creation(manifest(container(NGINX))),
        creation(manifest(container(SONARQUBE, env={SONAR_SWITCH: "false"}))),
        creation(manifest(container(SONARQUBE), owner=OWNER)),
        # The parts of a workload: its own template was seen already.
        creation(manifest(container(SONARQUBE), kind="ReplicaSet", owner=DEPLOYMENT)),
        creation(manifest(container(SONARQUBE), kind="Job", owner=CRON_JOB)),
        creation(manifest(container(SONARQUBE)), namespace="elsewhere"),
    ],
    ids=["no product", "set already", "foreign", "replica set", "job", "another namespace"],
)
def test_what_is_let_through_as_it_came(request_: Manifest) -> None:
    assert answer(request_, OPT_OUT) == NOTHING


def test_the_namespace_is_the_requests_whatever_the_object_says() -> None:
    request = creation(manifest(container(SONARQUBE)))
    for namespace in (None, "", "elsewhere"):
        request["object"]["metadata"]["namespace"] = namespace
        assert answer(request, OPT_OUT).patch != ()
    del request["object"]["metadata"]["namespace"]
    assert answer(request, OPT_OUT).patch != ()


def test_an_update_that_leaves_the_template_alone_is_no_occasion() -> None:
    old = claimed(manifest(container(SONARQUBE), created=NOW))
    always = policy_manifest(injection={"when": "Always", "rollout": "Immediate"})
    scaled = copy.deepcopy(old)
    scaled["spec"]["replicas"] = 5
    labelled = copy.deepcopy(old)
    labelled["metadata"]["labels"] = {"a": "b"}
    for new in (old, scaled, labelled):
        assert answer(update(old, new), always) == NOTHING
    assert answer(rolled(old), always).patch != ()


@pytest.mark.parametrize("kind", ["Deployment", "CronJob"])
def test_any_change_of_the_template_is_an_occasion(kind: str) -> None:
    old = claimed(manifest(container(SONARQUBE), kind=kind))
    always = policy_manifest(injection={"when": "Always"})
    assert answer(update(old, old), always) == NOTHING
    assert env_of(admitted(rolled(old), always)) == {SONAR_SWITCH: "false"}
    assert answer(rolled(old), OPT_OUT) == NOTHING


def test_an_upgrade_swaps_the_variables_and_says_so() -> None:
    old = admitted(creation(manifest(container(DTRACK_4))), OPT_OUT)
    request = update(old, with_image(old, DTRACK_5))
    assert env_of(admitted(request, OPT_OUT)) == V5_OFF
    removed, *added = answer(request, OPT_OUT).warnings
    assert removed.startswith(
        f"{NOBODY}removed {V4_SWITCH} in container app: version 5 refuses to start"
    )
    assert added == [
        f'{WHO}set {name}="{value}" in container app' for name, value in V5_OFF.items()
    ]


@pytest.mark.parametrize("operation", ["DELETE", "CONNECT"])
def test_other_operations_are_no_occasion(operation: str) -> None:
    request = creation(manifest(container(SONARQUBE)))
    gone = request | {"operation": operation, "oldObject": request["object"], "object": None}
    assert answer(gone, OPT_OUT) == NOTHING


def test_a_subresource_is_no_occasion() -> None:
    old = claimed(manifest(container(SONARQUBE)))
    always = policy_manifest(injection={"when": "Always"})
    new = copy.deepcopy(old)
    new["status"] = {"replicas": 1}
    assert answer(update(old, new, subResource="status"), always) == NOTHING
    scale = {"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "it"}}
    request = update(scale | {"spec": {"replicas": 1}}, scale | {"spec": {"replicas": 2}})
    assert answer(request | {"subResource": "scale"}, always) == NOTHING


def test_a_dry_run_is_answered_alike_and_leaves_no_trace() -> None:
    cache = cache_with(OPT_OUT)
    request = creation(manifest(container(SONARQUBE)))
    state = (dict(cache.policies), dict(cache.workload_telemetries), dict(cache.fleet.workloads))
    dry = review_workload(request | {"dryRun": True}, cache, NOW)
    assert dry == review_workload(request, cache, NOW)
    assert dry.patch != ()
    assert state == (cache.policies, dict(cache.workload_telemetries), cache.fleet.workloads)


def test_the_same_request_again_is_answered_alike_and_the_answer_needs_no_answer() -> None:
    """The API server may call again when a webhook after ours has changed something."""
    request = creation(manifest(container(SONARQUBE), container(EMQX, name="emqx")))
    once = admitted(request, OPT_OUT)
    assert answer(request | {"object": once}, OPT_OUT) == NOTHING
    old = claimed(manifest(container(DTRACK_4), created=LONG_AGO))
    request = update(old, with_image(old, DTRACK_5))
    again = request | {"object": admitted(request, OPT_OUT)}
    assert answer(again, OPT_OUT) == NOTHING


def test_the_controllers_nudge_gets_what_the_policy_grants_the_controller() -> None:
    old = claimed(manifest(container(SONARQUBE), created=NOW))
    nudge = {"options": {"kind": "PatchOptions", "fieldManager": NO_OP_PATCH_MANAGER}}
    immediate = policy_manifest(injection={"rollout": "Immediate"})
    assert answer(update(old, old, **nudge), OPT_OUT) == NOTHING
    assert env_of(admitted(update(old, old, **nudge), immediate)) == {SONAR_SWITCH: "false"}
    # Whoever changes the template under that name is a user like any other.
    assert answer(rolled(old, **nudge), OPT_OUT).patch != ()


def test_what_was_recorded_is_taken_back() -> None:
    record = {
        "kind": "WorkloadTelemetry",
        "metadata": {
            "name": "deployment-it",
            "namespace": NAMESPACE,
            "uid": "1",
            "ownerReferences": [controller_of(manifest())],
        },
        "status": {"injected": [{"container": "app", "name": "LOG_LEVEL", "value": "INFO"}]},
    }
    given_manifest = manifest(container(SONARQUBE, env={"LOG_LEVEL": "INFO"}))
    old = claimed(given_manifest, but=["LOG_LEVEL"])
    assert env_of(admitted(rolled(old), record)) == {}
    # A record of an earlier workload of the same name says nothing of this one.
    old["metadata"]["uid"] = "new"
    assert env_of(admitted(rolled(old), record)) == {"LOG_LEVEL": "INFO"}
    old["metadata"]["uid"] = "uid-of-it"
    assert env_of(admitted(rolled(old))) == {"LOG_LEVEL": "INFO"}


def test_a_cluster_policy_selects_by_the_labels_of_the_namespace() -> None:
    selector = {"matchLabels": {"team": "a"}}
    cluster = policy_manifest(cluster=True, namespaceSelector=selector)
    request = creation(manifest(container(SONARQUBE)))
    assert answer(request, cluster) == NOTHING
    found = answer(request, cluster, labels={"team": "a"})
    assert found.warnings[0].startswith(f"{CLUSTER}set ")


@pytest.mark.parametrize(
    ("operator", "covers_without_labels"), [("DoesNotExist", True), ("Exists", False)]
)
def test_a_namespace_that_is_not_known_yet_is_not_one_without_labels(
    operator: str, *, covers_without_labels: bool
) -> None:
    """Its watch event may come after the first workload in it."""
    wanted = {"matchExpressions": [{"key": "team", "operator": operator}]}
    selecting = policy_manifest(cluster=True, namespaceSelector=wanted)
    for given_policy, covers in (
        (selecting, covers_without_labels),
        (policy_manifest(cluster=True), True),
        (policy_manifest(cluster=True, namespaceSelector={}), True),
    ):
        cache = cache_with(given_policy)
        request = creation(manifest(container(SONARQUBE)))
        assert bool(review_workload(request, cache, NOW).patch) is covers
        cache.delete(kinds.NAMESPACE, {"metadata": {"name": NAMESPACE}})
        assert bool(review_workload(request, cache, NOW).patch) is (
            covers and given_policy is not selecting
        )


def test_a_policy_that_cannot_be_read_is_none() -> None:
    request = creation(manifest(container(SONARQUBE)))
    assert answer(request, policy_manifest(submission="Perhaps")) == NOTHING


# Pods of workloads that somebody else's controller owns.


def pod_creation(**metadata: Any) -> Manifest:
    owner = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "emqx", "uid": "u"}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "generateName": "emqx-",
            "ownerReferences": [owner | {"controller": True}],
            **metadata,
        },
        "spec": {"containers": [container(EMQX, env={"A": "1"})]},
    }
    return creation(claimed(pod | {"metadata": pod["metadata"] | {"name": "emqx-0"}}))


def owning(**more: Any) -> Manifest:
    return manifest(container(EMQX), kind="StatefulSet", name="emqx", owner=OWNER, **more)


def test_a_pod_is_injected_as_its_owner_would_be() -> None:
    request = pod_creation()
    found = review_pod(request, workload(owning()), cache_with(OPT_OUT), NOW)
    after = apply_patch(request["object"], list(found.patch))
    assert env_of(after) == {"A": "1", EMQX_SWITCH: "false"}
    assert found.warnings == (
        f'{POLICY}StatefulSet {NAMESPACE}/emqx: set {EMQX_SWITCH}="false" in container app',
    )
    selecting = policy_manifest(selector={"matchLabels": {"tier": "gold"}})
    gold = owning(labels={"tier": "gold"})
    assert review_pod(request, workload(owning()), cache_with(selecting), NOW) == NOTHING
    assert review_pod(request, workload(gold), cache_with(selecting), NOW).patch != ()


def test_what_the_owner_wrote_into_a_pod_is_not_ours() -> None:
    """The pod's own managed fields count; those of the workload speak of its template."""
    request = pod_creation()
    (found,) = request["object"]["spec"]["containers"]
    found["env"] = [{"name": EMQX_SWITCH, "value": "true"}]
    request["object"] = claimed(request["object"])
    keep = cache_with(policy_manifest(injection={"onConflict": "Keep"}))
    answered = review_pod(request, workload(claimed(owning())), keep, NOW)
    assert answered.patch == ()
    assert answered.warnings[0].startswith(
        f"{POLICY}StatefulSet {NAMESPACE}/emqx: kept {EMQX_SWITCH}"
    )


# What its author is told.


def edit(cause: EditCause, value: str | None = "s3cret", note: str = "", **more: Any) -> Edit:
    return Edit(0, "app", "NAME", value, cause, more.get("policy"), note)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (edit(EditCause.INJECTED, "v", policy=policy()), f'{WHO}set NAME="v" in container app'),
        (
            edit(EditCause.INJECTED, "v", "-Dx overrides it", policy=policy()),
            f'{WHO}set NAME="v" in container app, but -Dx overrides it',
        ),
        (
            edit(EditCause.OVERRIDDEN, "v", policy=policy()),
            f'{WHO}replaced the value of NAME by "v" in container app',
        ),
        (
            edit(EditCause.RESTORED, "v", policy=policy()),
            (
                f'{WHO}set NAME="v" in container app again: the update drops it, and the setting '
                "stays while a policy asks for it"
            ),
        ),
        (
            SkippedEdit("app", "NAME", EditCause.DROPPED, policy()),
            (
                f"{WHO}did not set NAME in container app again, which the update drops, because of "
                "when: Never; the default of the product applies"
            ),
        ),
        (
            SkippedEdit("app", "NAME", EditCause.DROPPED, policy(), "perhaps"),
            (
                f"{WHO}did not set NAME in container app again, which the update drops (perhaps), "
                "because of when: Never; the default of the product applies"
            ),
        ),
        (edit(EditCause.OVERRIDDEN, None, policy=policy()), f"{WHO}removed NAME in container app"),
        (edit(EditCause.SETTING, policy=policy()), f"{WHO}set NAME in container app"),
        (
            edit(EditCause.SETTING, note="replacing another value", policy=policy()),
            f"{WHO}set NAME in container app, replacing another value",
        ),
        (
            edit(EditCause.REFUSED, None, "it crashes"),
            f"{NOBODY}removed NAME in container app: it crashes",
        ),
        (
            edit(EditCause.REVERTED, None),
            f"{NOBODY}removed NAME in container app: no policy asks for it on this version",
        ),
        (
            SkippedEdit("app", "NAME", EditCause.KEPT, policy()),
            f"{WHO}kept NAME in container app because of onConflict: Keep",
        ),
        (
            SkippedEdit("app", "NAME", EditCause.KEPT, policy(cluster=True), "it crashes"),
            f"{CLUSTER}kept NAME in container app because of onConflict: Keep (it crashes)",
        ),
        (
            SkippedEdit("app", "NAME", EditCause.BY_REFERENCE, policy()),
            f"{WHO}did not replace NAME in container app: its value comes from a reference",
        ),
    ],
)
def test_the_sentence(change: Edit | SkippedEdit, sentence: str) -> None:
    assert warning_for(change, f"Deployment {NAMESPACE}/it") == sentence


@pytest.mark.parametrize("env", [{}, {"SONAR_NOTE": "mine"}, {"SONAR_NOTE": FROM_SECRET}])
@pytest.mark.parametrize("on_conflict", ["Override", "Keep"])
def test_values_of_related_settings_stay_unsaid(env: dict[str, Any], on_conflict: str) -> None:
    entry = {"name": "SONAR_NOTE", "value": "s3cret"}
    settings = [{"product": "sonarqube", "env": [entry]}]
    asking = policy_manifest(injection={"settings": settings, "onConflict": on_conflict})
    found = answer(creation(manifest(container(SONARQUBE, env=env))), asking)
    assert any("SONAR_NOTE" in warning for warning in found.warnings)
    assert not any("s3cret" in warning or "mine" in warning for warning in found.warnings)


def test_a_workload_without_a_name_yet_is_called_by_its_prefix() -> None:
    request = creation(manifest(container(SONARQUBE), kind="Job"))
    del request["object"]["metadata"]["name"]
    request["object"]["metadata"]["generateName"] = "nightly-"
    (warning,) = answer(request, OPT_OUT).warnings
    assert warning.startswith(f"{POLICY}Job {NAMESPACE}/nightly-...: set ")


def test_a_long_sentence_is_cut_to_what_the_api_server_shows() -> None:
    request = creation(manifest(container(SONARQUBE, name="c" * 63)))
    named = policy_manifest("n" * 250)
    (warning,) = answer(request, named).warnings
    assert len(warning) == 250
    assert warning.endswith("...")
    exact = policy_manifest("n" * (250 - len(warning_of("x", "c" * 63)) + 1))
    (warning,) = answer(request, exact).warnings
    assert len(warning) == 250
    assert warning.endswith("c")


def warning_of(name: str, where: str) -> str:
    return (
        f"TelemetryPolicy {NAMESPACE}/{name}: Deployment {NAMESPACE}/it: "
        f'set {SONAR_SWITCH}="false" in container {where}'
    )


# Whatever comes.


@examples(120)
@given(broken(creation(manifest(container(SONARQUBE, env={"A": "1"}, args=["x"])))))
def test_a_broken_creation_never_raises(request_: Manifest) -> None:
    found = answer(request_, OPT_OUT)
    if found.patch:
        apply_patch(request_["object"], list(found.patch))


OLD = claimed(
    manifest(container(DTRACK_4, env={V4_SWITCH: "false"}), generation=1), but=[V4_SWITCH]
)


@examples(120)
@given(broken(update(OLD, with_image(touched(OLD), DTRACK_5))))
def test_a_broken_update_never_raises(request_: Manifest) -> None:
    found = answer(request_, OPT_OUT)
    if found.patch:
        apply_patch(request_["object"], list(found.patch))


@examples(100)
@given(broken(pod_creation()), st.sampled_from([owning(), manifest(container(EMQX))]))
def test_a_broken_pod_never_raises(request_: Manifest, owner: Manifest) -> None:
    review_pod(request_, workload(owner), cache_with(OPT_OUT), NOW)


def test_a_mirror_that_knows_the_kinds_is_what_requests_are_answered_from() -> None:
    cache = cache_with(OPT_OUT)
    cache.delete(kinds.POLICY, OPT_OUT)
    assert review_workload(creation(manifest(container(SONARQUBE))), cache, NOW) == NOTHING


def test_an_update_that_leaves_the_workload_out_changes_nothing_else() -> None:
    # The API server calls the webhook, because the object before the update has no such label.
    opt_out = policy_manifest(injection={"when": "Always"})
    before = manifest(container(SONARQUBE))
    changed = container(SONARQUBE, env={"OWN": "1"})
    after = manifest(changed, labels={"fleettelemetry.io/inject": "disabled"})
    assert answer(update(before, manifest(changed)), opt_out).patch
    assert answer(update(before, after), opt_out) == NOTHING
    assert answer(creation(after), opt_out) == NOTHING
