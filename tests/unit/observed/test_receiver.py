"""The receiver, with real connections on loopback, on both kinds of event loop."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import pytest
import trustme
import uvloop

from fleet_telemetry.observed.figures import RefusedConnection
from fleet_telemetry.observed.frame_result import FrameResult
from fleet_telemetry.observed.frame_streams import data_frame
from fleet_telemetry.observed.limits import ReceiverLimits
from fleet_telemetry.observed.lookup import LookupStage, ReportedLookup
from fleet_telemetry.observed.receiver import Receiver
from tests.support.dnstap_reports import (
    ACCEPT,
    FINISH,
    NOW,
    READY,
    START,
    STOP,
    Heard,
    question,
    report,
    stream,
)

LOOPBACK = "127.0.0.1"
ELSEWHERE = "127.0.0.9"
PATIENCE = 20.0
Run = Callable[[Awaitable[None]], None]


@pytest.fixture(params=[asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run:
    return request.param


class Peer:
    """A name server."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def begin(self) -> None:
        self.writer.write(READY)
        assert await self.reader.readexactly(len(ACCEPT)) == ACCEPT
        self.writer.write(START)

    def send(self, *data: bytes) -> None:
        self.writer.write(b"".join(data))

    async def all_it_gets(self) -> bytes:
        """Until the receiver closes."""
        received = b""
        try:
            async with asyncio.timeout(PATIENCE):
                while data := await self.reader.read(4096):
                    received += data
        except ConnectionError:
            pass
        return received


