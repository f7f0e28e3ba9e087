"""What every fault test needs: somebody who restarts processes, and somebody who looks closely."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from dev.cluster import Cluster
from dev.cluster.children import ComponentEndedError
from dev.harness.fault_proxy import FaultProxy
from dev.harness.operator import Role
from tests.support.world import SONAR_SWITCH, SONARQUBE, Space, container, eventually, workload

_log = logging.getLogger(__name__)

ROLES: tuple[Role, ...] = ("webhook", "controller")
ACCOUNTS = "system:serviceaccount:fleet-telemetry:"
WEBHOOK_TIMEOUT = 2.0
Proxies = Mapping[Role, FaultProxy]
NO_PROXIES: Proxies = MappingProxyType({})


def start(space: Space, role: Role, proxies: Proxies = NO_PROXIES) -> None:
    """Run a role, behind its proxy if it has one."""
    more = ["--dns-interval=1"] if role == "controller" else []
    space.world.operator.start(role, proxy=proxies.get(role), extra=more)


def keep_running(space: Space, proxies: Proxies = NO_PROXIES) -> int:
    """What a kubelet does: a process that has ended is started again. How many had."""
    operator, ended = space.world.operator, 0
    for role in ROLES:
        try:
            operator.children.check(role)
        except ComponentEndedError:
            _log.info("%s had ended", role)
            operator.kill(role)
            start(space, role, proxies)
            ended += 1
    return ended


def works(space: Space, name: str, seconds: float = 120.0, proxies: Proxies = NO_PROXIES) -> None:
    """A deploy is injected, and the controller says so."""

    def is_injected() -> bool:
        keep_running(space, proxies)
        space.kubectl("delete", "deployment", name, "--ignore-not-found", "--wait=true")
        space.apply(workload("Deployment", name, container(SONARQUBE)))
        return space.env("deployment", name) == {SONAR_SWITCH: "false"}

    eventually(is_injected, seconds=seconds, say="an injection")
    after(lambda: space.telemetry("Deployment", name, state="Compliant"), space, seconds, proxies)


def after(
    check: Callable[[], object], space: Space, seconds: float, proxies: Proxies = NO_PROXIES
) -> None:
    """Try a check again until it holds, with somebody who restarts what has ended."""
    deadline = time.monotonic() + seconds
    while True:
        keep_running(space, proxies)
        try:
            check()
        except AssertionError:
            if time.monotonic() > deadline:
                raise
        else:
            return


def writes(cluster: Cluster) -> list[tuple[str, str, str]]:
    """What the operator wrote so far, or tried to: verb, resource and name. Without its Lease."""
    return [
        (event["verb"], event["objectRef"]["resource"], event["objectRef"].get("name", ""))
        for event in cluster.audit_events()
        if event["user"]["username"].startswith(ACCOUNTS)
        and event["verb"] not in ("get", "list", "watch")
        and event["objectRef"]["resource"] != "leases"
    ]


def becomes_quiet(cluster: Cluster, *, calm: float = 5.0, seconds: float = 60.0) -> None:
    """Wait until the operator has nothing left to write."""
    deadline = time.monotonic() + seconds
    while True:
        before = len(writes(cluster))
        time.sleep(calm)
        now = writes(cluster)
        if len(now) == before:
            return
        assert time.monotonic() < deadline, f"it writes on and on: {now[before:]}"


def slowest_deploy(cluster: Cluster) -> float:
    """Seconds that the API server took at most for somebody's write of a Deployment."""
    return max(
        (_at(event, "stageTimestamp") - _at(event, "requestReceivedTimestamp")).total_seconds()
        for event in cluster.audit_events()
        if event["user"]["username"] == "admin"
        and event.get("objectRef", {}).get("resource") == "deployments"
        and event["verb"] in ("create", "patch", "update")
    )


def _at(event: Mapping[str, Any], key: str) -> datetime:
    return datetime.fromisoformat(event[key])
