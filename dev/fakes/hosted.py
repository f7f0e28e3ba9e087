"""Runs stand-ins for code that is not asynchronous: a test through kubectl, or the demo."""

from __future__ import annotations

import asyncio
import threading
from types import TracebackType
from typing import Self, TypeVar

from dev.fakes.server import StandIn

_Kind = TypeVar("_Kind", bound=StandIn)


class Host:
    """An event loop in a thread of its own; its stand-ins end with it."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._running: list[StandIn] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for standin in self._running:
            asyncio.run_coroutine_threadsafe(standin.stop(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def start(self, standin: _Kind) -> _Kind:
        """Have a stand-in listen. Raises OSError where its address is taken."""
        asyncio.run_coroutine_threadsafe(standin.start(), self._loop).result()
        self._running.append(standin)
        return standin
