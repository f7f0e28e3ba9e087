"""The Services of namespaces, each list used by several checks."""

from __future__ import annotations

import asyncio

from fleet_telemetry.kube import kinds
from fleet_telemetry.kube.client import KubernetesClient
from fleet_telemetry.vendors.service import Service, read_service

_SERVICES_SECONDS = 15.0
"""How long one list of a namespace's Services is used."""


class ServiceLists:
    """The Services of each namespace as they were at most some seconds ago."""

    def __init__(self, client: KubernetesClient) -> None:
        self._client = client
        self._lists: dict[str, tuple[float, tuple[Service, ...]]] = {}

    async def of(self, namespace: str) -> tuple[Service, ...]:
        """Those of a namespace. Raises ApiError."""
        clock = asyncio.get_running_loop().time
        until, found = self._lists.get(namespace, (0.0, ()))
        if clock() >= until:
            manifests = self._client.list(kinds.SERVICE, namespace)
            found = tuple([read_service(manifest) async for manifest in manifests])
            now = clock()
            kept = {name: held for name, held in self._lists.items() if held[0] > now}
            self._lists = {**kept, namespace: (now + _SERVICES_SECONDS, found)}
        return found

    def clear(self) -> None:
        """Forget all."""
        self._lists.clear()
