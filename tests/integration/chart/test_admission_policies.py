"""What the operator's own accounts may change in objects that belong to others: as those accounts,
on a real API server with the chart installed."""

from __future__ import annotations

import asyncio
import base64
import copy
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import trustme

from dev.cluster import Cluster
from dev.harness.operator import NAMESPACE, RELEASE
from fleet_telemetry.kube import kinds
from fleet_telemetry.kube.client import ApiError, KubernetesClient
from fleet_telemetry.objects.kind import Kind
from fleet_telemetry.workloads.registry import WorkloadKind
from fleet_telemetry.workloads.workload import NO_OP_PATCH_MANAGER
from tests.support.clusters import Clusters
from tests.support.forked_operator import local_operator
from tests.support.rollout_crd import define_rollouts
from tests.support.world import SONARQUBE, World, container, eventually, workload

pytestmark = pytest.mark.cluster

SPACE = "apps"
EXCLUDED = "kube-system"
Operation = dict[str, Any]
Client = Callable[[KubernetesClient], Awaitable[Any]]
KINDS = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "CronJob", "Rollout")
SECRET_REF = {"secretKeyRef": {"name": "a", "key": "b"}}


@dataclass(frozen=True)
class Stage:
    cluster: Cluster
    accounts: Mapping[str, Path] = field(default_factory=dict)

    def run(self, account: str, body: Client) -> None:
        """As a service account of the operator. Raises ApiError."""

        async def main() -> None:
            client = await KubernetesClient.connect(str(self.accounts[account]))
            try:
                await body(client)
            finally:
                await client.close()

        asyncio.run(main())

    def refusal(self, account: str, body: Client) -> str:
        """Why the API server refuses; empty if it does not."""
        try:
            self.run(account, body)
        except ApiError as error:
            if not error.is_forbidden:
                raise
            return str(error)
        return ""


