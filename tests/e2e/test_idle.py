"""Workloads in which nothing runs now, and pods whose tags admission turned into digests."""

from __future__ import annotations

import json

import pytest

from tests.support.world import (
    EMQX,
    SONAR_SWITCH,
    SONARQUBE,
    Manifest,
    Space,
    container,
    eventually,
    workload,
)

pytestmark = pytest.mark.cluster

DIGEST = "sha256:" + "ab" * 32


def _summary(space: Space, **wanted: int) -> None:
    def probe() -> bool:
        found = space.get("telemetrypolicy", "opt-out")["status"]["summary"]
        return all(found.get(key) == count for key, count in wanted.items())

    eventually(probe, say=f"a summary with {wanted}")


def test_an_old_revision_at_zero_does_not_count(space: Space) -> None:
    space.policy()
    space.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "owner"}})
    uid = space.get("configmap", "owner")["metadata"]["uid"]
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": uid}
    for name, replicas in (("emqx-old", 0), ("emqx-new", 1)):
        made = workload("StatefulSet", name, container(EMQX), replicas=replicas)
        made["metadata"]["ownerReferences"] = [{**owner, "controller": True}]
        space.apply(made)
    space.telemetry("StatefulSet", "emqx-new", state="Compliant", reason="RunningInEveryPod")
    space.telemetry("StatefulSet", "emqx-old", state="Compliant", reason="ScaledToZero")
    space.condition("telemetrypolicy", "opt-out", "Compliant", status="True")
    _summary(space, matched=2, compliant=1, idle=1, pending=0)


def test_the_last_run_of_a_cron_job_proves_it(space: Space) -> None:
    nightly = workload("CronJob", "nightly", container(SONARQUBE))
    space.apply(nightly)
    space.telemetry("CronJob", "nightly", declared="Unset")
    space.kubectl("create", "job", "first", "--from=cronjob/nightly")
    space.telemetry("CronJob", "nightly", running="Unset")
    space.policy(injection={"rollout": "Immediate"})
    space.telemetry("CronJob", "nightly", state="Pending", reason="PodsOutdated")
    space.kubectl("create", "job", "second", "--from=cronjob/nightly")
    space.telemetry("CronJob", "nightly", state="Compliant", reason="LastRunCompliant")
    # Also where the pods are gone.
    space.kubectl("delete", "pod", "-l", "batch.kubernetes.io/job-name=second")
    space.telemetry("CronJob", "nightly", state="Compliant", reason="LastRunCompliant")


def _policy_with_digests(space: Space) -> Manifest:
    """What Sigstore's policy-controller does to pods, by the API server's own means."""
    image = 'object.spec.containers[0].image.split(":")[0]'
    expression = (
        '[JSONPatch{op: "replace", path: "/spec/containers/0/image", '
        f'value: {image} + "@{DIGEST}"}}]'
    )
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]}
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingAdmissionPolicy",
        "metadata": {"name": "digests"},
        "spec": {
            "matchConstraints": {
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": space.name}},
                "resourceRules": [{**rule, "operations": ["CREATE"]}],
            },
            "reinvocationPolicy": "Never",
            "failurePolicy": "Fail",
            "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": expression}}],
        },
    }


def test_pods_with_digests_have_the_version_of_their_template(space: Space) -> None:
    made = _policy_with_digests(space)
    binding = {
        **made,
        "kind": "MutatingAdmissionPolicyBinding",
        "spec": {"policyName": "digests"},
    }
    space.world.apply(made, binding)
    try:
        space.policy()

        def is_in_force() -> bool:
            probe = workload("Deployment", "probe", container("nginx:1"), replicas=1)
            space.apply(probe)
            space.kubectl("delete", "pod", "-l", "app=probe", "--wait=false")
            text = space.kubectl("get", "pods", "-l", "app=probe", "--output=json").stdout
            return any(
                "@" in p["spec"]["containers"][0]["image"] for p in json.loads(text)["items"]
            )

        eventually(is_in_force, say="the admission policy")
        for kind in ("Deployment", "StatefulSet", "DaemonSet"):
            space.apply(workload(kind, f"s-{kind.lower()}", container(SONARQUBE)))
        for kind in ("Deployment", "StatefulSet", "DaemonSet"):
            name = f"s-{kind.lower()}"
            space.telemetry(kind, name, state="Compliant", reason="RunningInEveryPod")
            assert space.pods_env(f"app={name}") == [{SONAR_SWITCH: "false"}]
    finally:
        space.world.cluster.kubectl("delete", "mutatingadmissionpolicybinding", "digests")
        space.world.cluster.kubectl("delete", "mutatingadmissionpolicy", "digests")