@dataclass
class World:
    heard: Heard
    receiver: Receiver
    port: int
    tls: ssl.SSLContext | None
    refused: list[tuple[str, RefusedConnection, str]]
    admitted: set[str]
    peers: list[Peer] = field(default_factory=list)

    async def peer(self, address: str = LOOPBACK) -> Peer:
        """A connection from an address of loopback."""
        peer = Peer(
            *await asyncio.open_connection(
                LOOPBACK, self.port, local_addr=(address, 0), ssl=self.tls
            )
        )
        self.peers.append(peer)
        return peer

    async def streaming(self, address: str = LOOPBACK) -> Peer:
        peer = await self.peer(address)
        before = len(self.heard.events)
        await peer.begin()
        await self.until(lambda: len(self.heard.events) > before)
        return peer

    async def until(self, true: Callable[[], Any]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not true():  # noqa: ASYNC110  # nothing else tells
                await asyncio.sleep(0.002)

    def why(self) -> list[RefusedConnection]:
        return [why for _, why, _ in self.refused]


class Clock:
    """A time that stands still, or jumps by ``step`` seconds whenever somebody looks."""

    def __init__(self) -> None:
        self.now = 100.0
        self.step = 0.0

    def __call__(self) -> float:
        self.now += self.step
        return self.now


@asynccontextmanager
async def world(
    host: str = LOOPBACK,
    *,
    ca: trustme.CA | None = None,
    heard: Heard | None = None,
    clock: Callable[[], float] = time.monotonic,
    **limits: float,
) -> AsyncIterator[World]:
    heard = heard or Heard()
    refused: list[tuple[str, RefusedConnection, str]] = []
    admitted = {LOOPBACK}
    context = trusting = None
    if ca:
        context, trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
        ca.issue_cert(LOOPBACK).configure_cert(context)
        ca.configure_trust(trusting)
    receiver = Receiver(
        heard,
        lambda address: address in admitted,
        on_refusal=lambda *what: refused.append(what),
        tls=(lambda: context) if context else None,
        limits=ReceiverLimits(**limits),  # type: ignore[arg-type]
        clock=clock,
    )
    async with receiver.serve(host, 0) as port:
        here = World(heard, receiver, port, trusting, refused, admitted)
        try:
            yield here
        finally:
            for peer in here.peers:
                peer.writer.close()


@pytest.mark.parametrize("encrypted", [False, True], ids=["clear", "TLS"])
def test_lookups_arrive(run: Run, encrypted: bool) -> None:
    async def test() -> None:
        async with world(ca=trustme.CA() if encrypted else None) as here:
            peer = await here.streaming()
            assert here.receiver.sources == {"127.0.0.1#1"}
            peer.send(data_frame(report()), data_frame(report(LookupStage.ANSWER)))
            await here.until(lambda: len(here.heard.lookups) == 2)
            peer.send(STOP)
            assert await peer.all_it_gets() == FINISH
        assert here.heard.events == [("connected", "127.0.0.1#1"), ("disconnected", "127.0.0.1#1")]
        assert [(source, lookup.stage) for source, lookup in here.heard.lookups] == [
            ("127.0.0.1#1", LookupStage.QUESTION),
            ("127.0.0.1#1", LookupStage.ANSWER),
        ]
        assert here.receiver.figures.frames[FrameResult.LOOKUP] == 2
        assert not here.refused

    run(test())


def test_a_peer_that_only_writes(run: Run) -> None:
    async def test() -> None:
        async with world() as here:
            peer = await here.peer()
            peer.send(stream(report(), bidirectional=False))
            assert await peer.all_it_gets() == b""
        assert len(here.heard.lookups) == 1

    run(test())


def test_every_byte_on_its_own(run: Run) -> None:
    async def test() -> None:
        async with world() as here:
            peer = await here.peer()
            for byte in stream(report(), report()):
                peer.send(bytes([byte]))
                await asyncio.sleep(0)
            assert await peer.all_it_gets() == ACCEPT + FINISH
        assert len(here.heard.lookups) == 2

    run(test())


@pytest.mark.parametrize("encrypted", [False, True], ids=["clear", "TLS"])
def test_who_is_not_admitted_is_closed_at_once(run: Run, encrypted: bool) -> None:
    async def test() -> None:
        async with world(ca=trustme.CA() if encrypted else None) as here:
            here.tls = None  # before TLS costs anything
            peer = await here.peer(ELSEWHERE)
            peer.send(stream(report()))
            assert await peer.all_it_gets() == b""
            assert here.refused == [
                (ELSEWHERE, RefusedConnection.NOT_ADMITTED, "its address is no name server's")
            ]
            assert here.receiver.figures.refused[RefusedConnection.NOT_ADMITTED] == 1
        assert not here.heard.events

    run(test())


def test_ipv4_on_a_socket_of_ipv6(run: Run) -> None:
    async def test() -> None:
        async with world("::") as here:
            await here.streaming()
            assert here.receiver.sources == {"127.0.0.1#1"}

    run(test())


def test_a_handshake_that_takes_too_long(run: Run) -> None:
    async def test() -> None:
        async with world(handshake_seconds=0.05) as here:
            peer = await here.peer()
            peer.send(READY)  # and no START
            assert await peer.all_it_gets() == ACCEPT
            assert here.refused == [
                (
                    LOOPBACK,
                    RefusedConnection.NO_HANDSHAKE,
                    "no stream of dnstap began within 0.05 s",
                )
            ]
        assert not here.heard.events

    run(test())


def test_a_stream_may_be_silent(run: Run) -> None:
    async def test() -> None:
        async with world(handshake_seconds=0.05) as here:
            peer = await here.streaming()
            await asyncio.sleep(0.2)
            peer.send(data_frame(report()))
            await here.until(lambda: here.heard.lookups)
            # So the system looks whether the peer is there.
            (connection,) = here.receiver._connections
            there = connection.transport.get_extra_info("socket")
            assert there.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert not here.refused

    run(test())


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", False),
        (READY + START + b"\xff\xff\xff\xff", False),
        (START + data_frame(report()) + START, True),
    ],
    ids=["HTTP", "4 GiB", "START twice"],
)
def test_what_is_no_stream_is_closed_and_others_go_on(run: Run, sent: bytes, told: bool) -> None:
    async def test() -> None:
        async with world() as here:
            good = await here.streaming()
            bad = await here.peer()
            bad.send(sent)
            await bad.all_it_gets()
            assert here.why() == [RefusedConnection.BAD_STREAM]
            assert (("disconnected", "127.0.0.1#2") in here.heard.events) is told
            before = len(here.heard.lookups)
            good.send(data_frame(report()))
            await here.until(lambda: len(here.heard.lookups) > before)
            assert here.receiver.sources == {"127.0.0.1#1"}

    run(test())


def test_what_is_no_tls(run: Run) -> None:
    async def test() -> None:
        async with world(ca=trustme.CA()) as here:
            here.tls = None
            peer = await here.peer()
            peer.send(READY)
            await peer.all_it_gets()
            assert here.why() == [RefusedConnection.BAD_TLS]

    run(test())


def test_the_end_of_tls_is_the_end(run: Run) -> None:
    async def test() -> None:
        ca = trustme.CA()
        async with world(ca=ca) as here:
            peer = await here.streaming()
            peer.send(data_frame(report()))
            peer.writer.close()
            await here.until(lambda: not here.receiver.sources)
            assert len(here.heard.lookups) == 1

    run(test())


