"""The objects for observing DNS on a real API server: from a release without these values to the
uninstall."""

from __future__ import annotations

import json
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from dev.cluster import Cluster
from dev.harness.operator import CHART, NAMESPACE, RELEASE, LocalOperator
from dev.harness.ports import free_port
from tests.support.clusters import Clusters
from tests.support.forked_operator import local_operator
from tests.support.previous_chart import previous_chart
from tests.support.world import eventually

pytestmark = pytest.mark.cluster

SERVICE = f"{RELEASE}-dnstap"
SLICE = f"{SERVICE}-leader"
DNS_SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "kube-dns", "namespace": "kube-system"},
    "spec": {
        "selector": {"k8s-app": "kube-dns"},
        "ports": [{"name": "dns", "protocol": "UDP", "port": 53}],
    },
}
COLLECTED_SECONDS = 60.0
"""The garbage collector of the controller manager learns of kinds every half minute."""


@pytest.fixture
def cluster(clusters: Clusters) -> Iterator[Cluster]:
    with clusters.lend() as cluster:
        yield cluster


def _service(cluster: Cluster) -> dict[str, Any]:
    where = f"--namespace={NAMESPACE}"
    done = cluster.kubectl("get", "service", SERVICE, where, "--output=json")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _is_there(cluster: Cluster, kind: str, name: str) -> bool:
    done = cluster.kubectl("get", kind, name, f"--namespace={NAMESPACE}", check=False)
    return done.returncode == 0


def _log(operator: LocalOperator) -> str:
    return operator.log("controller").read_text()


def test_from_a_release_without_these_values_to_the_uninstall(
    cluster: Cluster, tmp_path: Path
) -> None:
    operator = local_operator(cluster, tmp_path / "operator")
    operator.install(chart=previous_chart(tmp_path, statuses=True))

    def upgrade(*flags: str) -> None:
        operator.helm("upgrade", RELEASE, str(CHART), "--reuse-values", *flags)

    upgrade()
    assert not _is_there(cluster, "service", SERVICE)

    upgrade("--set=observed.enabled=true")
    service = _service(cluster)
    address = service["spec"]["clusterIP"]
    assert "selector" not in service["spec"]

    # With the flags and the rights that the chart gives it. The API server refuses loopback
    # addresses in EndpointSlices.
    own = ["--dnstap-address=192.0.2.7", "--dnstap-host=127.0.0.1", f"--dnstap-port={free_port()}"]
    cluster.kubectl("apply", "-f", "-", input=json.dumps(DNS_SERVICE))
    operator.start("controller", extra=own)
    eventually(lambda: _is_there(cluster, "endpointslice", SLICE), say="the leader's EndpointSlice")
    eventually(lambda: "kube-dns has no endpoints" in _log(operator), say="a look at DNS")
    assert "forbidden" not in _log(operator)
    assert "may not" not in _log(operator)
    owners = json.loads(
        cluster.kubectl(
            "get", "endpointslice", SLICE, f"--namespace={NAMESPACE}", "--output=json"
        ).stdout
    )["metadata"]["ownerReferences"]
    assert [owner["uid"] for owner in owners] == [service["metadata"]["uid"]]

    # An upgrade changes neither the address, which stands in a Corefile, nor what the leader wrote.
    upgrade("--set=observed.port=6001,controller.replicas=1")
    again = _service(cluster)
    assert again["spec"]["clusterIP"] == address
    assert [port["port"] for port in again["spec"]["ports"]] == [6001]
    assert _is_there(cluster, "endpointslice", SLICE)

    operator.children.kill_all()
    operator.helm("uninstall", RELEASE)
    eventually(
        lambda: not _is_there(cluster, "endpointslice", SLICE),
        seconds=COLLECTED_SECONDS,
        say="the end of the leader's EndpointSlice",
    )

    fixed = str(ip_network(cluster.service_cidr)[99])
    values = {"enabled": True, "service": {"clusterIP": fixed}}
    operator.install({"observed": values}, flags=["--take-ownership"])
    assert _service(cluster)["spec"]["clusterIP"] == fixed
