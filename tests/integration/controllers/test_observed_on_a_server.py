"""The objects by which name servers and the leader find each other, on a real API server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from ipaddress import ip_address
from typing import Any, TypeVar

import pytest

from dev.cluster import Cluster
from fleet_telemetry.controllers.observed.discovery import NameServers
from fleet_telemetry.controllers.observed.options import ObserverOptions
from fleet_telemetry.controllers.observed.own_slice import OwnSlice
from fleet_telemetry.egress.dns.name_servers import NameServer
from fleet_telemetry.kube.client import KubernetesClient
from tests.support.clusters import Clusters

pytestmark = pytest.mark.cluster

NAMESPACE = "default"
OPTIONS = ObserverOptions(
    namespace=NAMESPACE,
    service="fto-dnstap",
    address=ip_address("192.0.2.7"),
    host="127.0.0.1",
    port=6001,
    dns_namespace=NAMESPACE,
    dns_service="kube-dns",
)
T = TypeVar("T")


@pytest.fixture(scope="module")
def cluster(clusters: Clusters) -> Iterator[Cluster]:
    with clusters.lend(controller_manager=False) as found:
        yield found


@pytest.fixture(autouse=True)
def empty(cluster: Cluster) -> None:
    for kind in ("endpointslices", "pods"):
        cluster.kubectl("delete", kind, "--all", f"--namespace={NAMESPACE}", "--grace-period=0")
    for name in ("fto-dnstap", "kube-dns"):
        cluster.kubectl("delete", "service", name, f"--namespace={NAMESPACE}", "--ignore-not-found")


def apply(cluster: Cluster, *objects: dict[str, Any]) -> None:
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})
    cluster.kubectl("apply", "--server-side", "-f", "-", input=text)


def leader_slice(cluster: Cluster) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        cluster.kubectl(
            "get", "endpointslice", "fto-dnstap-leader", f"--namespace={NAMESPACE}", "--output=json"
        ).stdout
    )
    return found


def with_client(cluster: Cluster, work: Callable[[KubernetesClient], Awaitable[T]]) -> T:
    async def main() -> T:
        client = await KubernetesClient.connect(str(cluster.kubeconfig))
        try:
            return await work(client)
        finally:
            await client.close()

    return asyncio.run(main())


def reconcile(cluster: Cluster, options: ObserverOptions = OPTIONS) -> tuple[str, tuple[str, ...]]:
    """One look; what is wrong all the same, and the addresses of the leader before."""

    async def work(client: KubernetesClient) -> tuple[str, tuple[str, ...]]:
        own = OwnSlice(client, options)
        return await own.reconcile(), own.former

    return with_client(cluster, work)


def service(name: str = "fto-dnstap", **spec: Any) -> dict[str, Any]:
    ports = [{"name": "tap", "port": 6000, "protocol": "TCP", "targetPort": 6001}]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"ports": ports, **spec},
    }


def test_it_is_written_once(cluster: Cluster) -> None:
    apply(cluster, service())
    assert reconcile(cluster) == ("", ())
    written = leader_slice(cluster)
    assert written["endpoints"][0]["addresses"] == ["192.0.2.7"]
    assert written["ports"] == [{"name": "tap", "port": 6001, "protocol": "TCP"}]
    assert written["metadata"]["ownerReferences"][0]["name"] == "fto-dnstap"
    for _ in range(3):
        assert reconcile(cluster) == ("", ())
    assert (
        leader_slice(cluster)["metadata"]["resourceVersion"]
        == (written["metadata"]["resourceVersion"])
    )


def test_it_moves_to_the_next_leader(cluster: Cluster) -> None:
    apply(cluster, service())
    reconcile(cluster)
    uid = leader_slice(cluster)["metadata"]["uid"]
    following = replace(OPTIONS, address=ip_address("192.0.2.8"))
    assert reconcile(cluster, following) == ("", ("192.0.2.7",))
    moved = leader_slice(cluster)
    assert [one["addresses"] for one in moved["endpoints"]] == [["192.0.2.8"]]
    assert moved["metadata"]["uid"] == uid


def test_the_next_leader_may_have_an_address_of_the_other_family(cluster: Cluster) -> None:
    apply(cluster, service())
    reconcile(cluster)
    assert reconcile(cluster, replace(OPTIONS, address=ip_address("2001:db8::7")))[0] == ""
    moved = leader_slice(cluster)
    assert moved["addressType"] == "IPv6"
    assert [one["addresses"] for one in moved["endpoints"]] == [["2001:db8::7"]]


def test_what_others_change_is_set_right_once(cluster: Cluster) -> None:
    apply(cluster, service())
    reconcile(cluster)
    where = ("endpointslice", "fto-dnstap-leader", f"--namespace={NAMESPACE}")
    cluster.kubectl("label", *where, "team=a")
    version = leader_slice(cluster)["metadata"]["resourceVersion"]
    reconcile(cluster)
    assert leader_slice(cluster)["metadata"]["resourceVersion"] == version
    patch = '{"endpoints": [{"addresses": ["192.0.2.66"]}]}'
    cluster.kubectl("patch", *where, "--type=merge", f"--patch={patch}")
    reconcile(cluster)
    assert leader_slice(cluster)["endpoints"][0]["addresses"] == ["192.0.2.7"]


def test_a_port_without_a_name(cluster: Cluster) -> None:
    apply(cluster, service(ports=[{"port": 6000, "protocol": "TCP"}]))
    reconcile(cluster)
    version = leader_slice(cluster)["metadata"]["resourceVersion"]
    reconcile(cluster)
    assert leader_slice(cluster)["metadata"]["resourceVersion"] == version


def test_a_service_that_is_missing_or_has_a_selector_is_a_problem(cluster: Cluster) -> None:
    assert "there is no Service default/fto-dnstap" in reconcile(cluster)[0]
    apply(cluster, service(selector={"app": "x"}))
    assert "has a selector" in reconcile(cluster)[0]
    # It belongs to the Service once there is one.
    assert leader_slice(cluster)["metadata"]["ownerReferences"]


def found_by(cluster: Cluster) -> tuple[list[str], str]:
    reads: list[tuple[list[str], str]] = []

    def read(found: frozenset[NameServer], problem: str) -> None:
        reads.append((sorted(f"{one.address}|{one.port}" for one in found), problem))

    async def work(client: KubernetesClient) -> None:
        await NameServers(client, OPTIONS, read, lambda: 0.0).refresh()

    with_client(cluster, work)
    return reads[-1]


def test_the_name_servers_of_the_cluster(cluster: Cluster) -> None:
    found, problem = found_by(cluster)
    assert found == []
    assert "there is no Service default/kube-dns" in problem
    ports = [
        {"name": "dns", "port": 53, "protocol": "UDP", "targetPort": "dns"},
        {"name": "dns-tcp", "port": 53, "protocol": "TCP"},
    ]
    apply(cluster, service("kube-dns", ports=ports, selector={"k8s-app": "kube-dns"}))
    assert found_by(cluster) == ([], "the Service default/kube-dns has no endpoints")
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "coredns", "namespace": NAMESPACE, "labels": {"k8s-app": "kube-dns"}},
        "spec": {
            "containers": [
                {
                    "name": "coredns",
                    "image": "coredns",
                    "ports": [{"name": "dns", "containerPort": 1053, "protocol": "UDP"}],
                }
            ]
        },
    }
    account = {"name": "default", "namespace": NAMESPACE}
    apply(cluster, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account})
    apply(cluster, pod)
    status = {"status": {"phase": "Running", "podIP": "127.9.9.9", "podIPs": [{"ip": "127.9.9.9"}]}}
    cluster.kubectl(
        *("patch", "pod", "coredns", f"--namespace={NAMESPACE}", "--subresource=status"),
        *("--type=merge", f"--patch={json.dumps(status)}"),
    )
    assert found_by(cluster) == (["127.9.9.9|1053"], "")
    endpoints = [{"addresses": ["192.0.2.53"], "conditions": {"ready": False}}]
    apply(
        cluster,
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {
                "name": "kube-dns-x",
                "namespace": NAMESPACE,
                "labels": {"kubernetes.io/service-name": "kube-dns"},
            },
            "addressType": "IPv4",
            "endpoints": endpoints,
            "ports": [{"name": "dns", "port": 5353, "protocol": "UDP"}],
        },
    )
    assert found_by(cluster) == (["192.0.2.53|5353"], "")
