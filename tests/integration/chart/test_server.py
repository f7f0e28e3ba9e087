"""Everything that the chart renders is taken by a real API server, strictly."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import get_args

import pytest
import yaml

from dev.cluster import Cluster, binaries
from dev.cluster.cluster import HelmProgram
from dev.cluster.foreign_crds import foreign_crds
from dev.harness.operator import CHART, NAMESPACE, RELEASE, ROOT
from tests.support.clusters import Clusters
from tests.support.rendering import FIXED_ADDRESS, MATRIX, manifests, render
from tests.support.schemas import LOCATION, file_name, write_schemas
from tests.support.world import eventually

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def cluster(clusters: Clusters) -> Iterator[Cluster]:
    """With the kinds of others that the chart may make, and the strictest Pod Security."""
    with clusters.lend(controller_manager=False) as cluster:
        for name in ("cert-manager", "prometheus-operator"):
            for path in foreign_crds(name):
                cluster.kubectl("create", "-f", str(path))
        for path in (CHART / "files" / "crds").iterdir():
            cluster.kubectl("create", "-f", str(path))
        cluster.kubectl("wait", "--for=condition=Established", "crds", "--all", "--timeout=60s")
        for name in (NAMESPACE, "appsec", "b"):
            cluster.kubectl("create", "namespace", name)
        cluster.kubectl(
            "label", "namespace", NAMESPACE, "pod-security.kubernetes.io/enforce=restricted"
        )
        # What a controller manager makes; pods cannot do without.
        cluster.kubectl("create", "serviceaccount", "default", f"--namespace={NAMESPACE}")
        yield cluster


@pytest.mark.parametrize("name", list(MATRIX))
def test_the_matrix_is_valid_to_the_last_field(cluster: Cluster, name: str) -> None:
    flags = ["--server-side", "--dry-run=server", "--validate=strict", "--force-conflicts"]
    address = str(ip_network(cluster.service_cidr)[53])
    text = render(MATRIX[name]).replace(FIXED_ADDRESS, address)
    # The CRDs are the same each time, and take the API server longest.
    objects = [
        manifest
        for manifest in manifests(text)
        if manifest["kind"] != "CustomResourceDefinition" or name in ("defaults", "everything")
    ]
    bundle = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
    done = cluster.kubectl("apply", *flags, "-f", "-", input=bundle, check=False)
    assert done.returncode == 0, done.stderr
    if name != "host-network":  # Pod Security warns of it
        assert "Warning" not in done.stderr, done.stderr
    assert len(done.stdout.splitlines()) == len(objects)


def test_a_field_that_does_not_exist_would_be_noticed(cluster: Cluster) -> None:
    text = render().replace("enableServiceLinks:", "enableServiceLink:")
    flags = ["--server-side", "--dry-run=server", "--validate=strict"]
    done = cluster.kubectl("apply", *flags, "-f", "-", input=text, check=False)
    assert done.returncode != 0
    assert "enableServiceLink" in done.stderr


@pytest.fixture(scope="module")
def kubeconform(
    cluster: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], subprocess.CompletedProcess[str]]:
    """Checks manifests against the API server's own schemas, and no others."""
    folder = tmp_path_factory.mktemp("schemas")
    crds = json.loads(cluster.kubectl("get", "crds", "--output=json").stdout)["items"]

    def is_complete() -> bool:
        # What a definition says is published a moment after it is established.
        write_schemas(cluster, folder)
        return all(
            (
                folder
                / file_name(crd["spec"]["group"], version["name"], crd["spec"]["names"]["kind"])
            ).exists()
            for crd in crds
            for version in crd["spec"]["versions"]
            if version["served"]
        )

    eventually(is_complete, say="the schemas of all kinds")
    program: Path = binaries.ensure(["kubeconform"])["kubeconform"]
    flags = ["-strict", "-summary", "-output=json", f"-schema-location={folder}/{LOCATION}"]

    def check(text: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [program, *flags, "-"], input=text, capture_output=True, text=True, check=False
        )

    return check


@pytest.mark.parametrize("name", list(MATRIX))
def test_the_matrix_conforms_to_every_schema(
    kubeconform: Callable[[str], subprocess.CompletedProcess[str]], name: str
) -> None:
    text = render(MATRIX[name])
    done = kubeconform(text)
    assert done.returncode == 0, done.stdout
    found = json.loads(done.stdout)["summary"]
    count = len(list(manifests(text)))
    assert found == {"valid": count, "invalid": 0, "errors": 0, "skipped": 0}


# What the command `fleet-telemetry test` reads is no object of a cluster.
EXAMPLES = sorted(
    path for path in (ROOT / "examples").rglob("*.yaml") if path.name != "fleet-telemetry-test.yaml"
)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.name)
def test_the_examples_conform_to_every_schema(
    kubeconform: Callable[[str], subprocess.CompletedProcess[str]], path: Path
) -> None:
    done = kubeconform(path.read_text())
    assert done.returncode == 0, done.stdout
    assert json.loads(done.stdout)["summary"]["valid"] > 0


