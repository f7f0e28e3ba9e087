"""The demo's environment: a local cluster with the operator."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from pathlib import Path
from types import TracebackType
from typing import Self

from dev.cluster import binaries, detached, paths
from dev.cluster.cluster import Cluster
from dev.cluster.processes import Identity
from dev.cluster.progress import say
from dev.harness.cluster_dns import LocalClusterDns
from dev.harness.dns_server import LocalDnsServer
from dev.harness.operator import NAMESPACE, LocalOperator, OperatorError
from dev.harness.products import CREDENTIALS, ProductAddress, start_products

_PROCESSES = "processes.json"


def directory() -> Path:
    """The folder of the demo's files while it runs."""
    return paths.root() / "demo"


def is_running() -> bool:
    """Whether a detached demo, or a part of one, is running."""
    return any(process.is_alive() for process in _recorded()) or detached.is_alive(_cluster_files())


def end() -> None:
    """Stop a detached demo, only those processes, and remove its files."""
    for process in _recorded():
        process.kill()
    if detached.remove(_cluster_files()):
        shutil.rmtree(directory(), ignore_errors=True)
        say("the demo has stopped")


class Stand:
    """The cluster and the operator of one demo. Raises DevclusterError and OperatorError."""

    def __init__(self, *, detached: bool) -> None:
        self._detached = detached
        # Attended demos have separate folders; there is at most one detached demo.
        self.directory = directory() if detached else directory().with_name(f"demo-{os.getpid()}")
        shutil.rmtree(self.directory, ignore_errors=True)
        self.cluster = Cluster(
            self.directory / "cluster", scheduler=True, kwok=True, detached=detached
        )
        self.names = LocalDnsServer(self.directory / "names", detached=detached)
        self.dns = LocalClusterDns(
            self.cluster, self.directory / "dns", self.names, detached=detached
        )
        self.operator: LocalOperator | None = None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # If the demo failed, the logs are useful.
        self.stop(keep_files=isinstance(error, OperatorError))

    def start(self) -> None:
        """Build missing programs, start the cluster, install the chart, run both roles."""
        binaries.ensure([*self.cluster.components, "kubectl", "helm", "coredns"])
        say("Starting a Kubernetes control plane on loopback ...")
        self.cluster.start()
        self.names.start()
        self.dns.start()
        say("Installing the chart: CRDs, RBAC, webhook configurations ...")
        self.operator = LocalOperator(
            self.cluster, self.directory / "operator", detached=self._detached
        )
        self.operator.install(
            {
                "runtime": {"secrets": [{"namespace": NAMESPACE, "names": list(CREDENTIALS)}]},
                "egress": {"dnsServers": [self.names.endpoint], "publishedRanges": "built-in"},
                "observed": {"enabled": True},
            }
        )
        say("Starting the webhook and the controller, each with its own service account ...")
        for role in ("webhook", "controller"):
            # So that the viewer does not wait for half a minute.
            quick = ["--dns-interval=2"] if role == "controller" else []
            self.operator.start(role, extra=quick)
            if self._detached:
                self._record()
        self.operator.wait_until_ready()

    def start_products(self, places: list[ProductAddress]) -> None:
        """Start fakes at the addresses at which the products would listen."""
        assert self.operator is not None
        start_products(self.operator, places)
        if self._detached:
            self._record()

    def stop(self, *, keep_files: bool = False) -> None:
        """Stop everything."""
        if self.operator is not None:
            self.operator.children.kill_all()
        self.dns.close()
        self.names.close()
        self.cluster.stop()
        if not keep_files:
            shutil.rmtree(self.directory, ignore_errors=True)

    def _record(self) -> None:
        """Record the processes at once, because after a crash nothing else knows them."""
        assert self.operator is not None
        found = [
            identity
            for children in (self.operator.children, self.names.children, self.dns.children)
            for identity in children.identities().values()
        ]
        text = json.dumps([dataclasses.asdict(identity) for identity in found])
        (self.directory / _PROCESSES).write_text(text)


def _cluster_files() -> Path:
    return directory() / "cluster"


def _recorded() -> tuple[Identity, ...]:
    try:
        found = json.loads((directory() / _PROCESSES).read_text())
    except FileNotFoundError:
        return ()
    return tuple(Identity(**identity) for identity in found)