@pytest.fixture(scope="module")
def stage(clusters: Clusters, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    directory = tmp_path_factory.mktemp("admission-policies")
    with clusters.lend(controller_manager=False) as cluster:
        define_rollouts(cluster)
        cluster.kubectl("create", "namespace", SPACE)
        operator = local_operator(cluster, directory / "operator")
        # No webhook runs here: what is not a matter of these policies would only wait for it.
        operator.install(
            {"webhook": {"excludedNamespaces": [EXCLUDED]}, "observed": {"enabled": True}},
            flags=["--timeout=60s"],
        )
        accounts = {
            role: cluster.service_account_kubeconfig(
                NAMESPACE, f"{RELEASE}-{role}", directory / role, seconds=3600
            )
            for role in ("controller", "webhook")
        }
        stage = Stage(cluster, accounts)
        world = World(cluster, operator, directory, None)  # type: ignore[arg-type]  # nobody resolves a name
        app = container(SONARQUBE)
        app["env"] = [{"name": "A", "value": "1"}, {"name": "B", "valueFrom": SECRET_REF}]
        app["args"] = ["-config.file=/x", "-reporting.enabled=true"]
        init = [container("busybox:1", name="first")]
        for kind in KINDS:
            for space in (SPACE, EXCLUDED):
                it = workload(kind, kind.lower(), copy.deepcopy(app), replicas=0)
                pod = it["spec"].get("jobTemplate", it)["spec"]["template"]["spec"]
                pod["initContainers"] = copy.deepcopy(init)
                pod["volumes"] = [{"name": "v", "emptyDir": {}}]
                it["metadata"]["namespace"] = space
                world.apply(it)
        for kind in KINDS:
            for on_pods in (False, True):
                name = f"{kind.lower()}-left-out-{on_pods}".lower()
                it = workload(kind, name, copy.deepcopy(app), replicas=0)
                pods = it["spec"].get("jobTemplate", it)["spec"]["template"]
                where = pods if on_pods else it
                labels = where.setdefault("metadata", {}).setdefault("labels", {})
                labels["fleettelemetry.io/inject"] = "disabled"
                it["metadata"]["namespace"] = SPACE
                world.apply(it)
        for name, image, more in CRON_JOBS:
            it = workload("CronJob", name, container(image, name="heartbeat"))
            it["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"] += more
            it["metadata"]["namespace"] = SPACE
            world.apply(it)
        # Admission policies are in force a moment after they are created.
        eventually(
            lambda: stage.refusal("controller", patching("Deployment", [NAME_A_LABEL])),
            say="the policies in force",
        )
        yield stage


HEARTBEAT = "mirror.example/linkerd/controller:stable-2.14.10"
CRON_JOBS = (
    ("heartbeat", HEARTBEAT, []),
    ("more", HEARTBEAT, [container("busybox:1", name="backup")]),
    ("other", "busybox:1", []),
)


def suspending(name: str, *, value: bool, is_dry: bool = True) -> Client:
    one = kinds.WORKLOAD_BY_KIND[WorkloadKind.CRON_JOB]
    query = {"fieldManager": "fleet-telemetry", **({"dryRun": "All"} if is_dry else {})}

    async def send(client: KubernetesClient) -> None:
        await client._request(  # the operator never makes a dry run
            "PATCH",
            one,
            one.path(SPACE, name),
            query,
            [add("/spec/suspend", value)],
            content_type="application/json-patch+json",
        )

    return send


def test_only_a_cron_job_that_calls_home_may_be_suspended(stage: Stage) -> None:
    assert stage.refusal("controller", suspending("heartbeat", value=True)) == ""
    for name in ("more", "other", "cronjob"):
        said = stage.refusal("controller", suspending(name, value=True))
        assert "the operator suspends only CronJobs that do nothing but call home" in said
    # Every CronJob may be resumed: the product may have been suspended before the image changed.
    stage.run("controller", suspending("heartbeat", value=True, is_dry=False))
    assert stage.refusal("controller", suspending("heartbeat", value=False)) == ""


NAME_A_LABEL = {"op": "add", "path": "/metadata/labels", "value": {"a": "b"}}


def patching(
    kind: str, operations: Sequence[Operation], space: str = SPACE, manager: str = "fleet-telemetry"
) -> Client:
    one = kinds.WORKLOAD_BY_KIND[WorkloadKind(kind)]
    return lambda client: client.patch(one, kind.lower(), operations, space, field_manager=manager)


def pod_path(kind: str) -> str:
    return "/spec/jobTemplate/spec/template" if kind == "CronJob" else "/spec/template"


def add(path: str, value: Any) -> Operation:
    return {"op": "add", "path": path, "value": value}


ALLOWED: dict[str, list[Operation]] = {
    "no-op": [],
    "add": [add("/spec/containers/0/env/-", {"name": "SONAR_TELEMETRY_ENABLE", "value": "false"})],
    "replace": [{"op": "replace", "path": "/spec/containers/0/env/0/value", "value": "2"}],
    "remove": [{"op": "remove", "path": "/spec/containers/0/env/0"}],
    "the first": [add("/spec/initContainers/0/env", [{"name": "X", "value": "1"}])],
    "all": [{"op": "remove", "path": "/spec/containers/0/env"}],
    "argument": [add("/spec/containers/0/args/0", "-reporting.enabled=false")],
    "argument replaced": [
        {"op": "replace", "path": "/spec/containers/0/args/1", "value": "-reporting.enabled=false"}
    ],
    "argument removed": [{"op": "remove", "path": "/spec/containers/0/args/1"}],
    "arguments of an image": [
        add(
            "/spec/initContainers/0/args",
            ["-reporting.enabled=false", "-config.file=/etc/loki/local-config.yaml"],
        )
    ],
    "argument of an image without any": [
        add("/spec/initContainers/0/args", ["-reporting.enabled=false"])
    ],
}
"""Patches of a pod template that the operator makes."""
REFUSED: dict[str, Operation] = {
    "image": add("/spec/containers/0/image", "evil:1"),
    "command": add("/spec/containers/0/command", ["sh"]),
    "args": add("/spec/containers/0/args", ["-x"]),
    "another argument": add("/spec/containers/0/args/0", "-config.file=/evil"),
    "another value": add("/spec/containers/0/args/0", "-reporting.enabled=$(A)"),
    "an argument less": {"op": "remove", "path": "/spec/containers/0/args/0"},
    "no arguments": {"op": "remove", "path": "/spec/containers/0/args"},
    "other arguments of an image": add("/spec/initContainers/0/args", ["-c", "evil"]),
    "a word with a value behind it": add("/spec/containers/0/args/2", "evil"),
    "container": add("/spec/containers/-", {"name": "evil", "image": "evil:1"}),
    "no container": add("/spec/initContainers", []),
    "init image": add("/spec/initContainers/0/image", "evil:1"),
    "name": add("/spec/containers/0/name", "other"),
    "env from": add("/spec/containers/0/envFrom", [{"secretRef": {"name": "a"}}]),
    "privileged": add("/spec/containers/0/securityContext", {"privileged": True}),
    "mount": add("/spec/containers/0/volumeMounts", [{"name": "v", "mountPath": "/v"}]),
    "lifecycle": add("/spec/containers/0/lifecycle", {"postStart": {"exec": {"command": ["sh"]}}}),
    "port": add("/spec/containers/0/ports", [{"containerPort": 1}]),
    "resources": add("/spec/containers/0/resources", {"limits": {"cpu": "1"}}),
    "account": add("/spec/serviceAccountName", "admin"),
    "host network": add("/spec/hostNetwork", True),
    "pod security": add("/spec/securityContext", {"runAsUser": 1000}),
    "volume": add("/spec/volumes/0", {"name": "h", "hostPath": {"path": "/"}}),
    "no volume": {"op": "remove", "path": "/spec/volumes"},
    "node": add("/spec/nodeName", "node"),
    "template label": add("/metadata/labels/more", "1"),
    "template annotation": add("/metadata/annotations", {"sidecar.istio.io/inject": "false"}),
    "reference": add("/spec/containers/0/env/-", {"name": "C", "valueFrom": SECRET_REF}),
    "other reference": add(
        "/spec/containers/0/env/1/valueFrom", {"secretKeyRef": {"name": "a", "key": "c"}}
    ),
    "loader": add("/spec/containers/0/env/-", {"name": "LD_PRELOAD", "value": "/x.so"}),
    "runtime": add("/spec/containers/0/env/-", {"name": "JAVA_TOOL_OPTIONS", "value": "-x"}),
    "path": add("/spec/initContainers/0/env", [{"name": "PATH", "value": "/tmp"}]),
}
"""Patches of a pod template that nobody needs who injects settings."""


def under(kind: str, operation: Operation) -> Operation:
    return {**operation, "path": pod_path(kind) + operation["path"]}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("what", ALLOWED)
def test_env_of_containers_may_be_changed(stage: Stage, kind: str, what: str) -> None:
    # As a dry run, so that each case meets the workload as it was.
    operations = [under(kind, one) for one in ALLOWED[what]]
    uid = {"op": "test", "path": "/kind", "value": kind}
    assert stage.refusal("controller", dry(kind, [uid, *operations])) == ""


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("what", REFUSED)
def test_nothing_else_of_a_pod_template_may_be_changed(stage: Stage, kind: str, what: str) -> None:
    said = stage.refusal("controller", dry(kind, [under(kind, REFUSED[what])]))
    assert "the operator" in said


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "operation",
    [
        add("/metadata/labels", {"a": "b"}),
        add("/metadata/annotations", {"a": "b"}),
        add("/metadata/finalizers", ["example.com/a"]),
        add(
            "/metadata/ownerReferences",
            [{"apiVersion": "v1", "kind": "Pod", "name": "a", "uid": "b"}],
        ),
        add("/spec/suspend", True),
        add("/spec/minReadySeconds", 7),
        add("/spec/replicas", 3),
        add("/spec/jobTemplate/metadata", {"labels": {"a": "b"}}),
        add("/spec/jobTemplate/spec/parallelism", 9),
    ],
    ids=lambda operation: operation["path"].strip("/").replace("/", "-"),
)
def test_nothing_else_of_a_workload_may_be_changed(
    stage: Stage, kind: str, operation: Operation
) -> None:
    is_cron_field = "suspend" in operation["path"] or "jobTemplate" in operation["path"]
    if not operation["path"].startswith("/metadata") and is_cron_field != (kind == "CronJob"):
        pytest.skip("this kind has no such field")
    if (operation["path"], kind) in {
        ("/spec/replicas", "DaemonSet"),
        ("/spec/minReadySeconds", "Rollout"),
    }:
        pytest.skip("this kind has no such field")
    assert "the operator" in stage.refusal("controller", dry(kind, [operation]))


