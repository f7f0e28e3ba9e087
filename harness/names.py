"""A real name server on loopback: CoreDNS, with zones that are rewritten while it runs.

    with NameServer(tmp_path) as names:
        names.set("telemetry.example.com", Records(a=["192.0.2.1"], ttl=60))
        ask(names.endpoint)
        names.set("telemetry.example.com", Fault.SERVFAIL)

It answers for every name that there is: what was not set does not exist (NXDOMAIN), and nothing is
ever asked of anybody else. ``set`` returns when the new answers are served; no question is lost
meanwhile.
"""

from __future__ import annotations

import re
import signal
import socket
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path
from types import TracebackType
from typing import Self

import dns.exception
import dns.message
import dns.query
import dns.rdatatype
from dns.rdtypes.ANY.TXT import TXT

from devcluster import binaries
from devcluster.children import Children, ComponentEndedError

_COREDNS = "coredns"
_READY_SECONDS = 20.0
_ATTEMPTS = 5
_HOST = re.compile(r"(?=.{1,253}\Z)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*")
_QUESTION = re.compile(r"question (?P<host>\S+)\. (?P<type>\S+) (?P<protocol>\S+)")
# It tells which data are served, and by which server.
_MARKER = "serves.name-server.invalid"
_SOA = "ns.name-server.invalid. hostmaster.name-server.invalid."


class NameServerError(RuntimeError):
    """The name server could not be started or changed; the message is a sentence for a person."""


@dataclass(frozen=True, kw_only=True)
class Records:
    """What a host has. With nothing of it, the host exists and has no address (NODATA)."""

    a: Sequence[str] = ()
    aaaa: Sequence[str] = ()
    cname: str = ""
    """The host is an alias of this one. The answer has the target's records, too."""
    ttl: int = 60
    """Seconds."""
    shown: int = 0
    """So many addresses an answer, another run of them each time; 0: all, in the same order."""
    cut: bool = False
    """The answer has the alias alone, as where the target is in a zone of somebody else's."""

    def __post_init__(self) -> None:
        if self.cname and (self.a or self.aaaa):
            raise ValueError("an alias has no addresses of its own")
        for texts, version in ((self.a, 4), (self.aaaa, 6)):
            for text in texts:
                if ip_address(text).version != version:
                    raise ValueError(f"{text} is not of IPv{version}")


class Fault(StrEnum):
    """What a server does instead of telling addresses."""

    SERVFAIL = "SERVFAIL"
    REFUSED = "REFUSED"
    NXDOMAIN = "NXDOMAIN"
    SILENCE = "SILENCE"
    """No answer at all, for the host and for all names that end with it."""


@dataclass(frozen=True)
class Question:
    """What the server was asked."""

    host: str
    type: str
    """Such as ``AAAA``."""
    protocol: str
    """``udp`` or ``tcp``."""


