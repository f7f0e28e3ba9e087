"""The DNS of a local cluster: real CoreDNS in the place of the pods of ``kube-system/coredns``.

    with ClusterDns(cluster, directory, upstream=names) as dns:
        dns.configure(printed_blocks)
        dns.ask("telemetry.example.com", client="127.10.0.7")

The Service, the Deployment and its pods are objects of the API server, the pods played by kwok.
Each CoreDNS listens at its pod's address. It forwards all names to ``upstream``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import dns.exception
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype

from dev.cluster import binaries
from dev.cluster.children import Children
from dev.cluster.cluster import Cluster
from dev.harness.dns_server import LocalDnsServer, NameServerError
from dev.harness.managed import Managed
from dev.harness.operator import PYTHON_PATH
from dev.harness.pods import pod_addresses
from fleet_telemetry.objects.labels import as_selector

NAMESPACE = "kube-system"
SERVICE = "kube-dns"
PORT = 1053
"""Unprivileged. The Service has port 53."""
_LABELS = {"k8s-app": "kube-dns"}
_SECONDS = 30.0


class LocalClusterDns(Managed):
    """All name servers of a cluster."""

    def __init__(
        self,
        cluster: Cluster,
        directory: Path,
        upstream: LocalDnsServer,
        *,
        replicas: int = 2,
        detached: bool = False,
    ) -> None:
        self._cluster = cluster
        self._directory = directory
        self._upstream = upstream
        self._replicas = replicas
        self._blocks = ""
        self.children = Children(log=self.log, environment={}, inherits=None, detached=detached)

    def log(self, name: str) -> Path:
        """The file with a name server's output."""
        return self._directory / f"{name}.log"

    @property
    def addresses(self) -> tuple[str, ...]:
        """Those of the name servers that run."""
        return self.children.names()

    def start(self) -> None:
        """Create the objects, and start a name server at each pod's address."""
        items = [_service(), self._config_map(), self._pods()]
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
        self._cluster.kubectl("apply", "-f", "-", input=text)
        for address in self._wait_for_addresses():
            self.start_one(address)

    def configure(self, blocks: str) -> None:
        """Add server blocks to the Corefile, as printed for port 53, and restart all."""
        self._blocks = blocks
        for address in self.addresses:
            self.children.stop(address)
            self.start_one(address)

    def start_one(self, address: str) -> None:
        """Start the name server of a pod, and wait until it answers."""
        folder = self._directory / address
        folder.mkdir(parents=True, exist_ok=True)
        corefile = folder / "Corefile"
        corefile.write_text(self._corefile(address))
        program = str(binaries.ensure(["coredns"])["coredns"])
        command = [program, f"-dns.port={PORT}", "-conf", str(corefile)]
        self.children.start(address, command)
        deadline = time.monotonic() + _SECONDS
        while not self._answers(address):
            self.children.check(address)
            if time.monotonic() > deadline:
                raise NameServerError(f"CoreDNS does not answer; its log is {self.log(address)}")
            time.sleep(0.02)

    def kill(self, address: str) -> None:
        """Kill the name server of a pod. The pod stays, as one that crashes does."""
        self.children.kill(address)

    def ask(self, name: str, client: str, *, server: int = 0, kind: str = "A") -> dns.rcode.Rcode:
        """A lookup from a client's address, by UDP; how it was answered."""
        query = dns.message.make_query(name, kind)
        address = self.addresses[server]
        return dns.query.udp(query, address, timeout=5, port=PORT, source=client).rcode()

    def close(self) -> None:
        """Stop all."""
        self.children.kill_all()

    def _answers(self, address: str) -> bool:
        query = dns.message.make_query("ready.invalid", dns.rdatatype.A)
        try:
            dns.query.udp(query, address, timeout=0.5, port=PORT)
        except (OSError, dns.exception.DNSException):
            return False
        return True

    def _corefile(self, address: str) -> str:
        # A name server in a container has all of the container's addresses; here each has one.
        lines = [*self._main.splitlines(), *self._blocks.splitlines()]
        return "\n".join([*_bound(lines, address), ""])

    @property
    def _main(self) -> str:
        """The server block for all names, as the ConfigMap has it."""
        return f".:53 {{\n    errors\n    forward . {self._upstream.endpoint}\n}}\n"

    def _config_map(self) -> dict[str, Any]:
        return {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "coredns", "namespace": NAMESPACE},
            "data": {"Corefile": self._main},
        }

    def _wait_for_addresses(self) -> list[str]:
        selector = as_selector(_LABELS)
        deadline = time.monotonic() + _SECONDS
        while True:
            # Two pods may have one address for a moment.
            found = sorted(set(pod_addresses(self._cluster, NAMESPACE, selector)))
            if len(found) == self._replicas:
                return found
            if time.monotonic() > deadline:
                raise NameServerError(
                    f"the pods of the cluster's DNS have {found} after {_SECONDS} s"
                )
            time.sleep(0.1)

    def _pods(self) -> dict[str, Any]:
        container = {"name": "coredns", "image": "registry.k8s.io/coredns/coredns:v1.15.0"}
        return {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "coredns", "namespace": NAMESPACE, "labels": _LABELS},
            "spec": {
                "replicas": self._replicas,
                "selector": {"matchLabels": _LABELS},
                "template": {
                    "metadata": {"labels": _LABELS},
                    "spec": {"dnsPolicy": "Default", "containers": [container]},
                },
            },
        }


def print_corefile(cluster: Cluster, *arguments: str) -> str:
    """What ``fleet-telemetry corefile`` prints for a cluster. Raises NameServerError."""
    program = str(Path(sys.executable).with_name("fleet-telemetry"))
    command = [program, "corefile", f"--kubeconfig={cluster.kubeconfig}", *arguments]
    environment = {**os.environ, "PYTHONPATH": PYTHON_PATH}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        raise NameServerError(f"fleet-telemetry corefile failed: {done.stderr}")
    return done.stdout


def _service() -> dict[str, Any]:
    ports = [
        {"name": f"dns{suffix}", "port": 53, "targetPort": PORT, "protocol": protocol}
        for suffix, protocol in (("", "UDP"), ("-tcp", "TCP"))
    ]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": SERVICE, "namespace": NAMESPACE, "labels": _LABELS},
        "spec": {"selector": _LABELS, "ports": ports},
    }


def _bound(lines: Iterable[str], address: str) -> list[str]:
    """The lines of a Corefile with ``bind`` in each server block, and the port left to the
    command line."""
    found, depth = [], 0
    for line in lines:
        text = line.partition("#")[0].rstrip()
        found.append(line.replace(":53", "") if depth == 0 else line)
        if depth == 0 and text.endswith("{"):
            found.append(f"bind {address}")
        depth += text.endswith("{") - (text.strip() == "}")
    return found
