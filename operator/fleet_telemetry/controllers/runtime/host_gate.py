"""The limit of concurrent requests to one host."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

REQUESTS_PER_HOST = 2
"""At the same time."""


class HostGate:
    """Limits the concurrent requests to each host, over all workloads. It remembers only the hosts
    that somebody uses or waits for."""

    def __init__(self, most: int = REQUESTS_PER_HOST) -> None:
        self._most = most
        self._hosts: dict[str, tuple[asyncio.Semaphore, int]] = {}
        """With the number of its users, waiting ones included."""

    def __len__(self) -> int:
        """The hosts that are remembered."""
        return len(self._hosts)

    @asynccontextmanager
    async def use(self, host: str) -> AsyncIterator[None]:
        """Wait for a place, and hold it."""
        gate, users = self._hosts.get(host) or (asyncio.Semaphore(self._most), 0)
        self._hosts[host] = gate, users + 1
        try:
            async with gate:
                yield
        finally:
            _, users = self._hosts[host]
            if users == 1:
                del self._hosts[host]
            else:
                self._hosts[host] = gate, users - 1