class NameServer:
    """One CoreDNS on a port of its own, by UDP and TCP."""

    def __init__(
        self,
        directory: Path,
        *,
        address: str = "127.0.0.1",
        negative_ttl: int = 30,
        detached: bool = False,
    ) -> None:
        """``negative_ttl`` (seconds) is what answers without addresses say."""
        self._directory = directory
        self._directory.mkdir(parents=True, exist_ok=True)
        self._address = address
        self._negative_ttl = negative_ttl
        self._hosts: dict[str, Records | Fault] = {}
        self._server = uuid.uuid4().hex
        self._generation = 0
        self._lock = threading.Lock()
        self._reservation: socket.socket | None = None
        self.port = 0
        self.children = Children(log=self.log, environment={}, inherits=None, detached=detached)

    def log(self, name: str = _COREDNS) -> Path:
        """The file with its output: one line a question."""
        return self._directory / f"{name}.log"

    @property
    def endpoint(self) -> str:
        """``ADDRESS:PORT``, as the operator's option takes it."""
        host = f"[{self._address}]" if ":" in self._address else self._address
        return f"{host}:{self.port}"

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def start(self) -> None:
        """Start it, or start it again on the same port. Raises NameServerError, DevclusterError."""
        program = str(binaries.ensure([_COREDNS])[_COREDNS])
        for attempt in range(_ATTEMPTS):
            self._reserve()
            self._write()
            self.children.start(_COREDNS, [program, "-conf", str(self._directory / "Corefile")])
            try:
                self._wait_until_served()
            except ComponentEndedError:
                # Somebody may have taken the port a moment ago.
                self.children.stop(_COREDNS)
                if attempt == _ATTEMPTS - 1:
                    raise
                time.sleep(0.2)
            else:
                return

    def stop(self) -> None:
        """End it: nobody listens on the port any more. What was set is kept for the next start."""
        self.children.stop(_COREDNS)

    def suspend(self) -> None:
        """Let it hang: questions arrive and are not answered."""
        self.children.send(_COREDNS, signal.SIGSTOP)

    def resume(self) -> None:
        """Let a suspended one go on; it answers what was asked meanwhile."""
        self.children.send(_COREDNS, signal.SIGCONT)

    def close(self) -> None:
        """End it, and give the port away."""
        if _COREDNS in self.children.names():
            self.stop()
        self.children.kill_all()
        if self._reservation is not None:
            self._reservation.close()
            self._reservation = None

    def set(self, host: str, what: Records | Fault) -> None:
        """Answer like this for a host from now on. Raises NameServerError."""
        self.update({host: what})

    def remove(self, *hosts: str) -> None:
        """These do not exist any more. Raises NameServerError."""
        self.update(dict.fromkeys(hosts))

    def update(self, hosts: Mapping[str, Records | Fault | None]) -> None:
        """Change several at once; None removes. Raises NameServerError."""
        with self._lock:
            after = dict(self._hosts)
            for host, what in hosts.items():
                if not _HOST.fullmatch(host):
                    raise ValueError(f"{host!r} is no host name in lower case without a last dot")
                if what is None:
                    after.pop(host, None)
                else:
                    after[host] = what
            if after == self._hosts:
                return
            self._hosts = after
            if _COREDNS in self.children.names():
                self._reload()

    def questions(self) -> tuple[Question, ...]:
        """All that it was asked, in order. The last may be missing for a moment."""
        found = _QUESTION.finditer(self.log().read_text())
        questions = (Question(one["host"], one["type"], one["protocol"]) for one in found)
        return tuple(question for question in questions if question.host != _MARKER)

    def _reserve(self) -> None:
        """Take a port. CoreDNS shares its port with whoever asks, so that two of them on one would
        answer in turns; this socket, which never listens, keeps the port from being given away.
        """
        if self._reservation is not None:
            return
        family = socket.AF_INET6 if ":" in self._address else socket.AF_INET
        reservation = socket.socket(family)
        reservation.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        reservation.bind((self._address, 0))
        self._reservation = reservation
        self.port = reservation.getsockname()[1]

    def _reload(self) -> None:
        seen = self.log().stat().st_size
        self._write()
        self.children.send(_COREDNS, signal.SIGUSR1)
        # Until then the server of before may answer, too.
        self._wait(lambda: self._has_reloaded(seen), "has not taken its new data")
        self._wait_until_served()

    def _has_reloaded(self, seen: int) -> bool:
        said = self.log().read_bytes()[seen:].decode()
        if "[ERROR] Restart failed" in said or "[ERROR] SIGUSR1" in said:
            raise NameServerError(f"CoreDNS does not take its data: {said}")
        return "[INFO] Reloading complete" in said

    def _wait_until_served(self) -> None:
        expected = f"{self._server}-{self._generation}"
        self._wait(lambda: self._served() == expected, "does not serve its data")

    def _served(self) -> str:
        """What the marker says; empty without an answer."""
        query = dns.message.make_query(_MARKER, dns.rdatatype.TXT)
        try:
            answer = dns.query.udp(query, self._address, timeout=0.5, port=self.port)
        except (OSError, dns.exception.DNSException):
            return ""
        records = (record for rrset in answer.answer for record in rrset)
        return "".join(record.strings[0].decode() for record in records if isinstance(record, TXT))

    def _wait(self, condition: Callable[[], bool], trouble: str) -> None:
        deadline = time.monotonic() + _READY_SECONDS
        while not condition():
            self.children.check(_COREDNS)
            if time.monotonic() > deadline:
                raise NameServerError(
                    f"CoreDNS {trouble} after {_READY_SECONDS:.0f} s; its log is {self.log()}"
                )
            time.sleep(0.005)

    def _write(self) -> None:
        self._generation += 1
        self._file("zone").write_text("\n".join(self._zone()) + "\n")
        self._file("Corefile").write_text("\n".join(self._corefile()) + "\n")

    def _file(self, name: str) -> Path:
        return self._directory / name

    def _zone(self) -> list[str]:
        """The zone of all names."""
        lines = [
            f". {self._soa}",
            f". {self._negative_ttl} IN NS ns.name-server.invalid.",
            f'{_MARKER}. 0 IN TXT "{self._server}-{self._generation}"',
        ]
        for host, what in self._hosts.items():
            if not isinstance(what, Records) or what.shown or what.cut:
                continue
            own = f"{host}. {what.ttl} IN"
            lines += [f"{own} A {address}" for address in what.a]
            lines += [f"{own} AAAA {address}" for address in what.aaaa]
            lines += [f"{own} CNAME {what.cname}."] if what.cname else []
            # So that it exists without an address.
            lines += [] if what.cname else [f'{own} TXT "a host"']
        return lines

    @property
    def _soa(self) -> str:
        ttl = self._negative_ttl
        return f"{ttl} IN SOA {_SOA} {self._generation} 3600 600 86400 {ttl}"

    def _corefile(self) -> list[str]:
        """Everything in one server block but silence: ``erratic`` answers for a whole block."""
        nothing = f'authority ". {self._soa}"'
        templates: list[str] = []
        silent: list[str] = []
        for host, what in self._hosts.items():
            if what is Fault.SILENCE:
                silent += self._block(host, "erratic {", "drop 1", "}")
            elif isinstance(what, Fault):
                templates += _template(host, "ANY", f"rcode {what}", nothing)
            elif what.cut:
                alias = f"{{{{ .Name }}}} {what.ttl} IN CNAME {what.cname}."
                templates += _template(host, "ANY", f'answer "{alias}"')
            elif what.shown:
                templates += _rotation(host, "A", what.a, what)
                templates += _rotation(host, "AAAA", what.aaaa, what)
                templates += _template(host, "ANY", nothing)
        zone = (f'file "{self._file("zone")}" . {{', "reload 0", "}")
        return [*self._block(".", *templates, *zone), *silent]

    def _block(self, zone: str, *lines: str) -> list[str]:
        log = 'log . "question {name} {type} {proto}"'
        return [f"{zone}:{self.port} {{", f"bind {self._address}", "errors", log, *lines, "}"]


def _template(host: str, kind: str, *lines: str) -> list[str]:
    """Answers of the host alone, and not of the names below it."""
    match = f'match "^{re.escape(host)}[.]$"'
    return [f"template IN {kind} {host} {{", match, *lines, "fallthrough", "}"]


def _rotation(host: str, kind: str, addresses: Sequence[str], what: Records) -> list[str]:
    """Where a run begins comes from the question's number, which is a random one."""
    if not addresses:
        return []
    size = min(what.shown, len(addresses))
    pool = ",".join(f"'{address}'" for address in addresses)
    answers = (
        f'answer "{{{{ .Name }}}} {what.ttl} IN {kind} {{{{ index .Var.run {number} }}}}"'
        for number in range(size)
    )
    return _template(
        host,
        kind,
        f'var pool "[{pool}]"',
        f'var start "id() % {len(addresses)}"',
        f'var run "concat(pool, pool)[start:start + {size}]"',
        *answers,
    )
