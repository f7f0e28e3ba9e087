"""When the ConfigMap with the allowlist is written, by what an API server is asked."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from typing import Any

import pytest

from fleet_telemetry.api.policy import ChannelName
from fleet_telemetry.controllers.egress.allowlist import AllowlistWriter
from fleet_telemetry.egress.allowlist import AllowlistEntry, EntryAction, config_map
from fleet_telemetry.egress.perimeter import Allowlist
from fleet_telemetry.kube.client import KubernetesClient
from fleet_telemetry.kube.transport import Transport

ENTRY = AllowlistEntry(
    host="telemetry.example.com",
    port=443,
    product="sonarqube",
    channel=ChannelName.USAGE,
    action=EntryAction.ALLOW,
    addresses=(ip_address("54.230.1.1"),),
    used_by=1,
)


class Server:
    """Has one ConfigMap, or none, and takes down who writes."""

    def __init__(self) -> None:
        self.live: dict[str, Any] | None = None
        self.written: list[dict[str, Any]] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer(server.live)

            def do_PATCH(self) -> None:
                given = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                server.written.append(given)
                self._answer(given)

            def _answer(self, found: dict[str, Any] | None) -> None:
                data = json.dumps(found or {"reason": "NotFound"}).encode()
                self.send_response(200 if found else 404)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: Any) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True).start()

    def write(self, *entries: AllowlistEntry) -> int:
        """How many times something was written for the sake of these entries."""
        self.written.clear()

        async def main() -> None:
            host = f"http://127.0.0.1:{self.http.server_port}"
            client = KubernetesClient(Transport.to(host))
            await AllowlistWriter(client, "ours", "allowlist").write(Allowlist(entries))
            await client.close()
            await asyncio.sleep(0.02)

        asyncio.run(main())
        return len(self.written)


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.http.shutdown()
    server.http.server_close()


def test_nobody_waits_for_an_empty_one(server: Server) -> None:
    assert server.write() == 0
    assert server.write(ENTRY) == 1


def test_what_is_there_is_not_written_again(server: Server) -> None:
    server.live = config_map([ENTRY], "ours", "allowlist")

    assert server.write(ENTRY) == 0
    # One that was there has to become empty.
    assert server.write() == 1


def test_what_somebody_added_is_no_reason_to_write_and_what_they_spoilt_is(server: Server) -> None:
    server.live = config_map([ENTRY], "ours", "allowlist")
    server.live["data"]["notes.txt"] = "mine"
    assert server.write(ENTRY) == 0

    server.live["data"]["allowlist.txt"] = "0.0.0.0/0"
    assert server.write(ENTRY) == 1


@pytest.mark.thorough
def test_one_that_is_too_large_leaves_the_last_one(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    huge = [
        replace(ENTRY, host=f"h{number}.example.com", product="p" * 60) for number in range(9000)
    ]

    with caplog.at_level(logging.WARNING):
        assert server.write(*huge) == 0

    assert "too large" in caplog.text
