"""Network policies on a real API server, while DNS is down, writes are refused, and others meddle.

The names of hosts resolve nowhere, unless a test says otherwise by what was saved of them.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from dev.cluster import Cluster
from dev.cluster.foreign_crds import foreign_crds
from dev.harness.operator import ROOT
from fleet_telemetry.api.policy import ChannelName, EgressDialect
from fleet_telemetry.api.reasons import EgressReason
from fleet_telemetry.api.workload_telemetry import EgressVerdict
from fleet_telemetry.catalogue.catalogue import builtin
from fleet_telemetry.controllers.egress.host_grants import HostGrants
from fleet_telemetry.controllers.egress.hosts import HostResolver
from fleet_telemetry.controllers.egress.reconciler import EgressOptions, EgressReconciler
from fleet_telemetry.decision import Input, decide
from fleet_telemetry.egress.dns.name_servers import parse_name_server
from fleet_telemetry.egress.dns.resolver import LookupLimits, Resolver
from fleet_telemetry.egress.host_state import Retention
from fleet_telemetry.evidence.egress import EgressFinding
from fleet_telemetry.kube import kinds
from fleet_telemetry.kube.cache import ClusterCache
from fleet_telemetry.kube.client import ApiError, KubernetesClient
from fleet_telemetry.kube.reflector import list_kind
from fleet_telemetry.workloads.workload import WorkloadRef
from tests.support.builders import SONARQUBE, Manifest, container, manifest, workload
from tests.support.clusters import Clusters
from tests.support.reader import Reader
from tests.support.world import eventually

pytestmark = pytest.mark.cluster

HOST = "telemetry.sonarsource.com"
USAGE = ("sonarqube", ChannelName.USAGE)
DENY, ISOLATE = (f"fleet-telemetry-{action}-deployment-it" for action in ("deny", "isolate"))
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def cluster(clusters: Clusters) -> Iterator[Cluster]:
    with clusters.lend() as cluster:
        for path in (*sorted((ROOT / "crds").glob("*.yaml")), *foreign_crds("network-policy-api")):
            cluster.kubectl("apply", "--server-side", "-f", str(path))
        yield cluster


@dataclass
class Kit:
    """One namespace with one workload of SonarQube, and a replica that leads now and then."""

    cluster: Cluster
    client: KubernetesClient
    namespace: str

    def __post_init__(self) -> None:
        self.reader = Reader(self.cluster.kubeconfig)
        self.enqueued: list[WorkloadRef] = []
        self.cache = ClusterCache(builtin())
        limits = LookupLimits(try_seconds=0.2, pause_seconds=0.01, total_seconds=0.5)
        self.hosts = HostResolver(
            self.cache,
            self.client,
            Resolver([parse_name_server("127.0.0.1:9")], limits=limits),
            rules=Retention(),
            now=lambda: datetime.now(UTC),
            ranges=None,
            on_change=self.enqueued.append,
        )
        every = frozenset(EgressDialect)
        options = EgressOptions(enforced=every, look_seconds=0.2)
        self.egress = EgressReconciler(
            self.cache,
            self.client,
            self.hosts,
            options,
            HostGrants(self.cache, lambda _: None),
            enqueue=self.enqueued.append,
        )
        given = manifest(
            container(SONARQUBE),
            namespace=self.namespace,
            selector={"matchLabels": {"app": "it"}},
        )
        self.workload = workload(given)

    def kubectl(self, *arguments: str, manifest: Manifest | None = None) -> str:
        text = json.dumps(manifest) if manifest is not None else None
        where = f"--namespace={self.namespace}"
        return self.cluster.kubectl(where, *arguments, input=text).stdout

    def takes(self, manifest: Manifest) -> bool:
        """Whether the API server would take it."""
        done = self.cluster.kubectl(
            f"--namespace={self.namespace}",
            *("apply", "--server-side", "--force-conflicts", "--dry-run=server", "-f", "-"),
            input=json.dumps(manifest),
            check=False,
        )
        return done.returncode == 0

    def policy(self, name: str = "opt-out", **spec: Any) -> None:
        spec.setdefault("egress", {})
        spec["egress"] = {"sharedAddresses": "Accept", **spec["egress"]}
        found = {
            "apiVersion": "fleettelemetry.io/v1alpha1",
            "kind": "TelemetryPolicy",
            "metadata": {"name": name},
            "spec": spec,
        }
        self.kubectl("apply", "-f", "-", manifest=found)

    def know(self, *addresses: str) -> None:
        """Save what is known of the host."""
        now = datetime.now(UTC).isoformat()
        answered = [{"family": one, "lastAnsweredAt": now} for one in ("IPv4", "IPv6")]
        saved = {
            "asOf": now,
            "addresses": [{"ip": one, "seenAt": now} for one in addresses],
            "families": answered,
        }
        host = {
            "apiVersion": "fleettelemetry.io/v1alpha1",
            "kind": "TelemetryHost",
            "metadata": {"name": HOST},
        }
        self.kubectl("apply", "-f", "-", manifest=host)
        patch = json.dumps({"status": saved})
        kind = ("telemetryhost", HOST, "--subresource=status", "--type=merge")
        self.kubectl("patch", *kind, f"--patch={patch}")

    def find(self, name: str = DENY, kind: str = "networkpolicy") -> Manifest | None:
        return self.reader.find(kind, name, self.namespace)

    async def sync(self) -> None:
        for kind in (kinds.HOST, kinds.POLICY, kinds.CLUSTER_POLICY, kinds.NETWORK_POLICY):
            await list_kind(self.cache, self.client, kind)

    @asynccontextmanager
    async def leading(self) -> AsyncIterator[None]:
        await self.sync()
        self.cache.fleet.workloads[self.workload.ref] = self.workload
        await self.egress.begin()
        while not self.egress._discovery.known:
            # Definitions that are new are not served at once.
            await asyncio.sleep(0.2)
            await self.egress.look()
        task = asyncio.create_task(self.egress.run())
        await asyncio.sleep(0)
        try:
            yield
            assert not task.done(), "it ended by itself"
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def reconcile(self) -> tuple[EgressFinding, ApiError | None]:
        """What the controller does for the workload, once its hosts were asked for."""
        await self.sync()
        given = Input(
            workload=self.workload,
            policies=self.cache.policies_for(self.namespace),
            catalogue=builtin(),
            now=datetime.now(UTC),
        )
        plan = decide(given)
        findings, problem = await self.egress.reconcile(self.workload, plan, ())
        async with asyncio.timeout(10):
            while self.hosts.awaits(self.workload.ref):  # noqa: ASYNC110  # nobody tells
                await asyncio.sleep(0.02)
        findings, problem = await self.egress.reconcile(self.workload, plan, ())
        return findings[USAGE], problem


Body = Callable[[Kit], Awaitable[None]]
Run = Callable[[Body], None]


@pytest.fixture
def run(cluster: Cluster) -> Iterator[Run]:
    namespace = f"contain-{next(_numbers)}"
    cluster.kubectl("create", "namespace", namespace)

    async def main(body: Body) -> None:
        client = await KubernetesClient.connect(str(cluster.kubeconfig))
        try:
            await body(Kit(cluster, client, namespace))
        finally:
            await client.close()
            await asyncio.sleep(0.1)  # until its sockets are closed, too

    yield lambda body: asyncio.run(main(body))
    cluster.kubectl("delete", "telemetryhosts", "--all")
    cluster.kubectl("delete", "clusternetworkpolicies", "--all")
    cluster.kubectl("delete", "namespace", namespace, "--wait=false")


def excepted(found: Manifest | None) -> set[str]:
    assert found is not None
    return {
        address
        for peer in found["spec"]["egress"][0]["to"]
        for address in peer.get("ipBlock", {}).get("except", [])
    }


@pytest.fixture
def cilium(cluster: Cluster) -> Iterator[Callable[[str], None]]:
    """Cilium's kinds, and a way to take them away and bring them back."""

    def do(verb: str) -> None:
        for path in foreign_crds("cilium"):
            more = ["--server-side"] if verb == "apply" else ["--ignore-not-found"]
            cluster.kubectl(verb, *more, "-f", str(path))

    def is_served() -> bool:
        done = cluster.kubectl("get", "--raw=/apis/cilium.io/v2", check=False)
        return all(kind in done.stdout for kind in ("ciliumnetworkpolicies", "ciliumcidrgroups"))

    do("apply")
    eventually(is_served, say="Cilium's kinds")
    yield do
    do("delete")


