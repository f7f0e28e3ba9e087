"""The chart ships the second webhook configuration empty. What the operator fills in stays,
whatever Helm does to the release."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from dev.cluster import Cluster
from dev.cluster.cluster import HelmProgram
from dev.harness.operator import NAMESPACE, RELEASE, LocalOperator
from fleet_telemetry.kube import kinds
from fleet_telemetry.kube.client import KubernetesClient
from fleet_telemetry.kube.webhook_configuration import mutating_webhooks
from tests.support.clusters import Clusters
from tests.support.forked_operator import local_operator

pytestmark = pytest.mark.cluster

PRODUCTS = f"{RELEASE}-products"


@pytest.fixture(scope="module")
def cluster(clusters: Clusters) -> Iterator[Cluster]:
    with clusters.lend(controller_manager=False) as found:
        yield found


@pytest.fixture(params=["helm", "helm3"], ids=["helm-4", "helm-3"])
def operator(
    cluster: Cluster, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[LocalOperator]:
    program: HelmProgram = request.param
    found = local_operator(cluster, tmp_path / "operator", helm=program)
    yield found
    found.helm("uninstall", RELEASE)


def live(cluster: Cluster) -> Any:
    text = cluster.kubectl("get", "mutatingwebhookconfiguration", PRODUCTS, "-o=yaml").stdout
    return yaml.safe_load(text)


def fill(cluster: Cluster, directory: Path) -> list[Any]:
    """What the controller writes, as the controller."""
    kubeconfig = cluster.service_account_kubeconfig(
        NAMESPACE, f"{RELEASE}-controller", directory / "kubeconfig"
    )

    async def main() -> list[Any]:
        client = await KubernetesClient.connect(str(kubeconfig))
        chart = await client.get(kinds.MUTATING_WEBHOOKS, RELEASE)
        first = chart["webhooks"][0]
        webhooks = mutating_webhooks(
            {"acme/scanner"},
            first["clientConfig"],
            suffix="products.fleettelemetry.io",
            like=first,
        )
        manifest = {
            "apiVersion": kinds.MUTATING_WEBHOOKS.api_version,
            "kind": kinds.MUTATING_WEBHOOKS.kind,
            "metadata": {"name": PRODUCTS},
            "webhooks": webhooks,
        }
        await client.apply(kinds.MUTATING_WEBHOOKS, manifest)
        await client.close()
        return webhooks

    return asyncio.run(main())


def test_no_upgrade_or_rollback_removes_the_webhooks(
    cluster: Cluster, operator: LocalOperator, tmp_path: Path
) -> None:
    chosen = {
        "failurePolicy": "Fail",
        "timeoutSeconds": 3,
        "namespaceSelector": {"matchLabels": {"fleet": "production"}},
    }
    operator.install({"webhook": chosen})
    assert "webhooks" not in live(cluster)
    written = fill(cluster, tmp_path)
    webhooks = live(cluster)["webhooks"]
    # The API server adds nothing, so the controller sees no difference, and writes once.
    assert webhooks == written != []
    assert webhooks[0]["failurePolicy"] == "Fail"
    assert webhooks[0]["timeoutSeconds"] == 3
    assert webhooks[0]["namespaceSelector"]["matchLabels"] == {"fleet": "production"}

    operator.install()
    assert live(cluster)["webhooks"] == webhooks
    operator.install({"commonLabels": {"cost-center": "4711"}, "logLevel": "debug"})
    assert live(cluster)["webhooks"] == webhooks
    assert live(cluster)["metadata"]["labels"]["cost-center"] == "4711"
    operator.helm("rollback", RELEASE, "1")
    assert live(cluster)["webhooks"] == webhooks
    assert "cost-center" not in live(cluster)["metadata"]["labels"]
