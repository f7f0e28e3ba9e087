"""Keeps the cache complete, and says when it is.

What grows with the fleet is listed and watched kind by kind (see kind_reflector). The few objects
that users write are watched by kopf (see kopf_watches), which reports neither the end of its first
list nor what was deleted while a watch was down. So those kinds are also listed here: at the start
and periodically; and a single kind after its watch started anew.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Iterable

from fleet_telemetry.kube.cache import ClusterCache
from fleet_telemetry.kube.client import ApiError, KubernetesClient
from fleet_telemetry.kube.kind_reflector import KindReflector, WatchObserver
from fleet_telemetry.kube.kinds import POD, WATCHED_BY_KOPF, WORKLOADS
from fleet_telemetry.kube.kopf_watches import kinds_of_kopf
from fleet_telemetry.kube.list_schedule import ListSchedule
from fleet_telemetry.kube.reflection import StreamingLists
from fleet_telemetry.objects.kind import Kind

_log = logging.getLogger(__name__)

_RELIST_SECONDS = 1800.0
_FIRST_RELIST_SECONDS = 120.0
"""A watch that finds no object of its kind gives no sign when it starts."""
_POLL_SECONDS = 1.0
_RETRY_SECONDS = 5.0
_SETTLED_SECONDS = 0.5
"""Products are often changed together. Each change would list the workloads anew."""
_FILTERED = frozenset({*WORKLOADS, POD})
"""Kinds of which the cache keeps what runs a product of the catalogue."""


class Reflector:
    """Keeps the cache complete. Marks it as synced once everything has been listed."""

    def __init__(
        self,
        cache: ClusterCache,
        client: KubernetesClient,
        schedule: ListSchedule,
        on_listed: Callable[[], None] = lambda: None,
        observer: WatchObserver | None = None,
    ) -> None:
        """``on_listed`` is called each time after all kinds that kopf watches were listed."""
        self._cache = cache
        self._client = client
        self._schedule = schedule
        self._on_listed = on_listed
        self._streaming = StreamingLists()
        reflectors = [
            KindReflector(
                kind, cache.store(kind), client, streaming=self._streaming, observer=observer
            )
            for kind in cache.watched
            if kind not in WATCHED_BY_KOPF
        ]
        self._filtered = [one for one in reflectors if one.kind in _FILTERED]
        self._others = [one for one in reflectors if one.kind not in _FILTERED]

    async def run(self) -> None:
        """List and watch. Never ends."""
        few = kinds_of_kopf(self._cache)
        await self._list_in_the_end(few)
        async with asyncio.TaskGroup() as tasks:
            # Which workloads are kept depends on the products, and on what is recorded of them.
            for one in self._others:
                tasks.create_task(one.run())
            for one in self._others:
                await one.current.wait()
            self._cache.catalogue_changed.clear()
            for one in self._filtered:
                tasks.create_task(one.run())
            tasks.create_task(self._sync())
            tasks.create_task(self._follow_catalogue())
            await self._keep_listing(few)

    async def _sync(self) -> None:
        cache = self._cache
        while not cache.synced.is_set():
            for one in self._filtered:
                await one.current.wait()
            # A change of the catalogue meanwhile makes them list again.
            if cache.catalogue_changed.is_set():
                await asyncio.sleep(_SETTLED_SECONDS)
            elif all(one.current.is_set() for one in self._filtered):
                cache.synced.set()

    async def _follow_catalogue(self) -> None:
        """Images that were ignored may be products now, and the reverse."""
        changed = self._cache.catalogue_changed
        while True:
            await changed.wait()
            await asyncio.sleep(_SETTLED_SECONDS)
            for one in self._filtered:
                one.expire()
            changed.clear()

    async def _keep_listing(self, few: tuple[Kind, ...]) -> None:
        """List what kopf watches periodically, and single kinds when they are due."""
        loop = asyncio.get_running_loop()
        interval = _FIRST_RELIST_SECONDS
        while True:
            until = loop.time() + interval * random.uniform(0.9, 1.1)  # noqa: S311  # no secret
            interval = _RELIST_SECONDS
            while loop.time() < until:
                await asyncio.sleep(_POLL_SECONDS)
                self._cache.fleet.settle(loop.time())
                if not await self._list(self._schedule.due()):
                    await asyncio.sleep(_RETRY_SECONDS)
            await self._list_in_the_end(few)

    async def _list_in_the_end(self, few: tuple[Kind, ...]) -> None:
        """List all that kopf watches, whatever number of attempts that takes."""
        while True:
            if await self._list(few):
                self._on_listed()
                return
            await asyncio.sleep(_RETRY_SECONDS)

    async def _list(self, kinds: Iterable[Kind]) -> bool:
        """List these kinds in turn. False if a list failed; that kind is due again then."""
        for kind in kinds:
            self._schedule.begin(kind)
            try:
                await list_kind(self._cache, self._client, kind, self._streaming)
            except ApiError as error:
                _log.warning("cannot list %s, retrying: %s", kind.plural, error)
                self._schedule.watch_listed(kind)
                return False
        return True


async def list_kind(
    cache: ClusterCache,
    client: KubernetesClient,
    kind: Kind,
    streaming: StreamingLists | None = None,
) -> None:
    """Replace the cached objects of one kind by a full list. Raises ApiError.

    An optional kind that the cluster does not serve has no objects.
    """
    await KindReflector(kind, cache.store(kind), client, streaming=streaming).list_once()
