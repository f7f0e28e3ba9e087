"""TLS as bytes in and out, with OpenSSL's client on the other side."""

from __future__ import annotations

import ssl

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

from fleet_telemetry.observed.tls_channel import TlsChannel

CA = trustme.CA()
SERVER = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
CA.issue_cert("127.0.0.1").configure_cert(SERVER)
CLIENT = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
CA.configure_trust(CLIENT)


class Client:
    def __init__(self) -> None:
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = CLIENT.wrap_bio(self.incoming, self.outgoing, server_hostname="127.0.0.1")


def pair() -> tuple[Client, TlsChannel]:
    """With the handshake done."""
    client, channel = Client(), TlsChannel(SERVER)
    for _ in range(9):
        try:
            client.tls.do_handshake()
        except ssl.SSLWantReadError:
            assert channel.receive(client.outgoing.read()) == b""
            client.incoming.write(channel.take_output())
        else:
            assert channel.receive(client.outgoing.read()) == b""
            client.incoming.write(channel.take_output())
            return client, channel
    raise AssertionError("no handshake")


@given(st.lists(st.integers(0, 5000), max_size=5))
def test_bytes_arrive_however_they_are_cut(at: list[int]) -> None:
    client, channel = pair()
    client.tls.write(b"a" * 3000 + b"b" * 1000)
    sent = client.outgoing.read()
    ends = sorted({min(one, len(sent)) for one in at} | {len(sent)})
    pieces = [sent[a:b] for a, b in zip([0, *ends], ends, strict=False)]
    assert b"".join(map(channel.receive, pieces)) == b"a" * 3000 + b"b" * 1000
    assert not channel.is_over
    channel.send(b"answer")
    client.incoming.write(channel.take_output())
    assert client.tls.read() == b"answer"


def test_the_peer_may_end_tls_without_closing() -> None:
    client, channel = pair()
    client.tls.write(b"last")
    with pytest.raises(ssl.SSLWantReadError):
        client.tls.unwrap()
    assert channel.receive(client.outgoing.read()) == b"last"
    assert channel.is_over


@given(st.binary(min_size=5, max_size=500))
def test_rubbish_is_an_error_or_needs_more(data: bytes) -> None:
    channel = TlsChannel(SERVER)
    try:
        assert channel.receive(data) == b""
    except ssl.SSLError:
        channel.take_output()


def test_rubbish_after_the_handshake() -> None:
    _, channel = pair()
    with pytest.raises(ssl.SSLError):
        channel.receive(b"GET / HTTP/1.1\r\n\r\n")