@contextlib.contextmanager
def refused(kit: Kit, name: str) -> Iterator[None]:
    """The API server takes no NetworkPolicy of a name for a while."""
    metadata = {"name": f"{kit.namespace}.example.com"}
    rules = [
        {
            "apiGroups": ["networking.k8s.io"],
            "apiVersions": ["v1"],
            "operations": ["CREATE", "UPDATE"],
            "resources": ["networkpolicies"],
        }
    ]
    policy = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": metadata,
        "spec": {
            "matchConstraints": {"resourceRules": rules},
            "validations": [{"expression": f"object.metadata.name != '{name}'"}],
        },
    }
    binding = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": metadata,
        "spec": {"policyName": metadata["name"], "validationActions": ["Deny"]},
    }
    kit.kubectl("apply", "-f", "-", manifest=policy)
    kit.kubectl("apply", "-f", "-", manifest=binding)
    probe = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name},
        "spec": {"podSelector": {}},
    }
    try:
        eventually(lambda: not kit.takes(probe), say="the refusal")
        yield
    finally:
        kinds = "validatingadmissionpolicies,validatingadmissionpolicybindings"
        kit.kubectl("delete", kinds, metadata["name"])
        # It holds for a moment longer, also for the next test.
        eventually(lambda: kit.takes(probe), say="the end of the refusal")


