"""A tenant tries to obtain credentials that are not the tenant's, with the role ``edit`` alone.

Every server of the tenant records all requests. Each test shows that nothing arrives, that the
WorkloadTelemetry says why, and that the same credential does arrive where it may.
"""

from __future__ import annotations

import base64
import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from dev.fakes.dependency_track import FakeDependencyTrack
from dev.fakes.hosted import FakesThread
from dev.fakes.server import Seen
from tests.support.world import DTRACK_5, Manifest, Space, World, container, eventually, workload

pytestmark = pytest.mark.cluster

PRODUCT = "dependency-track"
KEY = "odt_of_the_security_team"
EVIL = "evil.example/dependencytrack/apiserver:5.0.4"
PORT = 8080
MARKED = {"fleettelemetry.io/credential": "true"}
CRD = "clustertelemetrypolicies.fleettelemetry.io"


@dataclass(frozen=True)
class Tenant:
    """A user with the stock role ``edit`` in one namespace."""

    space: Space

    @property
    def name(self) -> str:
        return f"tenant-of-{self.space.name}"

    def kubectl(
        self, *arguments: str, stdin: str | None = None, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        return self.space.kubectl(f"--as={self.name}", *arguments, stdin=stdin, check=check)

    def apply(self, *manifests: Manifest, check: bool = True) -> str:
        bundle = {"apiVersion": "v1", "kind": "List", "items": list(manifests)}
        done = self.kubectl("apply", "-f", "-", stdin=json.dumps(bundle), check=check)
        return done.stdout + done.stderr


class Servers:
    """Servers of the product's API at the addresses of Services and pods. They record requests."""

    def __init__(self, host: FakesThread) -> None:
        self._host = host
        self._running: dict[str, FakeDependencyTrack] = {}

    def listen(self, space: Space, *names: str) -> None:
        """Answer at the Services of these names, and at all pods of the namespace."""
        addresses = [space.get("service", name)["spec"]["clusterIP"] for name in names]
        pods = json.loads(space.kubectl("get", "pods", "--output=json").stdout)["items"]
        addresses += [pod["status"]["podIP"] for pod in pods if pod["status"].get("podIP")]
        for address in addresses:
            if address not in self._running:
                product = FakeDependencyTrack(
                    address=address, port=PORT, tls=False, version="5.0.4", enabled="false",
                    api_key=KEY,
                )  # fmt: skip
                self._running[address] = self._host.start(product)

    @property
    def seen(self) -> list[Seen]:
        return [request for server in self._running.values() for request in server.seen]

    @property
    def has_key(self) -> bool:
        return any(KEY in str(request) for request in self.seen)


@pytest.fixture
def host() -> Iterator[FakesThread]:
    with FakesThread() as host:
        yield host


@pytest.fixture
def tenant(runtime_space: Space) -> Tenant:
    """A tenant with a namespace whose Secrets the operator may read too."""
    tenant = Tenant(runtime_space)
    runtime_space.kubectl(
        "create", "rolebinding", "t", "--clusterrole=edit", f"--user={tenant.name}"
    )
    return tenant


@contextmanager
def cluster_policy(*spaces: Space, name: str = "verified", **credential: Any) -> Iterator[World]:
    """A cluster policy over these namespaces, with one credential; the last one has the Secret."""
    world, vault = spaces[0].world, spaces[-1]
    vault.apply(secret("key", KEY))
    apply_cluster_policy(*spaces, name=name, **credential)
    try:
        yield world
    finally:
        world.cluster.kubectl("delete", "clustertelemetrypolicy", name)


def apply_cluster_policy(*spaces: Space, name: str = "verified", **credential: Any) -> None:
    names = [space.name for space in spaces]
    by_name = {"key": "kubernetes.io/metadata.name", "operator": "In", "values": names}
    of_product = {
        "product": PRODUCT,
        "secretRef": {"name": "key", "namespace": names[-1]},
        "requireTLS": False,
        **credential,
    }
    spec = {
        "submission": "Disabled",
        "namespaceSelector": {"matchExpressions": [by_name]},
        "runtime": {"interval": "1m", "credentials": [of_product]},
    }
    kinds = {"apiVersion": "fleettelemetry.io/v1alpha1", "kind": "ClusterTelemetryPolicy"}
    spaces[0].world.apply({**kinds, "metadata": {"name": name}, "spec": spec})


def secret(name: str, key: str, *, labels: Any = MARKED, **more: Any) -> Manifest:
    data = {"apiKey": base64.b64encode(key.encode()).decode()}
    metadata = {"name": name, "labels": labels}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data, **more}


