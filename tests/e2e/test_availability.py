"""Nobody notices that a replica goes, comes, hangs, or gets another certificate."""

from __future__ import annotations

import base64
import json
import logging
import signal
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dev.harness.dns_server import LocalDnsServer
from dev.harness.operator import NAMESPACE, RELEASE
from dev.harness.replicas import Replicas
from fleet_telemetry.admission.certificates.material import KeyPair, new_authority, new_leaf
from fleet_telemetry.admission.certificates.rotation import (
    Authorities,
    write_authorities,
    write_leaf,
)
from tests.support.clusters import Clusters
from tests.support.forked_operator import local_operator
from tests.support.load import Load
from tests.support.world import (
    SONAR_SWITCH,
    SONARQUBE,
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
_log = logging.getLogger(__name__)
FAILOVER_SECONDS = 15.0
WEBHOOK_TIMEOUT = 2


@pytest.fixture
def pair(clusters: Clusters, tmp_path: Path) -> Iterator[tuple[Space, Replicas]]:
    """Two webhooks that the API server trusts, and a policy."""
    with clusters.lend(controller_manager=False) as cluster:
        operator = local_operator(cluster, tmp_path / "operator")
        operator.install({"webhook": {"timeoutSeconds": WEBHOOK_TIMEOUT}})
        replicas = Replicas(operator, 2)
        space = Space(
            World(cluster, operator, tmp_path, LocalDnsServer(tmp_path / "names")), "default"
        )
        eventually(lambda: space.try_apply(policy()).returncode == 0, say="a policy")
        eventually(lambda: _is_injected(space), say="an injection")
        yield space, replicas
        operator.stop_all()
        replicas.close()


_names = iter(f"probe-{number}" for number in range(10**6))


def _is_injected(space: Space) -> bool:
    name = next(_names)
    space.create(workload("Deployment", name, container(SONARQUBE), replicas=0))
    return space.env("deployment", name) == {SONAR_SWITCH: "false"}


def _secret(space: Space, name: str) -> dict[str, str]:
    data = space.world.get("secret", name, NAMESPACE)["data"]
    return {key: base64.b64decode(value).decode() for key, value in data.items()}


def _write(space: Space, name: str, data: Mapping[str, str]) -> None:
    encoded = {key: base64.b64encode(text.encode()).decode() for key, text in data.items()}
    patch = json.dumps([{"op": "add", "path": "/data", "value": encoded}])
    space.world.cluster.kubectl(
        "patch", "secret", name, f"--namespace={NAMESPACE}", "--type=json", f"--patch={patch}"
    )


def test_a_rolling_restart_loses_nothing(pair: tuple[Space, Replicas]) -> None:
    space, replicas = pair
    before = replicas.names
    with Load(space.world.cluster) as load:
        time.sleep(1)
        replicas.roll()
        time.sleep(1)
    _log.info("%s", load.summary)
    assert not set(before) & set(replicas.names)
    assert len(load.created) > 200
    assert load.summary.failed == []
    assert load.summary.missed == []


def test_the_rotation_of_all_certificates_loses_nothing(pair: tuple[Space, Replicas]) -> None:
    """A CA that is five years old: its successor comes, is trusted, signs, and is alone at last."""
    space, _ = pair
    now = datetime.now(UTC)
    data = _secret(space, AUTHORITY)
    first = KeyPair(data["tls.crt"], data["tls.key"])
    second = new_authority(now - timedelta(days=2))

    def wait_for_trust(bundle: str) -> None:
        encoded = base64.b64encode(bundle.encode()).decode()

        def is_trusted() -> bool:
            found = space.world.get("mutatingwebhookconfiguration", RELEASE)["webhooks"]
            return all(webhook["clientConfig"]["caBundle"] == encoded for webhook in found)

        eventually(is_trusted, seconds=40, say="trust in both")

    with Load(space.world.cluster) as load:
        time.sleep(1)
        # The day between creation and first signature is cut short by dating the second one back.
        both = Authorities(second, KeyPair(first.certificate))
        _write(space, AUTHORITY, write_authorities(both))
        wait_for_trust(both.bundle)
        due = new_leaf(first, HOST, now - timedelta(days=61))
        _write(space, LEAF, write_leaf(due, both))
        eventually(
            lambda: _secret(space, LEAF)["tls.crt"] != due.certificate, seconds=40, say="a leaf"
        )
        # Every replica reads it within ten seconds, and a busy machine may be late. The operator
        # itself keeps the former CA while its certificates may be in use.
        time.sleep(20)
        _write(space, AUTHORITY, write_authorities(Authorities(second)))
        wait_for_trust(second.certificate)
        time.sleep(2)
    _log.info("%s", load.summary)
    assert load.summary.failed == []
    assert load.summary.missed == []


@pytest.mark.fault
def test_a_kill_fails_no_request(pair: tuple[Space, Replicas]) -> None:
    space, replicas = pair
    with Load(space.world.cluster) as load:
        time.sleep(1)
        killed = time.monotonic()
        replicas.kill(replicas.names[0])
        time.sleep(1)
        replicas.add()
        time.sleep(2)
    summary = load.summary
    _log.info("%s", summary)
    assert summary.failed == []
    assert summary.slowest < WEBHOOK_TIMEOUT + 1
    # Until the news is out, up to half of the new connections find nobody.
    assert all(killed - 0.5 < one.at < killed + 2 for one in summary.missed)


@pytest.mark.fault
def test_a_hanging_replica_delays_a_deploy_by_its_timeout_at_most(
    pair: tuple[Space, Replicas],
) -> None:
    space, replicas = pair
    children = space.world.operator.children
    for name in replicas.names:
        children.send(name, signal.SIGSTOP)
    try:
        with Load(space.world.cluster, rate=5) as load:
            time.sleep(6)
    finally:
        for name in replicas.names:
            children.send(name, signal.SIGCONT)
    summary = load.summary
    _log.info("%s", summary)
    assert summary.failed == []
    assert len(summary.missed) == len(summary.created) > 5
    assert WEBHOOK_TIMEOUT <= summary.slowest < WEBHOOK_TIMEOUT + 1
    eventually(lambda: _is_injected(space), say="an injection")


@pytest.mark.fault
def test_a_standby_writes_within_15_seconds_of_a_kill(clusters: Clusters, tmp_path: Path) -> None:
    with clusters.lend(controller_manager=False) as cluster:
        operator = local_operator(cluster, tmp_path / "operator")
        operator.install()
        for name in ("first", "second"):
            operator.start("controller", name=name)
            operator.wait_until_ready()
        space = Space(
            World(cluster, operator, tmp_path, LocalDnsServer(tmp_path / "names")), "default"
        )
        eventually(lambda: "leader 1.0" in operator.metrics("first"), say="a leader")
        started = time.monotonic()
        operator.kill("first")
        # No policy: it is listed all the same, by the leader alone.
        space.apply(workload("Deployment", "s", container(SONARQUBE)))
        eventually(lambda: space.find("workloadtelemetry", "deployment-s"), say="a record")
        seconds = time.monotonic() - started
        _log.info("took over within %.1f s", seconds)
        operator.stop_all()
    assert seconds < FAILOVER_SECONDS
