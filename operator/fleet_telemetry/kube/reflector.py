"""Lists the watched kinds into the cache.

The watches (see kopf_watches) do not report when their first list is complete, and they miss what
was deleted while a watch was down. So everything is also listed here: at the start, when the
catalogue changes, and periodically; and a single kind after its watch started anew.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Callable, Iterable

from fleet_telemetry.kube.cache import ClusterCache
from fleet_telemetry.kube.client import ApiError, KubernetesClient
from fleet_telemetry.kube.kinds import OPTIONAL
from fleet_telemetry.kube.list_schedule import ListSchedule
from fleet_telemetry.kube.streamed_list import Presence
from fleet_telemetry.objects.kind import Kind

_log = logging.getLogger(__name__)

_RELIST_SECONDS = 1800.0
_FIRST_RELIST_SECONDS = 120.0
"""A watch that finds no object of its kind gives no sign when it starts."""
_POLL_SECONDS = 1.0
_RETRY_SECONDS = 5.0


class Reflector:
    """Keeps the cache complete. Marks it as synced after the first full list."""

    def __init__(
        self,
        cache: ClusterCache,
        client: KubernetesClient,
        schedule: ListSchedule,
        on_listed: Callable[[], None] = lambda: None,
    ) -> None:
        """``on_listed`` is called each time after everything was listed."""
        self._cache = cache
        self._client = client
        self._schedule = schedule
        self._on_listed = on_listed

    async def run(self) -> None:
        """List everything now and periodically, and single kinds when they are due. Never ends."""
        cache = self._cache
        loop = asyncio.get_running_loop()
        interval = _FIRST_RELIST_SECONDS
        while True:
            cache.catalogue_changed.clear()
            if not await self._list(cache.watched):
                await asyncio.sleep(_RETRY_SECONDS)
                continue
            self._on_listed()
            if not cache.catalogue_changed.is_set():
                cache.synced.set()
            until = loop.time() + interval * random.uniform(0.9, 1.1)  # noqa: S311  # no secret
            interval = _RELIST_SECONDS
            while loop.time() < until and not cache.catalogue_changed.is_set():
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(cache.catalogue_changed.wait(), _POLL_SECONDS)
                cache.fleet.settle(loop.time())
                if not await self._list(self._schedule.due()):
                    await asyncio.sleep(_RETRY_SECONDS)

    async def _list(self, kinds: Iterable[Kind]) -> bool:
        """List these kinds in turn. False if a list failed; that kind is due again then."""
        for kind in kinds:
            self._schedule.begin(kind)
            try:
                await list_kind(self._cache, self._client, kind)
            except ApiError as error:
                _log.warning("cannot list %s, retrying: %s", kind.plural, error)
                self._schedule.watch_listed(kind)
                return False
        return True


async def list_kind(cache: ClusterCache, client: KubernetesClient, kind: Kind) -> None:
    """Replace the cached objects of one kind by a full list. Raises ApiError.

    An optional kind that the cluster does not serve has no objects.
    """
    with cache.store(kind).replace() as listing:
        try:
            async for change, manifest in client.list_all(kind):
                if change is Presence.DELETED:
                    listing.delete(manifest)
                else:
                    listing.upsert(manifest)
        except ApiError as error:
            if kind not in OPTIONAL or not error.is_not_found:
                raise
