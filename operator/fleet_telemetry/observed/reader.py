"""Decodes what connections have received: in turns, and within a share of the time."""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Callable, Collection
from typing import Protocol

from fleet_telemetry.observed.budget import Budget
from fleet_telemetry.observed.connection import DnstapConnection
from fleet_telemetry.observed.dnstap import decode
from fleet_telemetry.observed.figures import Figures, RefusedConnection
from fleet_telemetry.observed.frame_result import FrameResult
from fleet_telemetry.observed.frame_streams import FrameStreamError, Phase
from fleet_telemetry.observed.half import Half
from fleet_telemetry.observed.limits import ReceiverLimits
from fleet_telemetry.observed.lookup import LookupSink

_TURN = 64
"""Frames of one connection before the next one has its turn."""
_ROOM = 1 << 20
"""Bytes that are passed over at once."""
_BURST_SECONDS = 0.1
"""How long decoding may take all of the time."""
_DEBT_SECONDS = 0.5
"""If passing over takes this much more than the share, a connection is not read for a moment."""


class Closing(Protocol):
    """Who closes connections."""

    def end(self, connection: DnstapConnection) -> None:
        """Close it and forget it."""

    def refuse(self, connection: DnstapConnection, why: RefusedConnection, sentence: str) -> None:
        """The same, because of what the peer did."""


class Reader:
    """See the module."""

    def __init__(
        self,
        closing: Closing,
        sink: LookupSink,
        figures: Figures,
        limits: ReceiverLimits,
        clock: Callable[[], float],
    ) -> None:
        self._closing = closing
        self._sink = sink
        self._figures = figures
        self._limits = limits
        self._clock = clock
        self._budget = Budget(limits.share, _BURST_SECONDS, clock)
        # Of its own, so that one who floods does not keep others from being decoded.
        self._skipping = Budget(limits.skipping_share, _BURST_SECONDS, clock)
        self._queue: deque[DnstapConnection] = deque()
        self._wake = asyncio.Event()
        self._waiting = 0
        """Bytes that wait to be decoded, or less: what was decoded is not subtracted each time."""

    def add(
        self, connection: DnstapConnection, received: int, others: Collection[DnstapConnection]
    ) -> None:
        """A connection has received bytes, or it ended. ``others`` are all that there are."""
        if not connection.is_queued:
            connection.is_queued = True
            self._queue.append(connection)
            self._wake.set()
        self._waiting += received
        if self._waiting > self._limits.buffered:
            self._make_room(connection, others)

    async def work(self) -> None:
        """Decode, until it is cancelled."""
        while True:
            if not self._queue:
                self._wake.clear()
                await self._wake.wait()
            await asyncio.sleep(self._budget.wait())
            started = self._clock()
            self._slice(started + self._limits.slice_seconds)
            self._budget.charge(self._clock() - started)

    def _slice(self, until: float) -> None:
        while self._queue and self._clock() < until:
            connection = self._queue.popleft()
            connection.is_queued = False
            try:
                is_done = self._turn(connection, until)
            except FrameStreamError as error:
                self._closing.refuse(connection, RefusedConnection.BAD_STREAM, str(error))
                continue
            if not is_done:
                connection.is_queued = True
                self._queue.append(connection)
            elif connection.has_left or connection.stream.phase is Phase.ENDED:
                self._closing.end(connection)

    def _turn(self, connection: DnstapConnection, until: float) -> bool:
        """Decode frames; return whether there are no more. Raises FrameStreamError."""
        for _ in range(_TURN):
            frame = connection.stream.next_frame()
            self._follow(connection)
            if frame is None:
                return True
            self._decode(connection, frame)
            if self._clock() >= until:
                return False
        return False

    def _decode(self, connection: DnstapConnection, frame: bytes) -> None:
        source = connection.source
        result = decode(frame)
        if isinstance(result, Half):
            self._figures.frames[FrameResult.LOOKUP] += 1
            self._sink.looked_up(source, result.lookup)
            if connection.pairing.is_missing_its_question(result):
                self._sink.lost(source, 1)
            return
        self._figures.frames[result] += 1
        if result.is_lost:
            connection.pairing.restart()
            self._sink.lost(source, 1)

    def _follow(self, connection: DnstapConnection) -> None:
        """Do what the control frames that were reached ask for."""
        phase = connection.stream.phase
        if phase is Phase.STREAMING and connection.is_reporting:
            return
        if replies := connection.stream.take_replies():
            try:
                connection.send(replies)
            except ssl.SSLError as error:
                self._closing.refuse(
                    connection, RefusedConnection.BAD_TLS, f"no TLS: {error.reason}"
                )
                return
        if phase is Phase.STREAMING:
            connection.began()
            connection.is_reporting = True
            self._sink.connected(connection.source)

    def _make_room(self, arrived: DnstapConnection, others: Collection[DnstapConnection]) -> None:
        started = self._clock()
        self._waiting = sum(one.stream.buffered for one in others)
        while self._waiting > self._limits.buffered:
            largest = max(others, key=lambda one: one.stream.buffered)
            before = largest.stream.buffered
            self._skip(largest)
            self._waiting -= before - largest.stream.buffered
        self._skipping.charge(self._clock() - started)
        wait = self._skipping.wait()
        if wait > _DEBT_SECONDS and not arrived.transport.is_closing():
            arrived.transport.pause_reading()
            asyncio.get_running_loop().call_later(wait, _resume, arrived)

    def _skip(self, connection: DnstapConnection) -> None:
        before = connection.stream.buffered
        try:
            frames = connection.stream.skip(_ROOM)
        except FrameStreamError as error:
            self._closing.refuse(connection, RefusedConnection.BAD_STREAM, str(error))
            return
        self._follow(connection)
        if frames:
            self._figures.frames[FrameResult.SKIPPED] += frames
            connection.pairing.restart()
            self._sink.lost(connection.source, frames)
        elif connection.stream.buffered == before:
            self._closing.refuse(
                connection, RefusedConnection.TOO_MANY, "incomplete frames fill the buffers"
            )


def _resume(connection: DnstapConnection) -> None:
    if not connection.transport.is_closing():
        connection.transport.resume_reading()
