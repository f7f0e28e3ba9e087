"""One cluster in which nothing is installed, for all tests of a worker."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.audited import EMQX, SONARQUBE, Audited
from tests.support.clusters import Clusters
from tests.support.world import container, workload

SPACES = ("team-a", "team-b")


@pytest.fixture(scope="module")
def audited(clusters: Clusters, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Audited]:
    directory = tmp_path_factory.mktemp("audited")
    with clusters.lend(scheduler=True, kwok=True) as cluster:
        audited = Audited(cluster, directory)
        for space in SPACES:
            cluster.kubectl("create", "namespace", space)
        audited.apply("team-a", workload("Deployment", "sonar", container(SONARQUBE)))
        audited.apply("team-a", workload("Deployment", "web", container("nginx:1.29"), replicas=2))
        off = {"EMQX_TELEMETRY__ENABLE": "false"}
        audited.apply("team-b", workload("StatefulSet", "emqx", container(EMQX, env=off)))
        audited.apply("team-b", audited.pod("alone", SONARQUBE))
        audited.wait_for_pods(5)
        yield audited
