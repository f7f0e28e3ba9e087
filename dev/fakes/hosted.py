"""Runs fakes for synchronous code, such as a test with kubectl, or the demo."""

from __future__ import annotations

import asyncio
import threading
from types import TracebackType
from typing import Self, TypeVar

from dev.fakes.server import FakeProduct

_Kind = TypeVar("_Kind", bound=FakeProduct)


class FakesThread:
    """An event loop in a thread of its own; its fakes end with it."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._running: list[FakeProduct] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for fake in self._running:
            asyncio.run_coroutine_threadsafe(fake.stop(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def start(self, fake: _Kind) -> _Kind:
        """Start a fake; without an address it listens nowhere. Raises OSError if its address is in
        use."""
        asyncio.run_coroutine_threadsafe(fake.start(), self._loop).result()
        self._running.append(fake)
        return fake

    def listen(self, fake: FakeProduct, address: str) -> None:
        """Have a fake listen at another address too. Raises OSError if that is in use."""
        asyncio.run_coroutine_threadsafe(fake.listen(address), self._loop).result()
