"""Writes the ConfigMap with the allowlist for firewalls outside of the cluster."""

from __future__ import annotations

import logging
from collections.abc import Collection

from fleet_telemetry.egress.allowlist import AllowlistEntry, AllowlistError, Format, config_map
from fleet_telemetry.kube.client import KubernetesClient
from fleet_telemetry.kube.kinds import CONFIG_MAP
from fleet_telemetry.objects.manifest import Manifest, mapping_at

_log = logging.getLogger(__name__)


class AllowlistWriter:
    """Writes the ConfigMap when an entry changed. In somebody else's ConfigMap of that name, the
    keys of the allowlist are overwritten."""

    def __init__(self, client: KubernetesClient, namespace: str, name: str) -> None:
        self._client = client
        self._namespace = namespace
        self._name = name

    async def write(self, entries: Collection[AllowlistEntry]) -> None:
        """Raises ApiError. Where the allowlist is too large, the ConfigMap stays as it is."""
        try:
            wanted = config_map(entries, self._namespace, self._name)
        except AllowlistError as error:
            _log.warning("%s; the ConfigMap stays as it was last written", error)
            return
        live = await self._client.find(CONFIG_MAP, self._name, self._namespace)
        # An empty one is not created, but an existing one has to become empty.
        if live is None and not entries:
            return
        if live is None or _ours(live) != _ours(wanted):
            await self._client.apply(CONFIG_MAP, wanted)


def _ours(manifest: Manifest) -> dict[str, object]:
    """The keys of the allowlist. Others stay, and cause no write."""
    data = mapping_at(manifest, "data")
    return {form.key: data.get(form.key) for form in Format}
