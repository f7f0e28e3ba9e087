"""Things that break under the operator, and that it gets over by itself. Long: `make soak`."""

from __future__ import annotations

import json
import logging
import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.cluster import Cluster
from dev.cluster.components import APISERVER, ETCD
from dev.harness.dns_server import LocalDnsServer
from dev.harness.operator import CHART, NAMESPACE, RELEASE, LocalOperator
from dev.harness.replicas import Replicas
from tests.support.faults import ROLES, keep_running, works
from tests.support.load import Load
from tests.support.world import (
    SONAR_SWITCH,
    SONARQUBE,
    Space,
    World,
    container,
    eventually,
    policy,
    workload,
)

pytestmark = [pytest.mark.cluster, pytest.mark.soak, pytest.mark.fault]

_log = logging.getLogger(__name__)


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Space]:
    tmp_path = tmp_path_factory.mktemp("faults")
    with Cluster(tmp_path / "cluster", scheduler=True, kwok=True, audit=True) as cluster:
        operator = LocalOperator(cluster, tmp_path / "operator")
        operator.install()
        names = LocalDnsServer(tmp_path / "names")
        space = Space(World(cluster, operator, tmp_path, names), "default")
        for role in ROLES:
            operator.start(role)
        operator.wait_until_ready()
        eventually(lambda: space.try_apply(policy()).returncode == 0, say="a policy")
        yield space
        operator.stop_all()


def test_the_api_server_restarts_again_and_again(space: Space) -> None:
    cluster = space.world.cluster
    for number in range(2):
        cluster.stop_component(APISERVER) if number % 2 else cluster.kill_component(APISERVER)
        time.sleep(random.uniform(0, 5))
        cluster.start_component(APISERVER)
        works(space, f"s{number}")


def test_etcd_stops_for_a_minute(space: Space) -> None:
    cluster = space.world.cluster
    works(space, "before")
    cluster.suspend_component(ETCD)
    time.sleep(60)
    cluster.resume_component(ETCD)
    works(space, "after")


def test_a_stolen_lease_stops_the_leader_and_comes_back(space: Space) -> None:
    operator, cluster = space.world.operator, space.world.cluster
    works(space, "before")
    now = time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime())
    patch = {"spec": {"holderIdentity": "a thief", "renewTime": now}}
    cluster.kubectl(
        "patch", "lease", RELEASE, f"--namespace={NAMESPACE}", "--type=merge",
        f"--patch={json.dumps(patch)}",
    )  # fmt: skip
    eventually(lambda: "fleet_telemetry_leader 0.0" in operator.metrics("controller"), say="an end")
    eventually(
        lambda: "fleet_telemetry_leader 1.0" in operator.metrics("controller"), say="a return"
    )
    works(space, "after")


def test_crds_are_removed_and_put_back(space: Space) -> None:
    cluster = space.world.cluster
    works(space, "before")
    cluster.kubectl("delete", "crds", "-l", "app.kubernetes.io/name=fleet-telemetry-operator")
    # Deploys go on meanwhile, whatever becomes of the operator.
    for _ in range(20):
        space.apply(workload("Deployment", "meanwhile", container(SONARQUBE)))
        space.kubectl("delete", "deployment", "meanwhile")
        keep_running(space)
    for path in (CHART / "files" / "crds").iterdir():
        cluster.kubectl("apply", "--server-side", "-f", str(path))

    def is_taken() -> bool:
        keep_running(space)
        return space.try_apply(policy()).returncode == 0

    eventually(is_taken, seconds=120, say="a policy")
    works(space, "after")


def test_a_controller_killed_at_any_moment_loses_and_repeats_nothing(space: Space) -> None:
    """Workloads that have to be written once each, while their writer dies again and again."""
    operator = space.world.operator
    space.kubectl("delete", "telemetrypolicy", "opt-out")
    names = [f"w{number}" for number in range(40)]
    space.apply(*(workload("Deployment", name, container(SONARQUBE), replicas=0) for name in names))
    for name in names:
        space.telemetry("Deployment", name)
    space.apply(policy(injection={"rollout": "Immediate"}))
    for _ in range(8):
        time.sleep(random.uniform(0, 1.5))
        operator.kill("controller")
        operator.start("controller")
        operator.wait_until_ready()
    for name in names:
        space.telemetry("Deployment", name, declared="Disabled")
        found = space.get("deployment", name)
        assert found["metadata"]["generation"] == 2, "written once and no more"
        assert space.env("deployment", name) == {SONAR_SWITCH: "false"}


def test_everything_at_once_for_a_while(tmp_path: Path) -> None:
    """Restarts and kills in any order under a constant load: no create fails, ever.

    A minute in each round: ten rounds are more than ten minutes of it.
    """
    seconds = float(os.environ.get("SOAK_SECONDS", "65"))
    with Cluster(tmp_path / "cluster", controller_manager=False) as cluster:
        operator = LocalOperator(cluster, tmp_path / "operator")
        operator.install()
        replicas = Replicas(operator, 2)
        space = Space(World(cluster, operator, tmp_path, LocalDnsServer(tmp_path / "n")), "default")
        eventually(lambda: space.try_apply(policy()).returncode == 0, say="a policy")
        time.sleep(2)
        kills = 0
        with Load(cluster) as load:
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                if random.random() < 0.3:
                    replicas.kill(random.choice(replicas.names))
                    replicas.add()
                    kills += 1
                else:
                    replicas.roll()
        operator.stop_all()
        replicas.close()
    _log.info("%s, %d kills", load.summary, kills)
    assert load.summary.failed == []
    # Five connections at a time, each of which may meet the dead one before the news is out.
    assert len(load.summary.missed) <= 20 * kills
