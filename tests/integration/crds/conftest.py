"""One API server with our CRDs for all tests of a worker."""

from __future__ import annotations

import time
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

import pytest

from dev.cluster import Cluster
from tests.support.clusters import Clusters
from tests.support.crd_kinds import KINDS
from tests.support.crd_server import Server

CRDS = Path(__file__).resolve().parents[3] / "crds"


@pytest.fixture(scope="module")
def cluster(clusters: Clusters) -> Iterator[Cluster]:
    with clusters.lend(controller_manager=False) as cluster:
        cluster.kubectl("apply", "--server-side", "--filename", str(CRDS))
        yield cluster


@pytest.fixture(scope="module")
def server(cluster: Cluster) -> Iterator[Server]:
    server = Server(cluster.kubeconfig)
    for kind in KINDS:
        # A new kind is served a moment after its definition is accepted.
        deadline = time.monotonic() + 30
        while server.create(kind, "a", kind.bare, dryRun="All").code == HTTPStatus.NOT_FOUND:
            assert time.monotonic() < deadline, f"{kind.resource.kind} is not served"
            time.sleep(0.05)
    yield server
    server.close()
