"""Keeps the address ranges that providers publish, and fetches them while a host needs them."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from datetime import datetime

from fleet_telemetry.api.telemetry_host import PublishedRanges
from fleet_telemetry.egress.published_ranges import (
    PROVIDERS,
    Provider,
    Ranges,
    RangesError,
    RangesState,
    restored,
    step_ranges,
    wait_seconds,
)
from fleet_telemetry.egress.ranges_client import RangesClient
from fleet_telemetry.kube.cache import ClusterCache

_log = logging.getLogger(__name__)


class RangesFetcher:
    """The published ranges of each provider in use."""

    def __init__(
        self,
        cache: ClusterCache,
        client: RangesClient | None,
        *,
        now: Callable[[], datetime],
        on_change: Callable[[PublishedRanges], None],
    ) -> None:
        """``client`` is None if ranges are not fetched. ``on_change`` is called with the ranges of
        a provider when it comes into use, and when they change."""
        self._cache = cache
        self._client = client
        self._now = now
        self._on_change = on_change
        self._published: dict[str, RangesState] = {}
        self._fetching: dict[str, asyncio.Task[None]] = {}
        self._random = random.Random()  # noqa: S311  # spreads load, hides nothing

    def use(self, name: str, group: asyncio.TaskGroup | None) -> None:
        """Apply a provider's ranges, first the last known ones, and fetch them in the group."""
        provider = PROVIDERS.get(name)
        if provider is None:
            return
        if name not in self._published:
            self._published[name] = RangesState(self._last_known(provider))
        self._apply(name)
        if self._client is not None and group is not None and name not in self._fetching:
            self._fetching[name] = group.create_task(self._fetch(provider, self._client))

    def release(self, name: str | None) -> None:
        """Stop fetching a provider's ranges, because no host needs them."""
        if name in self._fetching:
            self._fetching.pop(name).cancel()

    def clear(self) -> None:
        """Forget everything. The group that fetched has ended."""
        self._published.clear()
        self._fetching.clear()

    def _last_known(self, provider: Provider) -> Ranges:
        for status in self._cache.hosts.values():
            if status.ranges is not None and status.ranges.provider == provider.name:
                try:
                    return restored(provider, status.ranges.etag, status.ranges.cidrs)
                except RangesError as error:
                    _log.warning("%s", error)
        return provider.seed

    async def _fetch(self, provider: Provider, client: RangesClient) -> None:
        failures = 0
        while True:
            try:
                self._update(provider, await client.fetch(provider))
                failures = 0
            except RangesError as error:
                failures += 1
                _log.warning("%s", error)
            except Exception:  # noqa: BLE001  # a bug with ranges must not stop anything else
                failures += 1
                _log.exception("%s: the ranges could not be processed", provider.name)
            await asyncio.sleep(wait_seconds(failures, self._random.random()))

    def _update(self, provider: Provider, fresh: Ranges) -> None:
        before = self._published[provider.name]
        after = step_ranges(before, fresh, self._now())
        self._published[provider.name] = after
        if after.hold is not None and before.hold is None:
            _log.warning("%s: new ranges are held back: %s", provider.name, after.hold.why)
        if after.ranges != before.ranges:
            self._apply(provider.name)

    def _apply(self, name: str) -> None:
        ranges = self._published[name].ranges
        self._on_change(
            PublishedRanges(provider=name, etag=ranges.etag, cidrs=tuple(map(str, ranges.networks)))
        )
