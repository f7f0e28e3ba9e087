"""The chart grants what the operator uses, and nothing else."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator

import pytest
import yaml

from dev.cluster import Cluster
from dev.cluster.foreign_crds import foreign_crds
from dev.fakes.dependency_track import FakeDependencyTrack
from dev.fakes.hosted import FakesThread
from dev.harness.dns_server import LocalDnsServer, Records
from dev.harness.operator import NAMESPACE, RELEASE, ROOT
from dev.harness.pods import PodFollower
from tests.support.custom_resources import longhorn_crd, setting
from tests.support.forked_operator import local_operator
from tests.support.rights import Manifest, Right, granted, used
from tests.support.rollout_crd import define_rollouts
from tests.support.world import (
    DTRACK_4,
    SONARQUBE,
    Space,
    World,
    container,
    eventually,
    policy,
    workload,
)

pytestmark = pytest.mark.cluster

SETTINGS = "settings.longhorn.io"
LONGHORN = ("allow-collecting-longhorn-usage-metrics", "upgrade-checker")
TELEMETRY_HOST = "telemetry.sonarsource.com"
SPACE = "rights"
WRITTEN = (
    "Deployment",
    "StatefulSet",
    "DaemonSet",
    "ReplicaSet",
    "ReplicationController",
    "CronJob",
    "Rollout",
)
UNUSED = {
    # Server-side apply that makes an object is checked for `create`, and logged as `patch`.
    "create workloadtelemetries.fleettelemetry.io",
    "create telemetryhosts.fleettelemetry.io",
    "create networkpolicies.networking.k8s.io",
    "create ciliumnetworkpolicies.cilium.io",
    "create ciliumcidrgroups.cilium.io",
    "create clusternetworkpolicies.policy.networking.k8s.io",
    f"create configmaps in {NAMESPACE}",
    "create reports.openreports.io",
    "create policyreports.wgpolicyk8s.io",
    # The labels of a namespace decide on no credential here; they do in test_credentials.py.
    "get namespaces",
    # Only one kind of report is written, here the newer one.
    "list policyreports.wgpolicyk8s.io",
    "patch policyreports.wgpolicyk8s.io",
    "delete policyreports.wgpolicyk8s.io",
    # Kinds that this cluster does not have; they are listed where they are.
    "list ciliumclusterwidenetworkpolicies.cilium.io",
    "list adminnetworkpolicies.policy.networking.k8s.io",
    "list baselineadminnetworkpolicies.policy.networking.k8s.io",
    "list networkpolicies.crd.projectcalico.org",
    "list globalnetworkpolicies.crd.projectcalico.org",
    "list networkpolicies.projectcalico.org",
    "list globalnetworkpolicies.projectcalico.org",
    "list networkpolicies.crd.antrea.io",
    "list clusternetworkpolicies.crd.antrea.io",
    "list applicationnetworkpolicies.networking.k8s.aws",
    "list clusternetworkpolicies.networking.k8s.aws",
    "list fqdnnetworkpolicies.networking.gke.io",
}
"""Rights that this run does not show to be used, with the reason."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Everything that the operator knows of is there, and nothing of it runs yet."""
    directory = tmp_path_factory.mktemp("rights")
    with (
        LocalDnsServer(directory / "names") as names,
        Cluster(directory / "cluster", scheduler=True, kwok=True, audit=True) as cluster,
    ):
        names.set(TELEMETRY_HOST, Records(a=["54.230.1.1"], ttl=1))
        _define(cluster, "openreports", "network-policy-api")
        define_rollouts(cluster)
        operator = local_operator(cluster, directory / "operator")
        cluster.kubectl("create", "namespace", SPACE)
        egress = {"dnsServers": [names.endpoint], "publishedRanges": "built-in"}
        secrets = [{"namespace": SPACE, "names": ["dtrack"]}]
        cluster.kubectl("apply", "--filename=-", input=json.dumps(longhorn_crd()))
        values = {"egress": egress, "runtime": {"secrets": secrets}}
        operator.install({**values, "customResources": {"write": ["longhorn"]}})
        yield World(cluster, operator, directory, names)
        operator.stop_all()


def _define(cluster: Cluster, *sets: str) -> None:
    for name in sets:
        for path in foreign_crds(name):
            cluster.kubectl("apply", "--server-side", "-f", str(path))


def _volume(space: Space) -> Manifest:
    """A workload whose database is on a claim with a volume."""
    size = {"storage": "1Gi"}
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": size}}
    volume = {"accessModes": ["ReadWriteOnce"], "capacity": size, "hostPath": {"path": "/x"}}
    ref = {"name": "data", "namespace": space.name}
    v1 = {"apiVersion": "v1"}
    space.world.apply(
        {**v1, "kind": "PersistentVolume", "metadata": {"name": "data"},
         "spec": {**volume, "claimRef": ref, "storageClassName": ""}},
        {**v1, "kind": "PersistentVolumeClaim", "metadata": ref,
         "spec": {**claim, "volumeName": "data", "storageClassName": ""}},
    )  # fmt: skip
    mounts = {"volumeMounts": [{"name": "data", "mountPath": "/data"}]}
    kept = workload("StatefulSet", "kept", container(DTRACK_4, **mounts))
    mounted = [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]
    kept["spec"]["template"]["spec"]["volumes"] = mounted
    return kept


