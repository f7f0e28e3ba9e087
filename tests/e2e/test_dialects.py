"""Kinds of network policy that a cluster may have besides, as they are on a real API server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from dev.cluster import Cluster
from dev.cluster.foreign_crds import foreign_crds
from dev.harness.dns_server import LocalDnsServer, Records
from tests.support.clusters import Clusters
from tests.support.forked_operator import local_operator
from tests.support.world import SONARQUBE, Manifest, Space, World, container, eventually, workload

pytestmark = pytest.mark.cluster

HOST = "telemetry.sonarsource.com"
NAME = "fleet-telemetry-deny-deployment-sonar"
DENY = {"action": "Deny", "sharedAddresses": "Accept"}
QUICKLY = ["--dns-interval=1", "--egress-interval=1"]


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalDnsServer]:
    with LocalDnsServer(tmp_path_factory.mktemp("names")) as names:
        names.set(HOST, Records(a=["54.230.1.1"], ttl=1))
        yield names


@pytest.fixture(scope="module")
def cluster(clusters: Clusters) -> Iterator[Cluster]:
    with clusters.lend() as cluster:
        for name in ("cilium", "network-policy-api"):
            for path in foreign_crds(name):
                cluster.kubectl("apply", "--server-side", "-f", str(path))
        yield cluster


@pytest.fixture(scope="module")
def world(
    cluster: Cluster, names: LocalDnsServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    directory = tmp_path_factory.mktemp("operator")
    operator = local_operator(cluster, directory)
    egress = {"dnsServers": [names.endpoint], "publishedRanges": "built-in"}
    operator.install({"egress": egress})
    operator.start("webhook")
    operator.start("controller", extra=QUICKLY)
    operator.wait_until_ready()
    yield World(cluster, operator, directory, names)
    operator.stop_all()


@pytest.fixture
def space(world: World, request: pytest.FixtureRequest) -> Iterator[Space]:
    name = request.node.originalname.replace("_", "-")[:50].strip("-")
    world.cluster.kubectl("create", "namespace", name)
    yield Space(world, name)
    world.cluster.kubectl("delete", "namespace", name)


def sonar() -> Manifest:
    return workload("Deployment", "sonar", container(SONARQUBE))


def cluster_objects(space: Space, kind: str) -> list[Manifest]:
    text = space.world.cluster.kubectl("get", kind, "--output=json").stdout
    found: list[Manifest] = json.loads(text)["items"]
    return found


def say_valid(space: Space, kind: str, name: str) -> None:
    """What Cilium's own operator says of a policy that it took."""
    now = "2026-11-21T08:00:00Z"
    condition = {"type": "Valid", "status": "True", "lastTransitionTime": now}
    patch = json.dumps({"status": {"conditions": [condition]}})
    space.kubectl("patch", kind, name, "--subresource=status", "--type=merge", "--patch", patch)


def test_cilium_denies_by_groups_of_addresses(space: Space) -> None:
    space.policy(egress=DENY)
    space.apply(sonar())

    found: Any = eventually(lambda: space.find("ciliumnetworkpolicy", NAME), say="the policy")
    assert found["spec"]["enableDefaultDeny"] == {"egress": False, "ingress": False}
    (group,) = cluster_objects(space, "ciliumcidrgroups")
    assert "54.230.1.1/32" in group["spec"]["externalCIDRs"]
    (peer,) = found["spec"]["egressDeny"][0]["toCIDRSet"]
    assert peer == {"cidrGroupRef": group["metadata"]["name"]}
    assert space.find("networkpolicy", NAME) is None
    # The object is there, and nothing has said that anything acts on it.
    space.telemetry("Deployment", "sonar", egress="Unknown", egressReason="EnforcementNotShown")

    say_valid(space, "ciliumnetworkpolicy", NAME)
    deny = {"egress": "Denied", "egressReason": "EveryAddressDenied"}
    space.telemetry("Deployment", "sonar", **deny)
    # Another address changes the group and not the policy.
    version = space.get("ciliumnetworkpolicy", NAME)["metadata"]["generation"]
    space.world.names.set(HOST, Records(a=["54.230.1.2"], ttl=1))
    eventually(
        lambda: (
            "54.230.1.2/32"
            in cluster_objects(space, "ciliumcidrgroups")[0]["spec"]["externalCIDRs"]
        ),
        say="the other address",
    )
    assert space.get("ciliumnetworkpolicy", NAME)["metadata"]["generation"] == version

    # What somebody edits is put right; what nothing refers to goes.
    patch = '{"spec":{"egressDeny":[]}}'
    space.kubectl("patch", "ciliumnetworkpolicy", NAME, "--type=merge", "--patch", patch)
    eventually(
        lambda: space.get("ciliumnetworkpolicy", NAME)["spec"]["egressDeny"],
        say="its repair",
    )
    space.kubectl("delete", "telemetrypolicy", "opt-out")
    eventually(lambda: space.find("ciliumnetworkpolicy", NAME) is None, say="its end")
    eventually(
        lambda: not cluster_objects(space, "ciliumcidrgroups"),
        say="the group's end",
    )


def test_a_network_policy_does_not_deny_on_cilium(space: Space) -> None:
    space.policy(egress={**DENY, "dialect": "NetworkPolicy"})
    space.apply(sonar())

    space.telemetry("Deployment", "sonar", egress="Open", egressReason="DialectCannot")
    assert space.find("networkpolicy", NAME) is None


def test_a_cluster_network_policy_goes_with_its_policy(space: Space) -> None:
    space.policy(egress={**DENY, "dialect": "ClusterNetworkPolicy"})
    space.apply(sonar())

    def ours() -> list[Manifest]:
        return cluster_objects(space, "clusternetworkpolicies")

    (found,) = eventually(ours, say="the policy")
    rules = found["spec"]["egress"]
    assert [rule["action"] for rule in rules] == ["Deny"]
    assert "ownerReferences" not in found["metadata"]
    space.telemetry("Deployment", "sonar", egress="Unknown", egressReason="EnforcementNotShown")
    space.kubectl("delete", "telemetrypolicy", "opt-out")
    eventually(lambda: not ours(), say="its end")


def test_what_was_written_before_a_restart_is_swept(space: Space) -> None:
    space.policy(egress={**DENY, "dialect": "ClusterNetworkPolicy"})
    space.apply(sonar())
    eventually(lambda: cluster_objects(space, "clusternetworkpolicies"), say="the policy")

    operator = space.world.operator
    operator.kill("controller")
    space.kubectl("delete", "telemetrypolicy", "opt-out")
    space.kubectl("delete", "deployment", "sonar")
    operator.start("controller", extra=QUICKLY)
    eventually(
        lambda: not cluster_objects(space, "clusternetworkpolicies"),
        say="its end",
    )
    # Hosts are swept every 30 s, and only once the needs of every workload are known.
    eventually(
        lambda: not cluster_objects(space, "telemetryhosts"),
        seconds=120.0,
        say="the hosts' end",
    )
