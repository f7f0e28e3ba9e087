"""A CronJob that only calls home: suspended, kept so, and resumed, and never against its owner."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_telemetry.admission.review import NOTHING
from fleet_telemetry.api.policy import Policy
from fleet_telemetry.api.reasons import Reason
from fleet_telemetry.api.workload_telemetry import InjectedKind, InjectedVariable, State
from fleet_telemetry.catalogue.catalogue import builtin
from fleet_telemetry.catalogue.own_products import compile_own
from fleet_telemetry.catalogue.product import ProductError
from fleet_telemetry.controllers.revert import edits_for
from fleet_telemetry.decision import decide
from fleet_telemetry.kube import kinds
from fleet_telemetry.kube.cache import ClusterCache
from fleet_telemetry.kube.webhook_configuration import mutating_webhooks
from fleet_telemetry.reporting.changes import change_notices, shows, warning_for
from fleet_telemetry.switches.edits import EditCause, Trigger
from fleet_telemetry.switches.patch import build_patch
from fleet_telemetry.workloads.reading import read_workload_or_part
from fleet_telemetry.workloads.registry import TEMPLATE_PATHS, WorkloadKind
from fleet_telemetry.workloads.workload import FIELD_MANAGER, Workload
from tests.support.admission_requests import (
    admitted,
    answer,
    creation,
    rolled,
    update,
)
from tests.support.admission_requests import policy_manifest as manifest_of_policy
from tests.support.builders import (
    NGINX,
    OWNER,
    Cluster,
    Manifest,
    container,
    controller_of,
    manifest,
    pod_of,
    policy,
    product,
    under,
    workload,
)
from tests.support.depth import examples
from tests.support.every import every
from tests.support.json_patch import apply_patch

IMAGE = "cr.l5d.io/linkerd/controller:stable-2.14.10"
SUSPENDED = InjectedVariable(
    container="heartbeat", name="spec.suspend", value="true", kind=InjectedKind.SUSPENSION
)
OTHER_FIELDS = {"f:schedule": {}, "f:jobTemplate": {"f:spec": {"f:template": {}}}}


def wish_for(submission: str = "Disabled", **more: Any) -> Policy:
    return policy(submission=submission, channels=["UpdateCheck"], **more)


def policy_manifest(submission: str = "Disabled", **more: Any) -> Manifest:
    return manifest_of_policy(submission=submission, channels=["UpdateCheck"], **more)


OFF, ON = wish_for(), wish_for("Enabled")
NEVER = wish_for(injection={"when": "Never"})


def managed(*fields: str, manager: str = "helm", **spec: Any) -> Manifest:
    """An entry of managed fields: some of spec."""
    owned = {**{f"f:{name}": {} for name in fields}, **spec}
    return {"manager": manager, "operation": "Update", "fieldsV1": {"f:spec": owned}}


AUTHOR = managed("suspend", **OTHER_FIELDS)
"""Of whoever creates a CronJob without the field: the API server adds ``false`` for him."""
NOBODY = managed(**OTHER_FIELDS)
APPLIED = {**managed("suspend"), "operation": "Apply"}


def heartbeat(
    *entries: Manifest, suspend: object = False, beside: tuple[Manifest, ...] = (), **more: Any
) -> Manifest:
    """The CronJob of the vendor's chart, with managed fields."""
    found = manifest(container(IMAGE, name="heartbeat"), *beside, kind="CronJob", **more)
    if suspend is not None:
        found["spec"]["suspend"] = suspend
    if entries:
        found["metadata"]["managedFields"] = copy.deepcopy(list(entries))
    return found


def suspended(given: Manifest) -> object:
    return given["spec"].get("suspend")


def written(of: Cluster, given: Manifest) -> object:
    """Whether it is suspended after the controller was there."""
    return suspended(of.reconcile(given).manifest)


# Created and updated


