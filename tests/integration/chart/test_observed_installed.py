"""The objects for observing DNS on a real API server: from a release without these values to the
uninstall."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from dev.cluster import Cluster
from dev.harness.operator import CHART, NAMESPACE, RELEASE, LocalOperator
from fleet_telemetry.kube import kinds
from fleet_telemetry.kube.client import KubernetesClient
from tests.support.previous_chart import previous_chart
from tests.support.world import eventually

pytestmark = pytest.mark.cluster

SERVICE = f"{RELEASE}-dnstap"
SLICE = f"{SERVICE}-leader"
COLLECTED_SECONDS = 60.0
"""The garbage collector of the controller manager learns of kinds every half minute."""


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with Cluster(tmp_path / "cluster") as cluster:
        yield cluster


def _service(cluster: Cluster) -> dict[str, Any]:
    where = f"--namespace={NAMESPACE}"
    done = cluster.kubectl("get", "service", SERVICE, where, "--output=json")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _is_there(cluster: Cluster, kind: str, name: str) -> bool:
    done = cluster.kubectl("get", kind, name, f"--namespace={NAMESPACE}", check=False)
    return done.returncode == 0


def _write_slice(cluster: Cluster, service: dict[str, Any], directory: Path) -> None:
    """As the leader does."""
    kubeconfig = cluster.service_account_kubeconfig(
        NAMESPACE, f"{RELEASE}-controller", directory / "controller", seconds=3600
    )
    it = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": SLICE,
            "namespace": NAMESPACE,
            "labels": {"kubernetes.io/service-name": SERVICE},
            "ownerReferences": [
                {
                    "apiVersion": "v1",
                    "kind": "Service",
                    "name": SERVICE,
                    "uid": service["metadata"]["uid"],
                }
            ],
        },
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["192.0.2.7"]}],
        "ports": [{"name": "dnstap", "protocol": "TCP", "port": 6000}],
    }

    async def main() -> None:
        client = await KubernetesClient.connect(str(kubeconfig))
        try:
            await client.apply(kinds.ENDPOINT_SLICE, it)
        finally:
            await client.close()

    asyncio.run(main())


def test_from_a_release_without_these_values_to_the_uninstall(
    cluster: Cluster, tmp_path: Path
) -> None:
    operator = LocalOperator(cluster, tmp_path / "operator")
    operator.install({"crds": {"enabled": False}}, chart=previous_chart(tmp_path))

    def upgrade(*flags: str) -> None:
        operator.helm("upgrade", RELEASE, str(CHART), "--reuse-values", *flags)

    upgrade()
    assert not _is_there(cluster, "service", SERVICE)

    upgrade("--set=observed.enabled=true")
    service = _service(cluster)
    address = service["spec"]["clusterIP"]
    assert "selector" not in service["spec"]
    _write_slice(cluster, service, tmp_path)

    # An upgrade changes neither the address, which stands in a Corefile, nor what the leader wrote.
    upgrade("--set=observed.port=6001,controller.replicas=1")
    again = _service(cluster)
    assert again["spec"]["clusterIP"] == address
    assert [port["port"] for port in again["spec"]["ports"]] == [6001]
    assert _is_there(cluster, "endpointslice", SLICE)

    operator.helm("uninstall", RELEASE)
    eventually(
        lambda: not _is_there(cluster, "endpointslice", SLICE),
        seconds=COLLECTED_SECONDS,
        say="the end of the leader's EndpointSlice",
    )

    fixed = str(ip_network(cluster.service_cidr)[99])
    values = {"enabled": True, "service": {"clusterIP": fixed}}
    operator.install({"crds": {"enabled": False}, "observed": values})
    assert _service(cluster)["spec"]["clusterIP"] == fixed
