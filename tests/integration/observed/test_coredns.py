"""What a real CoreDNS sends to the receiver."""

from __future__ import annotations

import asyncio
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dns.rcode
import pytest
import trustme
import uvloop

from fleet_telemetry.observed.frame_result import FrameResult
from fleet_telemetry.observed.lookup import LookupStage, ReportedLookup
from fleet_telemetry.observed.receiver import Receiver
from tests.support.coredns import LOOPBACK, LocalCoreDns
from tests.support.dnstap_reports import Heard

PATIENCE = 40.0
"""CoreDNS connects again after 10 s, and sends each second."""
POD = "127.20.0.7"


@pytest.fixture
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def coredns(tmp_path: Path, ca: trustme.CA) -> Iterator[LocalCoreDns]:
    ca.cert_pem.write_to_path(tmp_path / "ca.crt")
    with LocalCoreDns(tmp_path, {"SSL_CERT_FILE": str(tmp_path / "ca.crt")}) as coredns:
        yield coredns


def start(coredns: LocalCoreDns, tap: str) -> None:
    """With ``tap`` in the block of the hosts, such as ``dnstap tcp://127.0.0.1:6000 full``."""
    refused = ["acl refused.example.com {", "    block", "}"]
    gone = ["template ANY ANY gone.example.com {", "    rcode NXDOMAIN", "}"]
    found = ["template IN A {", '    answer "{{ .Name }} 60 IN A 192.0.2.1"', "}"]
    nothing = ["template ANY ANY {", "    rcode NOERROR", "}"]
    hosts = coredns.block(tap, *refused, *gone, *found, *nothing, zone="example.com")
    coredns.start(hosts + coredns.block("template ANY ANY {", "    rcode NXDOMAIN", "}"))


@asynccontextmanager
async def receiving(
    heard: Heard, port: int = 0, tls: ssl.SSLContext | None = None
) -> AsyncIterator[tuple[Receiver, int]]:
    receiver = Receiver(
        heard, lambda address: address == LOOPBACK, tls=(lambda: tls) if tls else None
    )
    async with receiver.serve(LOOPBACK, port) as bound:
        yield receiver, bound


