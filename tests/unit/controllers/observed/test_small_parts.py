"""Parts of the observer that need no peer: probes, own addresses, log lines, the certificate."""

from __future__ import annotations

import logging
import os
import ssl
from ipaddress import ip_address
from pathlib import Path

import pytest
import trustme

from fleet_telemetry.controllers.observed.certificate import CertificateFiles
from fleet_telemetry.controllers.observed.own_addresses import OwnAddresses
from fleet_telemetry.controllers.observed.probes import Probes
from fleet_telemetry.controllers.observed.source_log import SourceLog
from fleet_telemetry.egress.dns.name_servers import NameServer
from fleet_telemetry.observed.figures import RefusedConnection
from tests.support.dnstap_reports import Heard

A, B = "a.example.com", "b.example.com"


def test_a_host_is_asked_for_less_and_less_until_it_is_tapped() -> None:
    probes = Probes()
    times = [now for now in range(0, 8000, 5) if probes.due([A], ["c1"], float(now))]
    assert times == [0, 30, 90, 210, 450, 930, 1890, 3810, 7410]
    assert probes.due([], ["c1"], 8000.0) == frozenset()


def test_nobody_is_asked_while_nobody_reports() -> None:
    probes = Probes()
    assert probes.due([A], [], 0.0) == frozenset()
    assert probes.due([A], ["c1"], 0.0) == {A}


def test_a_new_connection_has_every_host_asked_for_again_but_not_in_a_storm() -> None:
    probes = Probes()
    assert probes.due([A, B], ["c1"], 0.0) == {A, B}
    assert probes.due([A, B], ["c2"], 5.0) == frozenset()
    assert probes.due([A, B], ["c2"], 10.0) == {A, B}
    # One that ended says nothing new.
    assert probes.due([A, B], ["c2", "c3"], 20.0) == {A, B}
    assert probes.due([A, B], ["c3"], 31.0) == frozenset()


def test_the_operators_own_addresses() -> None:
    now = 0.0
    own = OwnAddresses(ip_address("10.1.2.3"), lambda: now)
    assert own.all(["10.1.2.9"]) == {"10.1.2.3", "10.1.2.9"}
    own.ask_from([NameServer("x", ip_address("127.0.0.1"), 53)])
    assert own.all([]) == {"10.1.2.3", "127.0.0.1"}
    # The former leader's address may be a pod's by then.
    now = 300.0
    assert own.all(["10.1.2.9"]) == {"10.1.2.3", "127.0.0.1"}


class Lines:
    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO)
        self._caplog = caplog
        self.now = 0.0
        self.heard = Heard()
        self.connections = 0
        self.log = SourceLog(self.heard, lambda: self.now, self._connected)

    def _connected(self) -> None:
        self.connections += 1

    def take(self) -> list[str]:
        found = [one.getMessage() for one in self._caplog.records]
        self._caplog.clear()
        return found


def test_what_happens_to_a_source_is_logged_and_passed_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    lines = Lines(caplog)
    lines.log.connected("10.0.0.1#1")
    assert lines.take() == ["name server 10.0.0.1#1 reports its lookups"]
    assert lines.connections == 1
    for _ in range(5):
        lines.log.lost("10.0.0.1#1", 7)
    assert lines.take() == ["7 reports of name server 10.0.0.1#1 were lost or not readable"]
    lines.now = 600.0
    lines.log.lost("10.0.0.1#1", 7)
    assert len(lines.take()) == 1
    lines.log.disconnected("10.0.0.1#1")
    assert lines.take() == ["name server 10.0.0.1#1 reports no more: its connection ended"]
    assert [name for name, _ in lines.heard.events] == ["connected", *["lost"] * 6, "disconnected"]


def test_a_refusal_is_logged_once_in_a_while(caplog: pytest.LogCaptureFixture) -> None:
    lines = Lines(caplog)
    for _ in range(5):
        lines.log.refused("10.0.0.9", RefusedConnection.BAD_STREAM, "no\x1b[2J stream\n")
    (line,) = lines.take()
    assert line.isprintable()
    assert "10.0.0.9" in line
    lines.now = 600.0
    lines.log.refused("10.0.0.9", RefusedConnection.BAD_STREAM, "no stream")
    assert len(lines.take()) == 1


def test_a_name_server_may_be_refused_until_it_is_known(caplog: pytest.LogCaptureFixture) -> None:
    lines = Lines(caplog)
    for second in range(5):
        lines.now = float(second)
        lines.log.refused("10.0.0.9", RefusedConnection.NOT_ADMITTED, "it is no name server")
    assert lines.take() == []
    lines.now = 5.0
    lines.log.refused("10.0.0.9", RefusedConnection.NOT_ADMITTED, "it is no name server")
    assert len(lines.take()) == 1


@pytest.mark.thorough
def test_many_addresses_take_no_more_memory_or_lines(caplog: pytest.LogCaptureFixture) -> None:
    lines = Lines(caplog)
    for number in range(5000):
        lines.log.refused(
            f"10.0.{number // 256}.{number % 256}", RefusedConnection.TOO_MANY, "too many"
        )
    assert len(lines.take()) == 1000
    lines.now = 601.0
    lines.log.refused("10.9.9.9", RefusedConnection.TOO_MANY, "too many")
    assert len(lines.take()) == 1


def _write(directory: Path, ca: trustme.CA) -> tuple[Path, Path]:
    issued = ca.issue_cert("dnstap.example")
    certificate, key = directory / "tls.crt", directory / "tls.key"
    issued.cert_chain_pems[0].write_to_path(certificate)
    issued.private_key_pem.write_to_path(key)
    return certificate, key


def _serial(ca: trustme.CA, context: ssl.SSLContext) -> str:
    """Of the certificate that a client gets."""
    client_context = ssl.create_default_context()
    ca.configure_trust(client_context)
    into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(into, out, server_hostname="dnstap.example")
    server = context.wrap_bio(out, into, server_side=True)
    for side in (client, server, client, server):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
    found = client.getpeercert()
    assert found is not None
    return str(found["serialNumber"])


def test_a_certificate_is_replaced_while_it_is_in_use(tmp_path: Path) -> None:
    ca = trustme.CA()
    files = CertificateFiles(*_write(tmp_path, ca))
    context, before = files.context, _serial(ca, files.context)
    assert not files.refresh()
    _write(tmp_path, ca)
    assert files.refresh()
    assert files.context is context
    assert _serial(ca, context) != before


@pytest.mark.thorough
@pytest.mark.parametrize("fault", ["half", "gone", "unreadable"])
def test_the_certificate_before_stays_in_use_if_the_new_one_is_unusable(
    tmp_path: Path, fault: str
) -> None:
    ca = trustme.CA()
    certificate, key = _write(tmp_path, ca)
    files = CertificateFiles(certificate, key)
    before, good = _serial(ca, files.context), key.read_bytes()
    if fault == "half":
        # The certificate was replaced, and its key not yet.
        _write(tmp_path, ca)
        new = key.read_bytes()
        key.write_bytes(good)
    elif fault == "gone":
        certificate.unlink()
    else:
        os.truncate(certificate, 100)
    with pytest.raises(ValueError, match="cannot be"):
        files.refresh()
    assert _serial(ca, files.context) == before
    if fault == "half":
        key.write_bytes(new)
        assert files.refresh()
        assert _serial(ca, files.context) != before
