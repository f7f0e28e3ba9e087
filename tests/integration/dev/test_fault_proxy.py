"""The bad connection: it passes everything on, and does exactly the harm that it is told to do."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future
from pathlib import Path

import aiohttp
import pytest
import trustme
from aiohttp import web

from dev.harness.fault_proxy import NONE, FaultProxy, Faults

Check = Callable[[aiohttp.ClientSession], Awaitable[None]]


class Upstream:
    """A server that tells what it was asked, and has a watch that never ends."""

    def __init__(self, directory: Path) -> None:
        authority = trustme.CA()
        self.ca = directory / "ca.crt"
        authority.cert_pem.write_to_path(self.ca)
        self._tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert("127.0.0.1").configure_cert(self._tls)
        self.asked: list[tuple[str, str, str]] = []
        self._stopping = asyncio.Event()
        self._listening: Future[tuple[asyncio.AbstractEventLoop, str]] = Future()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))
        self._thread.start()
        self._loop, self.url = self._listening.result()

    def close(self) -> None:
        if not self._thread.is_alive():
            return
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()

    async def _run(self) -> None:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=self._tls).start()
        url = f"https://127.0.0.1:{runner.addresses[0][1]}"
        self._listening.set_result((asyncio.get_running_loop(), url))
        await self._stopping.wait()
        await runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append((request.method, request.raw_path, await request.text()))
        if "watch" in request.query:
            response = web.StreamResponse()
            await response.prepare(request)
            for number in range(10**6):
                await response.write(f"{number}\n".encode())
                await asyncio.sleep(0.01)
            return response
        return web.Response(text=request.headers["Authorization"], status=201)


@pytest.fixture
def upstream(tmp_path: Path) -> Iterator[Upstream]:
    upstream = Upstream(tmp_path)
    yield upstream
    upstream.close()


@pytest.fixture
def proxy(upstream: Upstream) -> Iterator[FaultProxy]:
    with FaultProxy(upstream.url, upstream.ca) as proxy:
        yield proxy


def run(proxy: FaultProxy, check: Check) -> None:
    """Be a client that trusts the proxy and nobody else."""

    async def be() -> None:
        trust = ssl.create_default_context(cadata=proxy.ca.decode())
        async with aiohttp.ClientSession(
            proxy.url,
            connector=aiohttp.TCPConnector(ssl=trust),
            headers={"Authorization": "Bearer t"},
        ) as session:
            await check(session)
        await asyncio.sleep(0.1)  # TLS takes its leave

    asyncio.run(be())


def test_it_passes_on_what_it_gets(upstream: Upstream, proxy: FaultProxy) -> None:
    async def check(session: aiohttp.ClientSession) -> None:
        async with session.patch("/apis/x%2Fy?a=b%20c", data="{}") as answer:
            assert (answer.status, await answer.text()) == (201, "Bearer t")

    run(proxy, check)
    assert upstream.asked == [("PATCH", "/apis/x%2Fy?a=b%20c", "{}")]
    assert proxy.done == {"passed": 1}


@pytest.mark.parametrize(("status", "retry"), [(429, "1"), (500, None), (503, None)])
def test_it_refuses_before_anything_is_done(
    upstream: Upstream, proxy: FaultProxy, status: int, retry: str | None
) -> None:
    proxy.faults = Faults(refused=1.0, status=status)

    async def check(session: aiohttp.ClientSession) -> None:
        async with session.get("/") as answer:
            assert (answer.status, answer.headers.get("Retry-After")) == (status, retry)
            assert (await answer.json())["code"] == status

    run(proxy, check)
    assert upstream.asked == []


def test_a_share_is_refused_and_the_rest_is_not(upstream: Upstream, proxy: FaultProxy) -> None:
    proxy.faults = Faults(refused=0.5)

    async def check(session: aiohttp.ClientSession) -> None:
        for _ in range(100):
            async with session.get("/"):
                pass

    run(proxy, check)
    assert proxy.done["passed"] == len(upstream.asked)
    assert 10 < proxy.done["refused"] < 90


def test_a_lost_write_is_done_and_a_read_is_answered(upstream: Upstream, proxy: FaultProxy) -> None:
    proxy.faults = Faults(lost=1.0)

    async def check(session: aiohttp.ClientSession) -> None:
        with pytest.raises(aiohttp.ClientConnectionError):
            await session.post("/", data="x")
        async with session.get("/") as answer:
            assert answer.status == 201

    run(proxy, check)
    assert [method for method, _, _ in upstream.asked] == ["POST", "GET"]


def test_a_cut_watch_ends_and_can_be_had_again(proxy: FaultProxy) -> None:
    async def check(session: aiohttp.ClientSession) -> None:
        for _ in range(2):
            async with session.get("/?watch=true") as answer:
                assert await answer.content.readline() == b"0\n"
                assert await asyncio.to_thread(proxy.cut_watches) == 1
                with pytest.raises(aiohttp.ClientError):
                    await answer.content.read()

    run(proxy, check)


def test_a_stalled_connection_stands_and_says_nothing(
    upstream: Upstream, proxy: FaultProxy
) -> None:
    async def check(session: aiohttp.ClientSession) -> None:
        async with session.get("/?watch=true") as watch:
            await watch.content.readline()
            proxy.faults = Faults(stalled=True)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.5):
                    await watch.content.read()
            with pytest.raises(TimeoutError):
                await session.get("/", timeout=aiohttp.ClientTimeout(total=0.5))
            proxy.faults = NONE
            await watch.content.readline()

    run(proxy, check)
    assert len(upstream.asked) == 1


def test_what_is_swallowed_stays_silent_and_what_is_new_does_not(proxy: FaultProxy) -> None:
    async def check(session: aiohttp.ClientSession) -> None:
        async with session.get("/?watch=true") as old:
            await old.content.readline()
            proxy.swallow()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.5):
                    await old.content.read()
            async with session.get("/?watch=true") as new:
                assert await new.content.readline() == b"0\n"

    run(proxy, check)


@pytest.mark.parametrize("passed_on", [False, True])
def test_from_a_certain_write_on_nobody_is_answered(
    upstream: Upstream, proxy: FaultProxy, passed_on: bool
) -> None:
    reached = proxy.hold(2, passed_on=passed_on)
    short = aiohttp.ClientTimeout(total=0.5)

    async def check(session: aiohttp.ClientSession) -> None:
        for path in ("/leases/one", "/first"):
            async with session.put(path):
                assert not reached.is_set()
        for path in ("/second", "/third"):
            with pytest.raises(TimeoutError):
                await session.put(path, timeout=short)
        async with session.get("/read"):
            pass
        proxy.release()
        async with session.put("/fourth"):
            pass

    run(proxy, check)
    assert reached.is_set()
    between = ["/second"] if passed_on else []
    asked = [path for _, path, _ in upstream.asked]
    assert asked == ["/leases/one", "/first", *between, "/read", "/fourth"]


def test_nobody_is_answered_where_nobody_is(upstream: Upstream, proxy: FaultProxy) -> None:
    upstream.close()

    async def check(session: aiohttp.ClientSession) -> None:
        with pytest.raises(aiohttp.ClientConnectionError):
            await session.get("/")

    run(proxy, check)