async def until(holds: Callable[[], Awaitable[object]]) -> None:
    async with asyncio.timeout(20):
        while not await holds():  # noqa: ASYNC110  # nobody tells
            await asyncio.sleep(0.1)


async def denied(kit: Kit) -> None:
    found, problem = await kit.reconcile()
    assert (found.verdict, found.reason) == (
        EgressVerdict.DENIED,
        EgressReason.EVERY_ADDRESS_DENIED,
    )
    assert problem is None


@pytest.mark.parametrize("dialect", ["NetworkPolicy", "Cilium", "ClusterNetworkPolicy"])
def test_a_denial_outlives_the_loss_of_all_that_was_known(
    run: Run, dialect: str, request: pytest.FixtureRequest
) -> None:
    if dialect == "Cilium":
        request.getfixturevalue("cilium")
    what = {
        "NetworkPolicy": "networkpolicies",
        "Cilium": "ciliumcidrgroups",
        "ClusterNetworkPolicy": "clusternetworkpolicies",
    }[dialect]

    async def body(kit: Kit) -> None:
        kit.policy(egress={"dialect": dialect})
        kit.know("54.230.1.1", "54.230.1.9")
        async with kit.leading():
            await denied(kit)
        before = kit.kubectl("get", what, "--output=json")
        assert "54.230.1.9/32" in before

        # A restart; somebody deleted what was saved, and DNS is down.
        kit.kubectl("delete", "telemetryhost", HOST)
        again = Kit(kit.cluster, kit.client, kit.namespace)
        async with again.leading():
            for _ in range(2):
                found, problem = await again.reconcile()
                assert problem is None
                assert (found.verdict, found.reason) == (
                    EgressVerdict.UNKNOWN,
                    EgressReason.HOSTS_NOT_RESOLVED,
                )
                await asyncio.sleep(0.5)
            # Nothing of it was touched.
            assert kit.kubectl("get", what, "--output=json") == before

    run(body)


