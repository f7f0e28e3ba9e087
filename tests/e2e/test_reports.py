"""Reports for auditors on a real API server, in both forms, with the definitions as published."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from dev.cluster import Cluster
from dev.cluster.foreign_crds import foreign_crds
from dev.harness.dns_server import LocalDnsServer
from tests.support.clusters import Clusters
from tests.support.forked_operator import local_operator
from tests.support.world import (
    DTRACK_4,
    SONARQUBE,
    Manifest,
    Space,
    World,
    container,
    eventually,
    workload,
)

pytestmark = pytest.mark.cluster

OPEN, OLDER = "reports.openreports.io", "policyreports.wgpolicyk8s.io"


@pytest.fixture(scope="module")
def world(clusters: Clusters, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """At first only the older form is known."""
    directory = tmp_path_factory.mktemp("reports")
    with clusters.lend(scheduler=True, kwok=True) as cluster:
        define(cluster, "wgpolicyk8s")
        operator = local_operator(cluster, directory / "operator")
        operator.install()
        operator.start("webhook")
        operator.start("controller")
        operator.wait_until_ready()
        # Nothing here asks for names, so no name server runs.
        yield World(cluster, operator, directory, LocalDnsServer(directory / "names"))
        operator.stop_all()


def define(cluster: Cluster, name: str) -> None:
    for path in foreign_crds(name):
        cluster.kubectl("apply", "--server-side", f"--filename={path}")
        cluster.kubectl("wait", "--for=condition=Established", f"--filename={path}")


def restart_controller(world: World) -> None:
    world.operator.stop("controller")
    world.operator.start("controller")
    world.operator.wait_until_ready("controller")


def report(space: Space, kind: str, workload_kind: str, name: str, result: str) -> Manifest:
    """The report of a workload, once its one result is this one."""
    uid = space.get(workload_kind, name)["metadata"]["uid"]

    def probe() -> Manifest | None:
        found = space.find(kind, uid)
        if found is None or [r["result"] for r in found["results"]] != [result]:
            return None
        return found

    return eventually(probe, say=f"a {kind} of {name} with {result}")


def names(space: Space, kind: str) -> set[str]:
    text = space.kubectl("get", kind, "--output=json").stdout
    return {item["metadata"]["name"] for item in json.loads(text)["items"]}


def test_reports_from_first_to_last(world: World) -> None:
    space = Space(world, "audited")
    world.cluster.kubectl("create", "namespace", space.name)
    space.policy()
    space.apply(
        workload("Deployment", "s", container(SONARQUBE)),
        workload("StatefulSet", "d", container(DTRACK_4, env={"ALPINE_DATABASE_MODE": "external"})),
        workload("Deployment", "web", container("nginx:1.29")),
    )

    # The older form, as long as there is no other.
    older = report(space, OLDER, "deployment", "s", "pass")
    assert older["scope"]["name"] == "s"
    assert older["summary"] == {"pass": 1, "fail": 0, "warn": 0, "error": 0, "skip": 0}
    assert older["metadata"]["labels"] == {"app.kubernetes.io/managed-by": "fleet-telemetry"}
    (result,) = older["results"]
    assert (result["policy"], result["rule"]) == ("opt-out", "sonarqube.Usage")
    # A seed that nothing proves is no pass.
    unproven = report(space, OLDER, "statefulset", "d", "error")
    assert unproven["results"][0]["properties"]["reason"] == "SeedNotProven"
    assert "credentials" in unproven["results"][0]["properties"]["remediation"]
    assert len(names(space, OLDER)) == 2
    columns = space.kubectl("get", OLDER, "--output=wide").stdout
    assert "Deployment" in columns

    # Nothing is written that is there already: not for a new leader, and not over time.
    wait_for_reconciles(world)
    versions = {name: space.get(OLDER, name)["metadata"]["resourceVersion"]
                for name in names(space, OLDER)}  # fmt: skip
    restart_controller(world)
    space.kubectl("label", "deployment", "s", "touched=yes")
    space.telemetry("Deployment", "s", state="Compliant")
    wait_for_reconciles(world)
    assert versions == {name: space.get(OLDER, name)["metadata"]["resourceVersion"]
                        for name in names(space, OLDER)}  # fmt: skip

    # The newer form takes the place of the older one, and does not leave it behind.
    define(world.cluster, "openreports")
    restart_controller(world)
    newer = report(space, OPEN, "deployment", "s", "pass")
    assert newer["source"] == "fleet-telemetry"
    assert newer["results"][0]["message"] == result["message"]
    eventually(lambda: not names(space, OLDER), say="the end of the older form")

    # A change is a change of that report alone, with its time.
    other = report(space, OPEN, "statefulset", "d", "error")
    exempted = {"workload": {"kind": "Deployment", "name": "s"}, "reason": "because"}
    space.policy(exceptions=[exempted])
    lifted = report(space, OPEN, "deployment", "s", "skip")
    assert (
        lifted["results"][0]["timestamp"]["seconds"]
        >= (newer["results"][0]["timestamp"]["seconds"])
    )
    assert lifted["summary"]["skip"] == 1
    wait_for_reconciles(world)
    assert (
        space.get(OPEN, other["metadata"]["name"])["metadata"]["resourceVersion"]
        == (other["metadata"]["resourceVersion"])
    )

    # What somebody edits is put right by the next leader at the latest.
    patch = [{"op": "replace", "path": "/results/0/result", "value": "pass"}]
    space.kubectl(
        "patch", OPEN, other["metadata"]["name"], "--type=json", f"--patch={json.dumps(patch)}"
    )
    restart_controller(world)
    report(space, OPEN, "statefulset", "d", "error")

    # A report goes with its workload, and without a policy there is nothing to report.
    space.kubectl("delete", "deployment", "s")
    eventually(lambda: names(space, OPEN) == {other["metadata"]["name"]}, say="one report")
    space.kubectl("delete", "telemetrypolicy", "opt-out")
    eventually(lambda: not names(space, OPEN), say="no report")


def wait_for_reconciles(world: World) -> None:
    """Until the queue has been empty for a moment."""

    def is_idle() -> bool:
        return "\nfleet_telemetry_queue_depth 0.0\n" in world.operator.metrics("controller")

    seen = 0

    def probe() -> bool:
        nonlocal seen
        seen = seen + 1 if is_idle() else 0
        return seen > 20

    eventually(probe, say="an empty queue")


def test_reports_can_be_left_out(world: World) -> None:
    world.operator.install({"reports": {"api": "Off"}})
    restart_controller(world)
    space = Space(world, "unaudited")
    world.cluster.kubectl("create", "namespace", space.name)
    define(world.cluster, "openreports")
    space.policy()
    space.apply(workload("Deployment", "s", container(SONARQUBE)))
    space.telemetry("Deployment", "s", state="Compliant")
    wait_for_reconciles(world)
    assert names(space, OPEN) == set()
    assert names(space, OLDER) == set()
    may = world.cluster.kubectl(
        "auth", "can-i", "list", OPEN,
        "--as=system:serviceaccount:fleet-telemetry:fleet-telemetry-controller", check=False,
    )  # fmt: skip
    assert may.stdout.strip() == "no"