@pytest.mark.parametrize("kind", KINDS)
def test_an_excluded_namespace_is_not_written_to(stage: Stage, kind: str) -> None:
    operations = [under(kind, one) for one in ALLOWED["add"]]
    assert "excludedNamespaces" in stage.refusal("controller", dry(kind, operations, EXCLUDED))


@pytest.mark.parametrize("on_pods", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_a_workload_that_a_label_leaves_out_is_not_written_to(
    stage: Stage, kind: str, on_pods: bool
) -> None:
    operations = [under(kind, one) for one in ALLOWED["add"]]
    name = f"{kind.lower()}-left-out-{on_pods}".lower()
    assert "fleettelemetry.io/inject" in stage.refusal(
        "controller", dry(kind, operations, name=name)
    )


def test_others_are_not_restricted(stage: Stage) -> None:
    stage.cluster.kubectl("label", "deployment", "deployment", "a=b", f"--namespace={SPACE}")
    stage.cluster.kubectl("label", "deployment", "deployment", "a-", f"--namespace={SPACE}")


def dry(
    kind: str, operations: Sequence[Operation], space: str = SPACE, *, name: str = ""
) -> Client:
    """A patch that changes nothing in the end."""
    one = kinds.WORKLOAD_BY_KIND[WorkloadKind(kind)]

    async def send(client: KubernetesClient) -> None:
        await client._request(  # the operator never makes a dry run
            "PATCH",
            one,
            one.path(space, name or kind.lower()),
            {"fieldManager": NO_OP_PATCH_MANAGER, "dryRun": "All"},
            list(operations),
            content_type="application/json-patch+json",
        )

    return send


def manifest(kind: Kind, name: str, labels: Mapping[str, str], **more: Any) -> dict[str, Any]:
    metadata = {"name": name, "labels": dict(labels)}
    if kind.namespaced:
        metadata["namespace"] = SPACE
    return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata, **more}


