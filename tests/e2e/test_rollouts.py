"""Workloads that run already: brought up to date at once, at the next rollout, or where nothing
restarts."""

from __future__ import annotations

import itertools
import json
import time

import pytest

from tests.support.world import (
    DTRACK_4,
    SONAR_SWITCH,
    SONARQUBE,
    V4_SWITCH,
    Space,
    container,
    eventually,
    workload,
)

pytestmark = pytest.mark.cluster


def test_on_next_rollout_never_touches_a_running_workload(space: Space) -> None:
    space.apply(workload("Deployment", "s", container(SONARQUBE)))
    space.wait_for_pods("app=s", 1)
    before = space.get("deployment", "s")
    time.sleep(1.1)  # times are told in whole seconds; the policy shall be the younger one
    space.policy()
    space.telemetry("Deployment", "s", state="NonCompliant", reason="AwaitingUpgrade")
    after = space.get("deployment", "s")
    assert after["metadata"]["generation"] == before["metadata"]["generation"]
    assert after["spec"] == before["spec"]


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet"])
def test_immediate_brings_a_running_workload_up_to_date(space: Space, kind: str) -> None:
    space.apply(workload(kind, "s", container(SONARQUBE, env={"A": "1"})))
    space.wait_for_pods("app=s", 1)
    space.policy(injection={"rollout": "Immediate"})
    status = space.telemetry(kind, "s", state="Compliant", reason="RunningInEveryPod")
    assert status["injected"] == [
        {"container": "app", "kind": "Variable", "name": SONAR_SWITCH, "value": "false"}
    ]
    assert space.pods_env("app=s") == [{"A": "1", SONAR_SWITCH: "false"}]
    found = space.get(kind, "s")
    assert found["metadata"]["generation"] == 2
    managers = found["metadata"]["managedFields"]
    assert SONAR_SWITCH not in json.dumps(managers)


def test_immediate_rolls_out_one_workload_of_a_product_at_a_time(space: Space) -> None:
    names = ["a", "b", "c"]
    for name in names:
        space.apply(workload("Deployment", name, container(SONARQUBE), replicas=2))
        space.wait_for_pods(f"app={name}", 2)
    space.policy(injection={"rollout": "Immediate"})
    for name in names:
        space.telemetry("Deployment", name, state="Compliant")
    # When each new ReplicaSet came, and when its Deployment had settled.
    spans = []
    for name in names:
        conditions = space.get("deployment", name)["status"]["conditions"]
        settled = next(c for c in conditions if c["type"] == "Progressing")["lastUpdateTime"]
        text = space.kubectl("get", "replicasets", "-l", f"app={name}", "-o", "json").stdout
        began = max(rs["metadata"]["creationTimestamp"] for rs in json.loads(text)["items"])
        spans.append((began, settled))
    spans.sort()
    for (_, settled), (began, _) in itertools.pairwise(spans):
        assert settled <= began


@pytest.mark.parametrize(
    ("kind", "spec"),
    [
        ("CronJob", {}),
        ("ReplicaSet", {}),
        ("Deployment", {"replicas": 0}),
        ("StatefulSet", {"updateStrategy": {"type": "OnDelete"}}),
        ("DaemonSet", {"updateStrategy": {"type": "OnDelete"}}),
    ],
    ids=lambda value: value if isinstance(value, str) else "-".join(value) or "plain",
)
def test_where_no_pod_can_restart_the_setting_is_written_at_once(
    space: Space, kind: str, spec: dict[str, object]
) -> None:
    replicas = spec.pop("replicas", 1)
    assert isinstance(replicas, int)
    space.apply(workload(kind, "s", container(SONARQUBE), replicas=replicas, **spec))
    pods = space.kubectl("get", "pods", "-o", "name").stdout
    space.policy()
    eventually(
        lambda: space.env(kind, "s") == {SONAR_SWITCH: "false"}, say="the setting in the template"
    )
    assert space.kubectl("get", "pods", "-o", "name").stdout.startswith(pods)


def test_a_job_is_injected_at_its_creation_only(space: Space) -> None:
    space.apply(workload("Job", "old", container(SONARQUBE)))
    space.policy(injection={"rollout": "Immediate", "when": "Always"})
    space.apply(workload("Job", "new", container(SONARQUBE)))
    space.telemetry("Job", "old", state="NonCompliant", reason="TemplateImmutable")
    space.telemetry("Job", "new", state="Compliant")
    assert space.env("job", "old") == {}


def test_pods_of_an_older_template_make_it_pending(space: Space) -> None:
    strategy = {"updateStrategy": {"type": "OnDelete"}}
    space.apply(workload("StatefulSet", "s", container(SONARQUBE), replicas=2, **strategy))
    space.wait_for_pods("app=s", 2)
    space.policy()
    usage = space.telemetry("StatefulSet", "s", state="Pending", reason="PodsOutdated")["usage"]
    assert (usage["declared"], usage["running"]) == ("Disabled", "Unset")
    assert "2 of 2 pods" in usage["message"]
    space.kubectl("delete", "pod", "s-0", "s-1")
    space.telemetry("StatefulSet", "s", state="Compliant")


def test_a_seed_on_a_claim_is_proven_only_for_a_volume_that_began_with_it(space: Space) -> None:
    space.policy()
    mount = {"volumeMounts": [{"name": "data", "mountPath": "/data"}]}
    fresh = workload("Deployment", "fresh", container(DTRACK_4, **mount))
    fresh["spec"]["template"]["spec"]["volumes"] = [{"name": "data", "emptyDir": {}}]
    space.apply(fresh)
    space.telemetry("Deployment", "fresh", state="Compliant", reason="SeedProven")

    kept = workload("Deployment", "kept", container(DTRACK_4, **mount))
    claim = {"persistentVolumeClaim": {"claimName": "data"}}
    kept["spec"]["template"]["spec"]["volumes"] = [{"name": "data", **claim}]
    space.apply(kept)
    usage = space.telemetry("Deployment", "kept", state="Unknown", reason="SeedNotProven")["usage"]
    assert usage["declared"] == "Disabled"
    assert space.env("deployment", "kept") == {V4_SWITCH: "false"}