def test_of_one_address_the_one_silent_for_longest_makes_room(run: Run) -> None:
    async def test() -> None:
        async with world(connections_per_address=3) as here:
            here.admitted.add(ELSEWHERE)
            peers = [await here.streaming() for _ in range(3)]
            other = await here.streaming(ELSEWHERE)
            for peer in (peers[0], peers[2]):
                peer.send(data_frame(report()))
                await here.until(lambda: here.heard.lookups)
                here.heard.lookups.clear()
            await here.streaming()
            assert here.why() == [RefusedConnection.TOO_MANY]
            assert await peers[1].all_it_gets() == b""
            assert here.receiver.sources == {
                "127.0.0.1#1", "127.0.0.1#3", "127.0.0.9#4", "127.0.0.1#5"
            }  # fmt: skip
            assert not other.reader.at_eof()

    run(test())


def test_there_are_not_too_many_connections(run: Run) -> None:
    async def test() -> None:
        async with world(connections=2) as here:
            peers = [await here.streaming() for _ in range(2)]
            assert await (await here.peer()).all_it_gets() == b""
            assert here.refused == [
                (LOOPBACK, RefusedConnection.TOO_MANY, "2 connections are open")
            ]
            peers[0].send(STOP)
            await here.until(lambda: len(here.receiver.sources) == 1)
            await here.streaming()

    run(test())


def test_what_cannot_be_decoded_in_time_is_counted(run: Run) -> None:
    async def test() -> None:
        async with world(buffered=20_000, share=0.01) as here:
            peer = await here.streaming()
            frames = 10_000
            peer.send(data_frame(report()) * frames, STOP)
            await peer.all_it_gets()
            figures = here.receiver.figures.frames
            assert here.heard.frames_lost == figures[FrameResult.SKIPPED] > 0
            assert len(here.heard.lookups) == figures[FrameResult.LOOKUP]
            assert sum(figures.values()) == frames
            assert here.heard.events[-1] == ("disconnected", "127.0.0.1#1")

    run(test())


@pytest.mark.thorough
def test_a_flood_that_is_too_fast_to_be_passed_over_is_not_read_for_a_moment(run: Run) -> None:
    async def test() -> None:
        clock = Clock()
        async with world(buffered=20_000, clock=clock) as here:
            peer = await here.streaming()
            (connection,) = here.receiver._connections
            clock.step = 1  # so long it seems to take
            peer.send(data_frame(report()) * 1000)
            await here.until(lambda: not connection.transport.is_reading())
            assert here.heard.frames_lost
            clock.step, clock.now = 0, clock.now + 100
            peer.send(STOP)
            assert await peer.all_it_gets() == FINISH
        assert not here.refused

    run(test())


@pytest.mark.thorough
def test_what_a_name_server_may_have_dropped_while_nobody_read_is_a_loss(run: Run) -> None:
    async def test() -> None:
        clock = Clock()
        async with world(clock=clock, buffered=10**9) as here:
            peer = await here.streaming()
            frames = data_frame(report()) * 20_000
            for data, stood_still, lost in (
                (data_frame(report()), 1.0, 0),  # it had nothing to say
                (frames, 0.1, 0),
                (frames, 1.0, 1),
            ):
                before = sum(here.receiver.figures.frames.values())
                count = len(data) // len(data_frame(report()))
                clock.now += stood_still
                peer.send(data)
                await here.until(
                    lambda until=before + count: sum(here.receiver.figures.frames.values()) == until
                )
                assert here.heard.frames_lost == lost

    run(test())


def test_frames_that_are_never_complete_do_not_fill_the_memory(run: Run) -> None:
    async def test() -> None:
        async with world(buffered=150_000) as here:
            peers = [await here.streaming() for _ in range(2)]
            for peer in peers:
                peer.send(data_frame(bytes(100_000))[:-1])
            await here.until(lambda: here.refused)
            assert here.refused == [
                (LOOPBACK, RefusedConnection.TOO_MANY, "incomplete frames fill the buffers")
            ]
            assert len(here.receiver.sources) == 1

    run(test())


def test_a_flood_from_one_does_not_keep_another_waiting(run: Run) -> None:
    async def test() -> None:
        async with world(share=0.05, buffered=10**9) as here:
            here.admitted.add(ELSEWHERE)
            flooding, quiet = await here.streaming(), await here.streaming(ELSEWHERE)
            frames = 50_000
            flooding.send(data_frame(report()) * frames)
            await here.until(lambda: len(here.heard.lookups) > 500)
            quiet.send(data_frame(report(dns_message=question("quiet.example"))))
            await here.until(lambda: "quiet.example" in here.heard.names())
            assert len(here.heard.lookups) < frames

    run(test())


