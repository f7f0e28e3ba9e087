"""A real Kubernetes control plane for tests and demos: no containers, no root, loopback only."""

from __future__ import annotations

from devcluster.binaries import ensure
from devcluster.cluster import Cluster
from devcluster.errors import DevclusterError

__all__ = ["Cluster", "DevclusterError", "ensure"]
