"""Replicas whose wall clock is an hour off, beside such whose clock is right."""

from __future__ import annotations

import base64
import logging
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dev.cluster import Cluster
from dev.harness.dns_server import LocalDnsServer
from dev.harness.operator import NAMESPACE, RELEASE, LocalOperator
from tests.support.faults import becomes_quiet
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
HOUR = 3600.0
SKEWED = pytest.mark.parametrize("clock", [HOUR, -HOUR], ids=["ahead", "behind"])
LEASE_SECONDS = 10.0
"""Certificates are looked at as often."""


@pytest.fixture
def space(tmp_path: Path) -> Iterator[Space]:
    with Cluster(tmp_path / "cluster", controller_manager=False, audit=True) as cluster:
        operator = LocalOperator(cluster, tmp_path / "operator")
        operator.install()
        yield Space(
            World(cluster, operator, tmp_path, LocalDnsServer(tmp_path / "names")), "default"
        )
        operator.stop_all()


def leaders(operator: LocalOperator, *names: str) -> list[str]:
    return [name for name in names if "fleet_telemetry_leader 1.0" in operator.metrics(name)]


def stays_alone(operator: LocalOperator, leader: str, *names: str) -> None:
    """For longer than a Lease lasts: who trusted the holder's clock would take it, or lose it."""
    until = time.monotonic() + LEASE_SECONDS + 4
    while time.monotonic() < until:
        assert leaders(operator, *names) == [leader]
        time.sleep(0.2)


@SKEWED
def test_a_wrong_clock_beside_a_right_one_takes_nothing_and_loses_nothing(
    space: Space, clock: float
) -> None:
    """The Lease is kept and taken like by any other; certificates are taken by the API server, and
    by a replica whose clock is right, and nobody fights over them."""
    operator = space.world.operator
    operator.start("webhook", name="wrong-webhook", clock=clock)
    operator.start("controller", name="wrong", clock=clock)
    operator.wait_until_ready()
    eventually(lambda: leaders(operator, "wrong"), say="a leader")
    lease = space.world.get("lease", RELEASE, NAMESPACE)["spec"]
    renewed = datetime.fromisoformat(lease["renewTime"])
    assert abs((renewed - datetime.now(UTC)).total_seconds() - clock) < 60, "it has a wrong clock"
    eventually(lambda: space.try_apply(policy()).returncode == 0, say="a policy")
    eventually(lambda: _is_injected(space, "first"), say="an injection")
    before = _secrets(space)

    more = ["--webhook-host=127.0.0.1", "--webhook-port=0"]
    operator.start("webhook", name="right-webhook", extra=more)
    operator.start("controller", name="right")
    operator.wait_until_ready()
    stays_alone(operator, "wrong", "wrong", "right")
    # Each replica has looked at them again by now.
    assert _secrets(space) == before
    assert _is_injected(space, "second")

    operator.kill("wrong")
    eventually(lambda: leaders(operator, "right"), say="the right one")
    operator.start("controller", name="wrong", clock=clock)
    operator.wait_until_ready()
    stays_alone(operator, "right", "wrong", "right")
    operator.kill("right")
    eventually(lambda: leaders(operator, "wrong"), say="the wrong one")


def _is_injected(space: Space, prefix: str) -> bool:
    name = f"{prefix}-{time.monotonic_ns()}"
    space.create(workload("Deployment", name, container(SONARQUBE), replicas=0))
    return space.env("deployment", name) == {SONAR_SWITCH: "false"}


def _secrets(space: Space) -> list[str]:
    names = (f"{RELEASE}-webhook-tls", f"{RELEASE}-webhook-ca")
    found = [space.world.get("secret", name, NAMESPACE)["data"]["tls.crt"] for name in names]
    return [base64.b64decode(data).decode() for data in found]


@SKEWED
def test_what_a_wrong_clock_decided_is_put_right_when_the_clock_is(
    space: Space, clock: float
) -> None:
    """An exception ends by the clock of who decides; the next one decides by its own."""
    operator, cluster = space.world.operator, space.world.cluster
    ends = datetime.now(UTC) + timedelta(seconds=clock / 2)
    exception = {
        "workload": {"kind": "Deployment", "name": "excepted"},
        "reason": "a contract",
        "expiresAt": ends.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    operator.start("webhook", clock=clock)
    operator.start("controller", clock=clock)
    operator.wait_until_ready()
    wish = policy(injection={"rollout": "Immediate"}, exceptions=[exception])
    eventually(lambda: space.try_apply(wish).returncode == 0, say="a policy")
    space.wait_for_policy()
    names = ("excepted", "other")
    space.apply(*(workload("Deployment", n, container(SONARQUBE), replicas=0) for n in names))
    space.telemetry("Deployment", "other", declared="Disabled")
    by_wrong, by_right = ("Unset", "Disabled") if clock < 0 else ("Disabled", "Unset")
    space.telemetry("Deployment", "excepted", declared=by_wrong)
    changed = _changed(space, "other")

    for role in ("webhook", "controller"):
        operator.stop(role)
        operator.start(role)  # type: ignore[arg-type]
    operator.wait_until_ready()
    if by_right == "Disabled":
        space.telemetry("Deployment", "excepted", declared="Disabled")
    else:
        space.telemetry("Deployment", "excepted", state="Exempt")
    becomes_quiet(cluster)
    assert space.get("deployment", "other")["metadata"]["generation"] == 1
    # What did not change is not written anew, whatever the time was said to be.
    assert _changed(space, "other") == changed


def _changed(space: Space, name: str) -> object:
    found = space.get("workloadtelemetry", f"deployment-{name}")
    return found["metadata"]["resourceVersion"]
