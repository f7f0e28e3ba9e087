"""Whether the watches still live.

A quiet cluster and a dead watch look the same from inside. So every replica also watches the Lease,
which its holder renews every few seconds, and now and then asks the API server directly: if the
answer is newer than what the watch has shown for a while, the watch is dead.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from fleet_telemetry.kube.client import ApiError, KubernetesClient
from fleet_telemetry.kube.kinds import LEASE
from fleet_telemetry.objects.manifest import Manifest

_ASK_SECONDS = 15.0
_DEAD_SECONDS = 60.0


class WatchHeartbeat:
    """Compares what the watch shows of one object with what the API server says of it."""

    def __init__(
        self,
        client: KubernetesClient,
        *,
        namespace: str,
        lease: str,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self._client = client
        self._namespace = namespace
        self._lease = lease
        self._clock = clock or asyncio.get_running_loop().time
        self._shown = 0
        self._behind_since: float | None = None

    def observe(self, manifest: Manifest) -> None:
        """The Lease as a watch event shows it."""
        metadata = manifest["metadata"]
        if metadata.get("namespace") == self._namespace:
            self._shown = max(self._shown, int(metadata["resourceVersion"]))

    async def run(self) -> None:
        """Ask again and again. Never ends."""
        asked = 0
        while True:
            # What was answered a while ago has to have been shown by now.
            if asked <= self._shown:
                self._behind_since = None
            elif self._behind_since is None:
                self._behind_since = self._clock()
            try:
                lease = await self._client.find(LEASE, self._lease, self._namespace)
                asked = int(lease["metadata"]["resourceVersion"]) if lease else 0
            except ApiError:
                asked = 0  # an API server that does not answer says nothing about the watch
            await asyncio.sleep(_ASK_SECONDS)

    @property
    def is_dead(self) -> bool:
        """Whether the watch has been behind for too long."""
        return self._behind_since is not None and self._clock() - self._behind_since > _DEAD_SECONDS
