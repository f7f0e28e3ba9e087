"""The webhook's certificate on the real API server: made, trusted, renewed, and left alone."""

from __future__ import annotations

import base64
import json
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest
import yaml

from dev.cluster import Cluster
from dev.cluster.cluster import HelmProgram
from dev.harness.dns_server import LocalDnsServer
from dev.harness.operator import CHART, NAMESPACE, RELEASE
from fleet_telemetry.admission.certificates.material import KeyPair, new_authority, new_leaf, parse
from fleet_telemetry.admission.certificates.rotation import (
    AUTHORITY_RENEWED_AFTER,
    TRUST_DELAY,
    Authorities,
    write_authorities,
    write_leaf,
)
from tests.support.clusters import Clusters
from tests.support.forked_operator import local_operator
from tests.support.world import (
    SONAR_SWITCH,
    SONARQUBE,
    Manifest,
    Space,
    World,
    container,
    eventually,
    policy,
    workload,
)

pytestmark = pytest.mark.cluster

LEAF, AUTHORITY = f"{RELEASE}-webhook-tls", f"{RELEASE}-webhook-ca"
HOST = f"{RELEASE}-webhook.{NAMESPACE}.svc"
CONFIGURATIONS = (
    ("mutatingwebhookconfiguration", RELEASE),
    ("validatingwebhookconfiguration", RELEASE),
)
_numbers = count(1)


@pytest.fixture(scope="module")
def cluster(clusters: Clusters) -> Iterator[Cluster]:
    """An API server, and nothing that acts by itself."""
    with clusters.lend(controller_manager=False) as cluster:
        yield cluster


@pytest.fixture
def space(cluster: Cluster, tmp_path: Path) -> Iterator[Space]:
    """The cluster, with what the last test has left."""
    operator = local_operator(cluster, tmp_path / "operator")
    yield Space(World(cluster, operator, tmp_path, LocalDnsServer(tmp_path / "names")), "default")
    operator.stop_all()


@pytest.fixture
def bare(space: Space) -> Iterator[Space]:
    """The cluster without the operator. Only its CRDs may be left from another test."""
    _remove_the_operator(space.world.cluster)
    yield space
    space.world.operator.stop_all()
    _remove_the_operator(space.world.cluster)


def _remove_the_operator(cluster: Cluster) -> None:
    """Delete the release, its Secrets, and what the test has made of policies and workloads."""
    where = f"--namespace={NAMESPACE}"
    cluster.helm("uninstall", RELEASE, where, "--ignore-not-found", "--no-hooks")
    cluster.kubectl("delete", "secrets", "--all", where)
    cluster.kubectl("delete", "deployments", "--all")
    crds = cluster.kubectl("get", "crds", "--output=name").stdout
    if "telemetrypolicies" in crds:
        cluster.kubectl("delete", "telemetrypolicies", "--all")


@pytest.fixture
def installed(space: Space) -> Space:
    """With the chart, as users install it, one webhook and a policy. The chart may be there from
    another test that has ended well: whatever a test does, certificates are as good as new then."""
    if not _has_certificates(space):
        _remove_the_operator(space.world.cluster)
        space.world.operator.install()
    _start_injecting(space)
    return space


def _has_certificates(space: Space) -> bool:
    found = [space.world.find("secret", name, NAMESPACE) for name in (LEAF, AUTHORITY)]
    return all(one and "tls.key" in one.get("data", {}) for one in found)


def _start(space: Space) -> None:
    space.world.operator.start("webhook")
    space.world.operator.wait_until_ready()


def _start_injecting(space: Space) -> None:
    """One webhook, and a policy."""
    _start(space)
    # Policies are validated by the webhook, so this shows that the API server trusts it.
    eventually(lambda: space.try_apply(policy()).returncode == 0, say="a policy")
    _is_injected_now(space)


def _is_injected(space: Space) -> bool:
    name = f"s{next(_numbers)}"
    space.create(workload("Deployment", name, container(SONARQUBE), replicas=0))
    return space.env("deployment", name) == {SONAR_SWITCH: "false"}


def _is_injected_now(space: Space) -> None:
    eventually(lambda: _is_injected(space), say="an injection")


def _secret(space: Space, name: str) -> dict[str, str]:
    data = space.world.get("secret", name, NAMESPACE).get("data", {})
    return {key: base64.b64decode(value).decode() for key, value in data.items()}


