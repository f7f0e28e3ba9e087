"""Each role is killed at every single write that it makes, before it is done and after."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from dev.cluster import Cluster
from dev.harness.dns_server import LocalDnsServer, Records
from dev.harness.fault_proxy import FaultProxy
from dev.harness.operator import NAMESPACE, RELEASE, LocalOperator, egress_values
from tests.support.faults import becomes_quiet, start, writes
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

pytestmark = [pytest.mark.cluster, pytest.mark.soak, pytest.mark.fault]

_log = logging.getLogger(__name__)
HOST = "telemetry.sonarsource.com"
LAST_WRITE_SECONDS = 15.0
"""Enough on a machine that has other work, too."""
PASSED_ON = pytest.mark.parametrize("passed_on", [False, True], ids=["before", "after"])


@pytest.fixture
def space(tmp_path: Path) -> Iterator[Space]:
    with (
        LocalDnsServer(tmp_path / "names") as names,
        Cluster(tmp_path / "cluster", controller_manager=False, audit=True) as cluster,
    ):
        names.set(HOST, Records(a=["54.230.1.1"], ttl=3600))
        operator = LocalOperator(cluster, tmp_path / "operator")
        operator.install({"egress": egress_values(names)})
        yield Space(World(cluster, operator, tmp_path, names), "default")
        operator.stop_all()


@pytest.fixture
def proxy(space: Space) -> Iterator[FaultProxy]:
    cluster = space.world.cluster
    with FaultProxy(cluster.url, cluster.ca_path) as proxy:
        yield proxy
        space.world.operator.stop_all()


def sonar(name: str) -> Manifest:
    return workload("Deployment", name, container(SONARQUBE), replicas=0)


@PASSED_ON
def test_a_controller_killed_at_any_write_loses_and_repeats_nothing(
    space: Space, proxy: FaultProxy, passed_on: bool
) -> None:
    """No webhook runs, so the controller has to write workloads itself, in three steps."""
    operator, cluster = space.world.operator, space.world.cluster
    cluster.kubectl("delete", "validatingwebhookconfiguration", RELEASE)
    egress = {"action": "Deny", "sharedAddresses": "Accept"}
    space.apply(policy(injection={"rollout": "Immediate"}, egress=egress))
    start(space, "controller", {"controller": proxy})
    operator.wait_until_ready()
    space.wait_for_policy()
    for number in count(1):
        name = f"w{number}"
        reached = proxy.hold(number, passed_on=passed_on)
        space.apply(sonar(name))
        is_reached = reached.wait(LAST_WRITE_SECONDS)
        if is_reached:
            operator.kill("controller")
            start(space, "controller", {"controller": proxy})
        proxy.release()
        _is_done(space, name)
        if not is_reached:
            break
    _log.info("killed at each of %d writes", number - 1)
    assert number > 5
    becomes_quiet(cluster, calm=3)
    for each in range(1, number + 1):
        _is_done(space, f"w{each}")
    status = space.wait_for_policy()["status"]
    assert status["summary"]["matched"] == number


def _is_done(space: Space, name: str) -> None:
    space.telemetry("Deployment", name, seconds=60, declared="Disabled")
    policy_name = f"fleet-telemetry-deny-deployment-{name}"
    eventually(lambda: space.find("networkpolicy", policy_name), say="its network policy")

    def managers() -> list[str]:
        found = space.get("deployment", name)["metadata"]["managedFields"]
        return [entry["manager"] for entry in found if "fleet" in entry["manager"]]

    eventually(lambda: not managers(), say=f"{name} without our name on it")
    assert space.env("deployment", name) == {SONAR_SWITCH: "false"}
    assert space.get("deployment", name)["metadata"]["generation"] == 2, "written once"


@PASSED_ON
def test_a_webhook_killed_at_any_write_of_its_start_comes_up(
    space: Space, proxy: FaultProxy, passed_on: bool
) -> None:
    operator = space.world.operator
    for number in count(1):
        _forget_certificates(space)
        reached = proxy.hold(number, passed_on=passed_on)
        start(space, "webhook", {"webhook": proxy})
        # What it writes to become ready takes as long as the machine needs.
        eventually(lambda reached=reached: reached.is_set() or operator.is_ready("webhook"))
        is_reached = reached.wait(LAST_WRITE_SECONDS)
        if is_reached:
            operator.kill("webhook")
            start(space, "webhook", {"webhook": proxy})
        proxy.release()
        operator.wait_until_ready()
        eventually(lambda: space.try_apply(policy()).returncode == 0, say="a policy")
        eventually(lambda number=number: _is_injected(space, number), say="an injection")
        operator.kill("webhook")
        if not is_reached:
            break
    _log.info("killed at each of %d writes", number - 1)
    assert number > 3
    secrets = [name for _, resource, name in writes(space.world.cluster) if resource == "secrets"]
    # One of each for a start, and once more where the first one was not done.
    assert len(secrets) <= 2 * number + (0 if passed_on else 2)


_names = (f"probe-{number}" for number in count())


def _is_injected(space: Space, number: int) -> bool:
    name = f"n{number}-{next(_names)}"
    space.create(sonar(name))
    return space.env("deployment", name) == {SONAR_SWITCH: "false"}


def _forget_certificates(space: Space) -> None:
    """As after a fresh installation."""
    cluster = space.world.cluster
    patch = json.dumps([{"op": "add", "path": "/data", "value": {}}])
    for name in (f"{RELEASE}-webhook-tls", f"{RELEASE}-webhook-ca"):
        cluster.kubectl(
            "patch", "secret", name, f"--namespace={NAMESPACE}", "--type=json", f"--patch={patch}"
        )
