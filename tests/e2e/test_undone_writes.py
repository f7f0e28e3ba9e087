"""Somebody's admission policy undoes what the operator writes, in the same request.

The operator's own webhook does not run: it is called after such a policy, and has the last word.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dev.harness.dns_server import LocalDnsServer
from tests.support.clusters import Clusters
from tests.support.forked_operator import local_operator
from tests.support.world import (
    SONAR_SWITCH,
    SONARQUBE,
    Manifest,
    Space,
    World,
    container,
    eventually,
    policy,
    workload,
)

pytestmark = pytest.mark.cluster


def stripping() -> list[Manifest]:
    """Whoever sets a variable of a Deployment, it is removed at once."""
    api = {"apiVersion": "admissionregistration.k8s.io/v1"}
    rule = {
        "apiGroups": ["apps"],
        "apiVersions": ["v1"],
        "resources": ["deployments"],
        "operations": ["CREATE", "UPDATE"],
    }
    has_any = "object.spec.template.spec.containers[0].?env.orValue([]).size() > 0"
    remove = 'JSONPatch{op: "remove", path: "/spec/template/spec/containers/0/env"}'
    return [
        {
            **api,
            "kind": "MutatingAdmissionPolicy",
            "metadata": {"name": "stripping"},
            "spec": {
                "matchConstraints": {"resourceRules": [rule]},
                "matchConditions": [{"name": "any", "expression": has_any}],
                "mutations": [
                    {"patchType": "JSONPatch", "jsonPatch": {"expression": f"[{remove}]"}}
                ],
                "reinvocationPolicy": "Never",
            },
        },
        {
            **api,
            "kind": "MutatingAdmissionPolicyBinding",
            "metadata": {"name": "stripping"},
            "spec": {"policyName": "stripping"},
        },
    ]


def test_it_is_tried_until_it_stays(clusters: Clusters, tmp_path: Path) -> None:
    with clusters.lend(controller_manager=False) as cluster:
        operator = local_operator(cluster, tmp_path / "operator")
        operator.install()
        for role in ("webhook", "controller"):
            operator.start(role)
        operator.wait_until_ready()
        world = World(cluster, operator, tmp_path, LocalDnsServer(tmp_path / "names"))
        try:
            _is_tried_until_it_stays(Space(world, "default"))
        finally:
            operator.stop_all()


def _is_tried_until_it_stays(space: Space) -> None:
    policies = policy(injection={"rollout": "Immediate"})
    eventually(lambda: space.try_apply(policies).returncode == 0, say="a policy")
    space.world.operator.kill("webhook")
    space.apply(workload("Deployment", "other", container("nginx")), *stripping())

    def is_stripped() -> bool:
        shown = "--output=jsonpath={.spec.template.spec.containers[0].env}"
        change = ("set", "env", "deployment/other", "MARK=1", "--dry-run=server", shown)
        return not space.kubectl(*change).stdout

    eventually(is_stripped, say="the policy in force")
    space.apply(workload("Deployment", "sonar", container(SONARQUBE)))

    def notes() -> list[str]:
        found = json.loads(space.kubectl("get", "events.events.k8s.io", "--output=json").stdout)
        return [one["note"] for one in found["items"] if one["reason"] == "TelemetryWriteUndone"]

    eventually(notes, say="an event")
    assert SONAR_SWITCH in notes()[0]
    status = space.telemetry("Deployment", "sonar", declared="Unset")
    assert status["usage"]["state"] in ("Pending", "NonCompliant")
    assert space.get("deployment", "sonar")["metadata"]["generation"] == 1
    # Nothing touches the workload any more, and no watch event comes.
    for kind in ("mutatingadmissionpolicybinding", "mutatingadmissionpolicy"):
        space.kubectl("delete", kind, "stripping")
    eventually(lambda: space.env("deployment", "sonar"), seconds=60, say="the setting")
    assert len(notes()) == 1