def _write(space: Space, name: str, data: Mapping[str, str] | None) -> None:
    encoded = {key: base64.b64encode(text.encode()).decode() for key, text in (data or {}).items()}
    patch = json.dumps([{"op": "add", "path": "/data", "value": encoded}])
    space.world.cluster.kubectl(
        "patch", "secret", name, f"--namespace={NAMESPACE}", "--type=json", f"--patch={patch}"
    )


def _bundles(space: Space) -> set[str]:
    """What the webhooks of both configurations trust."""
    return {
        base64.b64decode(webhook["clientConfig"].get("caBundle", "")).decode()
        for kind, name in CONFIGURATIONS
        for webhook in space.world.get(kind, name)["webhooks"]
    }


def _served(space: Space, address: tuple[str, int] | None = None) -> str:
    """The certificate that a client is shown, PEM."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    where = address or (space.world.operator.webhook_address, 9443)
    with socket.create_connection(where, timeout=5) as raw, context.wrap_socket(raw) as tls:
        der = tls.getpeercert(binary_form=True)
        assert der is not None
        return ssl.DER_cert_to_PEM_cert(der)


def _wait(probe: Callable[[], bool], what: str) -> None:
    """Replicas look every ten seconds."""
    eventually(probe, seconds=40, say=what)


def test_replicas_that_start_at_once_agree_on_one_certificate(bare: Space) -> None:
    operator = bare.world.operator
    operator.install()
    assert _secret(bare, LEAF) == _secret(bare, AUTHORITY) == {}
    addresses = {}
    for number in range(3):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            addresses[f"webhook-{number}"] = listener.getsockname()
    for name, (host, port) in addresses.items():
        more = [f"--webhook-host={host}", f"--webhook-port={port}"]
        operator.start("webhook", name=name, extra=more)
    operator.wait_until_ready()

    leaf = _secret(bare, LEAF)
    for address in addresses.values():
        assert _served(bare, address) == leaf["tls.crt"]
    assert leaf["ca.crt"] == _secret(bare, AUTHORITY)["tls.crt"]
    _wait(lambda: _bundles(bare) == {leaf["ca.crt"]}, "trust")
    logs = [operator.log(name).read_text() for name in addresses]
    assert sum(log.count(f"wrote Secret {NAMESPACE}/{AUTHORITY}") for log in logs) == 1
    assert sum(log.count(f"wrote Secret {NAMESPACE}/{LEAF}") for log in logs) == 1
    assert "Traceback" not in "".join(logs)
    keys = (leaf["tls.key"], _secret(bare, AUTHORITY)["tls.key"])
    assert not any(key.splitlines()[1] in log for key in keys for log in logs)


@pytest.mark.parametrize(
    ("helm", "flags"),
    [("helm", []), ("helm", ["--server-side=false"]), ("helm3", [])],
    ids=["helm-4", "helm-4-client-side", "helm-3"],
)
def test_an_upgrade_takes_nothing_away(bare: Space, helm: HelmProgram, flags: list[str]) -> None:
    directory = bare.world.directory
    operator = local_operator(bare.world.cluster, directory / "operator-of-helm", helm=helm)
    try:
        operator.install(flags=flags)
        operator.start("webhook")
        operator.wait_until_ready()
        eventually(lambda: bare.try_apply(policy()).returncode == 0, say="a policy")
        _is_injected_now(bare)
        before = _secret(bare, LEAF), _secret(bare, AUTHORITY), _bundles(bare)
    finally:
        # Whatever the upgrade takes away, nobody puts back.
        operator.stop_all()
    operator.install({"logLevel": "debug", "webhook": {"excludedNamespaces": []}}, flags=flags)
    assert (_secret(bare, LEAF), _secret(bare, AUTHORITY), _bundles(bare)) == before
    operator.helm("rollback", RELEASE, "1", *flags)
    assert (_secret(bare, LEAF), _secret(bare, AUTHORITY), _bundles(bare)) == before


def test_an_apply_by_a_gitops_tool_takes_nothing_away_and_sees_no_drift(bare: Space) -> None:
    space, cluster = bare, bare.world.cluster
    space.world.operator.install()
    _start_injecting(space)
    before = _secret(space, LEAF), _secret(space, AUTHORITY), _bundles(space)
    values = ["--set", "webhook.service.port=9443", "--no-hooks"]
    rendered = cluster.helm(
        "template", RELEASE, str(CHART), f"--namespace={NAMESPACE}", *values
    ).stdout
    flags = ["--server-side", "--field-manager=argocd", "--force-conflicts"]
    cluster.kubectl("apply", *flags, "-f", "-", input=rendered)
    assert (_secret(space, LEAF), _secret(space, AUTHORITY), _bundles(space)) == before
    drift = cluster.kubectl("diff", *flags, "-f", "-", input=rendered, check=False)
    assert (drift.returncode, drift.stdout) == (0, "")
    # Without server-side apply.
    cluster.kubectl("apply", "-f", "-", input=rendered)
    assert (_secret(space, LEAF), _secret(space, AUTHORITY), _bundles(space)) == before


@pytest.mark.fault
def test_trust_that_is_taken_away_comes_back(installed: Space) -> None:
    space, cluster = installed, installed.world.cluster
    before = _bundles(space)
    for kind, name in CONFIGURATIONS:
        patch = '[{"op": "remove", "path": "/webhooks/0/clientConfig/caBundle"}]'
        cluster.kubectl("patch", kind, name, "--type=json", f"--patch={patch}")
    # It may be back already.
    _wait(lambda: _bundles(space) == before, "trust")
    _is_injected_now(space)


def test_nothing_is_written_that_is_as_it_should_be(installed: Space) -> None:
    space, operator = installed, installed.world.operator
    objects = [("secret", LEAF, NAMESPACE), ("secret", AUTHORITY, NAMESPACE)]
    objects += [(kind, name, "") for kind, name in CONFIGURATIONS]

    def versions() -> list[str]:
        return [space.world.get(*which)["metadata"]["resourceVersion"] for which in objects]

    before = versions()
    operator.stop("webhook")
    _start(space)
    _is_injected_now(space)
    assert versions() == before


def test_a_leaf_that_is_due_is_renewed_and_no_request_is_lost(installed: Space) -> None:
    space = installed
    authority = _secret(space, AUTHORITY)
    signing = KeyPair(authority["tls.crt"], authority["tls.key"])
    old = new_leaf(signing, HOST, datetime.now(UTC) - timedelta(days=60))
    _write(space, LEAF, write_leaf(old, Authorities(signing)))

    def is_renewed() -> bool:
        assert _is_injected(space)
        return _served(space) == _secret(space, LEAF)["tls.crt"] != old.certificate

    _wait(is_renewed, "a renewed leaf")
    assert _is_injected(space)
    assert _secret(space, AUTHORITY) == authority


def test_a_ca_that_is_due_is_replaced_step_by_step_and_no_request_is_lost(
    installed: Space,
) -> None:
    """The clock is real; each step is brought about by older certificates."""
    space, now = installed, datetime.now(UTC)
    first = new_authority(now - AUTHORITY_RENEWED_AFTER)
    leaf = new_leaf(first, HOST, now - timedelta(days=59))
    # As if it had been in force all the time: trusted first, then served.
    both = Authorities(KeyPair(**_pair_in(_secret(space, AUTHORITY))), first)
    _write(space, AUTHORITY, write_authorities(both))
    _wait(lambda: any(first.certificate in bundle for bundle in _bundles(space)), "both trusted")
    assert _is_injected(space)
    _write(space, AUTHORITY, write_authorities(Authorities(first)))
    _write(space, LEAF, write_leaf(leaf, Authorities(first)))

    def has_successor() -> bool:
        assert _is_injected(space)
        bundle = _secret(space, AUTHORITY)["tls.crt"] + first.certificate
        return bundle != both.bundle and _bundles(space) == {bundle}

    _wait(has_successor, "a second CA")
    data = _secret(space, AUTHORITY)
    assert (data["previous.crt"], data["previous.key"]) == (first.certificate, first.key)
    assert _served(space) == leaf.certificate

    # A day later it signs.
    aged = new_authority(now - TRUST_DELAY)
    trusted = Authorities(aged, first)
    _write(space, AUTHORITY, write_authorities(trusted))
    _wait(lambda: _bundles(space) == {trusted.bundle}, "trust in the second CA")
    assert _is_injected(space)
    due = new_leaf(first, HOST, now - timedelta(days=61))
    _write(space, LEAF, write_leaf(due, trusted))

    def is_signed_anew() -> bool:
        assert _is_injected(space)
        return _served(space) not in (leaf.certificate, due.certificate)

    _wait(is_signed_anew, "a leaf of the second CA")
    parse(_served(space)).verify_directly_issued_by(parse(aged.certificate))
    assert "previous.key" not in _secret(space, AUTHORITY)


def _pair_in(data: Mapping[str, str]) -> dict[str, str]:
    return {"certificate": data["tls.crt"], "key": data["tls.key"]}


@pytest.mark.parametrize(
    "emptied", [(LEAF,), (AUTHORITY,), pytest.param((LEAF, AUTHORITY), marks=pytest.mark.fault)]
)
def test_what_is_emptied_or_destroyed_is_made_anew(
    installed: Space, emptied: tuple[str, ...]
) -> None:
    space = installed
    before = _secret(space, LEAF), _secret(space, AUTHORITY)
    for name in emptied:
        _write(space, name, {} if len(emptied) == 2 else {"tls.crt": "?", "tls.key": "?"})
    _wait(
        lambda: all("PRIVATE" in _secret(space, name).get("tls.key", "") for name in emptied),
        "new certificates",
    )
    _wait(lambda: _bundles(space) == {_secret(space, LEAF).get("ca.crt")}, "trust")
    _is_injected_now(space)
    after = _secret(space, LEAF), _secret(space, AUTHORITY)
    assert (before[0] != after[0], before[1] != after[1]) == (True, AUTHORITY in emptied)


@pytest.mark.fault
def test_an_expired_certificate_is_replaced_at_the_start(installed: Space) -> None:
    space, operator = installed, installed.world.operator
    operator.kill("webhook")
    long_ago = datetime.now(UTC) - timedelta(days=4000)
    old = new_authority(long_ago)
    _write(space, AUTHORITY, write_authorities(Authorities(old)))
    _write(space, LEAF, write_leaf(new_leaf(old, HOST, long_ago), Authorities(old)))
    _start(space)
    _is_injected_now(space)


def test_a_missing_secret_is_told_and_put_back_by_the_chart(installed: Space) -> None:
    space, operator = installed, installed.world.operator
    space.world.cluster.kubectl("delete", "secret", LEAF, f"--namespace={NAMESPACE}")
    sentence = f"Secret {NAMESPACE}/{LEAF} does not exist"
    _wait(lambda: sentence in operator.log("webhook").read_text(), "the sentence")
    assert _is_injected(space), "it serves on with what it has"
    operator.install()
    _wait(lambda: "tls.crt" in _secret(space, LEAF), "a certificate")
    _is_injected_now(space)


def test_an_existing_secret_with_its_ca_is_used_and_followed(bare: Space) -> None:
    operator = bare.world.operator
    _make_secret(bare, "own-tls", ours := new_authority(datetime.now(UTC)))
    certificate = {"source": "ExistingSecret", "secretName": "own-tls"}
    operator.install({"webhook": {"certificate": certificate}})
    _start_injecting(bare)
    assert _bundles(bare) == {ours.certificate}
    renewed = new_leaf(ours, HOST, datetime.now(UTC))
    _write(bare, "own-tls", write_leaf(renewed, Authorities(ours)))
    _wait(lambda: _served(bare) == renewed.certificate, "the renewed certificate")
    assert _is_injected(bare)


def _make_secret(space: Space, name: str, authority: KeyPair) -> None:
    leaf = write_leaf(new_leaf(authority, HOST, datetime.now(UTC)), Authorities(authority))
    namespace: Manifest = {"apiVersion": "v1", "kind": "Namespace"}
    secret: Manifest = {"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls"}
    space.world.apply(
        {**namespace, "metadata": {"name": NAMESPACE}},
        {**secret, "metadata": {"name": name, "namespace": NAMESPACE}, "stringData": leaf},
    )


def test_the_source_can_be_changed_there_and_back(installed: Space) -> None:
    space, operator = installed, installed.world.operator
    ours = new_authority(datetime.now(UTC))
    _make_secret(space, "own-tls", ours)
    given = {"source": "ExistingSecret", "secretName": "own-tls", "ca": ours.certificate}
    operator.install({"webhook": {"certificate": given}})
    assert _bundles(space) == {ours.certificate}
    # The Deployment rolls.
    operator.stop("webhook")
    _start(space)
    _is_injected_now(space)

    operator.install()
    operator.stop("webhook")
    _start(space)
    _wait(lambda: _bundles(space) == {_secret(space, LEAF).get("ca.crt")}, "trust")
    _is_injected_now(space)


def test_uninstalling_removes_what_the_operator_filled(bare: Space) -> None:
    cluster = bare.world.cluster
    bare.world.operator.install()
    _start_injecting(bare)
    bare.world.operator.stop_all()
    cluster.helm("uninstall", RELEASE, f"--namespace={NAMESPACE}")
    left = cluster.kubectl("get", "secrets", f"--namespace={NAMESPACE}", "-o", "name").stdout
    assert left == ""


def test_renders_are_the_same_byte_by_byte(bare: Space) -> None:
    def render() -> str:
        done = bare.world.cluster.helm("template", RELEASE, str(CHART))
        assert list(yaml.safe_load_all(done.stdout))
        return done.stdout

    assert render() == render()
