"""Event loops of tests."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TypeVar

T = TypeVar("T")


async def abort_connections() -> None:
    """End the connections of this loop at once.

    TLS connections close in steps, for which a loop that ends has no time: what is left of them is
    found by the garbage collector, in the middle of another test.
    """
    for transport in list(getattr(asyncio.get_running_loop(), "_transports", {}).values()):
        transport.abort()
    for _ in range(3):
        await asyncio.sleep(0)


def run_and_close(main: Coroutine[object, object, T]) -> T:
    """As asyncio.run, but no connection stays open."""

    async def whole() -> T:
        try:
            return await main
        finally:
            await abort_connections()

    return asyncio.run(whole())
