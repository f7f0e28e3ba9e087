"""Reads share a connection, which may be closed at any time; what is written is sent once."""

from __future__ import annotations

import http.server
import json
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
import trustme

from dev.cluster.api import ApiServer, ApiServerError


@dataclass
class Fake:
    """What an HTTPS server has seen, and what it does next."""

    api: ApiServer
    clients: list[tuple[str, str]] = field(default_factory=list)
    """The method and the client's port of each request."""
    closes: bool = False
    """Whether it closes each connection after an answer, without saying so."""
    status: int = 200

    def ports(self, method: str) -> set[str]:
        return {port for asked, port in self.clients if asked == method}


@pytest.fixture
def fake() -> Iterator[Fake]:
    authority = trustme.CA()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            self.rfile.read(length)
            found.clients.append((self.command, str(self.client_address[1])))
            body = json.dumps({"message": "said"}).encode()
            self.send_response(found.status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            self.close_connection = found.closes

        do_POST = do_GET  # noqa: N815  # so the server looks for it

        def log_message(self, *_: object) -> None:
            pass

    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.socket = tls.wrap_socket(server.socket, server_side=True)
    found = Fake(ApiServer(server.server_port, authority.cert_pem.bytes().decode(), "token"))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield found
    found.api.__dict__["_kept"].__dict__.clear()
    server.shutdown()
    thread.join()
    server.server_close()


def test_reads_share_a_connection(fake: Fake) -> None:
    assert [fake.api.json("GET", "/a")["message"] for _ in range(5)] == ["said"] * 5
    assert len(fake.ports("GET")) == 1


def test_an_error_is_an_answer_like_others(fake: Fake) -> None:
    fake.status = 404
    for _ in range(2):
        with pytest.raises(ApiServerError, match="said") as caught:
            fake.api.text("GET", "/a")
        assert caught.value.status == 404
    assert len(fake.ports("GET")) == 1


def test_a_connection_that_was_closed_is_replaced(fake: Fake) -> None:
    fake.closes = True
    assert [fake.api.json("GET", "/a")["message"] for _ in range(3)] == ["said"] * 3
    assert len(fake.ports("GET")) == 3


def test_what_is_written_has_a_connection_of_its_own(fake: Fake) -> None:
    fake.api.text("GET", "/a")
    for _ in range(3):
        fake.api.text("POST", "/a", {"a": 1})
    assert len(fake.ports("POST") - fake.ports("GET")) == 3


def test_a_write_is_not_sent_again(fake: Fake) -> None:
    fake.status = 503
    with pytest.raises(ApiServerError):
        fake.api.text("POST", "/a", {})
    assert len(fake.clients) == 1


def test_each_thread_has_its_own(fake: Fake) -> None:
    fake.api.text("GET", "/a")
    other = threading.Thread(target=fake.api.text, args=("GET", "/a"))
    other.start()
    other.join()
    assert len(fake.ports("GET")) == 2
