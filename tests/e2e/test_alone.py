"""Each half works without the other, and users work without both."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.harness.dns_server import LocalDnsServer
from dev.harness.operator import NAMESPACE, RELEASE
from tests.support.clusters import Clusters
from tests.support.forked_operator import local_operator, run_command
from tests.support.world import (
    DTRACK_4,
    DTRACK_5,
    SONAR_SWITCH,
    SONARQUBE,
    V5_OFF,
    Space,
    World,
    container,
    eventually,
    policy,
    workload,
)

pytestmark = pytest.mark.cluster


@pytest.fixture
def bare(clusters: Clusters, tmp_path: Path) -> Iterator[Space]:
    """A cluster that has never heard of the operator."""
    with clusters.lend(scheduler=True, kwok=True) as cluster:
        operator = local_operator(cluster, tmp_path / "operator")
        yield Space(
            World(cluster, operator, tmp_path, LocalDnsServer(tmp_path / "names")), "default"
        )
        operator.stop_all()


@pytest.fixture
def lonely(bare: Space) -> Space:
    """A cluster on which the operator is installed and nothing of it runs yet."""
    bare.world.operator.install()
    return bare


def _start(space: Space, *roles: str) -> None:
    for role in roles:
        space.world.operator.start(role)  # type: ignore[arg-type]
    space.world.operator.wait_until_ready()


def test_with_the_webhook_down_deploys_go_through_and_are_made_good(lonely: Space) -> None:
    space, operator = lonely, lonely.world.operator
    _start(space, "webhook", "controller")
    space.policy()
    operator.kill("webhook")

    manifest = workload("Deployment", "s", container(SONARQUBE))
    assert "Warning" not in space.apply(manifest)
    assert space.env("deployment", "s") == {}
    space.telemetry("Deployment", "s", state="Pending", reason="MissedAdmission")
    # A later apply still works, and the controller writes nothing between admissions.
    space.apply(manifest)
    assert space.get("deployment", "s")["metadata"]["generation"] == 1

    _start(space, "webhook")
    space.kubectl("rollout", "restart", "deployment/s")
    assert space.env("deployment", "s") == {SONAR_SWITCH: "false"}
    space.telemetry("Deployment", "s", state="Compliant")


def test_with_the_webhook_down_immediate_writes_itself_and_takes_its_name_off(
    lonely: Space,
) -> None:
    space = lonely
    _start(space, "controller")
    _without_validation(space)
    flags = ["--server-side", "--field-manager=helm"]
    manifest = workload("Deployment", "s", container(SONARQUBE))
    space.apply(policy(injection={"rollout": "Immediate"}))
    space.apply(manifest, flags=flags)
    space.telemetry("Deployment", "s", state="Compliant")
    found = space.get("deployment", "s")
    assert env_entries(found) == [{"name": SONAR_SWITCH, "value": "false"}]
    managers = found["metadata"]["managedFields"]
    assert SONAR_SWITCH not in json.dumps(managers)
    assert not any("fleet" in entry["manager"] for entry in managers)
    # So the owner may say otherwise, and meets no conflict.
    contrary = workload("Deployment", "s", container(SONARQUBE, env={SONAR_SWITCH: "true"}))
    space.apply(contrary, flags=flags)


def test_what_we_injected_and_a_new_version_refuses_is_removed_at_once(lonely: Space) -> None:
    space, operator = lonely, lonely.world.operator
    _start(space, "webhook", "controller")
    space.policy()
    space.apply(workload("Deployment", "dtrack", container(DTRACK_4)))
    space.telemetry("Deployment", "dtrack", declared="Disabled")
    operator.kill("webhook")
    # The upgrade passes without the webhook, and version 5 cannot start with the old variable.
    space.apply(workload("Deployment", "dtrack", container(DTRACK_5)))
    eventually(
        lambda: space.env("deployment", "dtrack") == V5_OFF,
        say="the removal of the old variable",
    )


def test_the_webhook_answers_while_the_controller_is_down(lonely: Space) -> None:
    space = lonely
    _start(space, "webhook")
    space.apply(policy())
    time.sleep(1)
    space.apply(workload("Deployment", "s", container(SONARQUBE)))
    assert space.env("deployment", "s") == {SONAR_SWITCH: "false"}


@pytest.mark.fault
def test_with_both_down_users_work_as_if_nothing_were_installed(lonely: Space) -> None:
    space, operator = lonely, lonely.world.operator
    _start(space, "webhook", "controller")
    space.policy()
    manifest = workload("Deployment", "s", container(SONARQUBE, env={"A": "1"}))
    space.apply(manifest)
    operator.kill("webhook")
    operator.kill("controller")

    space.apply(workload("Deployment", "new", container(SONARQUBE)))
    assert space.env("deployment", "new") == {}
    newer = workload("Deployment", "s", container(SONARQUBE, env={"A": "2"}))
    space.apply(newer)
    assert space.env("deployment", "s") == {"A": "2", SONAR_SWITCH: "false"}
    space.kubectl("scale", "deployment/s", "--replicas=3")
    space.wait_for_pods("app=s", 3)
    space.kubectl("delete", "deployment", "s", "new")
    space.kubectl("delete", "telemetrypolicy", "opt-out")


def test_the_operator_waits_for_its_crds_and_then_works(bare: Space) -> None:
    space, operator = bare, bare.world.operator
    operator.install({"crds": {"enabled": False}})
    assert bare.kubectl("get", "crds", "-o", "name").stdout == ""
    for role in ("webhook", "controller"):
        operator.start(role)  # type: ignore[arg-type]
    eventually(
        lambda: "these CRDs are not installed" in operator.log("controller").read_text(),
        say="the sentence about missing CRDs",
    )
    # Deploys go through meanwhile.
    space.apply(workload("Deployment", "s", container(SONARQUBE)))

    operator.install()
    operator.wait_until_ready()
    space.policy()
    space.telemetry("Deployment", "s", declared="Unset")


def test_a_standby_takes_over_when_the_leader_is_killed(lonely: Space) -> None:
    space, operator = lonely, lonely.world.operator
    _start(space, "webhook")
    operator.start("controller", name="first")
    operator.wait_until_ready()
    eventually(lambda: "fleet_telemetry_leader 1.0" in operator.metrics("first"), say="a leader")
    operator.start("controller", name="second")
    operator.wait_until_ready()
    assert "fleet_telemetry_leader 0.0" in operator.metrics("second")
    operator.kill("first")
    space.apply(policy())
    space.apply(workload("Deployment", "s", container(SONARQUBE)))
    # Only the leader says anything of the fleet.
    space.telemetry("Deployment", "s", state="Compliant")
    assert "fleet_telemetry_leader 1.0" in operator.metrics("second")


def test_a_leader_that_stops_hands_over_at_once(lonely: Space) -> None:
    operator = lonely.world.operator
    operator.start("controller", name="first")
    operator.wait_until_ready()
    eventually(lambda: "fleet_telemetry_leader 1.0" in operator.metrics("first"), say="a leader")
    operator.start("controller", name="second")
    operator.wait_until_ready()
    operator.stop("first")
    lease = lonely.world.get("lease", RELEASE, NAMESPACE)
    assert lease["spec"]["holderIdentity"] in ("", "second")
    eventually(
        lambda: "fleet_telemetry_leader 1.0" in operator.metrics("second"), say="a new leader"
    )


def env_entries(manifest: dict[str, object]) -> object:
    """The variables of the only container, as they stand."""
    return manifest["spec"]["template"]["spec"]["containers"][0].get("env")  # type: ignore[index]


def _without_validation(space: Space) -> None:
    """Policies are refused while the webhook is down; this test has none."""
    space.world.cluster.kubectl("delete", "validatingwebhookconfiguration", RELEASE)


def _revert(space: Space, *flags: str) -> tuple[int, str]:
    kubeconfig = f"--kubeconfig={space.world.cluster.kubeconfig}"
    done = run_command("revert", kubeconfig, *flags, environment=os.environ)
    return done.returncode, done.stdout + done.stderr


def test_whoever_leaves_can_take_back_all_that_was_injected(lonely: Space) -> None:
    space, world = lonely, lonely.world
    _start(space, "webhook", "controller")
    space.policy()
    space.apply(
        workload("Deployment", "ours", container(SONARQUBE, env={"A": "1"})),
        workload("Deployment", "theirs", container(SONARQUBE, env={SONAR_SWITCH: "false"})),
    )
    space.telemetry("Deployment", "ours", state="Compliant")
    space.telemetry("Deployment", "theirs", state="Compliant")
    code, said = _revert(space)
    assert code == 1
    assert f"there are policies ({space.name}/opt-out)" in said

    world.operator.stop_all()
    space.kubectl("delete", "telemetrypolicy", "opt-out")
    world.cluster.helm("uninstall", "fleet-telemetry", "--namespace", "fleet-telemetry")
    assert space.env("deployment", "ours") == {"A": "1", SONAR_SWITCH: "false"}

    code, said = _revert(space)
    assert code == 0
    assert f"would remove {space.name}/Deployment/ours: app: {SONAR_SWITCH}=false" in said
    assert "theirs" not in said
    assert space.env("deployment", "ours") == {"A": "1", SONAR_SWITCH: "false"}

    code, said = _revert(space, "--yes")
    assert code == 0, said
    assert space.env("deployment", "ours") == {"A": "1"}
    assert space.env("deployment", "theirs") == {SONAR_SWITCH: "false"}
    managers = {
        one["manager"] for one in space.get("deployment", "ours")["metadata"]["managedFields"]
    }
    assert "fleet-telemetry" not in managers
    assert _revert(space, "--yes") == (0, "nothing is left to remove\n")
