"""Packets go where NetworkPolicies let them, and the code says beforehand which do.

Real TCP connections between network namespaces: from a pod, over a node that filters, to listeners
on public-looking addresses. ``cni.py`` makes the filter out of the policies; the code under test
has no part in that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import ip_address, ip_network
from pathlib import Path
from random import Random
from typing import Any

import pytest

from fleet_telemetry.api.policy import EgressAction
from fleet_telemetry.api.telemetry_host import AddressFamily
from fleet_telemetry.api.workload_telemetry import EgressVerdict
from fleet_telemetry.egress.model import Destination, Reachable
from fleet_telemetry.egress.network_policies import read_network_policy
from fleet_telemetry.egress.reachability import AddressCoverage, judge
from tests.support import cni, netns
from tests.support.depth import HUNT
from tests.support.network_policies import (
    ADDRESSES,
    NAMESPACE,
    POD_LABELS,
    Manifest,
    block,
    internet_only,
    network_policy,
    open_by_value,
    singles,
    sonarqube_chart,
    wild_policies,
)
from tests.support.reach import reach
from tests.support.rendered_policies import rendered_policy

HOST = "34.107.157.31"
NEIGHBOUR = "34.107.157.30"
HOST6 = "2606:4700::6810:7c"
RANGE = "104.16.0.0/13"
#: What is listened on: hosts, their neighbours, the ends of ranges, and what is nobody's business.
LISTENING = [
    address
    for address in ADDRESSES
    # Nothing connects to broadcast and loopback addresses from elsewhere.
    if not address.is_loopback and str(address) != "255.255.255.255"
]
PORTS = (443, 444, 80)
TARGETS = [(address, port) for address in LISTENING for port in PORTS]

LABELS = {"app": "sonarqube", "release": "sonarqube"}
OPEN, ALLOWED, DENIED = EgressVerdict.OPEN, EgressVerdict.ALLOWED, EgressVerdict.DENIED

Came = dict[tuple[Any, int], bool]


@pytest.fixture(scope="module")
def world() -> Iterator[netns.World]:
    obstacle = netns.obstacle()
    if obstacle:
        pytest.skip(f"no packets can be sent here: {obstacle}")
    with netns.world() as found:
        found.listen(LISTENING, PORTS)
        yield found


def send(world: netns.World, policies: list[Manifest], labels: Mapping[str, str] = LABELS) -> Came:
    """Let the pod connect everywhere; each packet has to do what the code says."""
    world.filter(cni.rules(policies, labels))
    came = world.connect(TARGETS)
    read = [read_network_policy(policy) for policy in policies]
    said = {
        (address, port): reach(read, labels, singles([address]), port).coverage
        is AddressCoverage.ALL
        for address, port in TARGETS
    }
    assert said == came, policies
    for port in PORTS:
        # All of them as the addresses of one host: one word for what came of it.
        verdict = judge(read, [labels], [Destination("h", port, tuple(singles(LISTENING)))]).verdict
        any_came = any(came[address, port] for address in LISTENING)
        assert verdict in ((OPEN, ALLOWED) if any_came else (DENIED,))
    return came


def reached(came: Came, *addresses: str, port: int = 443) -> list[bool]:
    return [came[ip_address(address), port] for address in addresses]


def cut(came: Came, port: int = 443) -> set[str]:
    return {str(address) for (address, at), through in came.items() if at == port and not through}


DENY = EgressAction.DENY, f"{HOST}/32", RANGE, f"{HOST6}/128"
INSIDE = {HOST, HOST6, "104.16.0.0", "104.18.10.99"}
DEFAULT_DENY = network_policy("default-deny")


def test_without_policies_everything_is_reached(world: netns.World) -> None:
    assert all(send(world, []).values())
    ingress = network_policy("a", policyTypes=["Ingress"], egress=None, ingress=[])
    assert all(send(world, [ingress]).values())


def test_without_leave_nothing_is(world: netns.World) -> None:
    assert not any(send(world, [DEFAULT_DENY]).values())


def test_a_denial_cuts_the_hosts_and_nothing_else(world: netns.World) -> None:
    came = send(world, [rendered_policy(*DENY)])
    for port in PORTS:
        assert cut(came, port) == INSIDE


def test_a_denial_cuts_other_pods_off_from_nothing(world: netns.World) -> None:
    assert all(send(world, [rendered_policy(*DENY)], {"app": "db"}).values())


def test_a_denial_of_one_family_leaves_the_other_alone(world: netns.World) -> None:
    came = send(world, [rendered_policy(EgressAction.DENY, f"{HOST}/32")])
    assert cut(came) == {HOST}
    came = send(
        world,
        [rendered_policy(EgressAction.DENY, f"{HOST6}/128", families=frozenset(AddressFamily))],
    )
    assert cut(came) == {HOST6}


def test_the_chart_of_sonarqube_undoes_a_denial_and_is_named(world: netns.World) -> None:
    policies = [rendered_policy(*DENY), sonarqube_chart(namespace=NAMESPACE)]
    came = send(world, policies)
    # It speaks of IPv4 only.
    assert cut(came) == {HOST6}
    read = [read_network_policy(policy) for policy in policies]
    found = judge(read, [LABELS], [Destination("h", 443, (ip_network(f"{HOST}/32"),))])
    assert found.verdict is ALLOWED
    assert [policy.name for policy in found.culprits] == ["sonarqube-network-policy"]


@pytest.mark.parametrize(
    ("beside", "hosts_come"),
    [
        ([], False),
        ([network_policy("ingress", policyTypes=["Ingress"], egress=None)], False),
        ([DEFAULT_DENY], False),
        ([open_by_value(open_egress=False)], False),
        ([open_by_value(open_egress=True)], True),
        ([internet_only()], True),
        ([network_policy("a", {"to": [block(f"{HOST}/32")], "ports": [{"port": 443}]})], True),
        ([network_policy("a", {"to": [block(f"{HOST}/32")], "ports": [{"port": 80}]})], False),
        ([network_policy("a", {"to": [block(f"{NEIGHBOUR}/32")]})], False),
        ([network_policy("a", {"to": [block(f"{NEIGHBOUR}/31")]})], True),
    ],
)
def test_what_stands_beside_a_denial(
    beside: list[Manifest], hosts_come: bool, world: netns.World
) -> None:
    assert reached(send(world, [rendered_policy(*DENY), *beside]), HOST) == [hosts_come]


def test_an_allowance_opens_the_hosts_and_their_port_where_something_isolates(
    world: netns.World,
) -> None:
    allow = rendered_policy(EgressAction.ALLOW, f"{HOST}/32", f"{HOST6}/128")
    came = send(world, [DEFAULT_DENY, allow])
    assert {address for address, through in came.items() if through} == {
        (ip_address(HOST), 443),
        (ip_address(HOST6), 443),
    }
    # Without the family that a plug-in does not know.
    four = rendered_policy(
        EgressAction.ALLOW, f"{HOST}/32", f"{HOST6}/128", families=frozenset({AddressFamily.IPV4})
    )
    assert reached(send(world, [DEFAULT_DENY, four]), HOST, HOST6) == [True, False]


def test_an_isolation_lets_through_the_hosts_and_what_the_user_lists(world: netns.World) -> None:
    listed = Reachable(cidr=ip_network("34.255.0.0/16"), ports=(("TCP", 80),))
    came = send(world, [rendered_policy(EgressAction.ISOLATE, f"{HOST}/32", reachable=(listed,))])
    assert {address for address, through in came.items() if through} == {
        (ip_address(HOST), 443),
        (ip_address("34.255.255.255"), 80),
    }
    assert not any(send(world, [rendered_policy(EgressAction.ISOLATE)]).values())


@pytest.mark.parametrize("start", range(0, 60 * max(HUNT, 1), 10))
def test_packets_do_what_is_said_of_any_policies(start: int, world: netns.World) -> None:
    for seed in range(start, start + 10):
        random = Random(seed)
        policies, labels = wild_policies(random), random.choice(POD_LABELS)
        send(world, policies, labels)
        # And beside what the operator writes.
        send(world, [*policies, rendered_policy(*DENY)], LABELS)


def _machine() -> list[str]:
    """The devices and routes of the machine itself."""
    devices = Path("/proc/net/dev").read_text().splitlines()[2:]
    four = Path("/proc/net/route").read_text().splitlines()
    six = Path("/proc/net/ipv6_route").read_text().splitlines()
    return [
        *(line.split(":")[0] for line in devices),
        *four,
        # Without the counters.
        *(" ".join((*line.split()[:6], line.split()[-1])) for line in six),
    ]


def _namespace(process: object) -> str:
    return str(Path(f"/proc/{process}/ns/net").readlink())


def test_the_machine_sees_nothing_of_it_and_nothing_is_left(world: netns.World) -> None:
    del world  # Only so that this is skipped where there can be none.
    before = _machine()
    processes: list[int] = []

    def fail() -> None:
        with netns.world() as another:
            another.listen(LISTENING[:1], PORTS[:1])
            processes.extend(another.processes())
            assert len({_namespace(process) for process in (*processes, "self")}) == 4
            assert _machine() == before
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert len(processes) == 3
    assert not any(Path(f"/proc/{process}").exists() for process in processes)
    assert _machine() == before