OURS = {"app.kubernetes.io/managed-by": "fleet-telemetry"}


@pytest.mark.parametrize(
    ("name", "labels", "fine"),
    [
        ("fleet-telemetry-deny-deployment-a", OURS, True),
        ("deny-all", OURS, False),
        ("fleet-telemetry-deny-deployment-a", {}, False),
        ("fleet-telemetry-deny-deployment-a", {"app.kubernetes.io/managed-by": "me"}, False),
        ("x-fleet-telemetry-a", OURS, False),
    ],
)
def test_only_network_policies_of_the_operator_are_written(
    stage: Stage, name: str, labels: Mapping[str, str], fine: bool
) -> None:
    it = manifest(kinds.NETWORK_POLICY, name, labels, spec={"podSelector": {}})
    said = stage.refusal("controller", lambda c: c.apply(kinds.NETWORK_POLICY, it))
    assert bool(said) is not fine
    if fine:
        stage.run("controller", lambda c: c.delete(kinds.NETWORK_POLICY, name, SPACE))


def test_a_network_policy_of_others_is_not_deleted(stage: Stage) -> None:
    it = manifest(kinds.NETWORK_POLICY, "default-deny", OURS, spec={"podSelector": {}})
    World(stage.cluster, None, Path(), None).apply(it)  # type: ignore[arg-type]  # only the cluster is needed
    delete = stage.refusal(
        "controller", lambda c: c.delete(kinds.NETWORK_POLICY, "default-deny", SPACE)
    )
    assert "names begin with fleet-telemetry-" in delete


@pytest.mark.parametrize(("name", "fine"), [(f"{RELEASE}-allowlist", True), ("other", False)])
def test_no_other_config_map_is_created(stage: Stage, name: str, fine: bool) -> None:
    it = manifest(kinds.CONFIG_MAP, name, OURS)
    it["metadata"]["namespace"] = NAMESPACE
    said = stage.refusal("controller", lambda c: c.apply(kinds.CONFIG_MAP, it))
    assert bool(said) is not fine


