"""The list of hosts for CoreDNS, in CoreDNS."""

from __future__ import annotations

import socket
import subprocess
import time
from pathlib import Path

import dns.exception
import dns.message
import dns.query
import dns.rcode

from dev.cluster import ensure
from fleet_telemetry.api.policy import ChannelName
from fleet_telemetry.audit.hosts.formats.registry import HOST_FORMATS
from fleet_telemetry.audit.hosts.listing import Action, Use, make_list
from fleet_telemetry.audit.result import HostName

REST = 'template ANY A . {\n    answer "{{ .Name }} 60 IN A 192.0.2.1"\n}\n'


def test_core_dns_denies_the_hosts_and_nothing_else(tmp_path: Path) -> None:
    found = [
        (Use("acme", ChannelName.USAGE), HostName(host=f"{name}.acme-vendor.com"))
        for name in ("telemetry", "stats")
    ]
    rules = HOST_FORMATS["coredns"].render(make_list(found, Action.DENY))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    corefile = tmp_path / "Corefile"
    corefile.write_text(f".:{port} {{\nbind 127.0.0.1\n{rules}{REST}}}\n")
    with subprocess.Popen(
        [ensure(["coredns"])["coredns"], "-conf", corefile], stdout=subprocess.PIPE
    ) as server:
        try:
            assert _ask("any.example.com", port) == dns.rcode.NOERROR
            assert _ask("telemetry.acme-vendor.com", port) == dns.rcode.NXDOMAIN
            assert _ask("stats.acme-vendor.com", port) == dns.rcode.NXDOMAIN
            assert _ask("below.stats.acme-vendor.com", port) == dns.rcode.NOERROR
            assert _ask("acme-vendor.com", port) == dns.rcode.NOERROR
        finally:
            server.terminate()


def _ask(name: str, port: int) -> dns.rcode.Rcode:
    query = dns.message.make_query(name, "A")
    for attempt in range(100):
        try:
            return dns.query.udp(query, "127.0.0.1", timeout=2, port=port).rcode()
        except (OSError, dns.exception.DNSException):
            assert attempt < 99, "CoreDNS does not answer"
            time.sleep(0.1)
    raise AssertionError("never")
