"""What the cluster's DNS is asked, seen by real CoreDNS, on a real API server."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator

import pytest

from tests.support.faults import becomes_quiet
from tests.support.observed import (
    CONTROLLER,
    EMQX_HOST,
    GATEWAY,
    Observed,
    observed_cluster,
)
from tests.support.world import EMQX, SONARQUBE, Space, container, eventually, policy, workload

pytestmark = pytest.mark.cluster

SOURCEGRAPH_WORKER = "index.docker.io/sourcegraph/worker:7.6.0"
RECORD = "deployment-it"


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Observed]:
    with observed_cluster(tmp_path_factory.mktemp("observed")) as observed:
        yield observed


@pytest.fixture
def observed(everything: Observed) -> Observed:
    return everything


@pytest.fixture
def space(observed: Observed) -> Iterator[Space]:
    with observed.space() as space:
        yield space


def opted_out(space: Space, image: str = EMQX) -> None:
    space.policy("opt-out", injection={"rollout": "OnNextRollout"})
    space.apply(workload("Deployment", "it", container(image), replicas=1))


def test_a_product_that_was_opted_out_is_quiet_until_it_asks(
    observed: Observed, space: Space
) -> None:
    opted_out(space)
    address = observed.address_of(space, "it")
    quiet = observed.wait_for(space, RECORD, state="Compliant", observed="Quiet")
    assert quiet["observedReason"] == "NoLookup"
    assert "observedSince" in quiet
    # Other names of the pod, and names below and above the host, are nobody's business.
    for name in ("example.com", f"www.{EMQX_HOST}", "emqx.io"):
        observed.dns.ask(name, client=address)
    observed.dns.ask(EMQX_HOST.swapcase(), client=address, server=1, kind="AAAA")
    seen = observed.wait_for(space, RECORD, state="NonCompliant", observed="Contacted")
    assert seen["reason"] == "ObservedContact"
    assert EMQX_HOST in seen["message"]
    status = space.get("workloadtelemetry", RECORD)["status"]
    (contact,) = status["contacts"]
    assert (contact["host"], contact["lookups"]) == (EMQX_HOST, 1)
    assert contact["pod"].startswith("it-")
    assert "Contacted" in space.kubectl("get", "wtel", RECORD, "--output=wide").stdout
    shown = _series(observed, "observed_lookups_total", space.name)
    assert [('host_class="Exclusive"' in series, value) for series, value in shown.items()] == [
        (True, 1.0)
    ]
    assert set(_series(observed, "observed_source_connected").values()) == {1.0}
    assert _series(observed, "observed_complete_since_seconds")


def test_a_product_that_cannot_be_switched_off_is_shown_as_having_asked(
    observed: Observed, space: Space
) -> None:
    space.policy()
    space.apply(workload("Deployment", "it", container(SOURCEGRAPH_WORKER), replicas=1))
    observed.wait_for(space, RECORD, state="NotEnforceable", observed="Quiet")
    observed.dns.ask(GATEWAY, client=observed.address_of(space, "it"))
    seen = observed.wait_for(space, RECORD, state="NotEnforceable", observed="Contacted")
    assert GATEWAY in seen["observedMessage"]


def test_a_cluster_that_asks_nothing_sees_no_writes(observed: Observed, space: Space) -> None:
    opted_out(space, SONARQUBE)
    observed.wait_for(space, RECORD, state="Compliant", observed="Quiet")
    becomes_quiet(observed.world.cluster, calm=45.0, seconds=120.0)


def test_only_name_servers_may_report(observed: Observed) -> None:
    """Anyone else is closed at once, before a byte of it is read."""
    service = observed.world.cluster.kubectl(
        "get", "service", "fleet-telemetry-dnstap", "--namespace=fleet-telemetry",
        "--output=jsonpath={.spec.clusterIP}",
    ).stdout  # fmt: skip
    with socket.create_connection((service, 6000), timeout=10) as anyone:
        anyone.settimeout(20)
        assert anyone.recv(1) == b""


@pytest.mark.fault
def test_a_name_server_that_was_killed_is_missed_and_the_next_one_is_believed(
    observed: Observed, space: Space
) -> None:
    opted_out(space)
    observed.wait_for(space, RECORD, state="Compliant", observed="Quiet")
    victim = observed.dns.addresses[1]
    observed.dns.kill(victim)
    missing = observed.wait_for(space, RECORD, observed="Unknown")
    assert missing["observedReason"] in ("SourceNotConnected", "NotProvenYet")
    assert missing["state"] == "Compliant"
    observed.dns.start_one(victim)
    observed.wait_for(space, RECORD, observed="Quiet", seconds=150)
    observed.dns.ask(EMQX_HOST, client=observed.address_of(space, "it"), server=1)
    observed.wait_for(space, RECORD, state="NonCompliant", reason="ObservedContact")


@pytest.mark.fault
@pytest.mark.parametrize("dns_too", [False, True], ids=["leader", "leader and name server"])
def test_the_next_leader_knows_what_was_seen_and_sees_what_comes(
    observed: Observed, space: Space, *, dns_too: bool
) -> None:
    operator, dns = observed.world.operator, observed.dns
    opted_out(space)
    address = observed.address_of(space, "it")
    observed.wait_for(space, RECORD, state="Compliant", observed="Quiet")
    dns.ask(EMQX_HOST, client=address)
    observed.wait_for(space, RECORD, reason="ObservedContact")
    before = space.get("workloadtelemetry", RECORD)["status"]["contacts"]
    victim = dns.addresses[0]
    operator.kill("controller")
    if dns_too:
        dns.kill(victim)
    operator.start("controller", extra=CONTROLLER)
    operator.wait_until_ready("controller")
    if dns_too:
        dns.start_one(victim)
    space.apply(workload("Deployment", "later", container(EMQX), replicas=1))
    later = observed.address_of(space, "later")
    observed.wait_for(space, "deployment-later", observed="Quiet", seconds=150)
    assert space.get("workloadtelemetry", RECORD)["status"]["contacts"] == before
    assert observed.observed(space, RECORD)["reason"] == "ObservedContact"
    dns.ask(EMQX_HOST, client=later)
    observed.wait_for(space, "deployment-later", reason="ObservedContact")
    slices = json.loads(
        observed.world.cluster.kubectl(
            "get", "endpointslices", "--namespace=fleet-telemetry", "--output=json"
        ).stdout
    )["items"]
    assert [len(one["endpoints"]) for one in slices] == [1]


# This one reconfigures the name servers, after which the operator takes its time to believe them.
def test_dns_refuses_the_hosts_of_a_policy_to_its_pods_alone(
    observed: Observed, space: Space
) -> None:
    space.apply(
        policy("opt-out", egress={"action": "Deny", "dns": "Refuse", "sharedAddresses": "Accept"})
    )
    space.wait_for_policy()
    space.apply(workload("Deployment", "it", container(EMQX), replicas=1))
    address = observed.address_of(space, "it")
    observed.wait_for(space, RECORD, declared="Disabled")
    try:
        observed.configure("--all", "--by=addresses")
        assert observed.dns.ask(EMQX_HOST, client=address).name == "NXDOMAIN"
        assert observed.dns.ask("example.com", client=address).name == "NOERROR"
        assert observed.dns.ask(EMQX_HOST, client="127.0.0.77").name == "NOERROR"

        def is_seen() -> bool:
            # CoreDNS drops what it has to report while it connects, as it does after a restart.
            observed.dns.ask(EMQX_HOST, client=address)
            return observed.observed(space, RECORD).get("observed") == "Contacted"

        eventually(is_seen, say="a lookup that was refused")
    finally:
        observed.configure("--all")
    status = space.get("workloadtelemetry", RECORD)["status"]
    assert [one.get("refused") for one in status["contacts"]] == [True], status


# This one leaves a doubt about its host for a day.
def test_a_lookup_from_an_address_of_no_product_is_nobodys(
    observed: Observed, space: Space
) -> None:
    opted_out(space)
    observed.wait_for(space, RECORD, state="Compliant")
    space.apply(workload("Deployment", "other", container("docker.io/library/nginx:1"), replicas=1))
    before, address = _unattributed(observed), observed.address_of(space, "other")

    def is_counted() -> bool:
        # As after the test before, a name server that has just started may drop it.
        observed.dns.ask(EMQX_HOST, client=address)
        return _unattributed(observed) > before

    eventually(is_counted, say="an unattributed lookup")
    assert observed.observed(space, RECORD)["state"] == "Compliant"
    assert observed.observed(space, RECORD)["observed"] != "Contacted"


def _unattributed(observed: Observed) -> float:
    return sum(_series(observed, "observed_unattributed_lookups_total").values())


def _series(observed: Observed, metric: str, text: str = "") -> dict[str, float]:
    """The leader's series of a metric that contain a text, with their values."""
    lines = observed.world.operator.metrics("controller").splitlines()
    found = (line.rpartition(" ") for line in lines if line.startswith(f"fleet_telemetry_{metric}"))
    return {series: float(value) for series, _, value in found if text in series}
