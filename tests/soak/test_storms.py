"""The operator behind a bad connection to the API server, while users go on working."""

from __future__ import annotations

import logging
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count

import pytest

from dev.cluster import Cluster
from dev.harness.dns_server import LocalDnsServer, Records
from dev.harness.fault_proxy import NONE, FaultProxy, Faults
from dev.harness.operator import LocalOperator, egress_values
from tests.support.faults import (
    ROLES,
    WEBHOOK_TIMEOUT,
    Proxies,
    after,
    becomes_quiet,
    keep_running,
    slowest_deploy,
    start,
)
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
_numbers = count(1)
HOST = "telemetry.sonarsource.com"
DENY = {"action": "Deny", "sharedAddresses": "Accept"}
SETTING = "SONAR_UPDATECENTER_ACTIVATE"
SETTINGS = [{"product": "sonarqube", "env": [{"name": SETTING, "value": "false"}]}]
STORM_SECONDS = 20.0
CONVERGED_SECONDS = 120.0


@dataclass(frozen=True)
class Shaky:
    """A namespace, and the bad connections of both roles."""

    space: Space
    proxies: Proxies

    def set(self, faults: Faults) -> None:
        for proxy in self.proxies.values():
            proxy.faults = faults

    def done(self, what: str) -> int:
        return sum(proxy.done[what] for proxy in self.proxies.values())


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shaky]:
    directory = tmp_path_factory.mktemp("shaky")
    with ExitStack() as stack:
        names = stack.enter_context(LocalDnsServer(directory / "names"))
        names.set(HOST, Records(a=["54.230.1.1"], ttl=3600))
        cluster = stack.enter_context(
            Cluster(directory / "cluster", scheduler=True, kwok=True, audit=True)
        )
        operator = LocalOperator(cluster, directory / "operator")
        operator.install({"egress": egress_values(names)})
        space = Space(World(cluster, operator, directory, names), "default")
        proxies = {
            role: stack.enter_context(FaultProxy(cluster.url, cluster.ca_path)) for role in ROLES
        }
        for role in ROLES:
            start(space, role, proxies)
        operator.wait_until_ready()
        yield Shaky(space, proxies)
        operator.stop_all()


@pytest.fixture
def shaky(everything: Shaky) -> Iterator[Shaky]:
    world = everything.space.world
    space = Space(world, f"storm-{next(_numbers)}")
    world.cluster.kubectl("create", "namespace", space.name)
    yield Shaky(space, everything.proxies)
    everything.set(NONE)
    keep_running(everything.space, everything.proxies)
    world.operator.wait_until_ready()
    world.cluster.kubectl("delete", "namespace", space.name, "--wait=false")


def sonar(name: str, replicas: int = 0) -> Manifest:
    return workload("Deployment", name, container(SONARQUBE), replicas=replicas)


def wish(**injection: object) -> Manifest:
    return policy(injection={"rollout": "Immediate", **injection}, egress=DENY)


def prepare(space: Space) -> None:
    """Before the storm: six workloads as the policy wishes."""
    eventually(lambda: space.try_apply(wish()).returncode == 0, say="a policy")
    # A watch that the storm before has left silent is restarted after 70 to 80 s.
    space.wait_for_policy(seconds=CONVERGED_SECONDS)
    space.apply(*(sonar(f"old-{number}") for number in range(5)), sonar("rolls", replicas=2))
    for name in (*(f"old-{number}" for number in range(5)), "rolls"):
        space.telemetry("Deployment", name, declared="Disabled", seconds=CONVERGED_SECONDS)
        eventually(lambda name=name: denies(space, name), say="a network policy")


def denies(space: Space, name: str) -> bool:
    return space.find("networkpolicy", f"fleet-telemetry-deny-deployment-{name}") is not None


