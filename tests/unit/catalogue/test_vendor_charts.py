"""What the vendors' own charts render."""

from __future__ import annotations

from typing import Any

import pytest

from fleet_telemetry.catalogue.matching import match_containers
from fleet_telemetry.objects.manifest import dig, items_at
from fleet_telemetry.workloads.reading import read_workload
from fleet_telemetry.workloads.registry import WorkloadKind
from fleet_telemetry.workloads.template_reading import read_template
from fleet_telemetry.workloads.workload import Workload
from tests.support.product_tables import builtin, describe
from tests.support.vendor_charts import (
    VENDOR_MANIFESTS,
    manifests_in,
    needs_vendor_manifests,
    vendor_manifests,
)

pytestmark = needs_vendor_manifests

#: By file: the workloads that run a product, each with the product, version and rule.
_EXPECTED = {
    "dependency-track-4.14.3-chart-1.3.0.yaml": {
        ("StatefulSet", "dtrack-v4-dependency-track-api-server"): (
            "dependency-track",
            "4.14.3",
            "On, Seed TELEMETRY_SUBMISSION_ENABLED_DEFAULT",
        )
    },
    "sonarqube-26.7-chart-2026.5.0.yaml": {
        ("StatefulSet", "sonarqube-sonarqube"): (
            "sonarqube",
            "26.7.0.124771",
            "On, Start SONAR_TELEMETRY_ENABLE",
        )
    },
    "sourcegraph-7.6.0-chart.yaml": {
        ("Deployment", "sourcegraph-frontend"): ("sourcegraph", "7.6.0", "On"),
        ("Deployment", "worker"): ("sourcegraph", "7.6.0", "On"),
    },
    "emqx-5.8.9-chart.yaml": {
        ("StatefulSet", "emqx"): ("emqx", "5.8.9", "On, Start EMQX_TELEMETRY__ENABLE")
    },
}


@pytest.fixture
def manifests(request: pytest.FixtureRequest) -> list[dict[str, Any]]:
    found = vendor_manifests(request.param)
    if not found:
        pytest.skip(f"no {request.param} among the rendered vendor charts in {VENDOR_MANIFESTS}")
    return found


def _workloads(manifests: list[dict[str, Any]]) -> list[Workload]:
    return [found for found in map(read_workload, manifests) if found is not None]


def test_every_manifest_of_every_chart_parses() -> None:
    for file in sorted(VENDOR_MANIFESTS.glob("*.yaml")):
        manifests = [*manifests_in(file)]
        workloads = _workloads(manifests)
        kinds = [manifest["kind"] for manifest in manifests]
        assert len(workloads) == sum(kind in set(WorkloadKind) for kind in kinds), file.name
        for workload in workloads:
            assert workload.ref.name
            assert workload.template.containers, workload.ref
            for container in workload.template.containers:
                assert container.name
                assert container.image
                assert all(entry.name for entry in container.env)
            volumes = {volume.name for volume in workload.template.volumes}
            mounted = {
                mount.volume
                for container in workload.template.containers
                for mount in container.mounts
            }
            assert mounted - volumes <= workload.claim_templates, workload.ref


@pytest.mark.parametrize("manifests", _EXPECTED, indirect=True, ids=list(_EXPECTED))
class TestEveryChart:
    def test_runs_the_products_that_it_is_known_for_and_no_others(
        self, manifests: list[dict[str, Any]], request: pytest.FixtureRequest
    ) -> None:
        found = {}
        for workload in _workloads(manifests):
            for target in match_containers(workload.template, builtin()):
                assert target.version is not None
                found[workload.ref.kind.value, workload.ref.name] = (
                    target.product.name,
                    target.version.text,
                    describe(target.container.image),
                )
        assert found == _EXPECTED[request.node.callspec.params["manifests"]]

    def test_runs_no_product_in_an_init_container_that_would_be_counted(
        self, manifests: list[dict[str, Any]]
    ) -> None:
        for manifest, workload in zip(manifests, map(read_workload, manifests), strict=True):
            if workload is not None:
                template = dig(manifest, "spec", "template")
                names = [entry["name"] for entry in items_at(template, "spec", "initContainers")]
                read = read_template(template).containers
                assert [container.name for container in read if container.name in names] == []

    def test_sets_no_switch_of_a_product_itself(self, manifests: list[dict[str, Any]]) -> None:
        for workload in _workloads(manifests):
            for target in match_containers(workload.template, builtin()):
                for switch in (s.env for s in target.product.all_switches if s.env is not None):
                    assert not any(switch.is_named(entry.name) for entry in target.container.env)