def _product(follower: PodFollower, space: Space) -> Manifest:
    """A product that sends although it should not; it can be asked and put right."""
    ports = [{"name": "http", "port": 8080}]
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "dtrack"}}
    space.apply({**service, "spec": {"selector": {"app": "dtrack"}, "ports": ports}})
    product = FakeDependencyTrack(
        address="", port=8080, tls=False, version="4.14.3", enabled="true"
    )
    follower.start(product, space.name, "app=dtrack")
    key = base64.b64encode(product.api_key.encode()).decode()
    metadata = {"name": "dtrack", "labels": {"fleettelemetry.io/credential": "true"}}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata}
    space.apply({**secret, "data": {"apiKey": key}})
    return workload(
        "Deployment", "dtrack", container(DTRACK_4, env={"ALPINE_DATABASE_MODE": "external"})
    )


def _empty(world: World, name: str) -> None:
    patch = '[{"op": "remove", "path": "/data"}]'
    world.cluster.kubectl(
        "patch", "secret", name, f"--namespace={NAMESPACE}", "--type=json", f"--patch={patch}"
    )


def _live_a_life(world: World, follower: PodFollower) -> None:
    """Everything that the operator does, once."""
    space, operator = Space(world, SPACE), world.operator
    # These are older than the operator, so the controller has to write them itself.
    space.apply(
        *(
            # No Argo replaces a Rollout's pods here, so it has none.
            workload(
                kind, f"{kind.lower()}-s", container(SONARQUBE), replicas=int(kind != "Rollout")
            )
            for kind in WRITTEN
        )
    )
    operator.start("webhook")
    quick = ["--dns-interval=1", "--egress-interval=1", "--resource-interval=1"]
    operator.start("controller", extra=quick)
    operator.wait_until_ready()
    deny = {"action": "Deny", "sharedAddresses": "Accept"}
    credentials = [{"product": "dependency-track", "secretRef": {"name": "dtrack"}}]
    everything = {
        "injection": {"rollout": "Immediate"},
        "runtime": {"action": "Remediate", "credentials": credentials},
    }
    # The webhook may not be trusted yet.
    first = policy("opt-out", **everything, egress=deny)
    eventually(lambda: space.try_apply(first).returncode == 0, say="a policy")
    for kind in WRITTEN:
        space.telemetry(kind, f"{kind.lower()}-s", declared="Disabled")
    everywhere = policy("everywhere")
    world.apply({**everywhere, "kind": "ClusterTelemetryPolicy"})

    # A product that nobody asks, so its volume has to tell.
    seeds = Space(world, "seeds")
    world.cluster.kubectl("create", "namespace", seeds.name)
    seeds.policy()
    seeds.apply(_volume(seeds))
    seeds.telemetry("StatefulSet", "kept", reason="SeedNotProven", running="Disabled")

    # A product that reads custom resources.
    storage = Space(world, "storage")
    world.cluster.kubectl("create", "namespace", storage.name)
    storage.apply(*(setting(name, "true") for name in LONGHORN))
    both = ["Usage", "UpdateCheck"]
    storage.policy(channels=both, runtime={"action": "Remediate"})
    image = "longhornio/longhorn-manager:v1.5.0"
    storage.apply(workload("DaemonSet", "longhorn-manager", container(image)))
    for name in LONGHORN:
        eventually(
            lambda name=name: storage.get(SETTINGS, name)["value"] == "false", say=f"{name} set"
        )

    space.apply(_product(follower, space))
    space.telemetry("Deployment", "dtrack", reason="Reported", state="Compliant")

    # Each kind of network policy comes, is edited by somebody, and goes.
    for dialect, kind in (
        ("NetworkPolicy", "networkpolicy"),
        ("ClusterNetworkPolicy", "clusternetworkpolicy"),
        ("Cilium", "ciliumnetworkpolicy"),
    ):
        if dialect == "Cilium":
            # Not before: where it is, a NetworkPolicy denies nothing.
            _define(world.cluster, "cilium")
        space.apply(policy("opt-out", **everything, egress={**deny, "dialect": dialect}))
        eventually(lambda kind=kind: _names(space, kind), say=f"a {kind}", seconds=60)
        _spoil(space, kind)
    world.names.set(TELEMETRY_HOST, Records(a=["54.230.1.2"], ttl=1))

    # A product more, while the webhook's CA is replaced.
    second = f"{RELEASE}-products"
    world.apply(yaml.safe_load((ROOT / "examples" / "policies" / "product.yaml").read_text()))
    eventually(
        lambda: "webhooks" in world.get("mutatingwebhookconfiguration", second),
        say="the second configuration",
    )
    before = _bundle(world, second)
    for name in (f"{RELEASE}-webhook-ca", f"{RELEASE}-webhook-tls"):
        _empty(world, name)
    eventually(lambda: _bundle(world, second) != before, seconds=40, say="trust in the new CA")
    world.cluster.kubectl("delete", "telemetryproduct", "acme-scanner")
    eventually(
        lambda: "webhooks" not in world.get("mutatingwebhookconfiguration", second),
        say="its end",
        seconds=60,
    )

    # What has no product any more, and what is no longer ruled.
    space.kubectl("set", "image", "deployment/deployment-s", "app=nginx:1.29")
    eventually(
        lambda: not space.find("workloadtelemetry", "deployment-deployment-s"), say="its end"
    )
    world.cluster.kubectl("delete", "clustertelemetrypolicy", "everywhere")
    for one in (space, seeds, storage):
        one.kubectl("delete", "telemetrypolicy", "opt-out")
        one.kubectl("delete", "deployments,statefulsets,daemonsets,replicasets,cronjobs", "--all")
    for kind in ("ciliumnetworkpolicy", "networkpolicy", "clusternetworkpolicy", "telemetryhost",
                 "ciliumcidrgroup", "report.openreports.io"):  # fmt: skip
        eventually(lambda kind=kind: not _names(space, kind), say=f"no {kind}", seconds=60)


