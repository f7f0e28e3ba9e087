"""A real Kubernetes control plane for tests and demos: no containers, no root, loopback only."""

from __future__ import annotations

from dev.cluster.binaries import ensure
from dev.cluster.cluster import Cluster
from dev.cluster.errors import DevclusterError

__all__ = ["Cluster", "DevclusterError", "ensure"]
