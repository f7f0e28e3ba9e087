"""Pods that KubeRay makes: they are injected as they are created, and they are the evidence."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from fleet_telemetry.api.reasons import Reason
from fleet_telemetry.api.workload_telemetry import State
from fleet_telemetry.decision import Plan, decide
from fleet_telemetry.switches.edits import Trigger
from fleet_telemetry.workloads.reading import read_pod
from tests.support.builders import policy, under, workload
from tests.support.ray_clusters import group, pod_of_ray, ray_cluster

SWITCH = "RAY_USAGE_STATS_ENABLED"
VLLM = "vllm/vllm-openai:v0.10.2"
VLLM_SWITCH = "VLLM_NO_USAGE_STATS"
POLICY = {"products": ["ray", "vllm"]}


def _edits_of_pod(of: dict[str, Any], **more: Any) -> dict[str, str | None]:
    pod = read_pod(pod_of_ray(of, **more))
    cluster = under(policy(**POLICY))
    given = cluster.input(of, Trigger.CREATE, is_pod=True)
    given = replace(given, workload=replace(given.workload, template=pod.template))
    return {edit.name: edit.value for edit in decide(given).edits}


def _plan(of: dict[str, Any], *pods: dict[str, Any], **spec: Any) -> Plan:
    cluster = under(policy(**{**POLICY, **spec}))
    read = tuple(map(read_pod, pods))
    return decide(cluster.input(of, Trigger.RECONCILE, pods=read))


def _states(plan: Plan) -> dict[str, tuple[State | None, Reason | None]]:
    return {one.product: (one.state, one.reason) for one in plan.verdicts}


def test_the_pods_are_injected_and_the_ray_cluster_is_not() -> None:
    of = ray_cluster(workers=[group("gpu", VLLM)])
    assert _edits_of_pod(of) == {SWITCH: "0"}
    assert _edits_of_pod(of, worker=0) == {VLLM_SWITCH: "1"}
    for trigger in Trigger:
        assert decide(under(policy(**POLICY)).input(of, trigger)).edits == ()
    always = _plan(of, injection={"when": "Always", "rollout": "Immediate"})
    assert always.edits == ()


def test_a_shell_line_proves_nothing_and_the_next_pods_are_injected() -> None:
    of = ray_cluster()
    injected = pod_of_ray(ray_cluster(env={SWITCH: "0"}))
    assert _states(_plan(of, injected)) == {"ray": (State.UNKNOWN, Reason.COMMAND_OVERRIDDEN)}
    on = pod_of_ray(ray_cluster(env={SWITCH: "1"}))
    assert _states(_plan(of, on)) == {"ray": (State.PENDING, Reason.PODS_OUTDATED)}


def test_what_workers_alone_run_is_judged_by_their_pods() -> None:
    of = ray_cluster(workers=[group("gpu", VLLM)])
    worker = pod_of_ray(ray_cluster(workers=[group("gpu", VLLM, {VLLM_SWITCH: "1"})]), worker=0)
    container = worker["spec"]["containers"][0]
    container["command"], container["args"] = ["vllm", "serve"], ["a/b"]
    found = _states(_plan(of, worker))
    assert found["vllm"] == (State.COMPLIANT, Reason.RUNNING_IN_EVERY_POD)
    container["env"] = []
    assert _states(_plan(of, worker))["vllm"] == (State.PENDING, Reason.PODS_OUTDATED)


def test_one_that_is_suspended_runs_nothing() -> None:
    assert workload(ray_cluster(suspend=True)).is_idle
    of = ray_cluster(suspend=True, workers=[group("gpu", VLLM)])
    assert {one.state for one in _plan(of).verdicts} <= {State.COMPLIANT, State.UNKNOWN}
