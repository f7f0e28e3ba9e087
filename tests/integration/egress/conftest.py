"""One API server with the definitions of Cilium and of the network-policy-api."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from dev.cluster.foreign_crds import foreign_crds
from tests.support.clusters import Clusters
from tests.support.dialect_cases import KINDS
from tests.support.dialect_server import Server


@pytest.fixture(scope="module")
def server(clusters: Clusters) -> Iterator[Server]:
    with clusters.lend(controller_manager=False) as cluster:
        for name in ("cilium", "network-policy-api"):
            for path in foreign_crds(name):
                cluster.kubectl("apply", "--server-side", "--filename", str(path))
        server = Server(cluster.kubeconfig)
        for kind in KINDS:
            # A new kind is served a moment after its definition is accepted.
            deadline = time.monotonic() + 30
            while not server.serves(kind):
                assert time.monotonic() < deadline, f"{kind.kind} is not served"
                time.sleep(0.05)
        yield server
        server.close()
