"""kopf keeps the mirror current: event handlers only, so no foreign object is ever written to.

kopf never says when a first listing is complete, and never notices what was deleted while a watch
was away. So everything is also listed by ourselves: at the start, when the catalogue changes, and
now and then; and a kind whose watch has begun anew.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Callable, Iterable
from typing import Any

import kopf

from fleet_telemetry.api.resources import GROUP, VERSION
from fleet_telemetry.kube.cache import ClusterCache
from fleet_telemetry.kube.client import PAGE, ApiError, KubernetesClient
from fleet_telemetry.kube.kinds import LEASE, OWN_PLURALS
from fleet_telemetry.kube.relists import Relists
from fleet_telemetry.kube.watch_heartbeat import WatchHeartbeat
from fleet_telemetry.objects.kind import Kind

_log = logging.getLogger(__name__)

_LIST_AGAIN_SECONDS = 1800.0
_FIRST_LIST_AGAIN_SECONDS = 120.0
"""A kind of which kopf lists no object gives no sign when its watch begins."""
_LOOK_SECONDS = 1.0
_RETRY_SECONDS = 5.0


def build_registry(
    cache: ClusterCache,
    heartbeat: WatchHeartbeat,
    relists: Relists,
    saw: Callable[[str], None] = lambda _: None,
) -> kopf.OperatorRegistry:
    """The handlers that feed the mirror and the heartbeat, and say of which kind they saw one."""
    registry = kopf.OperatorRegistry()

    @kopf.on.login(registry=registry)
    def login(**kwargs: Any) -> kopf.ConnectionInfo | None:
        return kopf.login_with_service_account(**kwargs) or kopf.login_with_kubeconfig(**kwargs)

    for kind in cache.watched:
        _watch(registry, cache, kind, relists, saw)

    @kopf.on.event(LEASE.group, LEASE.version, LEASE.plural, registry=registry)
    async def beat(event: kopf.RawEvent, **_: Any) -> None:
        saw(LEASE.kind)
        heartbeat.observe(event["object"])

    return registry


def _watch(
    registry: kopf.OperatorRegistry,
    cache: ClusterCache,
    kind: Kind,
    relists: Relists,
    saw: Callable[[str], None],
) -> None:
    @kopf.on.event(kind.group, kind.version, kind.plural, registry=registry)
    async def observe(event: kopf.RawEvent, **_: Any) -> None:
        saw(kind.kind)
        if event["type"] is None:
            relists.told(kind)
        manifest = event["object"]
        manifest.setdefault("apiVersion", kind.api_version)
        manifest.setdefault("kind", kind.kind)
        if event["type"] == "DELETED":
            cache.forget(kind, manifest)
        else:
            cache.observe(kind, manifest)


class _NoDiffs(kopf.DiffBaseStorage):
    """Nothing is compared with what was handled last, so nothing has to be copied for it."""

    def build(self, **_: Any) -> Any:
        return {}

    def fetch(self, **_: Any) -> None:
        return None

    def store(self, **_: Any) -> None:
        return None


def build_settings(lease: str) -> kopf.OperatorSettings:
    """Settings of kopf for an operator that only watches, of all Leases that of one name."""
    settings = kopf.OperatorSettings()
    settings.peering.standalone = True
    settings.posting.enabled = False
    settings.process.ultimate_exiting_timeout = None  # the kubelet sees to that
    settings.persistence.diffbase_storage = _NoDiffs()
    settings.watching.chunk_size = PAGE
    # Whoever gets no answer asks again; by default kopf waits for five minutes.
    settings.networking.connect_timeout = 10
    settings.networking.request_timeout = 30
    # For about a minute, as by default, but back within seconds of the API server.
    settings.networking.error_backoffs = (1, 1, 2, 3, *(5,) * 10)
    settings.watching.server_timeout = 300
    settings.watching.client_timeout = 310
    settings.watching.field_selectors[LEASE.plural] = f"metadata.name={lease}"
    # An idle worker holds its object's last manifest; hundreds of them after a listing add up.
    settings.queueing.idle_timeout = 0.2
    return settings


async def wait_for_crds(client: KubernetesClient) -> None:
    """Return once the API server serves all of our kinds.

    kopf would start without them and never gate on what comes later.
    """
    told = ""
    while True:
        try:
            missing = OWN_PLURALS - await client.served_plurals(GROUP, VERSION)
            problem = f"these CRDs are not installed: {', '.join(sorted(missing))}"
        except ApiError as error:
            missing = OWN_PLURALS
            problem = f"the API server cannot be asked: {error}"
        if not missing:
            return
        if problem != told:
            _log.warning("waiting, %s", problem)
            told = problem
        await asyncio.sleep(_RETRY_SECONDS)


async def keep_listed(
    cache: ClusterCache,
    client: KubernetesClient,
    relists: Relists,
    listed: Callable[[], None] = lambda: None,
) -> None:
    """List everything at the start, when the catalogue changes, and now and then; and a kind whose
    watch has begun anew. Never ends.

    ``listed`` is called after each time that everything was listed.
    """
    loop = asyncio.get_running_loop()
    pause = _FIRST_LIST_AGAIN_SECONDS
    while True:
        cache.catalogue_changed.clear()
        if not await _list(cache, client, relists, cache.watched):
            await asyncio.sleep(_RETRY_SECONDS)
            continue
        listed()
        if not cache.catalogue_changed.is_set():
            cache.synced.set()
        until = loop.time() + pause * random.uniform(0.9, 1.1)  # noqa: S311  # no secret
        pause = _LIST_AGAIN_SECONDS
        while loop.time() < until and not cache.catalogue_changed.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(cache.catalogue_changed.wait(), _LOOK_SECONDS)
            if not await _list(cache, client, relists, relists.due()):
                await asyncio.sleep(_RETRY_SECONDS)


async def _list(
    cache: ClusterCache, client: KubernetesClient, relists: Relists, kinds: Iterable[Kind]
) -> bool:
    """List these kinds; whether that worked."""
    for kind in kinds:
        relists.begin(kind)
        try:
            await list_kind(cache, client, kind)
        except ApiError as error:
            _log.warning("cannot list the cluster, trying again: %s", error)
            relists.told(kind)
            return False
    return True


async def list_kind(cache: ClusterCache, client: KubernetesClient, kind: Kind) -> None:
    """List one kind in full. Raises ApiError."""
    cache.begin_list(kind)
    try:
        async for manifest in client.list(kind):
            cache.observe_listed(kind, manifest)
    except BaseException:
        cache.abandon_list(kind)
        raise
    cache.end_list(kind)