@pytest.mark.parametrize("entry", [AUTHOR, NOBODY, APPLIED])
@pytest.mark.parametrize("before", [False, None])
def test_it_is_suspended_when_it_is_created(entry: Manifest, before: object) -> None:
    after = admitted(creation(heartbeat(entry, suspend=before)), policy_manifest())
    assert suspended(after) is True
    (left,) = after["metadata"]["managedFields"] or [{"fieldsV1": {"f:spec": {}}}]
    assert "f:suspend" not in left["fieldsV1"]["f:spec"]
    # The suspension is ours from then on, and goes with the policy.
    after["metadata"]["uid"] = "uid"
    assert written(under(OFF), after) is True
    if entry is not APPLIED:
        assert written(under(), after) is False


def test_only_the_one_field_is_taken_from_its_managers() -> None:
    status = {
        "manager": "kube",
        "subresource": "status",
        "fieldsV1": {"f:status": {"f:active": {}}},
    }
    both = {**managed("suspend"), "fieldsV1": {"f:metadata": {}, "f:spec": {"f:suspend": {}}}}
    given = heartbeat(managed("suspend"), AUTHOR, status, both, APPLIED, NOBODY)
    after = admitted(creation(given), policy_manifest())
    assert after["metadata"]["managedFields"] == [
        NOBODY,
        status,
        {**both, "fieldsV1": {"f:metadata": {}}},
        NOBODY,
    ]


@pytest.mark.parametrize("entries", [None, "text", 7, [None], ["text"], [{"fieldsV1": 7}]])
def test_misshapen_managed_fields_do_not_matter(entries: object) -> None:
    given = heartbeat(AUTHOR)
    given["metadata"]["managedFields"] = entries
    assert suspended(admitted(creation(given), policy_manifest())) is True


def test_what_resumes_it_is_undone_in_the_same_request() -> None:
    before = heartbeat(NOBODY, suspend=True)
    patched = heartbeat(NOBODY, managed("suspend", manager="kubectl-patch"), suspend=False)
    after = admitted(update(before, patched), policy_manifest())
    assert suspended(after) is True
    assert after["metadata"]["managedFields"] == [NOBODY]
    result = answer(update(before, patched), policy_manifest())
    assert [change.cause for change in result.changes] == [EditCause.RESTORED]


def test_a_request_that_neither_suspends_nor_changes_the_template_is_left_alone() -> None:
    before, after = heartbeat(AUTHOR), heartbeat(AUTHOR)
    after["spec"]["schedule"] = "1 1 * * *"
    assert answer(update(before, after), policy_manifest()) == NOTHING


def test_with_when_never_it_is_not_suspended_and_its_suspension_stays() -> None:
    assert answer(creation(heartbeat(AUTHOR)), policy_manifest(injection={"when": "Never"})) == (
        NOTHING
    )
    before, after = heartbeat(NOBODY, suspend=True), heartbeat(AUTHOR)
    assert suspended(under(NEVER).update(before, after).manifest) is True
    users = heartbeat(AUTHOR, suspend=True)
    (dropped,) = under(NEVER).update(users, after).plan.skipped_edits
    assert dropped.cause is EditCause.DROPPED
    assert "did not suspend the CronJob" in warning_for(dropped, "CronJob it")


def test_a_suspension_of_ours_is_resumed_when_a_policy_enables() -> None:
    result = under(ON).reconcile(heartbeat(NOBODY, suspend=True))
    assert suspended(result.manifest) is False
    (edit,) = result.plan.edits
    assert edit.policy is ON
    # And it stays so.
    assert not under(ON).reconcile(result.manifest).plan.changes


# Whose it is


