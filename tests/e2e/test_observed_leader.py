"""Observing DNS with the chart's rights: where the Service leads, and what is written."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from dev.cluster import Cluster
from dev.harness.operator import NAMESPACE
from dev.harness.ports import free_port
from tests.support.forked_operator import local_operator
from tests.support.tapped_name_server import TappedNameServer
from tests.support.world import SONARQUBE, container, eventually, workload

pytestmark = pytest.mark.cluster

ACCOUNT = f"system:serviceaccount:{NAMESPACE}:fleet-telemetry-controller"
HOST = "telemetry.sonarsource.com"
SECONDS = 90.0


@contextmanager
def running(server: TappedNameServer) -> Iterator[asyncio.AbstractEventLoop]:
    """A name server in a thread of its own."""
    ready: list[asyncio.AbstractEventLoop] = []
    started, stop = threading.Event(), threading.Event()

    async def main() -> None:
        async with server:
            ready.append(asyncio.get_running_loop())
            started.set()
            await asyncio.to_thread(stop.wait)

    thread = threading.Thread(target=lambda: asyncio.run(main()))
    thread.start()
    started.wait()
    try:
        yield ready[0]
    finally:
        stop.set()
        thread.join()


def get(cluster: Cluster, *arguments: str) -> dict[str, Any]:
    done = cluster.kubectl("get", *arguments, "--output=json", "--ignore-not-found")
    found: dict[str, Any] = json.loads(done.stdout) if done.stdout else {}
    return found


def leads_to(cluster: Cluster) -> list[str]:
    found = get(cluster, "endpointslice", "fleet-telemetry-dnstap-leader", f"-n={NAMESPACE}")
    return [address for one in found.get("endpoints", ()) for address in one["addresses"]]


def listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def writes(cluster: Cluster) -> list[tuple[str, str]]:
    """The controller's, without the renewals of its Lease."""
    return [
        (event["verb"], event["objectRef"]["resource"])
        for event in cluster.audit_events()
        if event["user"]["username"] == ACCOUNT
        and event["verb"] not in ("get", "list", "watch")
        and event["objectRef"]["resource"] != "leases"
    ]


def denied(cluster: Cluster) -> list[Any]:
    return [
        (event["verb"], event["objectRef"])
        for event in cluster.audit_events()
        if event["user"]["username"] == ACCOUNT
        and event.get("responseStatus", {}).get("code") == 403
    ]


def pod_address(cluster: Cluster, name: str, namespace: str) -> str:
    return eventually(
        lambda: str(
            get(cluster, "pod", name, f"-n={namespace}").get("status", {}).get("podIP", "")
        ),
        seconds=SECONDS,
        say="a pod with an address",
    )


def apply(cluster: Cluster, namespace: str, *objects: dict[str, Any]) -> None:
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})
    cluster.kubectl("apply", f"--namespace={namespace}", "-f", "-", input=text)


def channel(cluster: Cluster) -> dict[str, Any]:
    found = get(cluster, "workloadtelemetry", "statefulset-s", "-n=default")
    channels = found.get("status", {}).get("channels", [{}])
    return {**channels[0], "contacts": found.get("status", {}).get("contacts", [])}


def test_the_service_follows_the_leader_who_sees_every_lookup(tmp_path: Path) -> None:
    with Cluster(tmp_path / "cluster", scheduler=True, kwok=True, audit=True) as cluster:
        labels = {"k8s-app": "kube-dns"}
        dns_pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "coredns", "labels": labels},
            "spec": {"containers": [{"name": "coredns", "image": "coredns"}]},
        }
        eventually(lambda: get(cluster, "serviceaccount", "default", "-n=kube-system"))
        apply(cluster, "kube-system", dns_pod)
        apply(cluster, "default", workload("StatefulSet", "s", container(SONARQUBE), replicas=1))
        name_server = pod_address(cluster, "coredns", "kube-system")
        client = pod_address(cluster, "s-0", "default")
        operator = local_operator(cluster, tmp_path / "operator")
        operator.install({"observed": {"enabled": True}})
        ports = {"a": free_port(), "b": free_port()}

        def start(name: str, address: str) -> None:
            own = [f"--dnstap-address={address}", "--dnstap-host=127.0.0.1"]
            own += [f"--dnstap-port={ports[name]}", "--dns-server=127.0.0.1:9"]
            operator.start("controller", name=name, extra=own)
            operator.wait_until_ready(name)

        try:
            server = TappedNameServer(("127.0.0.1", ports["a"]), address=name_server)
            with running(server) as loop:
                apply(cluster, "kube-system", _dns_service(server.name_server.port, labels))
                start("a", "192.0.2.1")
                eventually(lambda: leads_to(cluster) == ["192.0.2.1"], seconds=SECONDS)
                start("b", "192.0.2.2")
                eventually(
                    lambda: channel(cluster).get("observed") == "Quiet",
                    seconds=SECONDS,
                    say=f"quiet: {channel(cluster)}",
                )
                before = len(writes(cluster))
                threading.Event().wait(10)
                assert writes(cluster)[before:] == []
                assert listens(ports["a"])
                assert not listens(ports["b"]), "a follower must not receive anything"
                loop.call_soon_threadsafe(server.ask, client, HOST)
                (contact,) = eventually(
                    lambda: channel(cluster)["contacts"], seconds=SECONDS, say="a contact"
                )
                assert (contact["host"], contact["pod"]) == (HOST, "s-0")
                operator.kill("a")
                eventually(lambda: leads_to(cluster) == ["192.0.2.2"], seconds=SECONDS)
                assert listens(ports["b"])
            with running(TappedNameServer(("127.0.0.1", ports["b"]), address=name_server)):
                # The next leader knows what was seen, and it proves nothing anew before it can.
                eventually(lambda: channel(cluster).get("observed") == "Contacted", seconds=SECONDS)
                assert channel(cluster)["contacts"] == [contact]
            assert denied(cluster) == []
        finally:
            operator.children.kill_all()


def _dns_service(port: int, labels: dict[str, str]) -> dict[str, Any]:
    listed = {"name": "dns", "port": 53, "protocol": "UDP", "targetPort": port}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "kube-dns"},
        "spec": {"selector": labels, "ports": [listed]},
    }
