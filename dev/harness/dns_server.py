"""A real name server on loopback: CoreDNS, with zones that are rewritten while it runs.

    with LocalDnsServer(tmp_path) as names:
        names.set("telemetry.example.com", Records(a=["192.0.2.1"], ttl=60))
        ask(names.endpoint)
        names.set("telemetry.example.com", DnsFault.SERVFAIL)

It is authoritative for every name: names that were not set do not exist (NXDOMAIN), and it forwards
nothing. ``set`` returns when the new responses are served; no query is lost in the meantime.
"""

from __future__ import annotations

import os
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

import dns.exception
import dns.message
import dns.query
import dns.rdatatype
from dns.rdtypes.ANY.TXT import TXT

from dev.cluster import binaries
from dev.cluster.children import Children, ComponentEndedError
from dev.harness.managed import Managed
from dev.harness.ports import reserve_port

_COREDNS = "coredns"
_READY_SECONDS = 20.0
_ATTEMPTS = 5
_HOST = re.compile(r"(?=.{1,253}\Z)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*")
_QUESTION = re.compile(r"question (?P<host>\S+)\. (?P<type>\S+) (?P<protocol>\S+)")
# A marker for which data are served, and by which server.
_MARKER = "serves.name-server.invalid"
_SOA = "ns.name-server.invalid. hostmaster.name-server.invalid."


class NameServerError(RuntimeError):
    """The name server could not be started or changed; the message is for the user."""


@dataclass(frozen=True, kw_only=True)
class Records:
    """The records of a host. Without any, the host exists and has no address (NODATA)."""

    a: Sequence[str] = ()
    aaaa: Sequence[str] = ()
    cname: str = ""
    """The host is an alias of this one. The response contains the target's records, too."""
    ttl: int = 60
    """Seconds."""
    shown: int = 0
    """Addresses in each response, others each time; 0: all, in the same order."""
    cut: bool = False
    """The response contains only the alias, as if the target were in another zone. Names below
    the host do not exist.
    """

    def __post_init__(self) -> None:
        if self.cname and not _HOST.fullmatch(self.cname):
            raise ValueError(
                f"{self.cname!r} is not a host name in lower case without a trailing dot"
            )
        if self.cname and (self.a or self.aaaa):
            raise ValueError("an alias has no addresses of its own")
        if self.cut and not self.cname:
            raise ValueError("only an alias can be cut")
        for texts, version in ((self.a, 4), (self.aaaa, 6)):
            for text in texts:
                if ip_address(text).version != version:
                    raise ValueError(f"{text} is not of IPv{version}")


class DnsFault(StrEnum):
    """What a server does instead of returning addresses."""

    SERVFAIL = "SERVFAIL"
    REFUSED = "REFUSED"
    NXDOMAIN = "NXDOMAIN"
    SILENCE = "SILENCE"
    """No answer at all, for the host and for all names that end with it."""


@dataclass(frozen=True)
class Question:
    """A query that the server received."""

    host: str
    type: str
    """Such as ``AAAA``."""
    protocol: str
    """``udp`` or ``tcp``."""


