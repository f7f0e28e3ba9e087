"""The chart's values choose namespaces and what happens without the webhook: the webhook
configurations, the controller and the admission policies agree on them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dev.harness.dns_server import LocalDnsServer
from dev.harness.operator import RELEASE, egress_values
from tests.support.clusters import Clusters
from tests.support.forked_operator import local_operator
from tests.support.world import (
    SONAR_SWITCH,
    SONARQUBE,
    Space,
    World,
    container,
    eventually,
    workload,
)

pytestmark = pytest.mark.cluster

VALUES = {
    "webhook": {
        "failurePolicy": "Fail",
        "timeoutSeconds": 5,
        "namespaceSelector": {"matchLabels": {"fleet": "production"}},
    }
}
PRODUCT = {
    "apiVersion": "fleettelemetry.io/v1alpha1",
    "kind": "TelemetryProduct",
    "metadata": {"name": "acme-quality-gate"},
    "spec": {
        "title": "Quality gate",
        "base": "sonarqube",
        "images": [{"pattern": "acme/quality-gate"}],
    },
}


@pytest.fixture
def space(clusters: Clusters, tmp_path: Path) -> Iterator[Space]:
    """A namespace that is not chosen."""
    with (
        LocalDnsServer(tmp_path / "names") as names,
        clusters.lend(scheduler=True, kwok=True) as cluster,
    ):
        operator = local_operator(cluster, tmp_path / "operator")
        cluster.kubectl("create", "namespace", "lab")
        operator.install({**VALUES, "egress": egress_values(names)})
        operator.start("webhook")
        operator.start("controller")
        operator.wait_until_ready()
        yield Space(World(cluster, operator, tmp_path, names), "lab")
        operator.stop_all()


def test_a_namespace_is_changed_once_it_is_chosen(space: Space) -> None:
    space.policy(injection={"when": "Always", "rollout": "Immediate"})
    assert "Warning" not in space.apply(workload("Deployment", "sonar", container(SONARQUBE)))
    found = space.telemetry("deployment", "sonar", state="NonCompliant")
    assert found["usage"]["reason"] == "NamespaceExcluded"
    assert space.env("deployment", "sonar") == {}

    space.world.cluster.kubectl("label", "namespace", space.name, "fleet=production")
    eventually(lambda: space.env("deployment", "sonar") == {SONAR_SWITCH: "false"})
    said = space.apply(workload("Deployment", "another", container(SONARQUBE)))
    assert "Warning: TelemetryPolicy" in said

    # The images of TelemetryProducts are treated as those of the catalogue.
    space.world.apply(PRODUCT)

    def webhooks() -> list[dict[str, Any]]:
        text = space.world.cluster.kubectl(
            "get", "mutatingwebhookconfigurations", RELEASE, f"{RELEASE}-products", "--output=json"
        ).stdout
        chart, products = json.loads(text)["items"]
        return [chart["webhooks"][0], *products.get("webhooks", [])[:1]]

    eventually(lambda: len(webhooks()) == 2, say="the second configuration")
    chart, products = webhooks()
    for key in ("failurePolicy", "timeoutSeconds", "namespaceSelector", "objectSelector"):
        assert products[key] == chart[key]
    assert chart["failurePolicy"] == "Fail"

    space.world.operator.stop("webhook")
    for name, image in (("third", SONARQUBE), ("fourth", "acme/quality-gate:26.7.0")):
        refused = space.try_apply(workload("Deployment", name, container(image)))
        assert refused.returncode != 0
        assert "failed calling webhook" in refused.stderr
    space.apply(workload("Deployment", "nginx", container("nginx:1.29")))
