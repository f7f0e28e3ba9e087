"""Public addresses of the API server and of nodes are never a telemetry host's."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from typing import Any

import pytest

from fleet_telemetry.api.telemetry_host import AddressFamily, LookupResult
from fleet_telemetry.controllers.egress.own_addresses import OwnAddresses, OwnAddressFinder
from fleet_telemetry.egress.addresses import OwnNetwork
from fleet_telemetry.egress.host_state import Retention
from fleet_telemetry.egress.model import Lookup
from fleet_telemetry.kube.client import KubernetesClient
from fleet_telemetry.kube.transport import Transport
from tests.support.host_histories import History, ok, v4

SERVICE = "/api/v1/namespaces/default/services/kubernetes"
SLICES = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
NODES = "/api/v1/nodes"
CLUSTER: dict[str, Any] = {
    SERVICE: {
        "spec": {"clusterIPs": ["10.96.0.1", "34.1.1.1"], "externalIPs": ["34.1.1.2"]},
        "status": {"loadBalancer": {"ingress": [{"ip": "34.1.1.3"}, {"hostname": "x"}]}},
    },
    SLICES: {"items": [{"endpoints": [{"addresses": ["34.1.1.4", "2600:1::4"]}, {}]}]},
    NODES: {
        "items": [
            {
                "metadata": {"name": "a"},
                "status": {
                    "addresses": [
                        {"type": "InternalIP", "address": "10.0.0.1"},
                        {"type": "ExternalIP", "address": "34.1.1.5"},
                        {"type": "Hostname", "address": "a"},
                    ]
                },
            },
            {"metadata": {"name": "b"}, "status": {"addresses": [{"type": "ExternalIP"}]}},
            {"metadata": {"name": "c"}},
        ]
    },
}
ALL = {"34.1.1.1", "34.1.1.2", "34.1.1.3", "34.1.1.4", "2600:1::4", "34.1.1.5"}


class Cluster:
    """An API server with these answers; a number is the status of a failure."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = dict(CLUSTER)
        self.asked = 0
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.asked += 1
                found = server.answers.get(self.path.partition("?")[0], 404)
                data = json.dumps({} if isinstance(found, int) else found).encode()
                self.send_response(found if isinstance(found, int) else 200)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: Any) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True).start()
        self.time = 1.0

    def find(self, *states: dict[str, Any], seconds: float = 10_000) -> list[OwnAddresses | None]:
        """What is found in each of these states, one after the other."""

        async def main() -> list[OwnAddresses | None]:
            host = f"http://127.0.0.1:{self.http.server_port}"
            client = KubernetesClient(Transport.to(host))
            finder = OwnAddressFinder(client, lambda: self.time)
            found = []
            for state in states or ({},):
                self.answers = {**CLUSTER, **state}
                found.append(await finder.find())
                self.time += seconds
            await client.close()
            return found

        return asyncio.run(main())


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    cluster = Cluster()
    yield cluster
    cluster.http.shutdown()
    cluster.http.server_close()


def texts(found: OwnAddresses | None) -> set[str]:
    assert found is not None
    return {
        str(ip_address(number) if version == 4 else ip_address(number.to_bytes(16, "big")))
        for version, number in found
    }


def test_the_public_addresses_are_found_and_private_ones_are_refused_anyway(
    cluster: Cluster,
) -> None:
    (found,) = cluster.find()
    assert texts(found) == ALL
    assert found is not None
    assert set(found.values()) == {"the API server", "node a"}


def test_they_are_not_read_again_at_once(cluster: Cluster) -> None:
    first, second = cluster.find({}, {}, seconds=30)
    assert texts(first) == ALL
    assert second is None


@pytest.mark.thorough
@pytest.mark.parametrize("status", [403, 404, 500, 503])
@pytest.mark.parametrize("place", [SERVICE, SLICES, NODES])
def test_what_cannot_be_read_hides_nothing_else_and_keeps_what_it_was(
    cluster: Cluster, place: str, status: int
) -> None:
    without, after, again = cluster.find({place: status}, {}, {place: status})
    assert texts(without) < ALL
    assert texts(after) == ALL
    if (place, status) != (SERVICE, 404):
        assert texts(again) == ALL


@pytest.mark.parametrize("seen", ["34.9.9.9", "2600:9::9", "::ffff:34.9.9.9", "64:ff9b::34.9.9.9"])
def test_a_response_with_one_is_ignored_and_said(seen: str) -> None:
    own = OwnNetwork(
        addresses=OwnNetwork.named(
            [(ip_address("34.9.9.9"), "the API server"), (ip_address("2600:9::9"), "node a")]
        )
    )
    host = History(Retention(own=own))
    host.hears(*ok(v4(1)))
    address = ip_address(seen)
    family = AddressFamily.IPV4 if address.version == 4 else AddressFamily.IPV6
    host.hears(
        *ok(v4(2)), Lookup("a", family, LookupResult.OK, (address,), 60), after=host.rules.stale * 2
    )

    assert host.deny == [v4(1)]
    assert host.said("Fresh") == ("False", "AnswersRefused")
    assert " an address of " in host.condition("Fresh").message


def test_one_that_is_known_already_leaves_all_lists() -> None:
    host = History()
    host.hears(*ok(v4(1), v4(2)))
    addresses = OwnNetwork.named([(v4(1), "the API server")])
    host.has_rules(Retention(own=OwnNetwork(addresses=addresses)))

    assert host.deny == host.allow == [v4(2)]