@pytest.mark.parametrize(("name", "fine"), [(RELEASE, True), ("other", False)])
def test_no_other_lease_is_created(stage: Stage, name: str, fine: bool) -> None:
    it = manifest(kinds.LEASE, name, {})
    it["metadata"]["namespace"] = NAMESPACE
    said = stage.refusal("controller", lambda c: c.create(kinds.LEASE, it, NAMESPACE))
    assert bool(said) is not fine


DNSTAP = f"{RELEASE}-dnstap"
LEADERS_SLICE = f"{DNSTAP}-leader"


def slice_of(service: str, name: str = LEADERS_SLICE, space: str = NAMESPACE) -> dict[str, Any]:
    labels = {"kubernetes.io/service-name": service} if service else {}
    it = manifest(kinds.ENDPOINT_SLICE, name, labels)
    it["metadata"]["namespace"] = space
    return {
        **it,
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["192.0.2.1"]}],
        "ports": [{"name": "dnstap", "protocol": "TCP", "port": 6000}],
    }


def test_the_leaders_endpoints_are_written(stage: Stage) -> None:
    it = slice_of(DNSTAP)
    stage.run("controller", lambda c: c.apply(kinds.ENDPOINT_SLICE, it))
    # Nobody leads.
    stage.run("controller", lambda c: c.apply(kinds.ENDPOINT_SLICE, {**it, "endpoints": []}))
    stage.cluster.kubectl("delete", "endpointslice", LEADERS_SLICE, f"--namespace={NAMESPACE}")


@pytest.mark.parametrize(
    ("it", "said"),
    [
        (slice_of(DNSTAP, "other"), "no other EndpointSlice"),
        (slice_of(DNSTAP, f"{LEADERS_SLICE}-2"), "no other EndpointSlice"),
        (slice_of(DNSTAP, f"x-{LEADERS_SLICE}"), "no other EndpointSlice"),
        (slice_of(f"{RELEASE}-webhook"), f"one of the Service {DNSTAP}"),
        (slice_of(""), f"one of the Service {DNSTAP}"),
        # Here RBAC says so.
        (slice_of(DNSTAP, space=SPACE), "cannot"),
        (slice_of("kube-dns", space="kube-system"), "cannot"),
    ],
    ids=lambda it: f"{it['metadata']['name']}" if isinstance(it, dict) else "",
)
def test_no_other_endpoints_are_created(stage: Stage, it: dict[str, Any], said: str) -> None:
    space = it["metadata"]["namespace"]
    create = stage.refusal("controller", lambda c: c.create(kinds.ENDPOINT_SLICE, it, space))
    assert said in create


def test_no_other_endpoints_are_changed(stage: Stage) -> None:
    world = World(stage.cluster, None, Path(), None)  # type: ignore[arg-type]  # only the cluster is needed
    for name in ("others", LEADERS_SLICE):
        world.apply(slice_of(f"{RELEASE}-webhook", name))
    operations = [add("/endpoints", [])]
    for name in ("others", LEADERS_SLICE):
        assert stage.refusal(
            "controller",
            lambda c, n=name: c.patch(kinds.ENDPOINT_SLICE, n, operations, NAMESPACE),
        )
        assert stage.refusal(
            "controller", lambda c, n=name: c.delete(kinds.ENDPOINT_SLICE, n, NAMESPACE)
        )
        stage.cluster.kubectl("delete", "endpointslice", name, f"--namespace={NAMESPACE}")


def test_the_webhook_writes_no_endpoints(stage: Stage) -> None:
    it = slice_of(DNSTAP)
    assert stage.refusal("webhook", lambda c: c.create(kinds.ENDPOINT_SLICE, it, NAMESPACE))


PRODUCTS = f"{RELEASE}-products"
WEBHOOK = {
    "name": "a.products.fleettelemetry.io",
    "admissionReviewVersions": ["v1"],
    "sideEffects": "None",
    "failurePolicy": "Ignore",
    "clientConfig": {
        "service": {"name": f"{RELEASE}-webhook", "namespace": NAMESPACE, "path": "/mutate"}
    },
    "rules": [
        {
            "apiGroups": ["apps"],
            "apiVersions": ["v1"],
            "resources": ["deployments"],
            "operations": ["CREATE"],
        }
    ],
    "namespaceSelector": {
        "matchExpressions": [
            {
                "key": "kubernetes.io/metadata.name",
                "operator": "NotIn",
                "values": [EXCLUDED, NAMESPACE],
            }
        ]
    },
}


