"""Writes the ConfigMap with the allowlist for firewalls outside the cluster."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import ClassVar

from fleet_telemetry.controllers.keys import AllowlistKey
from fleet_telemetry.egress.allowlist import (
    REQUESTS_KEY,
    AllowlistError,
    AllowlistFormat,
    config_map,
)
from fleet_telemetry.egress.allowlist_requests import render_requests
from fleet_telemetry.egress.perimeter import Allowlist
from fleet_telemetry.kube.client import KubernetesClient
from fleet_telemetry.kube.kinds import CONFIG_MAP
from fleet_telemetry.objects.manifest import Manifest, mapping_at

_log = logging.getLogger(__name__)


class AllowlistWriter:
    """Writes the ConfigMap when an entry changed. In a ConfigMap that somebody else created under
    this name, it overwrites its own keys only."""

    def __init__(self, client: KubernetesClient, namespace: str, name: str) -> None:
        self._client = client
        self._namespace = namespace
        self._name = name

    async def write(self, allowlist: Allowlist) -> None:
        """Write the ConfigMap unless it is too large. Raises ApiError."""
        requests = render_requests(allowlist.requests) if allowlist.requests else ""
        try:
            wanted = config_map(allowlist.entries, self._namespace, self._name, requests)
        except AllowlistError as error:
            _log.warning("%s; the ConfigMap stays as it is", error)
            return
        live = await self._client.find(CONFIG_MAP, self._name, self._namespace)
        # An empty allowlist needs no new ConfigMap, but an existing one has to become empty.
        if live is None and allowlist == Allowlist():
            return
        if live is None or _ours(live) != _ours(wanted):
            await self._client.apply(CONFIG_MAP, wanted)


class AllowlistReconciler:
    """Writes the allowlist once it is complete."""

    key_type: ClassVar = AllowlistKey
    name: ClassVar = "allowlist"

    def __init__(self, writer: AllowlistWriter, allowlist: Callable[[], Allowlist | None]) -> None:
        """``allowlist`` returns None while it is not complete."""
        self._writer = writer
        self._allowlist = allowlist

    async def reconcile(self, _: AllowlistKey, /) -> None:
        """Write the ConfigMap if an entry changed. Raises ApiError."""
        allowlist = self._allowlist()
        if allowlist is not None:
            await self._writer.write(allowlist)


def _ours(manifest: Manifest) -> dict[str, object]:
    """The operator's own keys. Keys that somebody else added are ignored."""
    data = mapping_at(manifest, "data")
    return {key: data.get(key) for key in (*(form.key for form in AllowlistFormat), REQUESTS_KEY)}