def _bundle(world: World, name: str) -> str:
    found = world.get("mutatingwebhookconfiguration", name)
    bundle: str = found["webhooks"][0]["clientConfig"].get("caBundle", "")
    return bundle


def _names(space: Space, kind: str) -> list[str]:
    items = json.loads(space.kubectl("get", kind, "--output=json").stdout)["items"]
    return [item["metadata"]["name"] for item in items]


def _spoil(space: Space, kind: str) -> None:
    """Somebody adds something to our policy; that is taken out by a JSON patch."""
    (name, *_) = _names(space, kind)
    space.kubectl("label", kind, name, "app.kubernetes.io/managed-by=me", "--overwrite")


@pytest.fixture(scope="module")
def lived(world: World) -> World:
    with FakesThread() as host, PodFollower(world.cluster, host) as follower:
        _live_a_life(world, follower)
    return world


def _all(world: World, kind: str) -> list[Manifest]:
    text = world.cluster.kubectl("get", kind, "--all-namespaces", "--output=json").stdout
    found: list[Manifest] = json.loads(text)["items"]
    return found


@pytest.mark.parametrize("role", ["webhook", "controller"])
def test_what_is_granted_is_what_is_used(lived: World, role: str) -> None:
    account = {"kind": "ServiceAccount", "name": f"{RELEASE}-{role}", "namespace": NAMESPACE}
    roles = [*_all(lived, "clusterroles"), *_all(lived, "roles")]
    bindings = [*_all(lived, "clusterrolebindings"), *_all(lived, "rolebindings")]
    rights = granted(account, roles, bindings)
    user = f"system:serviceaccount:{NAMESPACE}:{account['name']}"
    uses = used(lived.cluster.audit_events(), user)
    assert len(rights) > 20

    missing = {str(use) for use, code in uses.items() if code == 403}
    assert missing == set()
    beyond = {str(use) for use in uses if not any(right.covers(use) for right in rights)}
    assert beyond == set(), "these come from elsewhere, not from the chart"
    watched = {(use.group, use.resource) for use in uses if use.verb == "watch"}
    unused = {
        str(right)
        for right in rights
        if not any(right.covers(use) for use in uses)
        # An API server without streaming lists is asked for pages.
        and not (right.verb == "list" and (right.group, right.resource) in watched)
    }
    assert unused - UNUSED == set()


def test_the_exceptions_are_exceptions(lived: World) -> None:
    """None that nobody is granted, and none that is used after all."""
    rights: set[Right] = set()
    uses: set[Right] = set()
    for role in ("webhook", "controller"):
        account = {"kind": "ServiceAccount", "name": f"{RELEASE}-{role}", "namespace": NAMESPACE}
        roles = [*_all(lived, "clusterroles"), *_all(lived, "roles")]
        bindings = [*_all(lived, "clusterrolebindings"), *_all(lived, "rolebindings")]
        rights |= granted(account, roles, bindings)
        user = f"system:serviceaccount:{NAMESPACE}:{account['name']}"
        uses |= used(lived.cluster.audit_events(), user).keys()
    assert {str(right) for right in rights} >= UNUSED
    used_after_all = {str(right) for right in rights if any(map(right.covers, uses))}
    assert used_after_all & UNUSED == set()