def test_what_was_sent_before_the_end_is_decoded(run: Run) -> None:
    async def test() -> None:
        async with world() as here:
            peer = await here.streaming()
            peer.send(data_frame(report()) * 500, b"\0\0")
            await peer.writer.drain()
            peer.writer.close()
            await here.until(lambda: not here.receiver.sources)
        assert len(here.heard.lookups) == 500
        assert here.heard.events == [("connected", "127.0.0.1#1"), ("disconnected", "127.0.0.1#1")]

    run(test())


def test_a_frame_that_is_no_lookup_may_be_a_loss(run: Run) -> None:
    async def test() -> None:
        async with world() as here:
            peer = await here.streaming()
            peer.send(data_frame(report(type=3)), data_frame(b"rubbish"), data_frame(report()))
            await here.until(lambda: here.heard.lookups)
            assert here.heard.frames_lost == 1
            figures = here.receiver.figures.frames
            assert figures[FrameResult.IGNORED] == figures[FrameResult.UNREADABLE] == 1

    run(test())


def test_an_answer_whose_question_was_dropped_is_a_loss(run: Run) -> None:
    async def test() -> None:
        async with world() as here:
            peer = await here.streaming()
            earlier = report(
                LookupStage.ANSWER, query_port=1, query_time_sec=int(NOW.timestamp()) + 1
            )
            for frame, lost in ((report(), 0), (report(LookupStage.ANSWER), 0), (earlier, 1)):
                before = len(here.heard.lookups)
                peer.send(data_frame(frame))
                await here.until(lambda before=before: len(here.heard.lookups) > before)
                assert here.heard.frames_lost == lost

    run(test())


def test_it_can_be_started_again(run: Run) -> None:
    async def test() -> None:
        heard = Heard()
        receiver = Receiver(heard, lambda _: True)
        port = 0
        for round_ in count(1):
            async with receiver.serve(LOOPBACK, port) as port:
                with pytest.raises(RuntimeError, match="listens already"):
                    await receiver.serve(LOOPBACK, 0).__aenter__()
                here = World(heard, receiver, port, None, [], set())
                peer = await here.streaming()
                waiting = await here.peer()  # whose handshake is not done
            assert await peer.all_it_gets() == await waiting.all_it_gets() == b""
            assert receiver.sources == set()
            assert heard.events[-1][0] == "disconnected"
            with pytest.raises(OSError, match="onnect"):
                await here.peer()
            peer.writer.close()
            waiting.writer.close()
            if round_ == 3:
                break
        # No source has the name of an earlier one.
        assert len({source for _, source in heard.events}) == 3

    run(test())


def test_a_port_that_is_taken(run: Run) -> None:
    async def test() -> None:
        async with world() as here:
            receiver = Receiver(Heard(), lambda _: True)
            with pytest.raises(OSError, match="in use"):
                await receiver.serve(LOOPBACK, here.port).__aenter__()
            async with receiver.serve(LOOPBACK, 0):
                pass

    run(test())


def test_who_is_no_longer_admitted_is_closed(run: Run) -> None:
    async def test() -> None:
        async with world() as here:
            here.admitted.add(ELSEWHERE)
            gone, stays = await here.streaming(ELSEWHERE), await here.streaming()
            here.admitted.remove(ELSEWHERE)
            here.receiver.recheck()
            assert await gone.all_it_gets() == b""
            assert here.receiver.sources == {"127.0.0.1#2"}
            assert here.why() == [RefusedConnection.NOT_ADMITTED]
            assert not stays.reader.at_eof()
        here.receiver.recheck()  # does nothing after the end

    run(test())


class Faulty(Heard):
    def looked_up(self, source: str, lookup: ReportedLookup) -> None:
        del source, lookup
        raise LookupError("a fault of ours")


def test_a_fault_of_the_sink_is_not_hidden(run: Run) -> None:
    async def test() -> None:
        async with world(heard=Faulty()) as here:
            peer = await here.streaming()
            peer.send(data_frame(report()))
            await asyncio.sleep(PATIENCE)

    with pytest.raises(ExceptionGroup) as raised:
        run(test())
    assert raised.group_contains(LookupError, match="a fault of ours")