def service(name: str, selects: str = "") -> Manifest:
    spec = {"selector": {"app": selects or name}, "ports": [{"name": "web", "port": PORT}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}


def product(name: str, image: str = DTRACK_5, kind: str = "Deployment", **more: Any) -> Manifest:
    ports = [{"name": "web", "containerPort": PORT}]
    return workload(kind, name, container(image, ports=ports, **more))


def quiet(servers: Servers, seconds: float = 6) -> None:
    """Nothing arrives, and nothing does for some time: longer than the first retry of a check."""
    time.sleep(seconds)
    assert servers.seen == []


def run_at_home(home: Space, servers: Servers) -> None:
    """The security team's own product is asked."""
    home.apply(service("dtrack"), product("dtrack"))
    home.wait_for_pods("app=dtrack", 1)
    servers.listen(home, "dtrack")
    home.telemetry("Deployment", "dtrack", reported="Disabled")
    assert servers.has_key


def test_a_tenants_namespace_gets_no_credential_whatever_runs_there(
    vault: Space, home: Space, tenant: Tenant, host: FakesThread
) -> None:
    own, collectors = Servers(host), Servers(host)
    with cluster_policy(home, tenant.space, vault, namespaces=[home.name]):
        command = {"command": ["/collector"]}
        tenant.apply(
            service("evil"),
            product("evil", EVIL),
            service("vendors"),
            product("vendors", DTRACK_5, **command),
            service("aaa", selects="set"),
            product("set", "dependencytrack/bundled:5.0.4", "StatefulSet"),
        )
        tenant.space.wait_for_pods("app in (evil,vendors,set)", 3)
        collectors.listen(tenant.space, "evil", "vendors", "aaa")
        for kind, name in (
            ("Deployment", "evil"),
            ("Deployment", "vendors"),
            ("StatefulSet", "set"),
        ):
            said = tenant.space.telemetry(kind, name, reportedReason="CredentialNotForNamespace")
            assert "ClusterTelemetryPolicy verified" in said["usage"]["reportedMessage"]
            assert KEY not in str(said)
        run_at_home(home, own)
        # The tenant may not change what decides.
        for arguments in (
            ("label", "namespace", tenant.space.name, "x=y"),
            ("delete", "clustertelemetrypolicy", "verified"),
            ("get", "secrets", "--namespace", vault.name),
        ):
            assert "forbidden" in tenant.kubectl(*arguments, check=False).stderr
        quiet(collectors)


def test_a_label_of_the_namespace_that_is_taken_away_ends_it(
    vault: Space, tenant: Tenant, host: FakesThread
) -> None:
    space, servers = tenant.space, Servers(host)
    selector = {"matchLabels": {"may-have": "it"}}
    with cluster_policy(space, vault, namespaceSelector=selector):
        tenant.apply(service("dtrack"), product("dtrack"))
        space.wait_for_pods("app=dtrack", 1)
        servers.listen(space, "dtrack")
        space.telemetry("Deployment", "dtrack", reportedReason="CredentialNotForNamespace")
        assert servers.seen == []
        space.kubectl("label", "namespace", space.name, "may-have=it")
        space.telemetry("Deployment", "dtrack", reported="Disabled")
        assert servers.has_key
        space.kubectl("label", "namespace", space.name, "may-have-")
        space.telemetry("Deployment", "dtrack", reportedReason="CredentialNotForNamespace")
        before = len(servers.seen)
        # Another pod is a reason to ask; what the product said no longer counts.
        tenant.kubectl("delete", "pod", "-l", "app=dtrack", "--wait=false")
        time.sleep(5)
        assert len(servers.seen) == before
        status = space.telemetry("Deployment", "dtrack", reported="Unknown")
        assert status["usage"]["reportedReason"] == "CredentialNotForNamespace"


def test_another_registry_gets_nothing_also_in_a_namespace_that_may_have_it(
    vault: Space, tenant: Tenant, host: FakesThread
) -> None:
    space, servers = tenant.space, Servers(host)
    with cluster_policy(space, vault, namespaces=[space.name]):
        tenant.apply(service("evil"), product("evil", EVIL))
        space.wait_for_pods("app=evil", 1)
        servers.listen(space, "evil")
        said = space.telemetry("Deployment", "evil", reportedReason="CredentialNotForImage")
        assert EVIL in said["usage"]["reportedMessage"]
        # The template names the vendor's image now, and the pod that runs is the old one.
        tenant.kubectl("rollout", "pause", "deployment/evil")
        tenant.kubectl("set", "image", "deployment/evil", f"app={DTRACK_5}")
        quiet(servers)
        space.telemetry("Deployment", "evil", reportedReason="CredentialNotForImage")
        # The policy's author knows this registry.
        apply_cluster_policy(
            space, vault, namespaces=[space.name], registries=["evil.example/dependencytrack"]
        )
        space.telemetry("Deployment", "evil", reported="Disabled")
        assert servers.has_key


def test_a_tenants_policy_obtains_no_secret_of_another_namespace_and_adds_no_endpoint(
    vault: Space, home: Space, tenant: Tenant, host: FakesThread
) -> None:
    space, servers = tenant.space, Servers(host)
    tenant.apply(service("dtrack"), service("collector", selects="dtrack"), product("dtrack"))
    space.wait_for_pods("app=dtrack", 1)
    servers.listen(space, "dtrack", "collector")
    kinds = {"apiVersion": "fleettelemetry.io/v1alpha1", "kind": "TelemetryPolicy"}
    endpoint = {"product": PRODUCT, "service": {"name": "collector", "port": PORT}}

    def own(**reference: str) -> Manifest:
        credential = {"product": PRODUCT, "secretRef": reference}
        runtime = {"interval": "1m", "credentials": [credential], "endpoints": [endpoint]}
        spec = {"submission": "Disabled", "runtime": runtime}
        return {**kinds, "metadata": {"name": "own"}, "spec": spec}

    # A namespaced policy cannot name another namespace.
    refused = tenant.apply(own(name="key", namespace=vault.name), check=False)
    assert 'unknown field "namespace"' in refused
    # Without validation the field is dropped, and the Secret would have to be here.
    tenant.kubectl(
        "apply", "--validate=false", "-f", "-",
        stdin=json.dumps(own(name="key", namespace=vault.name)),
    )  # fmt: skip
    said = space.telemetry("Deployment", "dtrack", reportedReason="SecretNotReadable")
    assert f"{space.name}/key does not exist" in said["usage"]["reportedMessage"]
    # A cluster policy that may not send its credential here does not use the tenant's endpoint,
    # and neither is one policy's credential sent where another's may be.
    with (
        cluster_policy(space, home, vault, name="a-first", namespaces=[home.name]),
        cluster_policy(space, vault, name="b-second", namespaces=[space.name]),
    ):
        said = space.telemetry("Deployment", "dtrack", reportedReason="CredentialNotForNamespace")
        assert "ClusterTelemetryPolicy a-first" in said["usage"]["reportedMessage"]
        quiet(servers)


def test_only_a_secret_that_consents_is_sent(tenant: Tenant, host: FakesThread) -> None:
    space, servers = tenant.space, Servers(host)
    account = {"kubernetes.io/service-account.name": "default"}
    token: Manifest = {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/service-account-token",
        "metadata": {"name": "token", "annotations": account, "labels": MARKED},
    }
    # Someone else's Secrets in the namespace, and a policy writer who would like to have them.
    space.apply(secret("key", KEY, labels={}), token)
    tenant.apply(service("dtrack"), product("dtrack"))
    space.wait_for_pods("app=dtrack", 1)
    servers.listen(space, "dtrack")
    for name, reason in (("key", "SecretNotLabeled"), ("token", "SecretTypeRefused")):
        credential = {"product": PRODUCT, "secretRef": {"name": name}}
        space.policy(runtime={"credentials": [credential]})
        said = space.telemetry("Deployment", "dtrack", reportedReason=reason)
        assert f"{space.name}/{name}" in said["usage"]["reportedMessage"]
    quiet(servers)
    space.kubectl("label", "secret", "key", "fleettelemetry.io/credential=true")
    credential = {"product": PRODUCT, "secretRef": {"name": "key"}}
    space.policy(runtime={"interval": "2m", "credentials": [credential]})
    space.telemetry("Deployment", "dtrack", reported="Disabled")
    assert servers.has_key


def test_the_secret_of_the_workloads_own_namespace_serves_a_cluster_policy(
    vault: Space, home: Space, host: FakesThread
) -> None:
    servers = Servers(host)
    home.apply(service("dtrack"), product("dtrack"))
    home.wait_for_pods("app=dtrack", 1)
    servers.listen(home, "dtrack")
    with cluster_policy(home, vault, secretRef={"name": "own"}):
        said = home.telemetry("Deployment", "dtrack", reportedReason="SecretNotReadable")
        assert f"{home.name}/own does not exist" in said["usage"]["reportedMessage"]
        home.apply(secret("own", KEY))
        apply_cluster_policy(home, vault, secretRef={"name": "own"}, registries=["a.example"])
        home.telemetry("Deployment", "dtrack", reported="Disabled")
        assert servers.has_key


def test_a_cluster_policys_credential_is_not_sent_in_clear_unless_it_says_so(
    vault: Space, home: Space, host: FakesThread
) -> None:
    servers = Servers(host)
    home.apply(service("dtrack"), product("dtrack"))
    home.wait_for_pods("app=dtrack", 1)
    servers.listen(home, "dtrack")
    with cluster_policy(home, vault, namespaces=[home.name], requireTLS=True) as world:
        home.telemetry("Deployment", "dtrack", reportedReason="TlsRequired")
        quiet(servers)
        assert "in clear" not in _accepted(world)["message"]
        apply_cluster_policy(home, vault, namespaces=[home.name], requireTLS=False)
        home.telemetry("Deployment", "dtrack", reported="Disabled")
        eventually(lambda: "in clear" in _accepted(world)["message"], say="the word of clear text")
        assert _accepted(world)["status"] == "True"


def test_a_policy_of_an_earlier_version_sends_nothing_and_says_what_is_missing(
    vault: Space, home: Space, host: FakesThread
) -> None:
    servers = Servers(host)
    home.apply(service("dtrack"), product("dtrack"))
    home.wait_for_pods("app=dtrack", 1)
    servers.listen(home, "dtrack")
    world = home.world
    vault.apply(secret("key", KEY))
    refused = _try(home, vault)
    assert "a credential from a given namespace says where it may be sent" in refused
    definition = world.get("crd", CRD)
    _replace(world, _without_rules(definition))
    try:
        eventually(lambda: "verified" in _try(home, vault), say="the old shape")
        stored = world.get("clustertelemetrypolicy", "verified")
        assert "namespaces" not in stored["spec"]["runtime"]["credentials"][0]
    finally:
        _replace(world, definition)
    try:
        home.telemetry("Deployment", "dtrack", reportedReason="CredentialScopeMissing")
        accepted = eventually(
            lambda: _accepted(world).get("status") == "False" and _accepted(world),
            say="the condition",
        )
        assert accepted["reason"] == "CredentialScopeMissing"
        assert "add namespaces or namespaceSelector" in accepted["message"]
        quiet(servers)
        # The object may still be changed otherwise, and repaired.
        world.cluster.kubectl("label", "clustertelemetrypolicy", "verified", "a=b")
        apply_cluster_policy(home, vault, namespaces=[home.name])
        home.telemetry("Deployment", "dtrack", reported="Disabled")
        assert servers.has_key
    finally:
        world.cluster.kubectl("delete", "clustertelemetrypolicy", "verified")


def _accepted(world: World) -> Manifest:
    found = world.get("clustertelemetrypolicy", "verified")
    conditions = found.get("status", {}).get("conditions", [])
    return next((one for one in conditions if one["type"] == "Accepted"), {"message": ""})


def _try(*spaces: Space) -> str:
    try:
        apply_cluster_policy(*spaces)
    except subprocess.CalledProcessError as error:
        return str(error.stderr)
    return "verified"


def _replace(world: World, definition: Manifest) -> None:
    text = json.dumps({"spec": definition["spec"]})
    world.cluster.kubectl(
        "patch", "crd", CRD, "--type=merge", "--patch-file=/dev/stdin", input=text
    )


def _without_rules(definition: Manifest) -> Manifest:
    changed: Manifest = json.loads(json.dumps(definition))
    schema = changed["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    runtime = schema["properties"]["spec"]["properties"]["runtime"]
    del runtime["properties"]["credentials"]["items"]["x-kubernetes-validations"]
    return changed
