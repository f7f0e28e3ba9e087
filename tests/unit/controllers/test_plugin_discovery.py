"""By which signs network plug-ins and their policies are recognised, and what follows."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from fleet_telemetry.api.policy import EgressDialect
from fleet_telemetry.api.reasons import EgressReason
from fleet_telemetry.api.workload_telemetry import EgressVerdict
from fleet_telemetry.controllers.egress.discovery import DialectDiscovery
from fleet_telemetry.egress.desired import plan_egress
from fleet_telemetry.egress.dialects.cilium import CILIUM
from fleet_telemetry.egress.facts import EgressInput
from fleet_telemetry.egress.judgement import judge_egress
from fleet_telemetry.kube.client import ApiError, KubernetesClient
from fleet_telemetry.kube.transport import Transport
from tests.support.builders import policy
from tests.support.egress_inputs import USAGE, except_for, finding, situation

V2 = ("ciliumnetworkpolicies", "ciliumclusterwidenetworkpolicies", "ciliumnodes")
GROUPS = ("ciliumcidrgroups",)
TETRAGON = ("tracingpolicies", "tracingpolicies/status", "podinfo")
AGENT = {"metadata": {"namespace": "kube-system", "name": "cilium", "uid": "1"}}


class Discovery:
    """An API server that serves these versions of groups, each with its resources; a number is the
    status of a failure."""

    def __init__(self) -> None:
        self.groups: dict[str, dict[str, tuple[str, ...] | int]] = {}
        self.daemons: list[dict[str, Any]] | int = []
        self.policies: dict[tuple[str, str], list[dict[str, Any]] | int] = {}
        """By group and plural."""
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = self.path.partition("?")[0]
                if path == "/apis":
                    groups = [
                        {"name": name, "versions": [{"version": one} for one in versions]}
                        for name, versions in server.groups.items()
                    ]
                    self._answer({"groups": groups})
                elif path == "/apis/apps/v1/daemonsets":
                    self._items(server.daemons)
                else:
                    _, _, group, version, *rest = path.split("/")
                    found = server.groups.get(group, {}).get(version, 404)
                    if rest:
                        self._items(server.policies.get((group, rest[-1]), []))
                    elif isinstance(found, int):
                        self._answer({}, found)
                    else:
                        self._answer({"resources": [{"name": one} for one in found]})

            def _items(self, found: list[dict[str, Any]] | int) -> None:
                if isinstance(found, int):
                    self._answer({}, found)
                else:
                    self._answer({"items": found})

            def _answer(self, found: Mapping[str, Any], status: int = 200) -> None:
                data = json.dumps(found).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: Any) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True).start()

    def after(self, *states: Mapping[str, Mapping[str, tuple[str, ...] | int]]) -> DialectDiscovery:
        """What is found after these states of the server, one after the other."""

        async def main() -> DialectDiscovery:
            host = f"http://127.0.0.1:{self.http.server_port}"
            client = KubernetesClient(Transport.to(host))
            try:
                discovery = DialectDiscovery(client)
                for state in states:
                    self.groups = {name: dict(versions) for name, versions in state.items()}
                    await discovery.refresh()
                return discovery
            finally:
                await client.close()

        return asyncio.run(main())


@pytest.fixture
def server() -> Iterator[Discovery]:
    server = Discovery()
    yield server
    server.http.shutdown()
    server.http.server_close()


def in_cluster(discovery: DialectDiscovery, *policies: Any, **more: Any) -> EgressInput:
    given = situation(*policies, **more)
    return replace(
        given,
        network=replace(
            given.network, served=discovery.served, plugins=discovery.plugins, others=()
        ),
    )


SIGNS: list[Mapping[str, Mapping[str, tuple[str, ...] | int]]] = [
    {"cilium.io": {"v2": V2}},
    {"cilium.io": {"v2": V2, "v2alpha1": GROUPS}},
    {"cilium.io": {"v2": ("ciliumnodes",)}},
    {"cilium.io": {"v2alpha1": ("ciliumloadbalancerippools",)}},
    {"cilium.io": {"v3": ("ciliumnetworkpolicies",)}},
    {"cilium.io": {"v1alpha1": (*TETRAGON, "ciliumthings")}},
    {"cilium.io": {"v2": 503}},
    {"cilium.io": {"v2": 503, "v2alpha1": GROUPS}},
    {"cilium.io": {"v1alpha1": 503}},
    {"cilium.io": {"v2": V2}, "other.example": {"v1": 503}},
]


@pytest.mark.thorough
@pytest.mark.parametrize("groups", SIGNS)
def test_any_sign_of_cilium_rules_out_a_network_policy_that_denies(
    server: Discovery, groups: Mapping[str, Mapping[str, tuple[str, ...] | int]]
) -> None:
    discovery = server.after(groups)
    assert discovery.plugins == ((CILIUM, "API group cilium.io"),)
    assert EgressDialect.CILIUM not in {one.name for one in discovery.served}
    for dialect in ("Auto", "NetworkPolicy"):
        given = in_cluster(discovery, policy(egress={"dialect": dialect}))
        plan = plan_egress(given)
        assert plan.policies == ()
        note = plan.notes[USAGE]
        assert note.reason is EgressReason.DIALECT_CANNOT
        assert "Cilium 1.18 or later" in note.detail
        found = judge_egress(given, plan, {})[USAGE]
        assert (found.verdict, found.reason) == (EgressVerdict.OPEN, EgressReason.DIALECT_CANNOT)


def test_its_agent_is_a_sign_too(server: Discovery) -> None:
    server.daemons = [AGENT]
    assert server.after({}).plugins == ((CILIUM, "DaemonSet kube-system/cilium"),)
    server.daemons = 403
    assert server.after({}).plugins == ()


@pytest.mark.parametrize(
    "groups", [{}, {"cilium.io": {"v1alpha1": TETRAGON}}, {"cilium.example": {"v2": V2}}]
)
def test_without_a_sign_a_network_policy_denies(
    server: Discovery, groups: Mapping[str, Mapping[str, tuple[str, ...] | int]]
) -> None:
    discovery = server.after(groups)
    assert discovery.plugins == ()
    (planned,) = plan_egress(in_cluster(discovery, policy(egress={}))).policies
    assert planned.dialect.name is EgressDialect.NETWORK_POLICY


def test_what_it_wrote_before_the_sign_appeared_goes(server: Discovery) -> None:
    discovery = server.after({}, {"cilium.io": {"v2": V2}})
    given = in_cluster(discovery, policy(egress={}), network=[except_for("54.230.1.1/32")])
    assert plan_egress(given).policies == ()


def test_it_denies_again_when_the_kinds_are_gone(server: Discovery) -> None:
    discovery = server.after({"cilium.io": {"v2": V2}}, {})
    assert discovery.plugins == ()
    assert plan_egress(in_cluster(discovery, policy(egress={}))).policies


def test_cilium_that_serves_its_kinds_denies(server: Discovery) -> None:
    discovery = server.after({"cilium.io": {"v2": (*V2, *GROUPS)}})
    (planned,) = plan_egress(in_cluster(discovery, policy(egress={}))).policies
    assert planned.dialect.name is EgressDialect.CILIUM


def test_a_failure_of_discovery_forgets_nothing(server: Discovery) -> None:
    served = {"cilium.io": {"v2": (*V2, *GROUPS)}}
    discovery = server.after(served, {"cilium.io": {"v2": 503}})
    assert EgressDialect.CILIUM in {one.name for one in discovery.served}
    (planned,) = plan_egress(in_cluster(discovery, policy(egress={}))).policies
    assert planned.dialect.name is EgressDialect.CILIUM


def test_a_group_that_cannot_be_read_may_have_any_policy(server: Discovery) -> None:
    discovery = server.after({"cilium.io": {"v2": 503}, "crd.projectcalico.org": {"v1": 503}})
    assert set(discovery.others) >= {"CiliumNetworkPolicy", "GlobalNetworkPolicy"}
    assert set(discovery.lower_tier("any")) == {"NetworkPolicy of Calico", "GlobalNetworkPolicy"}
    # Read once, it has what it had.
    assert server.after({"crd.projectcalico.org": {"v1": ("felixconfigurations",)}}).others == ()


def _policy(name: str, **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": spec}


CALICO_DEFAULT = _policy("default-deny", order=2000, types=["Egress"])
CALICO_FIRST = _policy("first", order=10, types=["Egress"])
PUBLIC, STORED = "projectcalico.org", "crd.projectcalico.org"


ADMIN = _policy("admin", tier="Admin", egress=[{}])
BASE = _policy("base", tier="Baseline", egress=[{}])
EKS, GKE = "networking.k8s.aws/v1alpha1", "networking.gke.io/v1alpha1"


@pytest.mark.parametrize(
    ("kind", "found", "others", "lower_tier"),
    [
        (f"{PUBLIC}/v3/globalnetworkpolicies", [CALICO_FIRST], "GlobalNetworkPolicy", ""),
        (
            f"{PUBLIC}/v3/globalnetworkpolicies",
            [CALICO_DEFAULT],
            "GlobalNetworkPolicy",
            "GlobalNetworkPolicy default-deny",
        ),
        (f"{PUBLIC}/v3/networkpolicies", 403, "NetworkPolicy of Calico", "NetworkPolicy of Calico"),
        (f"{EKS}/clusternetworkpolicies", [ADMIN], "ClusterNetworkPolicy of EKS", ""),
        (f"{EKS}/clusternetworkpolicies", [BASE], "", "ClusterNetworkPolicy of EKS base"),
        (f"{EKS}/applicationnetworkpolicies", [_policy("x")], "ApplicationNetworkPolicy", ""),
        (f"{GKE}/fqdnnetworkpolicies", [_policy("x")], "FQDNNetworkPolicy", ""),
        (f"{GKE}/fqdnnetworkpolicies", [], "", ""),
    ],
)
def test_policies_of_others_that_are_not_evaluated(
    server: Discovery, kind: str, found: list[dict[str, Any]] | int, others: str, lower_tier: str
) -> None:
    group, version, plural = kind.split("/")
    server.policies = {(group, plural): found}

    discovery = server.after({group: {version: (plural,)}})

    assert discovery.others == tuple(filter(None, [others]))
    assert discovery.lower_tier("any") == tuple(filter(None, [lower_tier]))


def test_what_calico_stores_is_not_listed_twice(server: Discovery) -> None:
    """Calico's API server also lists NetworkPolicies under its public API."""
    plural = "networkpolicies"
    server.policies = {(STORED, plural): [], (PUBLIC, plural): [_policy("knp.default.theirs")]}

    discovery = server.after({STORED: {"v1": (plural,)}, PUBLIC: {"v3": (plural,)}})

    assert (discovery.others, discovery.lower_tier("any")) == ((), ())


def test_a_policy_that_asks_for_cilium_is_told_what_it_needs(server: Discovery) -> None:
    discovery = server.after({"cilium.io": {"v2": V2}})
    found = finding(in_cluster(discovery, policy(egress={"dialect": "Cilium"})))
    assert found.reason is EgressReason.DIALECT_NOT_SERVED
    assert "Cilium 1.18 or later" in found.detail


def test_without_any_answer_nothing_is_known(server: Discovery) -> None:
    server.http.shutdown()
    server.http.server_close()
    with pytest.raises(ApiError):
        server.after({})
