"""Keeps the ConfigMap with the allowlist for firewalls outside of the cluster."""

from __future__ import annotations

from collections.abc import Collection

from fleet_telemetry.cluster.client import KubernetesClient
from fleet_telemetry.cluster.kinds import CONFIG_MAP
from fleet_telemetry.egress.allowlist import AllowlistEntry, config_map


class AllowlistWriter:
    """Writes it when an entry has changed. Somebody else's ConfigMap of that name is overwritten
    in the keys that are ours."""

    def __init__(self, client: KubernetesClient, namespace: str, name: str) -> None:
        self._client = client
        self._namespace = namespace
        self._name = name

    async def write(self, entries: Collection[AllowlistEntry]) -> None:
        """Raises ApiError, and AllowlistError where it is too large."""
        wanted = config_map(entries, self._namespace, self._name)
        live = await self._client.find(CONFIG_MAP, self._name, self._namespace)
        # Nobody waits for an empty one; but one that was there has to become empty.
        if live is None and not entries:
            return
        if live is None or live.get("data") != wanted["data"]:
            await self._client.apply(CONFIG_MAP, wanted)
