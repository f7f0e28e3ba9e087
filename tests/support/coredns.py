"""A real CoreDNS with a Corefile of the test's."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import dns.exception
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype

from dev.cluster import ensure
from dev.cluster.children import Children
from dev.harness.ports import reserve_port
from tests.support.world import eventually

LOOPBACK = "127.0.0.1"
_NAME = "coredns"
_READY_SECONDS = 20.0
_PROBE = "probe.invalid."
_ATTEMPTS = 20


@dataclass(frozen=True)
class Answer:
    """What a client gets."""

    rcode: str
    values: tuple[str, ...] = ()
    """The last words of the records."""
    soa_ttl: int | None = None


class LocalCoreDns:
    """One CoreDNS on a port of loopback of its own, by UDP and TCP. It may be started again."""

    def __init__(self, folder: Path, environment: Mapping[str, str] | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._corefile = folder / "Corefile"
        self.log = folder / "coredns.log"
        self._children = Children(
            log=lambda _: self.log,
            environment=dict(environment or {}),
            inherits=None,
            detached=False,
        )
        self._reservation = reserve_port(LOOPBACK)
        self.port: int = self._reservation.getsockname()[1]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._children.kill_all()
        self._reservation.close()

    def block(self, *lines: str, zone: str = ".") -> str:
        """A server block for the names of a zone."""
        own = [f"bind {LOOPBACK}", "errors", *lines]
        return "\n".join([f"{zone}:{self.port} {{", *(f"    {line}" for line in own), "}", ""])

    def start(self, corefile: str, program: Path | None = None) -> None:
        """Start it, and wait until it answers. Raises AssertionError with what it says if it does
        not load."""
        self._corefile.write_text(corefile)
        program = program or ensure([_NAME])[_NAME]
        self._children.start(_NAME, [str(program), "-conf", str(self._corefile)])

        def answers() -> bool:
            self._check_log()
            try:
                self.ask(_PROBE, patience=0.3)
            except (OSError, dns.exception.DNSException):
                return False
            return True

        eventually(answers, seconds=_READY_SECONDS, say="an answer of CoreDNS")

    def reload(self, corefile: str | None = None) -> None:
        """Have it read its Corefile again, or another one, and wait until it has."""
        if corefile is not None:
            self._corefile.write_text(corefile)
        before = self._check_log()
        self._children.send(_NAME, signal.SIGUSR1)
        eventually(lambda: "Reloading complete" in self._check_log()[len(before) :], say="a reload")

    def kill(self) -> None:
        """Kill it."""
        self._children.kill(_NAME)

    def ask(
        self,
        name: str,
        client: str = LOOPBACK,
        *,
        kind: str = "A",
        tcp: bool = False,
        patience: float = 5.0,
    ) -> dns.message.Message:
        """As a client at an address of loopback. Raises OSError, DNSException."""
        ask = dns.query.tcp if tcp else dns.query.udp
        question = dns.message.make_query(name, kind)
        return ask(question, LOOPBACK, timeout=patience, port=self.port, source=client)

    def answer(self, name: str, kind: str = "A", client: str = LOOPBACK) -> Answer:
        """The same in short. A client asks again if it gets no answer."""
        for attempt in range(_ATTEMPTS):
            try:
                found = self.ask(name, client, kind=kind, patience=3)
            except dns.exception.Timeout:
                assert attempt < _ATTEMPTS - 1, self.log.read_text()
            else:
                break
        values = [str(record).split()[-1] for rrset in found.answer for record in rrset]
        soa = [rrset.ttl for rrset in found.authority if rrset.rdtype == dns.rdatatype.SOA]
        return Answer(dns.rcode.to_text(found.rcode()), tuple(values), soa[0] if soa else None)

    def _check_log(self) -> str:
        """What it has said. Raises AssertionError if it ended, or reports an error other than of
        its connection to the receiver."""
        said = self.log.read_text()
        self._children.check(_NAME)
        wrong = [line for line in said.splitlines() if "[ERROR]" in line and "dnstap" not in line]
        assert not wrong, said
        return said
