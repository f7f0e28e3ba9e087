"""Event loops of tests."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TypeVar

T = TypeVar("T")


def run_and_close(main: Coroutine[object, object, T]) -> T:
    """As asyncio.run, but no connection stays open.

    TLS connections close in steps, for which the loop of a test has no time: what is left of them
    is found by the garbage collector, in the middle of another test.
    """

    async def whole() -> T:
        try:
            return await main
        finally:
            loop = asyncio.get_running_loop()
            for transport in list(getattr(loop, "_transports", {}).values()):
                transport.abort()
            for _ in range(3):
                await asyncio.sleep(0)

    return asyncio.run(whole())
