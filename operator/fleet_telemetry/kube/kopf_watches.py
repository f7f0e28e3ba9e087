"""Watches by kopf: they feed the cache with events.

Only the kinds of which there are few are watched so: kopf keeps a worker and a queue for each
object that it has just seen. The others have a reflector of their own (see kind_reflector).

There are event handlers only. kopf writes to an object only for other handlers, so it never writes
to a foreign object.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from typing import Any

import kopf

from fleet_telemetry.kube.cache import ClusterCache
from fleet_telemetry.kube.client import PAGE
from fleet_telemetry.kube.kinds import LEASE, WATCHED_BY_KOPF
from fleet_telemetry.kube.list_schedule import ListSchedule
from fleet_telemetry.kube.watch_heartbeat import WatchHeartbeat
from fleet_telemetry.objects.kind import Kind


async def start_watches(
    cache: ClusterCache,
    heartbeat: WatchHeartbeat,
    schedule: ListSchedule,
    *,
    lease: str,
    on_event: Callable[[str], None],
) -> Collection[asyncio.Task[None]]:
    """Watch the few objects that users write, and the Lease of this name. Returns kopf's tasks.

    ``on_event`` gets the kind of each object that a watch reports. kopf takes over the signals: its
    first task to end is the one that waits for them.
    """
    return await kopf.spawn_tasks(
        registry=_build_registry(cache, heartbeat, schedule, on_event),
        settings=_build_settings(lease),
        standalone=True,
        clusterwide=True,
    )


def kinds_of_kopf(cache: ClusterCache) -> tuple[Kind, ...]:
    """The kinds of the cache that kopf watches, in the order of listing."""
    return tuple(kind for kind in cache.watched if kind in WATCHED_BY_KOPF)


def _build_registry(
    cache: ClusterCache,
    heartbeat: WatchHeartbeat,
    schedule: ListSchedule,
    on_event: Callable[[str], None],
) -> kopf.OperatorRegistry:
    registry = kopf.OperatorRegistry()

    @kopf.on.login(registry=registry)
    def login(**kwargs: Any) -> kopf.ConnectionInfo | None:
        return kopf.login_with_service_account(**kwargs) or kopf.login_with_kubeconfig(**kwargs)

    for kind in kinds_of_kopf(cache):
        _watch(registry, cache, kind, schedule, on_event)

    @kopf.on.event(LEASE.group, LEASE.version, LEASE.plural, registry=registry)
    async def renew(event: kopf.RawEvent, **_: Any) -> None:
        on_event(LEASE.kind)
        heartbeat.observe(event["object"])

    return registry


def _watch(
    registry: kopf.OperatorRegistry,
    cache: ClusterCache,
    kind: Kind,
    schedule: ListSchedule,
    on_event: Callable[[str], None],
) -> None:
    @kopf.on.event(kind.group, kind.version, kind.plural, registry=registry)
    async def handle(event: kopf.RawEvent, **_: Any) -> None:
        on_event(kind.kind)
        if event["type"] is None:  # the object comes from kopf's own list
            schedule.watch_listed(kind)
        manifest = event["object"]
        manifest.setdefault("apiVersion", kind.api_version)
        manifest.setdefault("kind", kind.kind)
        if event["type"] == "DELETED":
            cache.delete(kind, manifest)
        else:
            cache.upsert(kind, manifest)


class _NoDiffs(kopf.DiffBaseStorage):
    """Keeps no last-handled state: only handlers of changes need it, and it costs a copy of each
    object."""

    def build(self, **_: Any) -> Any:
        return {}

    def fetch(self, **_: Any) -> None:
        return None

    def store(self, **_: Any) -> None:
        return None


def _build_settings(lease: str) -> kopf.OperatorSettings:
    """Settings for an operator that only watches."""
    settings = kopf.OperatorSettings()
    settings.peering.standalone = True
    settings.posting.enabled = False
    settings.process.ultimate_exiting_timeout = None  # the kubelet enforces the grace period
    settings.persistence.diffbase_storage = _NoDiffs()
    settings.watching.chunk_size = PAGE
    # A request without a response is repeated. kopf's default timeout is five minutes.
    settings.networking.connect_timeout = 10
    settings.networking.request_timeout = 30
    # Retry for about a minute, as by default, but reconnect within seconds of the API server's
    # return.
    settings.networking.error_backoffs = (1, 1, 2, 3, *(5,) * 10)
    settings.watching.server_timeout = 300
    settings.watching.client_timeout = 310
    settings.watching.field_selectors[LEASE.plural] = f"metadata.name={lease}"
    # An idle worker holds the last manifest of its object. After a list there are hundreds.
    settings.queueing.idle_timeout = 0.2
    return settings
