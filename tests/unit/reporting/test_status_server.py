"""Probes and metrics over HTTP."""

from __future__ import annotations

import asyncio
import gzip
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator

import httpx
import pytest
from prometheus_client import CollectorRegistry, Gauge

from fleet_telemetry.reporting.status_server import StatusServer


def serve(
    body: Callable[[httpx.AsyncClient], Awaitable[None]],
    *texts: Callable[[], Iterator[str]],
    alive: Callable[[], str] = str,
    ready: Callable[[], str] = str,
    metrics_for_all: bool = True,
    host: str = "127.0.0.1",
) -> None:
    async def main() -> None:
        registry = CollectorRegistry()
        Gauge("depth", "Of the queue.", registry=registry).set(3)
        server = StatusServer(registry, alive=alive, ready=ready, metrics_for_all=metrics_for_all)
        for text in texts:
            server.add_metrics(text)
        await server.start(host, 0)
        async with httpx.AsyncClient(base_url=f"http://{host}:{server.port}") as client:
            await body(client)
        await server.stop()

    asyncio.run(main())


def test_probes_say_why_they_fail() -> None:
    async def body(client: httpx.AsyncClient) -> None:
        assert (await client.get("/healthz")).status_code == 200
        answer = await client.get("/readyz")
        assert (answer.status_code, answer.text) == (503, "not everything has been listed yet\n")

    serve(body, ready=lambda: "not everything has been listed yet")


def pieces() -> Iterator[str]:
    yield "# HELP more A few.\n# TYPE more gauge\n"
    for number in range(5000):
        yield f'more{{name="{number}"}} 1.0\n'


def test_the_registry_and_what_is_written_as_text_come_as_one() -> None:
    async def body(client: httpx.AsyncClient) -> None:
        answer = await client.get("/metrics", headers={"Accept-Encoding": "identity"})
        assert answer.headers["content-type"] == "text/plain; version=1.0.0; charset=utf-8"
        assert "content-encoding" not in answer.headers
        assert answer.text.endswith("depth 3.0\n" + "".join(pieces()))

    serve(body, pieces)


def test_whoever_understands_gzip_gets_the_same_smaller() -> None:
    async def body(client: httpx.AsyncClient) -> None:
        plain = await client.get("/metrics", headers={"Accept-Encoding": "identity"})
        async with client.stream("GET", "/metrics", headers={"Accept-Encoding": "gzip"}) as answer:
            raw = b"".join([piece async for piece in answer.aiter_raw()])
        assert answer.headers["content-encoding"] == "gzip"
        assert gzip.decompress(raw) == plain.content
        assert len(raw) < len(plain.content) / 5

    serve(body, pieces)


def test_a_scrape_stops_nobody() -> None:
    """Probes are answered while a scrape takes its time."""
    released = threading.Event()

    def slow() -> Iterator[str]:
        assert released.wait(30)
        yield "# nothing\n"

    async def body(client: httpx.AsyncClient) -> None:
        scrape = asyncio.ensure_future(client.get("/metrics"))
        await asyncio.sleep(0.1)
        assert (await client.get("/healthz")).status_code == 200
        assert not scrape.done()
        released.set()
        assert "# nothing" in (await scrape).text

    serve(body, slow)


def _own_address() -> str:
    """An address of this machine that is not a loopback address. No packet is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this machine has loopback only")
        address: str = probe.getsockname()[0]
        return address


@pytest.mark.parametrize("for_all", [True, False])
def test_metrics_may_be_for_clients_of_the_same_pod_only(for_all: bool) -> None:
    def of(status: int) -> Callable[[httpx.AsyncClient], Awaitable[None]]:
        async def body(client: httpx.AsyncClient) -> None:
            headers = {"X-Forwarded-For": "127.0.0.1", "Host": "localhost"}
            answer = await client.get("/metrics", headers=headers)
            assert answer.status_code == status
            assert ("depth 3.0" in answer.text) == (status == 200)
            # A kubelet asks from outside.
            assert (await client.get("/healthz")).status_code == 200

        return body

    serve(of(200), metrics_for_all=for_all)
    serve(of(200 if for_all else 403), metrics_for_all=for_all, host=_own_address())
