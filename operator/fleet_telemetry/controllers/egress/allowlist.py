"""Keeps the ConfigMap with the allowlist for firewalls outside of the cluster."""

from __future__ import annotations

import logging
from collections.abc import Collection

from fleet_telemetry.egress.allowlist import AllowlistEntry, AllowlistError, Format, config_map
from fleet_telemetry.kube.client import KubernetesClient
from fleet_telemetry.kube.kinds import CONFIG_MAP
from fleet_telemetry.objects.manifest import Manifest, mapping_at

_log = logging.getLogger(__name__)


class AllowlistWriter:
    """Writes it when an entry has changed. Somebody else's ConfigMap of that name is overwritten
    in the keys that are ours."""

    def __init__(self, client: KubernetesClient, namespace: str, name: str) -> None:
        self._client = client
        self._namespace = namespace
        self._name = name

    async def write(self, entries: Collection[AllowlistEntry]) -> None:
        """Raises ApiError. Where it is too large, the last one stays."""
        try:
            wanted = config_map(entries, self._namespace, self._name)
        except AllowlistError as error:
            _log.warning("%s; what was written last stays", error)
            return
        live = await self._client.find(CONFIG_MAP, self._name, self._namespace)
        # Nobody waits for an empty one; but one that was there has to become empty.
        if live is None and not entries:
            return
        if live is None or _ours(live) != _ours(wanted):
            await self._client.apply(CONFIG_MAP, wanted)


def _ours(manifest: Manifest) -> dict[str, object]:
    """Keys that somebody added stay there, and are no reason to write."""
    data = mapping_at(manifest, "data")
    return {form.key: data.get(form.key) for form in Format}
