"""A new dialect is one class: it is discovered, rendered, written, read back and judged without a
change to any other module."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_network
from typing import Any

import pytest

from fleet_telemetry.api.policy import EgressDialect
from fleet_telemetry.api.reasons import EgressReason
from fleet_telemetry.api.workload_telemetry import EgressVerdict
from fleet_telemetry.catalogue.catalogue import builtin
from fleet_telemetry.controllers.egress.discovery import DialectDiscovery
from fleet_telemetry.controllers.egress.live_objects import LiveObjects
from fleet_telemetry.controllers.egress.network_policy_writer import NetworkPolicyWriter
from fleet_telemetry.egress.desired import plan_egress
from fleet_telemetry.egress.dialects.common import Rendered, policy, read_networks
from fleet_telemetry.egress.dialects.dialect import Dialect
from fleet_telemetry.egress.dialects.parts import objection
from fleet_telemetry.egress.dialects.registry import DIALECTS
from fleet_telemetry.egress.facts import EgressInput
from fleet_telemetry.egress.judgement import judge_egress
from fleet_telemetry.egress.model import DesiredNetworkPolicy, Network
from fleet_telemetry.kube.cache import ClusterCache
from fleet_telemetry.kube.client import KubernetesClient
from fleet_telemetry.kube.transport import Transport
from fleet_telemetry.objects.kind import Kind
from fleet_telemetry.objects.manifest import Manifest, list_at
from tests.support.builders import policy as telemetry_policy
from tests.support.egress_inputs import SONAR_HOST, USAGE, facts, situation

FIREWALL = Kind("firewall.example.com", "v1", "firewalls", "Firewall")


class FirewallDialect(Dialect):
    """A list of denied networks, as some firewall has it."""

    # A name of the API's: a new dialect also adds a value there.
    name = EgressDialect.CILIUM
    policy_kind = FIREWALL
    required_kinds = (FIREWALL,)
    auto_preference = 2

    def cannot(self, desired: DesiredNetworkPolicy) -> str | None:
        return objection(desired)

    def render(self, desired: DesiredNetworkPolicy) -> Rendered | None:
        networks = sorted(str(network) for to in desired.destinations for network in to.networks)
        return policy(FIREWALL, desired, {"deny": networks}) if networks else None

    def denied_networks(self, live: Manifest) -> tuple[Network, ...]:
        return read_networks(list_at(live, "spec", "deny"))


REGISTRY = (*(one for one in DIALECTS if one.name is not FirewallDialect.name), FirewallDialect())


class FirewallServer:
    """An API server that serves firewalls and nothing else, and enforces what is written."""

    def __init__(self) -> None:
        self.objects: dict[str, Rendered] = {}
        self.admission: Callable[[Rendered], Rendered] = dict
        """What is stored of what is written."""
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = self.path.partition("?")[0]
                if path == "/apis":
                    version = {"version": "v1"}
                    group = {"name": "firewall.example.com", "versions": [version]}
                    self._answer({"groups": [group]})
                elif path == "/apis/firewall.example.com/v1":
                    self._answer({"resources": [{"name": "firewalls"}]})
                elif path == "/apis/firewall.example.com/v1/firewalls":
                    ours = "managed-by%3D" in self.path
                    self._answer({"items": list(server.objects.values()) if ours else []})
                else:
                    self._answer(server.objects.get(path))

            def do_PATCH(self) -> None:
                given = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if isinstance(given, list):  # a JSON patch of what admission changed
                    self._answer(server.objects[self.path.partition("?")[0]])
                    return
                metadata = {"resourceVersion": "1", "generation": 1, **given["metadata"]}
                status = {"conditions": [{"type": "Ready", "status": "True"}]}
                live = {**server.admission(given), "metadata": metadata, "status": status}
                server.objects[self.path.partition("?")[0]] = live
                self._answer(live)

            def _answer(self, found: Rendered | None) -> None:
                data = json.dumps(found or {"reason": "NotFound"}).encode()
                self.send_response(200 if found else 404)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: Any) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True).start()


@pytest.fixture
def server() -> Iterator[FirewallServer]:
    server = FirewallServer()
    yield server
    server.http.shutdown()
    server.http.server_close()


def test_a_new_dialect_needs_no_other_module(server: FirewallServer) -> None:
    async def main() -> None:
        host = f"http://127.0.0.1:{server.http.server_port}"
        client = KubernetesClient(Transport.to(host))
        try:
            await reconcile(client)
        finally:
            await client.close()

    async def reconcile(client: KubernetesClient) -> None:
        discovery = DialectDiscovery(client, REGISTRY)
        live = LiveObjects(ClusterCache(builtin()), discovery)
        writer = NetworkPolicyWriter(client, live, frozenset(), REGISTRY)

        assert await discovery.refresh()
        assert {one.policy_kind.kind for one in discovery.served} == {"NetworkPolicy", "Firewall"}

        given = network(situation(telemetry_policy(egress={})), discovery)
        plan = plan_egress(given)
        (planned,) = plan.policies
        assert planned.dialect.policy_kind is FIREWALL
        assert judge_egress(given, plan, {})[USAGE].reason is EgressReason.AWAITING_WRITE

        results, problem = await writer.apply(given, plan.policies)
        assert problem is None
        (written,) = server.objects.values()
        assert (written["kind"], written["spec"]) == ("Firewall", {"deny": ["54.230.1.1/32"]})
        finding = judge_egress(given, plan, results)[USAGE]
        assert (finding.verdict, finding.reason) == (
            EgressVerdict.DENIED,
            EgressReason.EVERY_ADDRESS_DENIED,
        )

        # A new leader finds it again, and keeps what it denies while DNS gives no result.
        discovery.reset()
        await discovery.refresh()
        ref = given.workload.ref
        assert list(live.owners()) == [ref]
        denied = writer.denied_for(ref, [SONAR_HOST])
        assert denied == {SONAR_HOST: (ip_network("54.230.1.1/32"),)}
        unresolved = replace(
            given, hosts={SONAR_HOST: facts(unresolved=True)}, previously_denied=denied
        )
        (again,) = plan_egress(unresolved).policies
        assert again.dialect.render(again.desired) == planned.dialect.render(planned.desired)

    asyncio.run(main())


def network(given: EgressInput, discovery: DialectDiscovery) -> EgressInput:
    return replace(given, network=replace(given.network, served=discovery.served))


@pytest.mark.parametrize("is_declared", [True, False])
def test_what_admission_changes_is_no_policy_in_effect(
    server: FirewallServer, *, is_declared: bool
) -> None:
    """Whether its kind is declared to be enforced, or its status says so."""

    async def main() -> None:
        client = KubernetesClient(Transport.to(f"http://127.0.0.1:{server.http.server_port}"))
        try:
            await reconcile(client)
        finally:
            await client.close()

    async def reconcile(client: KubernetesClient) -> None:
        discovery = DialectDiscovery(client, REGISTRY)
        live = LiveObjects(ClusterCache(builtin()), discovery)
        enforced = frozenset({FirewallDialect.name} if is_declared else ())
        writer = NetworkPolicyWriter(client, live, enforced, REGISTRY)
        assert await discovery.refresh()
        given = network(situation(telemetry_policy(egress={})), discovery)
        plan = plan_egress(given)

        server.admission = lambda written: {**written, "spec": {"deny": []}}
        results, problem = await writer.apply(given, plan.policies)
        assert problem is not None
        assert "Firewall" in str(problem)
        finding = judge_egress(given, plan, results)[USAGE]
        assert (finding.verdict, finding.reason) == (
            EgressVerdict.UNKNOWN,
            EgressReason.AWAITING_WRITE,
        )
        assert "admission" in finding.detail

        server.admission = dict
        results, problem = await writer.apply(given, plan.policies)
        assert problem is None
        assert judge_egress(given, plan, results)[USAGE].verdict is EgressVerdict.DENIED

    asyncio.run(main())
