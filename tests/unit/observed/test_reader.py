"""How the time is shared."""

from __future__ import annotations

import asyncio

from fleet_telemetry.observed.connection import DnstapConnection
from fleet_telemetry.observed.figures import Figures
from fleet_telemetry.observed.frame_streams import data_frame
from fleet_telemetry.observed.limits import ReceiverLimits
from fleet_telemetry.observed.lookup import ReportedLookup
from fleet_telemetry.observed.reader import Reader
from fleet_telemetry.observed.receiver import Receiver
from tests.support.dnstap_reports import START, Heard, report


class Slow(Heard):
    """Takes some seconds for each lookup, by a clock of its own."""

    def __init__(self, takes: float) -> None:
        super().__init__()
        self.now = 0.0
        self._takes = takes

    def clock(self) -> float:
        return self.now

    def looked_up(self, source: str, lookup: ReportedLookup) -> None:
        super().looked_up(source, lookup)
        self.now += self._takes


class SlowToSkip(Slow):
    """Passing over takes its time, and decoding none."""

    def __init__(self) -> None:
        super().__init__(takes=0.0)

    def lost(self, source: str, frames: int) -> None:
        super().lost(source, frames)
        self.now += 100.0


class Closing(asyncio.Transport):
    def is_closing(self) -> bool:
        return True


def read(sink: Slow, *frames: int, steps: int) -> None:
    """Let a reader work on connections that have sent so many frames, for some steps."""

    async def work() -> None:
        receiver = Receiver(sink, lambda _: True)
        reader = Reader(receiver, sink, Figures(), ReceiverLimits(), sink.clock)
        connections = [DnstapConnection(receiver) for _ in frames]
        for connection, count in zip(connections, frames, strict=True):
            connection.source = f"#{connections.index(connection)}"
            connection.stream.append(START + data_frame(report()) * count)
            reader.add(connection, 0, connections)
        task = asyncio.create_task(reader.work())
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()

    asyncio.run(work())


def test_decoding_ends_when_its_slice_ends_and_waits_for_its_share() -> None:
    sink = Slow(takes=100.0)
    read(sink, 300, steps=50)
    assert len(sink.lookups) == 1


def test_within_the_share_it_goes_on() -> None:
    sink = Slow(takes=0.001)
    read(sink, 50, steps=50)
    assert len(sink.lookups) == 50


def test_connections_take_turns() -> None:
    sink = Slow(takes=0.0)
    read(sink, 200, 200, 200, steps=50)
    sources = [source for source, _ in sink.lookups]
    assert len(sources) == 600
    assert sources.index("#2") <= 2 * 64


def test_a_flood_that_is_passed_over_does_not_keep_others_waiting() -> None:
    sink = SlowToSkip()

    async def work() -> None:
        receiver = Receiver(sink, lambda _: True)
        reader = Reader(receiver, sink, Figures(), ReceiverLimits(buffered=1000), sink.clock)
        flooding, quiet = connections = [DnstapConnection(receiver), DnstapConnection(receiver)]
        for connection, count in ((flooding, 100), (quiet, 1)):
            connection.transport = Closing()
            data = START + data_frame(report()) * count
            connection.stream.append(data)
            reader.add(connection, len(data), connections)
        task = asyncio.create_task(reader.work())
        for _ in range(50):
            await asyncio.sleep(0)
        task.cancel()

    asyncio.run(work())
    assert sink.frames_lost
    assert len(sink.lookups) + sink.frames_lost == 101