def work_meanwhile(space: Space, disturb: Callable[[], object] = lambda: None) -> dict[str, int]:
    """What users do in a storm; how often each workload's spec has to be written, theirs included.

    The controller has to write once into whatever is there when the policy changes.
    """
    until = time.monotonic() + STORM_SECONDS
    half = until - STORM_SECONDS / 2
    space.kubectl("rollout", "restart", "deployment/rolls")
    space.kubectl("delete", "deployment", "old-4", "--wait=false")
    expected = {**{f"old-{number}": 2 for number in range(4)}, "rolls": 3}
    changed = False
    for number in count():
        if time.monotonic() > until:
            break
        disturb()
        if time.monotonic() > half and not changed:
            space.apply(wish(settings=SETTINGS))
            changed = True
            time.sleep(1)
        name = f"new-{number}"
        space.apply(sonar(name))
        expected[name] = 1 if changed else 2
        time.sleep(1)
    return expected


def converges(shaky: Shaky, expected: dict[str, int], *, may_miss: bool = False) -> None:
    """All is as if there had been no storm. With ``may_miss`` the webhook did not know everything
    that was new, and what it missed has been written afterwards.
    """
    space, cluster = shaky.space, shaky.space.world.cluster
    started = time.monotonic()
    for name, generation in expected.items():
        after(lambda name=name: is_done(space, name), space, CONVERGED_SECONDS, shaky.proxies)
        found = space.get("deployment", name)["metadata"]["generation"]
        assert found == generation or (may_miss and found == 2), f"{name} was written {found} times"
    eventually(
        lambda: space.find("workloadtelemetry", "deployment-old-4") is None, say="its record's end"
    )
    eventually(lambda: not denies(space, "old-4"), say="the end of its network policy")
    status = space.wait_for_policy()["status"]
    eventually(
        lambda: space.wait_for_policy()["status"]["summary"]["matched"] == len(expected),
        say=f"{len(expected)} workloads in {status}",
    )
    _log.info("converged within %.1f s of the storm", time.monotonic() - started)
    becomes_quiet(cluster)
    for name, generation in expected.items():
        found = space.get("deployment", name)["metadata"]["generation"]
        assert found == generation or (may_miss and found == 2)
    assert slowest_deploy(cluster) < WEBHOOK_TIMEOUT + 1


def is_done(space: Space, name: str) -> None:
    space.telemetry("Deployment", name, seconds=5, declared="Disabled")
    assert space.env("deployment", name) == {SONAR_SWITCH: "false", SETTING: "false"}
    assert denies(space, name)


@pytest.mark.parametrize("status", [429, 500])
def test_half_of_all_requests_refused_loses_and_repeats_nothing(shaky: Shaky, status: int) -> None:
    prepare(shaky.space)
    before = shaky.done("refused")
    shaky.set(Faults(refused=0.5, status=status))
    expected = work_meanwhile(shaky.space)
    shaky.set(NONE)
    assert shaky.done("refused") - before > 10
    converges(shaky, expected)


def test_writes_whose_answer_is_lost_are_not_done_twice(shaky: Shaky) -> None:
    prepare(shaky.space)
    shaky.set(Faults(lost=0.5, delay=0.5))
    expected = work_meanwhile(shaky.space)
    shaky.set(NONE)
    assert shaky.done("lost") > 10
    converges(shaky, expected)


def test_watches_cut_again_and_again_miss_nothing(shaky: Shaky) -> None:
    prepare(shaky.space)

    def cut() -> None:
        for proxy in shaky.proxies.values():
            proxy.cut_watches()

    expected = work_meanwhile(shaky.space, cut)
    assert shaky.done("cut") > 100
    converges(shaky, expected, may_miss=True)


def test_watches_that_fall_silent_are_noticed(shaky: Shaky) -> None:
    """The connection stands and says nothing, as where a firewall has forgotten it: the operator
    does not hear of what comes then, and finds out by itself that it should have."""
    space = shaky.space
    prepare(space)
    for proxy in shaky.proxies.values():
        proxy.swallow()
    started = time.monotonic()
    space.apply(wish(settings=SETTINGS))
    space.apply(sonar("unanswered-of"))
    space.kubectl("delete", "deployment", "old-4", "--wait=false")
    expected = {f"old-{number}": 2 for number in range(4)} | {"rolls": 2}
    # A watch of the webhook may have begun anew just then: it knew the policy, and nothing is left.
    is_known = SETTING in space.env("deployment", "unanswered-of")
    converges(shaky, expected | {"unanswered-of": 1 if is_known else 2})
    _log.info("noticed and made good within %.0f s", time.monotonic() - started)


