"""Detects dead watches.

A quiet cluster and a dead watch look the same to the process. So every replica also watches the
Lease, which its holder renews every few seconds, and periodically reads the Lease from the API
server. If the watch has not reported that version after a while, the watch is dead.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from fleet_telemetry.kube.client import ApiError, KubernetesClient
from fleet_telemetry.kube.kinds import LEASE
from fleet_telemetry.objects.manifest import Manifest

_READ_SECONDS = 15.0
_DEAD_SECONDS = 60.0


class WatchHeartbeat:
    """Compares the Lease as the watch reports it with the Lease as the API server returns it."""

    def __init__(
        self,
        client: KubernetesClient,
        *,
        namespace: str,
        lease: str,
        clock: Callable[[], float] | None = None,
    ) -> None:
        """``clock`` returns monotonic seconds; default: the clock of the running event loop."""
        self._client = client
        self._namespace = namespace
        self._lease = lease
        self._clock = clock or asyncio.get_running_loop().time
        self._watched_version = 0
        self._stale_since: float | None = None

    def observe(self, manifest: Manifest) -> None:
        """Record the Lease from a watch event."""
        metadata = manifest["metadata"]
        if metadata.get("namespace") == self._namespace:
            version = int(metadata["resourceVersion"])
            self._watched_version = max(self._watched_version, version)

    async def run(self) -> None:
        """Read the Lease periodically. Never ends."""
        read_version = 0
        while True:
            # The watch had the whole interval to report what was read before it.
            if read_version <= self._watched_version:
                self._stale_since = None
            elif self._stale_since is None:
                self._stale_since = self._clock()
            try:
                lease = await self._client.find(LEASE, self._lease, self._namespace)
                read_version = int(lease["metadata"]["resourceVersion"]) if lease else 0
            except ApiError:
                read_version = 0  # without a response, nothing is known about the watch
            await asyncio.sleep(_READ_SECONDS)

    @property
    def is_dead(self) -> bool:
        """Whether the watch has been stale for too long."""
        return self._stale_since is not None and self._clock() - self._stale_since > _DEAD_SECONDS