@every(
    ("entries", "after"),
    [
        ([NOBODY], False),
        ([managed("suspend", manager=FIELD_MANAGER), NOBODY], False),
        ([AUTHOR], True),
        ([NOBODY, APPLIED], True),
        ([NOBODY, managed("suspend", manager="kubectl-patch")], True),
        # Without managed fields nothing says whose it is.
        ([], True),
    ],
)
@every("wish", [(), (ON,), (wish_for("Enabled", mode="Audit"),)])
@every("recorded", [(), (SUSPENDED,)])
def test_only_a_suspension_of_ours_is_taken_back(
    entries: list[Manifest], after: bool, wish: tuple[Any, ...], recorded: tuple[Any, ...]
) -> None:
    is_audit = bool(wish) and wish[0].spec.mode == "Audit"
    given = heartbeat(*entries, suspend=True)
    cluster = under(*wish, recorded=recorded)
    assert written(cluster, given) is (True if is_audit else after)
    # The webhook agrees, whatever else changes.
    shown = [policy_manifest(submission="Enabled")] if wish and not is_audit else []
    if entries and not is_audit:
        assert suspended(admitted(rolled(given), *shown)) is after


@pytest.mark.parametrize("kept", [EditCause.KEPT, EditCause.HOLDS_MORE])
def test_the_suspension_of_the_user_is_told(kept: EditCause) -> None:
    how = {"onConflict": "Keep" if kept is EditCause.KEPT else "Override"}
    cluster = under(wish_for("Enabled", injection=how))
    (skipped,) = cluster.reconcile(heartbeat(AUTHOR, suspend=True)).plan.skipped_edits
    assert skipped.cause is kept
    assert "somebody else suspended it" in warning_for(skipped, "CronJob it")


def test_it_is_recorded_and_reverted_by_the_record() -> None:
    given = heartbeat(NOBODY, suspend=True)
    assert decide(under(OFF).input(given, Trigger.RECONCILE)).injected == (SUSPENDED,)
    assert decide(under().input(heartbeat(AUTHOR, suspend=True), Trigger.RECONCILE)).injected == ()
    edits = edits_for(workload(given), (SUSPENDED,))
    patch = build_patch(given, TEMPLATE_PATHS["CronJob"], edits)
    assert suspended(apply_patch(given, patch)) is False
    assert edits_for(workload(given), ()) == ()
    assert edits_for(workload(heartbeat(AUTHOR, suspend=True)), (SUSPENDED,)) == ()
    assert edits_for(workload(heartbeat(NOBODY)), (SUSPENDED,)) == ()


