"""A real CoreDNS with a Corefile of the test's, and the operator's receiver for what it reports."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import dns.exception
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype

from dev.cluster import ensure
from dev.harness.ports import reserve_port
from fleet_telemetry.observed.lookup import LookupStage, ReportedLookup
from fleet_telemetry.observed.receiver import Receiver
from tests.support.dnstap_reports import Heard
from tests.support.world import eventually

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Answer:
    """What a client gets."""

    rcode: str
    values: tuple[str, ...] = ()
    """The last words of the records."""
    soa_ttl: int | None = None


@dataclass
class CoreDns:
    """One CoreDNS on its own port of loopback."""

    folder: Path
    port: int = 0
    _process: subprocess.Popen[bytes] | None = None
    _reserved: socket.socket | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._reserved = reserve_port(LOOPBACK)
        self.port = self._reserved.getsockname()[1]

    @property
    def log(self) -> Path:
        return self.folder / "log"

    def main_block(self, *lines: str) -> str:
        """A server block for all names, in which every name below ``example`` has an address."""
        own = [f"bind {LOOPBACK}", "errors", *lines]
        return "\n".join([f".:{self.port} {{", *(f"    {line}" for line in own), "}", ""])

    def start(self, corefile: str, program: Path | None = None) -> None:
        """Start it. Raises AssertionError with what it says if it does not load."""
        (self.folder / "Corefile").write_text(corefile)
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [program or ensure(["coredns"])["coredns"], "-conf", self.folder / "Corefile"],
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self._wait("CoreDNS-")

    def reload(self, corefile: str) -> None:
        """Give it another Corefile."""
        assert self._process is not None
        (self.folder / "Corefile").write_text(corefile)
        self.log.write_text("")
        self._process.send_signal(signal.SIGUSR1)
        self._wait("Reloading complete")

    def _wait(self, word: str) -> None:
        process = self._process
        assert process is not None

        def probe() -> bool:
            said = self.log.read_text()
            assert process.poll() is None, said
            assert "[ERROR]" not in said or "dnstap" in said, said
            return word in said

        eventually(probe, say=word)

    def ask(self, name: str, kind: str = "A", client: str = LOOPBACK) -> Answer:
        """Ask from an address."""
        query = dns.message.make_query(name, kind)
        for attempt in range(20):
            try:
                found = dns.query.udp(query, LOOPBACK, timeout=3, port=self.port, source=client)
            except dns.exception.Timeout:
                assert attempt < 19, self.log.read_text()
            else:
                break
        values = [str(record).split()[-1] for rrset in found.answer for record in rrset]
        soa = [rrset.ttl for rrset in found.authority if rrset.rdtype == dns.rdatatype.SOA]
        return Answer(dns.rcode.to_text(found.rcode()), tuple(values), soa[0] if soa else None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)
        if self._reserved is not None:
            self._reserved.close()


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