def configuration(name: str = PRODUCTS, **changes: Any) -> Client:
    it = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": name},
        "webhooks": [{**WEBHOOK, **changes}],
    }
    return lambda client: client.apply(kinds.MUTATING_WEBHOOKS, it)


def test_the_second_webhook_configuration_is_filled_and_emptied(stage: Stage) -> None:
    def webhooks() -> list[Any]:
        text = stage.cluster.kubectl(
            "get", "mutatingwebhookconfiguration", PRODUCTS, "-o=jsonpath={.webhooks[*].name}"
        ).stdout
        return text.split()

    assert webhooks() == []
    stage.run("controller", configuration())
    assert webhooks() == [WEBHOOK["name"]]
    empty = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": PRODUCTS},
    }
    stage.run("controller", lambda client: client.apply(kinds.MUTATING_WEBHOOKS, empty))
    assert webhooks() == []


@pytest.mark.parametrize(
    "changes",
    [
        {"failurePolicy": "Fail"},
        {"clientConfig": {"url": "https://collector.example/mutate"}},
        {"clientConfig": {"service": {**WEBHOOK["clientConfig"]["service"], "name": "other"}}},
        {"clientConfig": {"service": {**WEBHOOK["clientConfig"]["service"], "namespace": SPACE}}},
        {"clientConfig": {"service": {**WEBHOOK["clientConfig"]["service"], "path": "/x"}}},
        {"namespaceSelector": {}},
        {"rules": [{**WEBHOOK["rules"][0], "resources": ["*"]}]},
        {"rules": [{**WEBHOOK["rules"][0], "apiGroups": ["*"]}]},
        {"rules": [{**WEBHOOK["rules"][0], "operations": ["DELETE"]}]},
    ],
)
def test_its_webhooks_are_like_the_charts(stage: Stage, changes: dict[str, Any]) -> None:
    assert "the controller's webhooks" in stage.refusal("controller", configuration(**changes))


def test_no_other_webhook_configuration_is_written(stage: Stage) -> None:
    for name in (RELEASE, "other"):
        assert stage.refusal("controller", configuration(name))
    for account in ("controller", "webhook"):
        for name in (RELEASE, PRODUCTS, "other"):
            assert stage.refusal(account, lambda c, n=name: c.delete(kinds.MUTATING_WEBHOOKS, n))


@pytest.mark.parametrize("kind", [kinds.MUTATING_WEBHOOKS, kinds.VALIDATING_WEBHOOKS])
def test_the_webhook_writes_its_ca_and_nothing_else(stage: Stage, kind: Kind) -> None:
    def patch(*operations: Operation) -> Client:
        return lambda client: client.patch(kind, RELEASE, operations)

    bundle = base64.b64encode(trustme.CA().cert_pem.bytes()).decode()
    said = stage.refusal("webhook", patch(add("/webhooks/0/clientConfig/caBundle", bundle)))
    assert said == ""
    for operation in (
        add("/webhooks/0/failurePolicy", "Ignore" if kind is kinds.VALIDATING_WEBHOOKS else "Fail"),
        add("/webhooks/0/clientConfig", {"url": "https://collector.example/mutate"}),
        add("/webhooks/0/clientConfig/service/name", "other"),
        add("/webhooks/0/rules/0/resources", ["*"]),
        add("/webhooks/0/namespaceSelector", {"matchLabels": {"a": "b"}}),
        add("/metadata/labels/a", "b"),
        {"op": "remove", "path": "/webhooks/0"},
    ):
        assert (
            "of a webhook configuration" in (refused := stage.refusal("webhook", patch(operation)))
            or "metadata of webhook configurations" in refused
        ), operation


@pytest.mark.parametrize("account", ["controller", "webhook"])
def test_no_other_secret_is_written(stage: Stage, account: str) -> None:
    operations = [add("/data", {"a": "Yg=="})]
    stage.cluster.kubectl(
        "create", "secret", "generic", f"other-{account}", f"--namespace={NAMESPACE}"
    )
    said = stage.refusal(
        account, lambda c: c.patch(kinds.SECRET, f"other-{account}", operations, NAMESPACE)
    )
    assert said