def test_the_examples_in_the_metadata_are_valid(
    cluster: Cluster, kubeconform: Callable[[str], subprocess.CompletedProcess[str]]
) -> None:
    metadata = yaml.safe_load((CHART / "Chart.yaml").read_text())
    examples = yaml.safe_load(metadata["annotations"]["artifacthub.io/crdsExamples"])
    bundle = json.dumps({"apiVersion": "v1", "kind": "List", "items": examples})
    assert kubeconform(bundle).returncode == 0
    cluster.kubectl("create", "--dry-run=server", "--validate=strict", "-f", "-", input=bundle)


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("enableServiceLinks:", "enableServiceLink:", "'enableServiceLink' not allowed"),
        ("replicas: 2", 'replicas: "2"', "got string, want integer"),
        ("kind: ServiceAccount", "kind: ServiceAcount", "could not find schema"),
        ("selfSigned: {}", "selfSigned: true", "got boolean, want object"),
        ("commonName:", "commonNames:", "'commonNames' not allowed"),
        ("openAPIV3Schema:", "openApiV3Schema:", "'openApiV3Schema' not allowed"),
        ("  name: fleet-telemetry-controller\n", "  nam: x\n", "'nam' not allowed"),
    ],
)
def test_a_manifest_that_does_not_conform_would_be_noticed(
    kubeconform: Callable[[str], subprocess.CompletedProcess[str]],
    before: str,
    after: str,
    said: str,
) -> None:
    text = render(MATRIX["cert-manager"])
    assert before in text
    done = kubeconform(text.replace(before, after))
    assert done.returncode == 1
    assert said in done.stdout


@pytest.mark.parametrize("name", list(MATRIX))
def test_pods_fit_into_the_strictest_pod_security(cluster: Cluster, name: str) -> None:
    """The API server only warns of a Deployment, and refuses pods."""
    pods = []
    for manifest in manifests(render(MATRIX[name])):
        if manifest["kind"] in ("Deployment", "Job"):
            spec = dict(manifest["spec"]["template"]["spec"])
            # Nobody makes these here; they have nothing to do with what is asked.
            spec.pop("serviceAccountName")
            spec.pop("priorityClassName", None)
            metadata = {"name": manifest["metadata"]["name"], "namespace": NAMESPACE}
            pods.append({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
        elif manifest["kind"] == "Pod":
            pods.append(manifest)
    assert len(pods) == (4 if name in ("everything", "chosen") else 3)
    cluster.kubectl("create", "serviceaccount", "default", f"--namespace={NAMESPACE}", check=False)
    bundle = json.dumps({"apiVersion": "v1", "kind": "List", "items": pods})
    done = cluster.kubectl("create", "--dry-run=server", "-f", "-", input=bundle, check=False)
    if name == "host-network":
        # The one value for which the namespace has to be privileged.
        assert "host namespaces (hostNetwork=true)" in done.stderr
        assert "violates PodSecurity" in done.stderr
        assert len(done.stdout.splitlines()) == len(pods) - 1
    else:
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("program", get_args(HelmProgram))
def test_lint_is_strict(cluster: Cluster, program: HelmProgram) -> None:
    for values in MATRIX.values():
        flags = ["--strict", "--values=-"]
        done = cluster.helm("lint", str(CHART), *flags, input=json.dumps(values), program=program)
        assert "WARNING" not in done.stdout


def test_what_people_may_do(cluster: Cluster) -> None:
    """Aggregation itself is the controller manager's; here are the rights that it hands on."""
    cluster.kubectl("apply", "--server-side", "-f", "-", input=render())
    for role, account in (
        ("aggregate-to-view", "viewer"),
        ("aggregate-to-edit", "editor"),
        ("policy-admin", "owner"),
    ):
        cluster.kubectl(
            "create", "clusterrolebinding", account, f"--clusterrole={RELEASE}-{role}",
            f"--user={account}",
        )  # fmt: skip

    def may(user: str, verb: str, plural: str) -> bool:
        resource = f"{plural}.fleettelemetry.io"
        done = cluster.kubectl(
            "auth", "can-i", verb, resource, f"--as={user}", "--namespace=appsec", check=False
        )
        return done.stdout.strip() == "yes"

    assert may("viewer", "list", "workloadtelemetries")
    assert may("viewer", "get", "clustertelemetrypolicies")
    assert not may("viewer", "create", "telemetrypolicies")
    assert may("editor", "create", "telemetrypolicies")
    assert not may("editor", "create", "clustertelemetrypolicies")
    assert not may("editor", "patch", "workloadtelemetries")
    assert may("owner", "create", "clustertelemetrypolicies")
    assert may("owner", "delete", "telemetryproducts")
    assert not may("owner", "patch", "workloadtelemetries")
    assert not may("stranger", "list", "workloadtelemetries")
    # The audit of who may view learns whether the operator runs, and of no other Lease.
    lease = "leases.coordination.k8s.io/"
    for user, name, expected in (
        ("viewer", RELEASE, "yes"),
        ("viewer", "kube-scheduler", "no"),
        ("stranger", RELEASE, "no"),
    ):
        words = ["auth", "can-i", "get", f"{lease}{name}", f"--as={user}", "-n", "operator"]
        assert cluster.kubectl(*words, check=False).stdout.strip() == expected
