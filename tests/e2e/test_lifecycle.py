"""The chart's life: upgrade from the previous one, rollback, uninstall, and again; with both Helms.

There is no older operator: the processes are the present one, whichever chart is installed.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from dev.cluster.cluster import HelmProgram
from dev.cluster.foreign_crds import foreign_crds
from dev.harness.dns_server import LocalDnsServer, Records
from dev.harness.operator import CHART, NAMESPACE, RELEASE, ROOT, Role, egress_values
from dev.harness.replicas import Replicas
from tests.support.clusters import Clusters
from tests.support.forked_operator import local_operator, run_command
from tests.support.load import Load
from tests.support.previous_chart import previous_chart
from tests.support.world import (
    DTRACK_4,
    SONAR_SWITCH,
    SONARQUBE,
    V4_SWITCH,
    Manifest,
    Space,
    World,
    container,
    eventually,
    policy,
    workload,
)

pytestmark = pytest.mark.cluster

HOST = "telemetry.sonarsource.com"
DENY = {"action": "Deny", "sharedAddresses": "Accept"}
OWN_HOST = {"product": "sonarqube", "host": "own.example.com"}
NETWORK_POLICIES = (
    "networkpolicies",
    "ciliumnetworkpolicies",
    "ciliumcidrgroups",
    "clusternetworkpolicies",
)
UNINSTALL = f"{RELEASE}-uninstall"
COLLECTED_SECONDS = 120.0
"""The garbage collector learns of new kinds every 30 seconds, and lists them then."""


@pytest.fixture(params=["helm", "helm3"], ids=["helm-4", "helm-3"])
def program(request: pytest.FixtureRequest) -> HelmProgram:
    found: HelmProgram = request.param
    return found


@contextmanager
def _world(
    clusters: Clusters, directory: Path, program: HelmProgram, *, pods: bool = True
) -> Iterator[Space]:
    """A cluster on which nothing is installed."""
    with (
        LocalDnsServer(directory / "names") as names,
        clusters.lend(scheduler=pods, kwok=pods) as cluster,
    ):
        names.set(HOST, Records(a=["54.230.1.1"], ttl=1))
        operator = local_operator(cluster, directory / "operator", helm=program)
        yield Space(World(cluster, operator, directory, names), "default")
        operator.stop_all()


@pytest.fixture
def bare(clusters: Clusters, tmp_path: Path, program: HelmProgram) -> Iterator[Space]:
    with _world(clusters, tmp_path, program) as space:
        yield space


@pytest.fixture
def podless(clusters: Clusters, tmp_path: Path, program: HelmProgram) -> Iterator[Space]:
    """A cluster in which pods stay Pending, with all kinds of network policies."""
    with _world(clusters, tmp_path, program, pods=False) as space:
        for name in ("cilium", "network-policy-api"):
            for path in foreign_crds(name):
                space.kubectl("apply", "--server-side", "-f", str(path))
        yield space


def _install(space: Space, *, chart: Path | None = None, on_uninstall: str = "Keep") -> None:
    egress = {**egress_values(space.world.names), "onUninstall": on_uninstall}
    more = {} if chart is None else {"chart": chart}
    space.world.operator.install({"egress": egress}, **more)


def _start(space: Space) -> None:
    roles: tuple[Role, ...] = ("webhook", "controller")
    for role in roles:
        more = ["--dns-interval=1"] if role == "controller" else []
        space.world.operator.start(role, extra=more)
    space.world.operator.wait_until_ready()


def _roll(space: Space) -> None:
    """What a Deployment does whose template has changed, in short."""
    space.world.operator.stop_all()
    _start(space)


def _make_a_fleet(space: Space) -> None:
    """Policies, injected workloads and network policies, as a cluster has them."""
    fleet = {**policy("fleet", products=["dependency-track"]), "kind": "ClusterTelemetryPolicy"}
    space.world.apply(fleet)
    space.policy(products=["sonarqube"], egress=DENY)
    # A status is no sign that the webhook knows a policy.
    for image, switch in ((SONARQUBE, SONAR_SWITCH), (DTRACK_4, V4_SWITCH)):
        _wait_for_injection(space, image, switch)
    space.apply(
        workload("Deployment", "sonar", container(SONARQUBE), replicas=2),
        workload("StatefulSet", "dtrack", container(DTRACK_4)),
    )
    space.telemetry("Deployment", "sonar", state="Compliant", egress="Denied")
    space.telemetry("StatefulSet", "dtrack", declared="Disabled", running="Disabled")
    # A pod is written to until it is placed.
    for one in ("deployment/sonar", "statefulset/dtrack"):
        space.kubectl("rollout", "status", one, "--timeout=60s")
    _is_injected(space)


def _wait_for_injection(space: Space, image: str, switch: str) -> None:
    probe = workload("Deployment", "probe", container(image), replicas=0)
    eventually(
        lambda: switch in space.apply(probe, flags=["--dry-run=server", "-o=json"]),
        say="an injection",
    )


def _is_injected(space: Space) -> None:
    assert space.env("deployment", "sonar") == {SONAR_SWITCH: "false"}
    assert space.env("statefulset", "dtrack") == {V4_SWITCH: "false"}


def _items(space: Space, *kinds: str) -> list[Manifest]:
    text = space.kubectl("get", ",".join(kinds), "--all-namespaces", "--output=json").stdout
    found: list[Manifest] = json.loads(text)["items"]
    return found


def _fleet(space: Space) -> dict[str, tuple[object, ...]]:
    """Who is there, and whether anybody has written to them: statuses do not count."""
    kinds = "telemetrypolicies,clustertelemetrypolicies,workloadtelemetries,networkpolicies"
    return {
        " ".join([one["kind"], one["metadata"].get("namespace", "-"), one["metadata"]["name"]]): (
            one["metadata"]["uid"],
            one["metadata"].get("generation"),
            # A record is nothing but its status.
            one.get("spec"),
        )
        for one in _items(space, kinds, "deployments,replicasets,statefulsets,pods")
        if one["metadata"].get("namespace") != NAMESPACE
    }


def _knows_hosts(space: Space) -> bool:
    """Whether the CRD of policies has the field that the previous one did not have."""
    crd = space.world.get("crd", "telemetrypolicies.fleettelemetry.io")
    return "own.example.com" not in json.dumps(crd) and '"hosts"' in json.dumps(crd)


def test_an_upgrade_keeps_policies_and_writes_to_no_workload(bare: Space, tmp_path: Path) -> None:
    space = bare
    _install(space, chart=previous_chart(tmp_path, statuses=True))
    _start(space)
    _make_a_fleet(space)
    refused = space.try_apply(policy("newer", egress={**DENY, "hosts": [OWN_HOST]}))
    assert 'unknown field "hosts"' in refused.stderr
    before = _fleet(space)
    assert not _knows_hosts(space)

    _install(space)
    assert _knows_hosts(space)
    assert _fleet(space) == before
    _roll(space)
    space.telemetry("Deployment", "sonar", state="Compliant", egress="Denied")
    space.condition("telemetrypolicy", "opt-out", "Programmed", status="True")
    assert _fleet(space) == before

    space.world.names.set(OWN_HOST["host"], Records(a=["54.230.7.7"], ttl=1))
    space.policy(products=["sonarqube"], egress={**DENY, "hosts": [OWN_HOST]})
    eventually(
        lambda: "54.230.7.7/32" in json.dumps(_items(space, "networkpolicies")),
        seconds=60,
        say="what the new field asks for",
    )


def test_an_upgrade_loses_no_request(bare: Space, tmp_path: Path) -> None:
    space, operator = bare, bare.world.operator
    _install(space, chart=previous_chart(tmp_path))
    replicas = Replicas(operator, 2)
    try:
        eventually(lambda: space.try_apply(policy()).returncode == 0, say="a policy")
        _wait_for_injection(space, SONARQUBE, SONAR_SWITCH)
        with Load(space.world.cluster, rate=10) as load:
            time.sleep(1)
            _install(space)
            replicas.roll()
            operator.helm("rollback", RELEASE, "1")
            time.sleep(1)
        assert len(load.created) > 50
        assert load.summary.failed == []
        assert load.summary.missed == []
    finally:
        operator.stop_all()
        replicas.close()


def test_a_rollback_keeps_policies_and_forgets_what_only_the_newer_one_knows(
    bare: Space, tmp_path: Path
) -> None:
    space, operator = bare, bare.world.operator
    _install(space, chart=previous_chart(tmp_path))
    _install(space)
    _start(space)
    _make_a_fleet(space)
    newer = {"products": ["emqx"], "egress": {**DENY, "hosts": [{**OWN_HOST, "product": "emqx"}]}}
    space.policy("newer", **newer)
    before = _fleet(space)

    operator.helm("rollback", RELEASE, "1")
    assert not _knows_hosts(space)
    after = _fleet(space)
    assert space.get("telemetrypolicy", "newer")["spec"]["egress"] == DENY | {"dialect": "Auto"}
    changed = {key for key in before if after.get(key) != before[key]}
    assert changed == {"TelemetryPolicy default newer"}
    assert after.keys() == before.keys()

    # The present operator cannot write all that it knows into older CRDs. It goes on, also when it
    # starts on them, and injects; and says what is wrong.
    for role in ("webhook", "controller"):
        operator.children.check(role)
    _roll(space)
    space.apply(workload("Deployment", "later", container(SONARQUBE)))
    assert space.env("deployment", "later") == {SONAR_SWITCH: "false"}
    eventually(
        lambda: "field not declared in schema" in operator.log("controller").read_text(),
        say="what is wrong",
    )
    assert "Traceback" not in operator.log("controller").read_text()

    # And forward again.
    _install(space)
    _roll(space)
    space.telemetry("Deployment", "later", state="Compliant")
    space.policy("newer", **newer)
    assert "hosts" in space.get("telemetrypolicy", "newer")["spec"]["egress"]
    for key, state in before.items():
        if key != "TelemetryPolicy default newer":
            assert _fleet(space)[key] == state, key


def test_after_an_uninstall_nothing_hangs_and_injected_settings_stay(bare: Space) -> None:
    space, operator, cluster = bare, bare.world.operator, bare.world.cluster
    _install(space)
    _start(space)
    _make_a_fleet(space)
    short_lived = Space(space.world, "short-lived")
    cluster.kubectl("create", "namespace", short_lived.name)
    short_lived.policy(egress=DENY)
    short_lived.apply(workload("Deployment", "sonar", container(SONARQUBE)))
    short_lived.telemetry("Deployment", "sonar", egress="Denied")
    short_lived.kubectl("rollout", "status", "deployment/sonar", "--timeout=60s")
    space.world.apply(yaml.safe_load((ROOT / "examples" / "policies" / "product.yaml").read_text()))
    eventually(
        lambda: (
            "webhooks" in space.world.get("mutatingwebhookconfiguration", f"{RELEASE}-products")
        ),
        say="the configuration of products",
    )
    before = _fleet(space)
    operator.stop_all()
    said = operator.helm("uninstall", RELEASE)
    assert "customresourcedefinition" in said.lower().replace(" ", ""), said

    for kind in ("mutatingwebhookconfigurations", "validatingwebhookconfigurations"):
        eventually(
            lambda kind=kind: cluster.kubectl("get", kind, "-o", "name").stdout == "",
            seconds=COLLECTED_SECONDS,
            say=f"the end of {kind}",
        )
    # Policies, records and network policies are kept, and nothing of it keeps anybody from going.
    assert _fleet(space) == before
    cluster.kubectl("delete", "namespace", short_lived.name, "--timeout=60s")
    space.kubectl("delete", "telemetrypolicy", "opt-out", "--timeout=20s")
    eventually(
        lambda: _items(space, "networkpolicies") == [],
        seconds=COLLECTED_SECONDS,
        say="the end of what it owned",
    )
    space.apply(workload("Deployment", "sonar", container(SONARQUBE, env={"A": "1"}), replicas=2))
    assert space.env("deployment", "sonar") == {"A": "1", SONAR_SWITCH: "false"}
    cluster.kubectl("delete", "crds", "-l", "app.kubernetes.io/name=fleet-telemetry-operator")
    cluster.kubectl("delete", "namespace", NAMESPACE, "--timeout=60s")
    assert space.env("statefulset", "dtrack") == {V4_SWITCH: "false"}


def test_after_an_uninstall_it_takes_up_where_it_was(bare: Space) -> None:
    space, operator = bare, bare.world.operator
    _install(space)
    _start(space)
    _make_a_fleet(space)
    before = _fleet(space)
    operator.stop_all()
    operator.helm("uninstall", RELEASE)

    _install(space)
    _start(space)
    space.apply(workload("Deployment", "later", container(SONARQUBE)))
    assert space.env("deployment", "later") == {SONAR_SWITCH: "false"}
    space.telemetry("Deployment", "later", state="Compliant", egress="Denied")
    after = _fleet(space)
    assert {key: after[key] for key in before} == before

    # Under another name Helm has to be told that it may have the CRDs.
    operator.stop_all()
    operator.helm("uninstall", RELEASE)
    with pytest.raises(subprocess.CalledProcessError) as refused:
        operator.helm("install", "other", str(CHART))
    assert "invalid ownership metadata" in refused.value.stderr
    operator.helm("install", "other", str(CHART), "--take-ownership")


# What becomes of network policies


def _deny_in_every_dialect(space: Space) -> None:
    for number, dialect in enumerate(("Cilium", "ClusterNetworkPolicy", "NetworkPolicy")):
        name = f"s{number}"
        # Beside Cilium, no NetworkPolicy denies.
        egress = {"action": "Isolate"} if dialect == "NetworkPolicy" else DENY
        selector = {"matchLabels": {"app": name}}
        space.policy(name, selector=selector, egress={**egress, "dialect": dialect})
        space.apply(workload("Deployment", name, container(SONARQUBE)))
    eventually(lambda: len(_ours(space)) == 4, seconds=90, say="all four kinds")


def _ours(space: Space) -> set[str]:
    label = "-l=app.kubernetes.io/managed-by=fleet-telemetry"
    flags = ["--all-namespaces", label, "--output=name"]
    return set(space.kubectl("get", ",".join(NETWORK_POLICIES), *flags).stdout.split())


def _theirs(space: Space) -> None:
    """A copy that somebody made of one of ours."""
    # The chart has NetworkPolicies of its own, for the operator's pods.
    label = {"app.kubernetes.io/managed-by": "fleet-telemetry"}
    (ours,) = (
        one
        for one in _items(space, "networkpolicies")
        if label.items() <= one["metadata"].get("labels", {}).items()
    )
    metadata = {"name": "theirs", "namespace": "default", "labels": ours["metadata"]["labels"]}
    space.apply({**ours, "metadata": metadata})


def _program(space: Space, *arguments: str, kubeconfig: Path) -> tuple[int, str]:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(space.world.directory),
        "KUBECONFIG": str(kubeconfig),
    }
    done = run_command(*arguments, environment=environment)
    return done.returncode, done.stdout + done.stderr


def _play_the_job(space: Space, uninstalled: Callable[[], bool]) -> str:
    """Run what stands in the Job, with the rights that it has, and end its pod."""

    def find() -> Manifest | None:
        assert not uninstalled(), "Helm did not wait for the Job"
        flags = [f"-l=batch.kubernetes.io/job-name={UNINSTALL}", "--output=json"]
        text = space.kubectl("get", "pods", f"--namespace={NAMESPACE}", *flags).stdout
        return next(iter(json.loads(text)["items"]), None)

    pod = eventually(find, seconds=60, say="the Job's pod")
    (revert,) = pod["spec"]["containers"]
    cluster, account = space.world.cluster, pod["spec"]["serviceAccountName"]
    kubeconfig = space.world.directory / "job.kubeconfig"
    cluster.service_account_kubeconfig(NAMESPACE, account, kubeconfig)
    assert revert["command"] == ["fleet-telemetry"]
    code, said = _program(space, *revert["args"], kubeconfig=kubeconfig)
    assert code == 0, said
    space.kubectl(
        "patch", "pod", pod["metadata"]["name"], f"--namespace={NAMESPACE}",
        "--subresource=status", '--patch={"status": {"phase": "Succeeded"}}',
    )  # fmt: skip
    return said


def test_network_policies_are_removed_where_the_values_say_so(podless: Space) -> None:
    space, operator = podless, podless.world.operator
    _install(space, on_uninstall="Remove")
    _start(space)
    _deny_in_every_dialect(space)
    _theirs(space)
    # The processes go on, as pods do for a while, but have no rights any more.
    with ThreadPoolExecutor() as threads:
        uninstall = threads.submit(operator.helm, "uninstall", RELEASE, "--timeout=5m")
        said = _play_the_job(space, uninstall.done)
        uninstall.result()

    assert said.count("removed ") == 4
    time.sleep(3)
    assert _ours(space) == {"networkpolicy.networking.k8s.io/theirs"}
    # Policies stay, and nothing of the Job does.
    assert len(_items(space, "telemetrypolicies")) == 3
    left = "serviceaccounts,jobs,clusterroles,clusterrolebindings"
    assert UNINSTALL not in {one["metadata"]["name"] for one in _items(space, left)}


@pytest.mark.parametrize("program", ["helm"], indirect=True)
def test_network_policies_are_kept_until_somebody_removes_them(podless: Space) -> None:
    space, operator = podless, podless.world.operator
    _install(space)
    _start(space)
    _deny_in_every_dialect(space)
    operator.stop_all()
    operator.helm("uninstall", RELEASE)
    before = _ours(space)
    assert len(before) == 4
    # Those outside of a namespace have no owner that takes them along.
    space.kubectl("delete", "telemetrypolicies", "--all")
    kept = {name for name in before if name.startswith(("ciliumcidrgroup", "clusternetworkpolicy"))}
    eventually(
        lambda: _ours(space) == kept, seconds=COLLECTED_SECONDS, say="the end of what is owned"
    )

    kubeconfig = space.world.cluster.kubeconfig
    code, said = _program(space, "revert", kubeconfig=kubeconfig)
    assert (code, said.count("would remove C")) == (0, 2), said
    # A group of addresses is for no namespace.
    _, said = _program(space, "revert", "--namespace=default", kubeconfig=kubeconfig)
    assert said.count("would remove C") == said.count("would remove ClusterNetworkPolicy") == 1
    _, said = _program(space, "revert", "--namespace=kube-system", kubeconfig=kubeconfig)
    assert said == "nothing is left to remove\n"
    assert len(_ours(space)) == 2
    code, said = _program(space, "revert", "--yes", kubeconfig=kubeconfig)
    assert (code, said.count("removed C")) == (0, 2), said
    assert _ours(space) == set()