def test_a_silent_api_server_stops_the_leader_and_no_admission(shaky: Shaky) -> None:
    """The webhook answers from what it knows; the controller knows that it may not write."""
    space, operator = shaky.space, shaky.space.world.operator
    prepare(space)
    shaky.set(Faults(stalled=True))
    eventually(lambda: "leader 0.0" in operator.metrics("controller"), say="an end of leading")
    for number in range(5):
        space.apply(sonar(f"meanwhile-{number}"))
        assert space.env("deployment", f"meanwhile-{number}") == {SONAR_SWITCH: "false"}
    shaky.set(NONE)
    eventually(lambda: "leader 1.0" in operator.metrics("controller"), say="a return")
    space.kubectl("delete", "deployment", "old-4", "--wait=false")
    space.apply(wish(settings=SETTINGS))
    expected = {f"old-{number}": 2 for number in range(4)} | {"rolls": 2}
    expected |= {f"meanwhile-{number}": 2 for number in range(5)}
    converges(shaky, expected)


@pytest.mark.parametrize(
    "faults", [Faults(refused=1.0, status=500), Faults(stalled=True)], ids=["500", "silence"]
)
def test_whoever_starts_in_a_storm_waits_and_takes_nothing_for_granted(
    shaky: Shaky, faults: Faults
) -> None:
    space, operator = shaky.space, shaky.space.world.operator
    prepare(space)
    for role in ROLES:
        operator.kill(role)
    shaky.set(faults)
    for role in ROLES:
        start(space, role, shaky.proxies)
    until = time.monotonic() + STORM_SECONDS / 2
    eventually(lambda: all(is_answering(operator, role) for role in ROLES), say="a probe")
    # Users notice nothing but that nothing is injected.
    space.apply(sonar("missed"))
    while time.monotonic() < until:
        keep_running(space, shaky.proxies)
        for role in ROLES:
            assert not is_ready(operator, role)
        time.sleep(0.5)
    shaky.set(Faults(refused=0.3, status=500))
    until += STORM_SECONDS / 4
    while time.monotonic() < until:
        # Whatever is asked for at this moment is never answered.
        for proxy in shaky.proxies.values():
            proxy.swallow()
        time.sleep(0.2)
    shaky.set(NONE)

    def are_ready() -> bool:
        keep_running(space, shaky.proxies)
        return all(is_ready(operator, role) for role in ROLES)

    eventually(are_ready, seconds=CONVERGED_SECONDS, say="both roles")
    eventually(lambda: space.env("deployment", "missed"), seconds=CONVERGED_SECONDS, say="a write")
    # It knew nothing for a while, and took nothing back.
    for name in ("old-0", "rolls"):
        assert space.get("deployment", name)["metadata"]["generation"] == 1
        assert space.env("deployment", name) == {SONAR_SWITCH: "false"}
    space.kubectl("delete", "deployment", "old-4", "--wait=false")
    space.apply(wish(settings=SETTINGS))
    expected = {f"old-{number}": 2 for number in range(4)} | {"rolls": 2}
    converges(shaky, expected | {"missed": 3})


def is_ready(operator: LocalOperator, role: str) -> bool:
    return _probe(operator, role) == 200


def is_answering(operator: LocalOperator, role: str) -> bool:
    return _probe(operator, role) > 0


def _probe(operator: LocalOperator, role: str) -> int:
    """The status of its readiness; 0 where nobody answers."""
    try:
        with urllib.request.urlopen(f"{operator.url(role)}/readyz", timeout=5) as answer:
            status: int = answer.status
            return status
    except urllib.error.HTTPError as error:
        with error:
            return error.code
    except OSError:
        return 0