def test_what_denies_stays_until_what_takes_its_place_is_there(run: Run) -> None:
    async def body(kit: Kit) -> None:
        kit.policy()
        kit.know("54.230.1.1")
        async with kit.leading():
            await denied(kit)
            kit.policy(egress={"action": "Isolate"})
            with refused(kit, ISOLATE):
                assert (await kit.reconcile())[1] is not None
                assert kit.find(ISOLATE) is None
                assert excepted(kit.find()) == {"54.230.1.1/32"}

            async def is_there() -> bool:
                return (await kit.reconcile())[1] is None

            await until(is_there)
            assert kit.find(ISOLATE) is not None
            assert kit.find() is None

    run(body)


def test_what_opens_does_not_wait_for_what_takes_its_place(run: Run) -> None:
    theirs = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "theirs"},
        "spec": {"podSelector": {}, "policyTypes": ["Egress"]},
    }

    async def body(kit: Kit) -> None:
        kit.policy()
        kit.know("54.230.1.1")
        async with kit.leading():
            await denied(kit)
            kit.policy(egress={"action": "Isolate"})
            kit.kubectl("apply", "-f", "-", manifest=theirs)
            with refused(kit, ISOLATE):
                assert (await kit.reconcile())[1] is not None
                # Beside theirs it lets the rest of the internet through.
                assert kit.find() is None

    run(body)


def test_one_order_that_is_refused_does_not_keep_others_from_being_written(run: Run) -> None:
    async def body(kit: Kit) -> None:
        own = {"product": "sonarqube", "host": HOST}
        kit.policy()
        more = {"dialect": "ClusterNetworkPolicy", "hosts": [own]}
        kit.policy("updates", channels=["UpdateCheck"], egress=more)
        kit.know("54.230.1.1")
        with refused(kit, DENY):
            async with kit.leading():
                assert (await kit.reconcile())[1] is not None
                assert kit.find() is None
                found = kit.kubectl("get", "clusternetworkpolicies", "--output=json")
                assert "54.230.1.1/32" in found

    run(body)


def test_what_came_out_of_a_backup_is_kept_current(run: Run) -> None:
    async def body(kit: Kit) -> None:
        kit.policy()
        kit.know("54.230.1.1")
        async with kit.leading():
            await denied(kit)
        before = kit.find()
        assert before is not None
        kept = ("name", "labels", "annotations")
        restored = {**before, "metadata": {key: before["metadata"][key] for key in kept}}
        kit.kubectl("delete", "networkpolicy", DENY)
        kit.kubectl("create", "--field-manager=velero", "-f", "-", manifest=restored)
        kit.know("54.230.1.1", "54.230.1.9")

        again = Kit(kit.cluster, kit.client, kit.namespace)
        async with again.leading():
            await denied(again)
            assert excepted(kit.find()) == {"54.230.1.1/32", "54.230.1.9/32"}
            assert "ownerReferences" in (kit.find() or {})["metadata"]

    run(body)


def test_ours_goes_whatever_its_labels_say_and_a_copy_of_it_stays(run: Run) -> None:
    async def body(kit: Kit) -> None:
        kit.policy()
        kit.know("54.230.1.1")
        async with kit.leading():
            await denied(kit)
            found = kit.find()
            assert found is not None
            copied = {
                "name": "mine",
                **{k: found["metadata"][k] for k in ("labels", "annotations")},
            }
            copied["labels"] = {**copied["labels"]}
            kit.kubectl("create", "-f", "-", manifest={**found, "metadata": copied})
            everything = "app.kubernetes.io/managed-by-", "app.kubernetes.io/part-of-"
            kit.kubectl("label", "networkpolicy", DENY, *everything)
            kit.kubectl("annotate", "networkpolicy", DENY, "fleettelemetry.io/workload-")
            await kit.sync()
            await kit.egress.forget(kit.workload.ref)
            assert kit.find() is None
            assert kit.find("mine") is not None

    run(body)


