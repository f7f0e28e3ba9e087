"""What every process has, and what a role adds to it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from prometheus_client import CollectorRegistry

from fleet_telemetry.app.options import Options
from fleet_telemetry.kube.cache import ClusterCache
from fleet_telemetry.kube.client import KubernetesClient
from fleet_telemetry.reporting.status_server import MetricsText


@dataclass(frozen=True, slots=True, kw_only=True)
class Common:
    """What the parts of all roles share."""

    options: Options
    client: KubernetesClient
    cache: ClusterCache
    metrics: CollectorRegistry
    now: Callable[[], datetime]


class RolePart:
    """What a role adds to a process. The methods here do nothing."""

    metrics: Sequence[MetricsText] = ()
    """Metrics that are too many for the registry."""

    def not_ready(self) -> str:
        """Why the process is not ready; empty if it is."""
        return ""

    async def start(self) -> Sequence[asyncio.Future[None]]:
        """Start serving. Return the tasks that must not end. Raises OSError."""
        return ()

    def tasks(self) -> Sequence[Awaitable[None]]:
        """What to run once the watches have started. It must not end."""
        return ()

    async def drain(self) -> None:
        """Continue to serve until requests go to other replicas."""

    async def stop(self) -> None:
        """Stop serving."""