def test_a_product_that_is_no_longer_known_leaves_no_suspension() -> None:
    given = heartbeat(NOBODY, suspend=True)
    given["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]["image"] = NGINX
    assert written(under(OFF, recorded=(SUSPENDED,)), given) is False
    assert written(under(OFF), given) is True
    plan = decide(under(recorded=(SUSPENDED,)).input(given, Trigger.RECONCILE))
    assert plan.injected == (SUSPENDED,)


# What is not suspended


def test_a_cron_job_that_runs_more_is_left_alone() -> None:
    for beside in (container(NGINX, name="backup"), container(IMAGE, name="heartbeat-2")):
        given = heartbeat(AUTHOR, beside=(beside,))
        result = under(OFF).reconcile(given)
        assert suspended(result.manifest) is False
        (skipped,) = result.plan.skipped_edits
        assert (skipped.cause, skipped.note) == (EditCause.NOT_WRITABLE, Reason.CRON_JOB_RUNS_MORE)
        # One that runs more by now is resumed all the same.
        assert written(under(), heartbeat(NOBODY, suspend=True, beside=(beside,))) is False


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job"])
def test_other_kinds_are_left_alone(kind: str) -> None:
    given = manifest(container(IMAGE, name="heartbeat"), kind=kind, suspend=False)
    for trigger in (Trigger.CREATE, Trigger.RECONCILE):
        assert decide(under(OFF).input(given, trigger)).edits == ()


def test_what_another_controller_owns_is_left_alone() -> None:
    assert written(under(OFF), heartbeat(AUTHOR, owner=OWNER)) is False
    assert written(under(), heartbeat(NOBODY, suspend=True, owner=OWNER)) is True


def test_other_containers_of_the_image_are_other_software() -> None:
    for name in ("destination", "identity", "main", "heartbeat-2", ""):
        assert builtin().match_image(IMAGE, name) is None
    assert builtin().match_image(IMAGE, "heartbeat") is not None


# What is proven


def verdict(given: Manifest, *pods: Any, **more: Any) -> tuple[Any, ...]:
    plan = decide(under(OFF).input(given, Trigger.RECONCILE, pods=pods, **more))
    (one,) = plan.verdicts
    return one.state, one.reason, str(one.observed("running").setting)


def test_it_is_compliant_once_no_job_runs() -> None:
    given = heartbeat(NOBODY, suspend=True)
    done = (State.COMPLIANT, Reason.CRON_JOB_SUSPENDED, "Unknown")
    still = (State.PENDING, Reason.JOB_STILL_RUNS)
    assert verdict(given) == done
    assert verdict(given, active_parts=True) == (*still, "Unknown")
    running = pod_of(given)
    assert verdict(given, running) == (*still, "Unset")
    ended = replace(running, phase=type(running.phase).SUCCEEDED)
    assert verdict(given, ended) == done
    listed = copy.deepcopy(given)
    listed["status"] = {"active": [{"kind": "Job", "name": "it-1"}]}
    assert verdict(listed) == (*still, "Unknown")
    listed["status"] = {"active": []}
    assert verdict(listed) == done


@pytest.mark.parametrize("value", ["true", 1, [True], {"a": True}])
def test_what_is_no_truth_does_not_suspend(value: object) -> None:
    assert verdict(heartbeat(AUTHOR, suspend=value))[0] is State.PENDING


def job(owner: Manifest, *conditions: Manifest) -> Workload:
    found = manifest(container(IMAGE, name="heartbeat"), kind="Job", owner=controller_of(owner))
    found["metadata"]["name"] = "it-1"
    found["status"] = {"conditions": list(conditions)}
    part = read_workload_or_part(found)
    assert part is not None
    return part


@pytest.mark.parametrize(
    ("conditions", "active"),
    [
        ([], True),
        ([{"type": "Complete", "status": "True"}], False),
        ([{"type": "Failed", "status": "True"}], False),
        ([{"type": "Complete", "status": "False"}], True),
        ([{"type": "Suspended", "status": "True"}], True),
        ([{"type": "FailureTarget", "status": "True"}], True),
    ],
)
def test_a_job_is_active_until_it_has_finished(conditions: list[Manifest], active: bool) -> None:
    assert job(heartbeat(), *conditions).is_active is active


def test_the_cache_knows_jobs_without_pods() -> None:
    cache = ClusterCache(builtin())
    whole = heartbeat(NOBODY, suspend=True)
    ref = workload(whole).ref
    assert not cache.fleet.has_active_part(ref)
    cache.upsert(kinds.WORKLOAD_BY_KIND[ref.kind], whole)
    assert not cache.fleet.has_active_part(ref)
    failed = {"conditions": [{"type": "Failed", "status": "True"}]}
    for status, active in (({}, True), (failed, False)):
        part = manifest(
            container(IMAGE, name="heartbeat"), kind="Job", name="it-1", owner=controller_of(whole)
        )
        part["status"] = status
        cache.upsert(kinds.WORKLOAD_BY_KIND[WorkloadKind.JOB], part)
        assert cache.fleet.has_active_part(ref) is active


# What is said


def test_events_and_warnings_say_what_was_done() -> None:
    created = under(OFF).create(heartbeat(AUTHOR))
    (edit,) = created.plan.edits
    assert "suspended the CronJob of container heartbeat" in warning_for(edit, "CronJob it")
    (notice,) = change_notices([edit], "The webhook")
    assert notice.reason == "TelemetrySettingInjected"
    assert shows(workload(created.manifest).template, edit)
    assert not shows(workload(heartbeat()).template, edit)
    gone = under().reconcile(heartbeat(NOBODY, suspend=True))
    (edit,) = gone.plan.edits
    assert "resumed the CronJob of container heartbeat" in warning_for(edit, "CronJob it")
    assert shows(workload(gone.manifest).template, edit)


def test_the_webhook_is_called_for_a_suspension_of_cron_jobs_alone() -> None:
    found = mutating_webhooks(["a/b"], {}, suffix="x")
    asks = {
        one["name"]: "suspend" in one["matchConditions"][1]["expression"]
        for one in found
        if len(one["matchConditions"]) > 1
    }
    assert asks.pop("cronjobs.x") is True
    assert not any(asks.values())


# What may be written in a product

RULE = {"default": "On", "switches": [{"semantics": "Start", "suspend": True}]}
CHANNELS = [{"name": "Usage", "rules": [RULE]}]


def test_a_product_names_the_containers_of_the_cron_job() -> None:
    with pytest.raises(ProductError, match="has no onlyContainers"):
        product("acme", channels=CHANNELS)
    image = {"pattern": "acme/acme", "onlyContainers": ["beat"]}
    assert product("acme", images=[image], channels=CHANNELS)


def test_only_a_built_in_product_suspends() -> None:
    image = {"pattern": "acme/acme", "onlyContainers": ["beat"]}
    own = product("acme", images=[image], channels=CHANNELS).spec
    with pytest.raises(ProductError, match="only a built-in product suspends CronJobs"):
        compile_own("acme", own)
    derived = replace_base(own)
    with pytest.raises(ProductError, match="base linkerd: only a built-in product suspends"):
        compile_own("acme", derived)


def replace_base(spec: Any) -> Any:
    image = {"pattern": "acme/acme", "component": "heartbeat", "onlyContainers": ["beat"]}
    given = {"title": "acme", "base": "linkerd", "images": [image]}
    return msgspec.convert(given, type(spec))


# Whatever comes

ENTRY = st.sampled_from(
    [
        AUTHOR,
        NOBODY,
        APPLIED,
        managed("suspend", manager="kubectl-patch"),
        managed("suspend", manager=FIELD_MANAGER),
        {"manager": "kube", "subresource": "status", "fieldsV1": {"f:status": {}}},
    ]
)
WISH = st.sampled_from(
    [
        (),
        (OFF,),
        (ON,),
        (NEVER,),
        (wish_for(mode="Audit"),),
        (wish_for(injection={"when": "Always", "onConflict": "Override"}),),
        (wish_for("Enabled", injection={"onConflict": "Keep"}),),
    ]
)


@given(
    entries=st.lists(ENTRY, max_size=4),
    before=st.sampled_from([True, False, None]),
    wishes=st.lists(WISH, min_size=1, max_size=4),
    recorded=st.sampled_from([(), (SUSPENDED,)]),
    beside=st.booleans(),
)
@examples(200)
def test_whatever_comes_nothing_but_the_field_changes_and_nothing_is_done_twice(
    entries: list[Manifest], before: object, wishes: list[Any], recorded: Any, beside: bool
) -> None:
    more = (container(NGINX, name="backup"),) if beside else ()
    given = heartbeat(*entries, suspend=before, beside=more)
    owned = any(
        "f:suspend" in one["fieldsV1"].get("f:spec", {})
        for one in entries
        if one["manager"] != FIELD_MANAGER
    )
    users = before is True and (owned or not entries)
    for wish in wishes:
        result = under(*wish, recorded=recorded).reconcile(given)
        assert not under(*wish, recorded=recorded).reconcile(result.manifest).plan.edits
        assert {op["path"] for op in result.patch} <= {"/spec/suspend"}
        now = suspended(result.manifest)
        if users:
            assert now is True
        elif beside and before is not True:
            assert now is before
        if wish in ((), (ON,)) and not users and entries:
            assert now in (False, None) or owned
        given = result.manifest
