"""A real CoreDNS that reports to the receiver under test."""

from __future__ import annotations

import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import dns.exception
import dns.message
import dns.query

from dev.cluster import binaries
from dev.cluster.children import Children
from dev.harness.ports import reserve_port

ADDRESS = "127.0.0.1"
_NAME = "coredns"
_READY_SECONDS = 20
_PROBE = "probe.invalid."


class TappedCoreDns:
    """Answers what ``blocks`` say, on a port of its own by UDP and TCP."""

    def __init__(self, directory: Path, environment: Mapping[str, str] | None = None) -> None:
        self._directory = directory
        self._children = Children(
            log=self.log, environment=dict(environment or {}), inherits=None, detached=False
        )
        self._reservation = reserve_port(ADDRESS)
        self.port: int = self._reservation.getsockname()[1]

    def log(self, name: str = _NAME) -> Path:
        return self._directory / f"{name}.log"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._children.kill_all()
        self._reservation.close()

    def start(self, tap: str) -> None:
        """With ``tap`` in the block of the hosts, such as ``dnstap tcp://127.0.0.1:6000 full``."""
        self.write(tap)
        program = str(binaries.ensure([_NAME])[_NAME])
        self._children.start(_NAME, [program, "-conf", str(self._corefile)])
        deadline = time.monotonic() + _READY_SECONDS
        while True:
            try:
                self.ask(_PROBE, patience=0.3)
                break
            except (OSError, dns.exception.DNSException):
                self._children.check(_NAME)
                assert time.monotonic() < deadline, self.log().read_text()
                time.sleep(0.02)

    def write(self, tap: str) -> None:
        self._corefile.write_text(f"""
example.com:{self.port} {{
    bind {ADDRESS}
    {tap}
    acl refused.example.com {{
        block
    }}
    template ANY ANY gone.example.com {{
        rcode NXDOMAIN
    }}
    template IN A {{
        answer "{{{{ .Name }}}} 60 IN A 192.0.2.1"
    }}
    template ANY ANY {{
        rcode NOERROR
    }}
}}
.:{self.port} {{
    bind {ADDRESS}
    template ANY ANY {{
        rcode NXDOMAIN
    }}
}}
""")

    @property
    def _corefile(self) -> Path:
        return self._directory / "Corefile"

    def kill(self) -> None:
        self._children.kill(_NAME)

    def reload(self) -> None:
        self._children.send(_NAME, signal.SIGUSR1)

    def ask(
        self,
        name: str,
        client: str = ADDRESS,
        *,
        kind: str = "A",
        tcp: bool = False,
        patience: float = 5.0,
    ) -> dns.message.Message:
        """As a client at an address of loopback. Raises OSError, DNSException."""
        ask = dns.query.tcp if tcp else dns.query.udp
        question = dns.message.make_query(name, kind)
        return ask(question, ADDRESS, timeout=patience, port=self.port, source=client)
