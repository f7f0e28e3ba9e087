"""What a real API server does with the chart's webhook configuration while no replica answers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dev.harness.operator import NAMESPACE
from tests.support.clusters import Clusters
from tests.support.forked_operator import local_operator
from tests.support.world import SONARQUBE, Manifest, World, container, eventually, workload

pytestmark = pytest.mark.cluster

FAIL = {"failurePolicy": "Fail", "timeoutSeconds": 1, "excludedNamespaces": []}
SELECTED = {"namespaceSelector": {"matchLabels": {"fleet": "production"}}}


@pytest.fixture(scope="module")
def world(clusters: Clusters, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    directory = tmp_path_factory.mktemp("failure-policy")
    with clusters.lend(controller_manager=False) as cluster:
        for name, labels in (("apps", ["fleet=production"]), ("lab", [])):
            cluster.kubectl("create", "namespace", name)
            if labels:
                cluster.kubectl("label", "namespace", name, *labels)
        operator = local_operator(cluster, directory / "operator")
        operator.install({"webhook": {**FAIL, **SELECTED}}, flags=["--timeout=60s"])
        found = World(cluster, operator, directory, None)  # type: ignore[arg-type]  # nobody resolves a name
        # Webhook configurations are in force a moment after they are created.
        eventually(lambda: refusal(found, it("probe", "apps")), say="the webhook in force")
        yield found


def it(name: str, namespace: str, image: str = SONARQUBE, *, left_out: str = "") -> Manifest:
    found = workload("Deployment", name, container(image))
    found["metadata"]["namespace"] = namespace
    if left_out:
        found["metadata"].setdefault("labels", {})["fleettelemetry.io/inject"] = left_out
    return found


def refusal(world: World, given: Manifest) -> str:
    """What the API server says to a dry run; empty if it admits the workload."""
    done = world.try_apply(given, flags=["--dry-run=server"])
    return done.stderr if done.returncode else ""


def test_with_fail_a_workload_that_runs_a_product_is_refused(world: World) -> None:
    said = refusal(world, it("sonarqube", "apps"))
    assert 'failed calling webhook "workloads.fleettelemetry.io"' in said


@pytest.mark.parametrize("namespace", [NAMESPACE, "kube-system", "lab"])
def test_but_not_in_excluded_namespaces(world: World, namespace: str) -> None:
    # kube-system is not in excludedNamespaces here.
    assert refusal(world, it("sonarqube", namespace)) == ""


def test_nor_one_without_a_product(world: World) -> None:
    assert refusal(world, it("nginx", "apps", "nginx:1.29")) == ""


@pytest.mark.parametrize(
    ("value", "is_admitted"), [("disabled", True), ("false", True), ("x", False)]
)
def test_nor_one_that_a_label_leaves_out(world: World, value: str, is_admitted: bool) -> None:
    assert (refusal(world, it("sonarqube", "apps", left_out=value)) == "") is is_admitted
