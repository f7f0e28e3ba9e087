"""A cluster whose DNS reports its lookups to the operator."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from dev.cluster import Cluster
from dev.harness.cluster_dns import LocalClusterDns, print_corefile
from dev.harness.dns_server import LocalDnsServer, Records
from dev.harness.operator import egress_values
from dev.harness.pods import pod_addresses
from tests.support.forked_operator import local_operator
from tests.support.world import Manifest, Space, World, eventually

SONAR_HOST = "telemetry.sonarsource.com"
EMQX_HOST = "telemetry.emqx.io"
GATEWAY = "telemetry-gateway.sourcegraph.com"
CONTROLLER = ["--dns-interval=1"]
_numbers = count(1)


@dataclass(frozen=True)
class Observed:
    """The cluster, and its DNS."""

    world: World
    dns: LocalClusterDns

    @contextmanager
    def space(self) -> Iterator[Space]:
        """A namespace of a test's own."""
        name = f"observed-{next(_numbers)}"
        self.world.cluster.kubectl("create", "namespace", name)
        try:
            yield Space(self.world, name)
        finally:
            self.world.cluster.kubectl("delete", "namespace", name, "--wait=false")

    def address_of(self, space: Space, name: str) -> str:
        """The address of a workload's pod, once it has one."""
        found = eventually(
            lambda: pod_addresses(self.world.cluster, space.name, f"app={name}"),
            say=f"an address of {name}",
        )
        return found[0]

    def observed(self, space: Space, record: str, channel: str = "Usage") -> Manifest:
        """The channel of a WorkloadTelemetry; empty while there is none."""
        found = space.find("workloadtelemetry", record)
        channels = (found or {}).get("status", {}).get("channels", [])
        return next((one for one in channels if one["name"] == channel), {})

    def wait_for(
        self, space: Space, record: str, *, seconds: float = 60.0, **wanted: str
    ) -> Manifest:
        """The channel Usage of a WorkloadTelemetry, once it is as wanted."""
        last: list[Manifest] = [{}]

        def probe() -> Manifest | None:
            last[0] = self.observed(space, record)
            return last[0] if wanted.items() <= last[0].items() else None

        try:
            return eventually(probe, seconds=seconds, say=f"{wanted} for {record}")
        except AssertionError as error:
            raise AssertionError(f"{error}; it was {json.dumps(last[0], indent=1)}") from None

    def configure(self, *arguments: str) -> str:
        """Give the cluster's DNS what ``fleet-telemetry corefile`` prints, which is returned."""
        blocks = print_corefile(self.world.cluster, *arguments)
        self.dns.configure(blocks)
        return blocks


@contextmanager
def observed_cluster(directory: Path, **values: Any) -> Iterator[Observed]:
    """A cluster whose DNS can report, with the operator that observes the hosts of all products."""
    with (
        LocalDnsServer(directory / "names") as names,
        Cluster(directory / "cluster", scheduler=True, kwok=True, audit=True) as cluster,
        LocalClusterDns(cluster, directory / "dns", names) as dns,
    ):
        hosts = (SONAR_HOST, EMQX_HOST, GATEWAY, "example.com")
        names.update({host: Records(a=["192.0.2.99"], ttl=60) for host in hosts})
        operator = local_operator(cluster, directory / "operator")
        values = {"observed": {"enabled": True}, "egress": egress_values(names), **values}
        operator.install(values)
        try:
            operator.start("webhook")
            operator.start("controller", extra=CONTROLLER)
            operator.wait_until_ready()
            observed = Observed(World(cluster, operator, directory, names), dns)
            observed.configure("--all")
            yield observed
        finally:
            operator.children.kill_all()
