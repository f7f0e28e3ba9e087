"""The controller behind a connection on which answers are lost; more of it in ``make soak``."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.harness.dns_server import LocalDnsServer
from dev.harness.fault_proxy import NONE, FaultProxy, Faults
from dev.harness.operator import RELEASE
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

pytestmark = [pytest.mark.cluster, pytest.mark.fault]


@pytest.fixture
def alone(clusters: Clusters, tmp_path: Path) -> Iterator[tuple[Space, FaultProxy]]:
    """The controller without a webhook, so that it has to write workloads itself."""
    with clusters.lend(controller_manager=False) as cluster:
        operator = local_operator(cluster, tmp_path / "operator")
        operator.install()
        cluster.kubectl("delete", "validatingwebhookconfiguration", RELEASE)
        space = Space(
            World(cluster, operator, tmp_path, LocalDnsServer(tmp_path / "names")), "default"
        )
        space.apply(policy(injection={"rollout": "Immediate"}))
        with FaultProxy(cluster.url, cluster.ca_path) as proxy:
            operator.start("controller", proxy=proxy)
            operator.wait_until_ready()
            space.wait_for_policy()
            yield space, proxy
            operator.stop_all()


def sonar(name: str, env: dict[str, str] | None = None) -> Manifest:
    return workload("Deployment", name, container(SONARQUBE, env=env), replicas=0)


def test_a_policy_counts_what_was_written_without_an_answer(
    alone: tuple[Space, FaultProxy],
) -> None:
    space, proxy = alone

    def matched(number: int) -> None:
        eventually(
            lambda: space.wait_for_policy()["status"]["summary"]["matched"] == number,
            say=f"a summary of {number}",
        )

    matched(0)
    proxy.faults = Faults(lost=1.0)
    # There is nothing to write but its record, by two writes.
    space.apply(sonar("s", env={SONAR_SWITCH: "false"}))
    space.telemetry("Deployment", "s", declared="Disabled")
    # The attempt after that finds everything done. The Lease is not lost in so short a time.
    time.sleep(2)
    proxy.faults = NONE
    matched(1)
    assert proxy.done["lost"] >= 2


def test_a_write_that_was_cut_short_leaves_no_name(alone: tuple[Space, FaultProxy]) -> None:
    space, proxy = alone
    operator = space.world.operator
    # The first one is for admission, the second one writes, the third one takes the name off.
    reached = proxy.hold(2, passed_on=True)
    space.apply(sonar("s"))
    assert reached.wait(30)
    operator.kill("controller")
    assert "fleet-telemetry" in _managers(space)
    proxy.release()
    operator.start("controller", proxy=proxy)
    eventually(lambda: "fleet-telemetry" not in _managers(space), say="the end of our name")
    assert space.env("deployment", "s") == {SONAR_SWITCH: "false"}
    assert space.get("deployment", "s")["metadata"]["generation"] == 2


def test_a_leader_that_is_refused_and_then_ignored_goes_before_the_next_one_comes(
    alone: tuple[Space, FaultProxy],
) -> None:
    space, proxy = alone
    operator = space.world.operator
    operator.start("controller", name="next")
    operator.wait_until_ready()

    def lead() -> list[str]:
        metrics = {name: operator.metrics(name) for name in ("controller", "next")}
        return [name for name, text in metrics.items() if "fleet_telemetry_leader 1.0" in text]

    eventually(lambda: lead() == ["controller"], say="a leader")
    # Its last attempt in time begins while it is still answered, and is the one that hangs.
    proxy.faults = Faults(refused=1.0, status=500)
    ignored = time.monotonic() + 5.9
    deadline = time.monotonic() + 60
    while "next" not in lead():
        assert time.monotonic() < deadline
        if time.monotonic() > ignored:
            proxy.faults = Faults(stalled=True)
        time.sleep(0.05)
    assert lead() == ["next"]
    proxy.faults = NONE
    until = time.monotonic() + 3
    while time.monotonic() < until:
        assert lead() == ["next"]


def _managers(space: Space) -> list[str]:
    found = space.get("deployment", "s")["metadata"]["managedFields"]
    return [entry["manager"] for entry in found]
