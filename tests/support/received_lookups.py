"""The operator's receiver on a thread of its own, and what it is sent."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from fleet_telemetry.observed.lookup import LookupStage, ReportedLookup
from fleet_telemetry.observed.receiver import Receiver
from tests.support.coredns import LOOPBACK
from tests.support.dnstap_reports import Heard
from tests.support.world import eventually


@dataclass
class Tapped:
    """What the operator's receiver heard."""

    port: int
    heard: Heard

    def wait_for(self, name: str, *expected: tuple[str, bool]) -> None:
        """Wait until clients that asked for a name are reported: exactly those that are
        ``expected``, each with whether its answer was a refusal; any without them."""

        def probe() -> bool:
            found = {
                (one.client, one.refused)
                for _, one in self._lookups()
                if one.name == name and one.stage is LookupStage.ANSWER
            }
            return found == set(expected) if expected else bool(found)

        eventually(probe, say=f"reports of {name}")

    def sources_of(self, name: str) -> set[str]:
        """The connections through which a name was reported."""
        return {source for source, one in self._lookups() if one.name == name}

    def names(self) -> set[str]:
        return {one.name for _, one in self._lookups()}

    @property
    def connections(self) -> int:
        return sum(kind == "connected" for kind, _ in list(self.heard.events))

    def _lookups(self) -> list[tuple[str, ReportedLookup]]:
        return list(self.heard.lookups)


@contextmanager
def receiving() -> Iterator[Tapped]:
    """The receiver, on a thread of its own."""
    heard = Heard()
    ready = threading.Event()
    port: list[int] = []
    ends: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def serve() -> None:
        receiver = Receiver(heard, lambda _: True)
        end = asyncio.Event()
        async with receiver.serve(LOOPBACK, 0) as chosen:
            port.append(chosen)
            ends.append((asyncio.get_running_loop(), end))
            ready.set()
            await end.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    assert ready.wait(20)
    try:
        yield Tapped(port[0], heard)
    finally:
        loop, end = ends[0]
        loop.call_soon_threadsafe(end.set)
        thread.join(20)
