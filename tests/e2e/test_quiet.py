"""What the operator leaves alone: a steady cluster, and everything that is not its own."""

from __future__ import annotations

import json
import re
import time

import pytest

from tests.support.custom_resources import NOT_READABLE, NOT_WRITABLE
from tests.support.world import (
    DTRACK_4,
    EMQX,
    SONARQUBE,
    Space,
    World,
    container,
    eventually,
    workload,
)

pytestmark = pytest.mark.cluster

ACCOUNTS = "system:serviceaccount:fleet-telemetry:"


def _writes(world: World, namespace: str) -> list[tuple[str, str]]:
    """The operator's writes in a namespace so far, by verb and resource. Elsewhere other tests'
    objects may still be on their way out."""
    return [
        (event["verb"], event["objectRef"]["resource"])
        for event in world.cluster.audit_events()
        if event["user"]["username"].startswith(ACCOUNTS)
        and event["verb"] not in ("get", "list", "watch")
        and event["objectRef"].get("namespace") == namespace
    ]


def test_a_steady_cluster_sees_no_writes(world: World, space: Space) -> None:
    space.policy()
    for name, image in {"s": SONARQUBE, "dtrack": DTRACK_4, "emqx": EMQX}.items():
        space.apply(workload("Deployment", name, container(image), replicas=2))
        space.telemetry("Deployment", name, state="Compliant")
    space.condition("telemetrypolicy", "opt-out", "Compliant", status="True")
    time.sleep(2)
    before = len(_writes(world, space.name))
    assert before > 0
    time.sleep(5)
    assert _writes(world, space.name)[before:] == []


def _records(world: World, namespace: str) -> list[str]:
    """The subresource of each write of a WorkloadTelemetry, empty for the object itself."""
    return [
        event["objectRef"].get("subresource", "")
        for event in world.cluster.audit_events()
        if event["user"]["username"].startswith(ACCOUNTS)
        and event["verb"] not in ("get", "list", "watch")
        and event["objectRef"].get("namespace") == namespace
        and event["objectRef"]["resource"] == "workloadtelemetries"
    ]


def test_a_record_is_written_once_and_then_only_its_status(world: World, space: Space) -> None:
    space.apply(workload("Deployment", "s", container(SONARQUBE), replicas=0))

    def selected(labels: str) -> str:
        names = space.kubectl("get", "wtel", f"--selector={labels}", "--output=name").stdout
        return names.strip().removeprefix("workloadtelemetry.fleettelemetry.io/")

    by_product = "fleettelemetry.io/product=sonarqube"
    eventually(lambda: _records(world, space.name) == ["", "status"])
    assert selected(f"{by_product},fleettelemetry.io/sends=Yes") == "deployment-s"
    assert selected("product.fleettelemetry.io/sonarqube") == "deployment-s"
    # No label changes with the pods.
    space.kubectl("scale", "deployment", "s", "--replicas=1")
    eventually(lambda: len(_records(world, space.name)) > 2)
    time.sleep(2)
    assert set(_records(world, space.name)[2:]) == {"status"}
    # One does with a policy.
    assert selected(f"{by_product},!fleettelemetry.io/state") == "deployment-s"
    space.policy()
    eventually(
        lambda: selected(f"{by_product},fleettelemetry.io/state=NonCompliant") == "deployment-s"
    )
    assert _records(world, space.name).count("") == 2


def test_foreign_objects_carry_nothing_of_ours(world: World, space: Space) -> None:
    space.policy(injection={"rollout": "Immediate"})
    space.apply(workload("Deployment", "s", container(SONARQUBE), replicas=2))
    space.telemetry("Deployment", "s", state="Compliant")
    text = space.kubectl(
        "get", "deployments,replicasets,pods", "-o", "json", "--show-managed-fields"
    ).stdout
    assert json.loads(text)["items"]
    assert not re.search(r"fleettelemetry|kopf|fleet-telemetry", text)
    namespace = json.dumps(world.get("namespace", space.name))
    assert not re.search(r"fleettelemetry|kopf|fleet-telemetry", namespace)