async def until(true: Callable[[], Any]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not true():  # noqa: ASYNC110  # nothing else tells
            await asyncio.sleep(0.02)


Reported = tuple[LookupStage, str, str, bool]


def halves(heard: Heard) -> list[Reported]:
    return [(one.stage, one.name, one.client, one.refused) for _, one in heard.lookups]


def questions(reported: list[Reported]) -> list[Reported]:
    return [one for one in reported if one[0] is LookupStage.QUESTION]


async def seen(heard: Heard, count: int) -> list[ReportedLookup]:
    await until(lambda: len(heard.lookups) >= count)
    return [lookup for _, lookup in heard.lookups]


def test_lookups_of_clients(coredns: LocalCoreDns) -> None:
    async def test() -> None:
        heard = Heard()
        async with receiving(heard) as (receiver, port):
            await asyncio.to_thread(start, coredns, f"dnstap tcp://{LOOPBACK}:{port} full")
            before = datetime.now(UTC)
            for name, kind, tcp in (
                ("TeleMetry.EXAMPLE.com.", "A", False),
                ("telemetry.example.com", "AAAA", True),
                ("gone.example.com", "A", False),
                ("refused.example.com", "A", False),
            ):
                await asyncio.to_thread(coredns.ask, name, POD, kind=kind, tcp=tcp)
            lookups = await seen(heard, 8)
            after = datetime.now(UTC)
            found = halves(heard)
            expected = [
                (stage, name, POD, refused and stage is LookupStage.ANSWER)
                for name, refused in (
                    ("telemetry.example.com", False),
                    ("telemetry.example.com", False),
                    ("gone.example.com", True),
                    ("refused.example.com", True),
                )
                for stage in (LookupStage.QUESTION, LookupStage.ANSWER)
            ]
            # CoreDNS answers first and reports then, so the next question can be reported before.
            assert Counter(found) == Counter(expected)
            assert questions(found) == questions(expected)
            for one in lookups:
                assert before - timedelta(seconds=1) < one.time < after + timedelta(seconds=1)
            assert heard.events == [("connected", "127.0.0.1#1")]
            # Names of no host, and another class, are nobody's loss.
            await asyncio.to_thread(coredns.ask, r"a\032b\.c.example.com", POD)
            await until(lambda: receiver.figures.frames[FrameResult.IGNORED] == 2)
            assert heard.frames_lost == 0

    uvloop.run(test())


def test_many_lookups_at_once_are_each_a_question_and_an_answer(coredns: LocalCoreDns) -> None:
    async def test() -> None:
        heard = Heard()
        async with receiving(heard) as (_, port):
            await asyncio.to_thread(start, coredns, f"dnstap tcp://{LOOPBACK}:{port} full")

            def ask(client: int) -> None:
                for number in range(50):
                    coredns.ask(f"n{number}.example.com", f"127.20.1.{client}", tcp=number % 9 == 0)

            await asyncio.gather(*(asyncio.to_thread(ask, 1 + client) for client in range(16)))
            await seen(heard, 2 * 16 * 50)
            assert heard.frames_lost == 0

    uvloop.run(test())


def test_by_tls(coredns: LocalCoreDns, ca: trustme.CA) -> None:
    async def test() -> None:
        heard = Heard()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ca.issue_cert(LOOPBACK).configure_cert(context)
        async with receiving(heard, tls=context) as (_, port):
            await asyncio.to_thread(start, coredns, f"dnstap tls://{LOOPBACK}:{port} full")
            await asyncio.to_thread(coredns.ask, "telemetry.example.com", POD)
            await seen(heard, 2)

    uvloop.run(test())


def test_without_full_it_is_not_known_what_was_asked(coredns: LocalCoreDns) -> None:
    async def test() -> None:
        heard = Heard()
        async with receiving(heard) as (receiver, port):
            await asyncio.to_thread(start, coredns, f"dnstap tcp://{LOOPBACK}:{port}")
            await asyncio.to_thread(coredns.ask, "telemetry.example.com", POD)
            await until(lambda: receiver.figures.frames[FrameResult.NO_MESSAGE] == 2)
            assert heard.frames_lost == 2

    uvloop.run(test())


def test_a_reload_says_goodbye_and_begins_again(coredns: LocalCoreDns) -> None:
    async def test() -> None:
        heard = Heard()
        async with receiving(heard) as (receiver, port):
            tap = f"dnstap tcp://{LOOPBACK}:{port} full"
            await asyncio.to_thread(start, coredns, tap)
            await until(lambda: receiver.sources)
            await asyncio.to_thread(coredns.reload)
            await until(lambda: receiver.sources == {"127.0.0.1#2"})
            await asyncio.to_thread(coredns.ask, "telemetry.example.com", POD)
            await until(lambda: ("127.0.0.1#2") in {source for source, _ in heard.lookups})
            assert sorted(heard.events) == [
                ("connected", "127.0.0.1#1"),
                ("connected", "127.0.0.1#2"),
                ("disconnected", "127.0.0.1#1"),
            ]
            assert not any(receiver.figures.refused.values())

    uvloop.run(test())


def test_it_dies_and_comes_back(coredns: LocalCoreDns) -> None:
    async def test() -> None:
        heard = Heard()
        async with receiving(heard) as (receiver, port):
            tap = f"dnstap tcp://{LOOPBACK}:{port} full"
            await asyncio.to_thread(start, coredns, tap)
            await until(lambda: receiver.sources)
            coredns.kill()
            await until(lambda: not receiver.sources)
            await asyncio.to_thread(start, coredns, tap)
            await until(lambda: receiver.sources == {"127.0.0.1#2"})

    uvloop.run(test())


def test_dns_answers_while_nobody_receives_and_reports_once_somebody_does(
    coredns: LocalCoreDns,
) -> None:
    async def test() -> None:
        heard = Heard()
        async with receiving(heard) as (_, port):
            await asyncio.to_thread(start, coredns, f"dnstap tcp://{LOOPBACK}:{port} full")
            await until(lambda: heard.events)
        for _ in range(3):
            response = await asyncio.to_thread(coredns.ask, "telemetry.example.com", POD)
            assert response.rcode() == dns.rcode.NOERROR
            await asyncio.sleep(1.1)  # it writes each second, and finds the connection closed
        heard.lookups.clear()
        async with receiving(heard, port) as (receiver, _):
            await until(lambda: receiver.sources)
            await asyncio.to_thread(coredns.ask, "later.example.com", POD)
            await seen(heard, 2)
            assert set(heard.names()) == {"later.example.com"}

    uvloop.run(test())