def test_somebody_elses_of_the_same_name_is_never_deleted(run: Run) -> None:
    async def body(kit: Kit) -> None:
        kit.policy()
        kit.know("54.230.1.1")
        async with kit.leading():
            await denied(kit)
            found = kit.find()
            assert found is not None
            # Unseen by us, ours goes and theirs comes.
            kit.kubectl("delete", "networkpolicy", DENY)
            theirs = {**found, "metadata": {"name": DENY}}
            kit.kubectl("create", "-f", "-", manifest=theirs)
            with pytest.raises(ApiError) as raised:
                await kit.egress.forget(kit.workload.ref)
            assert raised.value.is_conflict
            assert kit.find() is not None

    run(body)


def test_what_a_clusters_default_shuts_off_is_not_opened(run: Run) -> None:
    baseline = {
        "apiVersion": "policy.networking.k8s.io/v1alpha2",
        "kind": "ClusterNetworkPolicy",
        "metadata": {"name": "default-deny"},
        "spec": {
            "tier": "Baseline",
            "priority": 1,
            "subject": {"namespaces": {}},
            "egress": [{"action": "Deny", "to": [{"networks": ["0.0.0.0/0"]}]}],
        },
    }

    async def body(kit: Kit) -> None:
        kit.policy()
        kit.know("54.230.1.1")
        async with kit.leading():
            await denied(kit)
            kit.kubectl("apply", "-f", "-", manifest=baseline)
            kit.enqueued.clear()
            await kit.egress.look()
            assert kit.workload.ref in kit.enqueued
            found, _ = await kit.reconcile()
            assert (found.verdict, found.reason) == (EgressVerdict.OPEN, EgressReason.WOULD_WIDEN)
            assert "default-deny" in found.detail
            assert kit.find() is None
            kit.kubectl("delete", "clusternetworkpolicy", "default-deny")
            await kit.egress.look()
            await denied(kit)

    run(body)


def test_a_dialects_kinds_go_and_come_back(run: Run, cilium: Callable[[str], None]) -> None:
    group = "ciliumcidrgroup"

    async def body(kit: Kit) -> None:
        kit.policy()
        kit.know("54.230.1.1")
        async with kit.leading():
            await denied(kit)
            assert kit.find(kind="ciliumnetworkpolicy") is not None
            assert kit.find() is None
            cilium("delete")

            async def is_gone() -> bool:
                await kit.egress.look()
                found, _ = await kit.reconcile()
                return found.verdict is EgressVerdict.DENIED and kit.find() is not None

            await until(is_gone)
            cilium("apply")

            async def is_back() -> bool:
                await kit.egress.look()
                await kit.reconcile()
                return kit.find(kind="ciliumnetworkpolicy") is not None

            await until(is_back)
            assert kit.find() is None
            assert "54.230.1.1/32" in kit.kubectl("get", group, "--output=json")

    run(body)


OLD_CILIUM = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "ciliumnetworkpolicies.cilium.io"},
    "spec": {
        "group": "cilium.io",
        "scope": "Namespaced",
        "names": {
            "kind": "CiliumNetworkPolicy",
            "listKind": "CiliumNetworkPolicyList",
            "plural": "ciliumnetworkpolicies",
        },
        "versions": [
            {
                "name": "v2",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "x-kubernetes-preserve-unknown-fields": True,
                    }
                },
            }
        ],
    },
}
"""Cilium before 1.18 serves its policies and no CiliumCIDRGroup v2."""