class LocalDnsServer(Managed):
    """One CoreDNS on its own port, by UDP and TCP."""

    def __init__(
        self,
        directory: Path,
        *,
        address: str = "127.0.0.1",
        negative_ttl: int = 30,
        detached: bool = False,
    ) -> None:
        """``negative_ttl`` (seconds) is the TTL of responses without addresses."""
        self._directory = directory
        self._directory.mkdir(parents=True, exist_ok=True)
        self._address = address
        self._negative_ttl = negative_ttl
        self._hosts: dict[str, Records | DnsFault] = {}
        self._server = uuid.uuid4().hex
        self._generation = 0
        self._lock = threading.Lock()
        self._reservation: socket.socket | None = None
        self._is_known = False
        self.port = 0
        self.children = Children(log=self.log, environment={}, inherits=None, detached=detached)

    def log(self, name: str = _COREDNS) -> Path:
        """The file with its output: one line for each query."""
        return self._directory / f"{name}.log"

    @property
    def endpoint(self) -> str:
        """``ADDRESS:PORT``, as the operator's option takes it."""
        host = f"[{self._address}]" if ":" in self._address else self._address
        return f"{host}:{self.port}"

    def start(self) -> None:
        """Start it, or restart it on the same port. Raises NameServerError, DevclusterError."""
        program = str(binaries.ensure([_COREDNS])[_COREDNS])
        for attempt in range(_ATTEMPTS):
            self._reserve()
            self._write()
            self.children.start(_COREDNS, [program, "-conf", str(self._directory / "Corefile")])
            try:
                self._wait_until_served()
            except ComponentEndedError:
                # Another process may use the port by UDP. A port that is known does not change.
                self.children.stop(_COREDNS)
                if attempt == _ATTEMPTS - 1:
                    raise
                if not self._is_known:
                    self._release()
                time.sleep(0.2)
            else:
                self._is_known = True
                return

    def stop(self) -> None:
        """Stop it: nothing listens on the port any more. The next start has the same records."""
        self.children.stop(_COREDNS)

    def suspend(self) -> None:
        """Suspend it: queries arrive and are not answered."""
        self.children.send(_COREDNS, signal.SIGSTOP)
        # Its threads stop one by one.
        os.waitpid(self.children.identities()[_COREDNS].pid, os.WUNTRACED)

    def resume(self) -> None:
        """Resume it; it answers the queries that arrived in the meantime."""
        self.children.send(_COREDNS, signal.SIGCONT)

    def close(self) -> None:
        """Stop it, and release the port."""
        if _COREDNS in self.children.names():
            self.stop()
        self.children.kill_all()
        self._release()

    def set(self, host: str, what: Records | DnsFault) -> None:
        """Set the responses for a host. Raises NameServerError."""
        self.update({host: what})

    def remove(self, *hosts: str) -> None:
        """Remove these hosts. Raises NameServerError."""
        self.update(dict.fromkeys(hosts))

    def clear(self) -> None:
        """Remove all hosts. Raises NameServerError."""
        self.remove(*self._hosts)

    def update(self, hosts: Mapping[str, Records | DnsFault | None]) -> None:
        """Change several at once; None removes. Raises NameServerError."""
        with self._lock:
            after = dict(self._hosts)
            for host, what in hosts.items():
                if not _HOST.fullmatch(host):
                    raise ValueError(
                        f"{host!r} is not a host name in lower case without a trailing dot"
                    )
                if what is None:
                    after.pop(host, None)
                else:
                    after[host] = what
            if after == self._hosts:
                return
            self._hosts = after
            if _COREDNS in self.children.names():
                self._reload()

    def questions(self, host: str = "") -> tuple[Question, ...]:
        """The queries (for a host), in order. A query is logged a moment after its response."""
        found = _QUESTION.finditer(self.log().read_text())
        questions = (Question(one["host"], one["type"], one["protocol"]) for one in found)
        return tuple(
            one for one in questions if one.host == host or (not host and not _is_own(one))
        )

    def wait_for_questions(self, host: str, count: int) -> tuple[Question, ...]:
        """Wait until it received this many queries for a host. Raises NameServerError."""
        self._wait(lambda: len(self.questions(host)) >= count, f"received no query for {host}")
        return self.questions(host)

    def _reserve(self) -> None:
        if self._reservation is not None:
            return
        self._reservation = reserve_port(self._address)
        self.port = self._reservation.getsockname()[1]

    def _release(self) -> None:
        if self._reservation is not None:
            self._reservation.close()
            self._reservation = None

    def _reload(self) -> None:
        seen = self.log().stat().st_size
        self._write()
        self.children.send(_COREDNS, signal.SIGUSR1)
        # Until then the old server may respond, too.
        self._wait(lambda: self._has_reloaded(seen), "has not loaded its new data")
        self._wait_until_served()

    def _has_reloaded(self, seen: int) -> bool:
        with self.log().open("rb") as log:
            log.seek(seen)
            said = log.read().decode()
        if "[ERROR] Restart failed" in said or "[ERROR] SIGUSR1" in said:
            raise NameServerError(f"CoreDNS cannot load its data: {said}")
        return "[INFO] Reloading complete" in said

    def _wait_until_served(self) -> None:
        expected = f"{self._server}-{self._generation}"
        self._wait(lambda: self._served() == expected, "does not serve its data")

    def _served(self) -> str:
        """The value of the marker; empty without a response."""
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
        templates: list[str] = []
        blocks: list[str] = []
        records = [f'{_MARKER}. 0 IN TXT "{self._server}-{self._generation}"']
        for number, (host, what) in enumerate(self._hosts.items()):
            if what is DnsFault.SILENCE:
                # The plugin applies to a whole block.
                blocks += self._block(host, "erratic {", "drop 1", "}")
            elif isinstance(what, DnsFault):
                templates += _template(host, "ANY", f"rcode {what}", self._nothing)
            elif what.cut:
                # Where a zone delegates the target, CoreDNS does not follow.
                border = f"{what.cname}. {what.ttl} IN NS ns.name-server.invalid."
                zone = self._zone(f"zone-{number}", [*_records(host, what), border])
                blocks += self._block(host, *zone)
            elif what.shown:
                templates += _rotation(host, "A", what.a, what)
                templates += _rotation(host, "AAAA", what.aaaa, what)
                templates += _template(host, "ANY", self._nothing)
            else:
                records += _records(host, what)
        everything = self._block(".", *templates, *self._zone("zone", records))
        self._file("Corefile").write_text("\n".join([*everything, *blocks, ""]))

    def _zone(self, name: str, records: Sequence[str]) -> list[str]:
        """Write a zone of all names; the lines that serve it."""
        apex = [f". {self._soa}", f". {self._negative_ttl} IN NS ns.name-server.invalid."]
        path = self._file(name)
        path.write_text("\n".join([*apex, *records, ""]))
        return [f'file "{path}" . {{', "reload 0", "}"]

    def _file(self, name: str) -> Path:
        return self._directory / name

    @property
    def _soa(self) -> str:
        ttl = self._negative_ttl
        return f"{ttl} IN SOA {_SOA} {self._generation} 3600 600 86400 {ttl}"

    @property
    def _nothing(self) -> str:
        return f'authority ". {self._soa}"'

    def _block(self, zone: str, *lines: str) -> list[str]:
        log = 'log . "question {name} {type} {proto}"'
        return [f"{zone}:{self.port} {{", f"bind {self._address}", "errors", log, *lines, "}"]


def _is_own(question: Question) -> bool:
    return question.host == _MARKER


def _records(host: str, what: Records) -> list[str]:
    """Lines of a zone file."""
    own = f"{host}. {what.ttl} IN"
    if what.cname:
        return [f"{own} CNAME {what.cname}."]
    # Because of the TXT record the host exists, even without an address.
    v4, v6 = (
        [f"{own} {kind} {a}" for a in of] for kind, of in (("A", what.a), ("AAAA", what.aaaa))
    )
    return [*v4, *v6, f'{own} TXT "a host"']


def _template(host: str, kind: str, *lines: str) -> list[str]:
    """Responses for the host, not for the names below it."""
    match = f'match "^{re.escape(host)}[.]$"'
    return [f"template IN {kind} {host} {{", match, *lines, "fallthrough", "}"]


def _rotation(host: str, kind: str, addresses: Sequence[str], what: Records) -> list[str]:
    """The first address depends on the query's id, which is random."""
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