def test_the_operator_writes_to_nothing_but_its_own_and_workloads_with_products(
    world: World, space: Space
) -> None:
    space.policy(injection={"rollout": "Immediate", "when": "Always"})
    space.apply(workload("Deployment", "web", container("nginx:1.29")))
    space.apply(workload("Deployment", "s", container(SONARQUBE)))
    space.telemetry("Deployment", "s", state="Compliant")
    touched = {
        (event["objectRef"]["resource"], event["objectRef"].get("name"))
        for event in world.cluster.audit_events()
        if event["user"]["username"].startswith(ACCOUNTS)
        and event["verb"] not in ("get", "list", "watch")
        and event["objectRef"].get("namespace") == space.name
    }
    assert ("deployments", "web") not in touched
    assert {resource for resource, _ in touched} <= {
        "workloadtelemetries",
        "telemetrypolicies",
        "deployments",
        "events",
    }


def test_workloads_without_a_product_never_reach_the_webhook(world: World, space: Space) -> None:
    space.policy()

    def requests() -> float:
        lines = world.operator.metrics("webhook").splitlines()
        counts = [line for line in lines if 'admission_requests_total{kind="Deployment"' in line]
        return sum(float(line.rpartition(" ")[2]) for line in counts)

    before = requests()
    space.apply(workload("Deployment", "web", container("nginx:1.29")))
    space.kubectl("rollout", "restart", "deployment/web")
    assert requests() == before
    space.apply(workload("Deployment", "s", container(SONARQUBE)))
    assert requests() == before + 1
    # Neither does an update that leaves the template as it is.
    space.kubectl("scale", "deployment/s", "--replicas=2")
    space.kubectl("label", "deployment/s", "team=a")
    assert requests() == before + 1


def test_nobody_is_denied_by_rbac(world: World, space: Space) -> None:
    space.policy(injection={"rollout": "Immediate"})
    space.apply(workload("StatefulSet", "s", container(SONARQUBE)))
    space.telemetry("StatefulSet", "s", state="Compliant")
    denied = [
        (event["verb"], event["objectRef"])
        for event in world.cluster.audit_events()
        if event["user"]["username"].startswith(ACCOUNTS)
        and event.get("responseStatus", {}).get("code") == 403
        # That is no matter of rights: nobody can create anything there.
        and "is being terminated" not in event["responseStatus"].get("message", "")
        # tests/e2e/test_custom_resources.py says what comes of rights that are not granted.
        and (event["objectRef"]["resource"], event["objectRef"].get("name"))
        not in (("things", NOT_WRITABLE), ("things", NOT_READABLE))
    ]
    assert denied == []


def test_a_policy_that_goes_while_workloads_change_loses_nothing(space: Space) -> None:
    for round_number in range(4):
        space.policy(injection={"rollout": "Immediate"})
        names = [f"s{number}" for number in range(4)]
        manifests = [workload("Deployment", name, container(SONARQUBE)) for name in names]
        space.apply(*manifests)
        space.kubectl("delete", "telemetrypolicy", "opt-out", "--wait=false")
        for name in names:
            space.kubectl("set", "env", f"deployment/{name}", f"ROUND={round_number}")
    for name in names:
        eventually(
            lambda name=name: "policy" not in space.telemetry("Deployment", name),
            say="a workload without a policy",
        )
        assert space.env("deployment", name)["ROUND"] == "3"


def test_a_workload_that_goes_in_the_middle_is_no_error(world: World, space: Space) -> None:
    space.policy(injection={"rollout": "Immediate"})
    log = world.operator.log("controller")
    before = len(log.read_text())
    for number in range(6):
        space.apply(workload("Deployment", f"s{number}", container(SONARQUBE)))
        space.kubectl("delete", "deployment", f"s{number}", "--wait=false")
    space.apply(workload("Deployment", "last", container(SONARQUBE)))
    space.telemetry("Deployment", "last", state="Compliant")
    assert "Traceback" not in log.read_text()[before:]
