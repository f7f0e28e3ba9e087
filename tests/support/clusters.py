"""Empty clusters for tests, one after the other on the same API server.

A start of etcd and kube-apiserver takes several seconds of a core. A cluster that another test has
used is brought back instead, and compared with what it was at first (dev/cluster/contents.py). A
cluster that does not become empty is stopped, and a new one is started.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from dev.cluster import Cluster, DevclusterError
from dev.cluster.components import APISERVER, ETCD

_log = logging.getLogger(__name__)


class Clusters:
    """Lends clusters. Use as: lend as often as needed, close."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._numbers = count(1)
        self._free: list[Cluster] = []

    @contextmanager
    def lend(
        self, *, controller_manager: bool = True, scheduler: bool = False, kwok: bool = False
    ) -> Iterator[Cluster]:
        """An empty cluster with these components, as ``Cluster`` has them.

        No process may use it any more when the block ends. Its logs and the API server's metrics
        are also those of earlier tests. A test that needs an audit log, other arguments of the API
        server or an API server that was just started has a ``Cluster`` of its own.
        """
        components = {
            "controller_manager": controller_manager,
            "scheduler": scheduler,
            "kwok": kwok,
        }
        cluster = self._brought_back(components) or self._start(components)
        try:
            yield cluster
        finally:
            self._take_back(cluster)

    def close(self) -> None:
        """Stop them."""
        for cluster in self._free:
            cluster.stop()
        self._free.clear()

    def _take_back(self, cluster: Cluster) -> None:
        """Nothing of it takes a core until it is lent again."""
        try:
            cluster.kill_controllers()
            for name in (APISERVER, ETCD):
                cluster.suspend_component(name)
        except DevclusterError:
            cluster.stop()
        else:
            self._free.append(cluster)

    def _brought_back(self, components: dict[str, bool]) -> Cluster | None:
        if not self._free:
            return None
        cluster = self._free.pop()
        try:
            for name in (ETCD, APISERVER):
                cluster.resume_component(name)
            cluster.bring_back(**components)
        except (DevclusterError, OSError) as error:
            _log.warning("A new cluster is started: %s", error)
            cluster.stop()
            return None
        return cluster

    def _start(self, components: dict[str, bool]) -> Cluster:
        directory = self._directory / f"cluster-{next(self._numbers)}"
        cluster = Cluster(directory, reusable=True, **components)
        cluster.start()
        return cluster
