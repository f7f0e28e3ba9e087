"""Which pods speak for a workload, against a tenant with the stock role edit in its namespace."""

from __future__ import annotations

import json
import time

import pytest

from tests.support.tenants import tenant_of
from tests.support.world import (
    SONAR_SWITCH,
    SONARQUBE,
    Manifest,
    Space,
    container,
    eventually,
    workload,
)

pytestmark = pytest.mark.cluster

HASH = "zz"
OFF = {SONAR_SWITCH: "false"}


def _listed(space: Space) -> set[str]:
    text = space.kubectl("get", "workloadtelemetries", "--output=name").stdout
    return {line.rpartition("/")[2] for line in text.split()}


def _bare(name: str, labels: dict[str, str], env: dict[str, str] | None = None) -> Manifest:
    """A ReplicaSet as a Deployment would make it."""
    made = workload("ReplicaSet", name, container(SONARQUBE, env=env))
    made["metadata"]["labels"] = labels
    made["spec"]["selector"] = {"matchLabels": labels}
    made["spec"]["template"]["metadata"]["labels"] = labels
    return made


def test_a_bare_replica_set_with_a_fitting_name_speaks_for_itself(space: Space) -> None:
    tenant = tenant_of(space)
    space.policy()
    tenant.apply(workload("Deployment", "sonar", container(SONARQUBE), replicas=0))
    labels = {"app": "other", "pod-template-hash": HASH}
    tenant.apply(_bare(f"sonar-{HASH}", labels, OFF))
    own = space.telemetry("ReplicaSet", f"sonar-{HASH}", state="Compliant")
    assert own["usage"]["reason"] == "RunningInEveryPod"
    assert space.telemetry("Deployment", "sonar")["usage"]["running"] == "Unknown"


def test_an_orphan_is_listed_as_what_it_is_until_it_is_adopted_and_replaced(space: Space) -> None:
    tenant = tenant_of(space)
    deployment = workload("Deployment", "sonar", container(SONARQUBE))
    tenant.apply(deployment)
    space.telemetry("Deployment", "sonar", running="Unset")
    (part,) = json.loads(space.kubectl("get", "replicasets", "-o", "json").stdout)["items"]
    name, template = part["metadata"]["name"], part["spec"]["template"]
    space.policy(injection={"rollout": "Immediate", "when": "Never"})
    space.telemetry("Deployment", "sonar", reason="InjectionOff")

    tenant.kubectl("delete", "deployment", "sonar", "--cascade=orphan")
    # Its pods run and send.
    space.telemetry("ReplicaSet", name, running="Unset")
    eventually(lambda: _listed(space) == {f"replicaset-{name}"}, say="the orphan alone")
    space.policy(injection={"rollout": "Immediate"})
    space.telemetry("ReplicaSet", name, state="Pending", reason="PodsOutdated")
    time.sleep(2)
    # An edited template would be adopted, and its pods never replaced.
    assert space.get("replicaset", name)["spec"]["template"] == template

    said = tenant.apply(deployment)
    assert SONAR_SWITCH in said
    space.telemetry("Deployment", "sonar", state="Compliant", reason="RunningInEveryPod")
    assert space.pods_env("app=sonar") == [OFF]
    eventually(lambda: _listed(space) == {"deployment-sonar"}, say="the Deployment alone")


def test_a_record_speaks_of_the_workload_that_exists_now(space: Space) -> None:
    tenant = tenant_of(space)
    space.policy()
    deployment = workload("Deployment", "sonar", container(SONARQUBE))
    tenant.apply(deployment)
    space.telemetry("Deployment", "sonar", state="Compliant")
    tenant.kubectl("delete", "deployment", "sonar")
    tenant.apply(deployment)
    uid = space.get("deployment", "sonar")["metadata"]["uid"]

    def speaks_of_it() -> bool:
        found = space.find("workloadtelemetry", "deployment-sonar")
        owners = (found or {}).get("metadata", {}).get("ownerReferences", [])
        return [owner["uid"] for owner in owners] == [uid]

    eventually(speaks_of_it, say="the record of the new Deployment")
    space.telemetry("Deployment", "sonar", state="Compliant")
    assert speaks_of_it()


def test_a_part_that_names_another_uid_as_its_owner_does_not_count(space: Space) -> None:
    tenant = tenant_of(space)
    space.policy()
    tenant.apply(workload("Deployment", "sonar", container(SONARQUBE), replicas=0))
    space.telemetry("Deployment", "sonar", declared="Disabled")
    forged = _bare(f"sonar-{HASH}", {"app": "sonar", "pod-template-hash": HASH}, OFF)
    owner = {"kind": "Deployment", "name": "sonar", "controller": True}
    for other in (
        {**owner, "apiVersion": "apps/v1", "uid": "00000000-0000-0000-0000-000000000000"},
        {**owner, "apiVersion": "apps.example.org/v1", "uid": "1"},
    ):
        forged["metadata"]["ownerReferences"] = [other]
        tenant.apply(forged)
        time.sleep(2)
        assert space.telemetry("Deployment", "sonar")["usage"]["running"] == "Unknown"
        tenant.kubectl("delete", "replicaset", f"sonar-{HASH}", "--ignore-not-found")
