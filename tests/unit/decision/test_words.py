"""What a reason says comes true: what helps by its words helps, and nothing else does."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from fleet_telemetry.api.policy import ChannelName, Policy
from fleet_telemetry.api.reasons import Reason
from fleet_telemetry.decision import Input, decide, plan_injection
from fleet_telemetry.switches.edits import Trigger
from fleet_telemetry.switches.patch import build_patch
from fleet_telemetry.switches.recorded import Recorded
from fleet_telemetry.workloads.field_owner_reading import read_field_owners
from fleet_telemetry.workloads.template_reading import read_template
from fleet_telemetry.workloads.workload import Pod, PodTemplate
from tests.support.builders import Cluster, Manifest, claimed, pod_of, touched, under, workload
from tests.support.decision_strategies import manifests, policy_sets
from tests.support.depth import examples
from tests.support.json_patch import apply_patch

Key = tuple[str, ChannelName]
NEXT_CHANGE = {Reason.AWAITING_ROLLOUT, Reason.MISSED_ADMISSION, Reason.PRODUCT_ADDED_LATER}
NOT_YET = {*NEXT_CHANGE, Reason.AWAITING_UPGRADE}


def reasons(cluster: Cluster, given_: Manifest, pods: Iterable[Pod] = ()) -> dict[Key, Reason]:
    found = decide(cluster.input(given_, Trigger.RECONCILE, pods=tuple(pods)))
    return {
        (verdict.product, verdict.channel): verdict.reason
        for verdict in found.verdicts
        if verdict.reason is not None
    }


@examples(250)
@given(policy_sets(), manifests())
def test_what_waits_for_a_change_of_the_template_has_the_setting_after_one(
    policies: tuple[Policy, ...], present: Manifest
) -> None:
    cluster = under(*policies)
    before = reasons(cluster, present)
    after = reasons(cluster, cluster.update(present, touched(present)).manifest)
    for key, reason in before.items():
        if reason in NEXT_CHANGE:
            assert after[key] not in NOT_YET, key
        # A restart is a change of the template, and it is not what an upgrade is.
        if reason is Reason.AWAITING_UPGRADE:
            assert after[key] is Reason.AWAITING_UPGRADE, key


@examples(250)
@given(policy_sets(), manifests())
def test_what_is_queued_has_the_setting_after_the_controllers_write(
    policies: tuple[Policy, ...], present: Manifest
) -> None:
    cluster = under(*policies)
    before = reasons(cluster, present)
    after = reasons(cluster, cluster.reconcile(present).manifest)
    for key, reason in before.items():
        if reason is Reason.ROLLOUT_QUEUED:
            assert after[key] not in {*NOT_YET, Reason.ROLLOUT_QUEUED}, key


def next_pod(cluster: Cluster, owner: Manifest) -> Pod:
    """A new pod of a workload, as admission lets it in."""
    pod = pod_of(owner)
    if workload(owner).controller is None:
        return pod
    spec = {"containers": owner["spec"]["template"]["spec"]["containers"]}
    shown = claimed({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "it-1"}, "spec": spec})
    as_pod = replace(
        workload(owner),
        template=read_template(shown),
        field_owners=read_field_owners(shown["metadata"], ()),
    )
    given_: Input = replace(
        cluster.input(owner, Trigger.CREATE), workload=as_pod, is_pod=True, recorded=Recorded()
    )
    patched = apply_patch(shown, build_patch(shown, (), plan_injection(given_).edits))
    return replace(pod, template=read_template(patched))


@examples(250)
@given(policy_sets(), manifests(), st.booleans())
def test_the_pods_that_come_next_have_the_setting_where_only_pods_are_outdated(
    policies: tuple[Policy, ...], present: Manifest, without_pods: bool
) -> None:
    cluster = under(*policies)
    older = [] if without_pods else [replace(pod_of(present), template=_bare(present))]
    before = reasons(cluster, present, older)
    after = reasons(cluster, present, [next_pod(cluster, present)])
    for key, reason in before.items():
        if reason in (Reason.PODS_OUTDATED, Reason.NO_PODS):
            assert after[key] not in {*NOT_YET, Reason.PODS_OUTDATED, Reason.NO_PODS}, key


def _bare(present: Manifest) -> PodTemplate:
    template = workload(present).template
    return replace(
        template, containers=tuple(replace(found, env=()) for found in template.containers)
    )
