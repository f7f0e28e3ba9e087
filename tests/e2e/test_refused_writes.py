"""Somebody's admission policy does not let the operator change a workload."""

from __future__ import annotations

import json

import pytest

from tests.support.world import SONARQUBE, Manifest, Space, container, eventually, workload

pytestmark = pytest.mark.cluster


def frozen(space: Space) -> list[Manifest]:
    """Nobody may change Deployments of the namespace."""
    api = {"apiVersion": "admissionregistration.k8s.io/v1"}
    rule = {
        "apiGroups": ["apps"],
        "apiVersions": ["v1"],
        "resources": ["deployments"],
        "operations": ["UPDATE"],
    }
    only_here = f"request.namespace == '{space.name}'"
    return [
        {
            **api,
            "kind": "ValidatingAdmissionPolicy",
            "metadata": {"name": f"frozen-{space.name}"},
            "spec": {
                "matchConstraints": {"resourceRules": [rule]},
                "matchConditions": [{"name": "here", "expression": only_here}],
                "validations": [
                    {
                        "expression": "object.spec == oldObject.spec && "
                        "request.options.fieldManager != 'fleet-telemetry-no-op'",
                        "message": "all is frozen",
                        "reason": "Forbidden",
                    }
                ],
            },
        },
        {
            **api,
            "kind": "ValidatingAdmissionPolicyBinding",
            "metadata": {"name": f"frozen-{space.name}"},
            "spec": {"policyName": f"frozen-{space.name}", "validationActions": ["Deny"]},
        },
    ]


def test_a_refused_write_is_an_event_and_the_state_is_reported_all_the_same(space: Space) -> None:
    space.apply(workload("Deployment", "sonar", container(SONARQUBE)))
    space.world.apply(*frozen(space))

    def is_frozen() -> bool:
        change = '{"spec": {"minReadySeconds": 1}}'
        done = space.world.cluster.kubectl(
            "patch", "deployment", "sonar", f"--namespace={space.name}", "--dry-run=server",
            f"--patch={change}", check=False,
        )  # fmt: skip
        return "all is frozen" in done.stderr

    eventually(is_frozen, say="the policy in force")
    space.policy(injection={"rollout": "Immediate"})

    def notes() -> list[str]:
        text = space.kubectl("get", "events.events.k8s.io", "--output=json").stdout
        return [
            event["note"]
            for event in json.loads(text)["items"]
            if event["reason"] == "TelemetryWriteRefused"
        ]

    eventually(notes, say="an event")
    assert "all is frozen" in notes()[0]
    status = space.telemetry("Deployment", "sonar", declared="Unset")
    assert status["usage"]["state"] in ("Pending", "NonCompliant")
    assert space.env("deployment", "sonar") == {}
    # It is tried again and again, and said once.
    assert len(notes()) == 1