def test_an_older_cilium_gets_no_network_policy_that_denies(run: Run, cluster: Cluster) -> None:
    def is_served() -> bool:
        return "cilium.io" in cluster.kubectl("get", "--raw=/apis").stdout

    async def body(kit: Kit) -> None:
        kit.policy()
        kit.know("54.230.1.1")
        async with kit.leading():
            await denied(kit)
            assert kit.find() is not None
            kit.kubectl("apply", "-f", "-", manifest=OLD_CILIUM)

            async def is_gone() -> bool:
                await kit.egress.look()
                found, _ = await kit.reconcile()
                return found.reason is EgressReason.DIALECT_CANNOT and kit.find() is None

            await until(is_gone)
            found, _ = await kit.reconcile()
            assert "API group cilium.io" in found.detail
            assert "Cilium 1.18 or later" in found.detail
            # Nor where the policy asks for one.
            kit.policy(egress={"dialect": "NetworkPolicy"})
            found, _ = await kit.reconcile()
            assert (found.reason, kit.find()) == (EgressReason.DIALECT_CANNOT, None)

            kit.kubectl("delete", "crd", "ciliumnetworkpolicies.cilium.io")

            async def is_back() -> bool:
                await kit.egress.look()
                await kit.reconcile()
                return kit.find() is not None

            await until(is_back)

    try:
        run(body)
    finally:
        cluster.kubectl("delete", "crd", "ciliumnetworkpolicies.cilium.io", "--ignore-not-found")
        eventually(lambda: not is_served(), say="the end of Cilium's API group")


@pytest.mark.usefixtures("cilium")
def test_somebody_elses_group_is_told_and_nothing_refers_to_it(run: Run) -> None:
    async def body(kit: Kit) -> None:
        kit.policy()
        kit.know("54.230.1.1")
        async with kit.leading():
            await denied(kit)
            (found,) = json.loads(kit.kubectl("get", "ciliumcidrgroups", "--output=json"))["items"]
        name = found["metadata"]["name"]
        kit.kubectl("delete", "ciliumcidrgroup", name)
        kit.kubectl("delete", "ciliumnetworkpolicy", DENY)
        theirs = {**found, "metadata": {"name": name}, "spec": {"externalCIDRs": ["8.0.0.0/8"]}}
        kit.kubectl("create", "-f", "-", manifest=theirs)
        async with kit.leading():
            found, _ = await kit.reconcile()
            assert (found.verdict, found.reason) == (
                EgressVerdict.UNKNOWN,
                EgressReason.NAME_TAKEN,
            )
            assert name in found.detail
            assert kit.find(kind="ciliumnetworkpolicy") is None

    run(body)


def test_whoever_leads_again_looks_again(run: Run) -> None:
    async def body(kit: Kit) -> None:
        kit.policy(egress={"dialect": "ClusterNetworkPolicy"})
        kit.know("54.230.1.1")
        async with kit.leading():
            await denied(kit)
        # Somebody else led meanwhile, and the API server does not answer at first.
        kit.kubectl("delete", "clusternetworkpolicies", "--all")
        kit.egress._discovery.reset()
        found = kit.egress._discovery
        assert (found.known, found.live) == (False, {})
        async with kit.leading():
            await denied(kit)
            assert "54.230.1.1/32" in kit.kubectl("get", "clusternetworkpolicies", "--output=json")

    run(body)


def test_what_is_written_while_others_are_listed_is_not_forgotten(run: Run) -> None:
    async def body(kit: Kit) -> None:
        kit.policy(egress={"dialect": "ClusterNetworkPolicy"})
        kit.know("54.230.1.1")
        async with kit.leading():
            for _ in range(3):
                # What the list says is older than what is done meanwhile.
                await asyncio.gather(kit.egress.look(), denied(kit))
                assert len(kit.egress._discovery.live) == 1
                look = asyncio.create_task(kit.egress.look())
                await kit.egress.forget(kit.workload.ref)
                await look
                assert kit.egress._discovery.live == {}

    run(body)
