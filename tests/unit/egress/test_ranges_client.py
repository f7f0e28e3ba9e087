"""Ranges are fetched from a real HTTPS server, and whatever goes wrong is one sentence."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import ssl
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest
import trustme
from aiohttp import web

from dev.fakes import ApiFault, FakeProduct
from fleet_telemetry.egress.published_ranges import CLOUDFLARE, Provider, Ranges, RangesError
from fleet_telemetry.egress.ranges_client import LARGEST_DOCUMENT, RangesClient
from tests.support.every import every

PATH = "/client/v4/ips"
SECRET = "s3cr3t-Kq9"


@pytest.fixture(autouse=True)
def no_proxy_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("https_proxy", "http_proxy", "all_proxy", "no_proxy", "ssl_cert_file"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def document(etag: str = "d1", *, ipv4: Iterable[str] = ("104.16.0.0/13",)) -> str:
    result = {"ipv4_cidrs": list(ipv4), "ipv6_cidrs": ["2606:4700::/32"], "etag": etag}
    return json.dumps({"result": result, "success": True, "errors": [], "messages": []})


class Publisher(FakeProduct):
    """Serves a document as Cloudflare does."""

    def __init__(self, **options: object) -> None:
        super().__init__(**{"names": ("localhost",), **options})  # type: ignore[arg-type]
        self.document = document()
        self.content_type = "application/json"
        self.headers: dict[str, str] = {}
        self.status = 200

    def routes(self) -> Iterable[web.RouteDef]:
        return (web.get(PATH, self._document),)

    async def _document(self, request: web.Request) -> web.Response:
        validator = self.headers.get("ETag")
        if self.status == 304 or (validator and request.headers.get("If-None-Match") == validator):
            return web.Response(status=304, headers=self.headers)
        return web.Response(
            status=self.status,
            body=self.document.encode(),
            headers={"Content-Type": self.content_type, **self.headers},
        )

    @property
    def provider(self) -> Provider:
        return replace(CLOUDFLARE, url=f"{self.scheme}://localhost:{self.port}{PATH}")


def fetched(publisher: Publisher, **options: float) -> Ranges:
    async def run() -> Ranges:
        async with publisher:
            client = RangesClient(ca=publisher.ca_pem, **options)  # type: ignore[arg-type]
            return await client.fetch(publisher.provider)

    return asyncio.run(run())


def refused(publisher: Publisher, **options: float) -> str:
    with pytest.raises(RangesError) as caught:
        fetched(publisher, **options)
    # What led here would be shown with a traceback, and may quote anything.
    assert caught.value.__cause__ is None
    message = str(caught.value)
    assert message.startswith("Cloudflare's published ranges: ")
    return message.removeprefix("Cloudflare's published ranges: ").replace(
        publisher.provider.url, "URL"
    )


# What goes well


def test_the_document_is_fetched_and_read() -> None:
    publisher = Publisher()
    ranges = fetched(publisher)
    assert [str(network) for network in ranges.networks] == ["104.16.0.0/13", "2606:4700::/32"]
    assert ranges.etag == "d1"


def test_the_request_tells_nothing() -> None:
    publisher = Publisher()
    fetched(publisher)
    (seen,) = publisher.seen
    assert (seen.method, seen.path, seen.body) == ("GET", PATH, b"")
    assert seen.headers == {
        "host": f"localhost:{publisher.port}",
        "user-agent": "fleet-telemetry",
        "accept": "application/json",
        "accept-encoding": "identity",
        "connection": "close",
    }


@pytest.mark.parametrize("content_type", ["text/html", "application/octet-stream", "nonsense"])
def test_the_content_type_makes_no_difference(content_type: str) -> None:
    publisher = Publisher()
    publisher.content_type = content_type
    assert fetched(publisher).etag == "d1"


def test_nothing_is_fetched_twice_that_has_not_changed() -> None:
    async def run() -> None:
        async with Publisher() as publisher:
            publisher.headers = {"ETag": '"v1"'}
            client = RangesClient(ca=publisher.ca_pem)
            first = await client.fetch(publisher.provider)
            # A client that asked without the header would see this.
            publisher.document = document("d2")
            assert await client.fetch(publisher.provider) == first
            publisher.headers = {"ETag": '"v2"'}
            assert (await client.fetch(publisher.provider)).etag == "d2"
            publisher.headers = {}
            publisher.document = document("d3")
            assert (await client.fetch(publisher.provider)).etag == "d3"
            await client.fetch(publisher.provider)
            asked = [seen.headers.get("if-none-match") for seen in publisher.seen]
            assert asked == [None, '"v1"', '"v1"', '"v2"', None]

    asyncio.run(run())


def test_what_was_refused_is_asked_for_again_as_a_whole() -> None:
    async def run() -> None:
        async with Publisher() as publisher:
            publisher.headers = {"ETag": '"v1"'}
            client = RangesClient(ca=publisher.ca_pem)
            publisher.document = document(ipv4=["10.0.0.0/16"])
            with pytest.raises(RangesError, match="is not public"):
                await client.fetch(publisher.provider)
            publisher.document = document("d2")
            assert (await client.fetch(publisher.provider)).etag == "d2"

    asyncio.run(run())


def test_two_providers_are_not_mixed_up() -> None:
    async def run() -> None:
        async with Publisher() as one, Publisher() as other:
            one.headers = other.headers = {"ETag": '"v1"'}
            other.document = document("other")
            both = RangesClient(ca=one.ca_pem + other.ca_pem)
            for _ in range(2):
                assert (await both.fetch(one.provider)).etag == "d1"
                assert (await both.fetch(other.provider)).etag == "other"

    asyncio.run(run())


def test_nothing_has_changed_says_nothing_where_nothing_is_known() -> None:
    publisher = Publisher()
    publisher.status = 304
    assert refused(publisher) == "URL answered 304"


@pytest.mark.parametrize("validator", ['"' + "x" * 300 + '"', "v1", '"a b"', '""x'])
def test_a_strange_validator_is_not_sent_back(validator: str) -> None:
    async def run() -> None:
        async with Publisher() as publisher:
            publisher.headers = {"ETag": validator}
            client = RangesClient(ca=publisher.ca_pem)
            for _ in range(2):
                await client.fetch(publisher.provider)
            assert "if-none-match" not in publisher.seen[-1].headers

    asyncio.run(run())


def test_only_what_is_wrong_is_logged(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("httpx", "httpcore"):
        monkeypatch.setattr(logging.getLogger(name), "level", logging.NOTSET)
    with caplog.at_level(logging.DEBUG):
        fetched(Publisher())
    assert [record.name for record in caplog.records if record.name.startswith("http")] == []


def test_a_cookie_is_not_kept() -> None:
    async def run() -> None:
        async with Publisher() as publisher:
            publisher.fail(ApiFault.COOKIE)
            client = RangesClient(ca=publisher.ca_pem)
            for _ in range(2):
                assert (await client.fetch(publisher.provider)).etag == "d1"

    asyncio.run(run())


# What does not

FAULTS: dict[ApiFault, str | None] = {
    ApiFault.HTML_200: "the response is not JSON (78 bytes)",
    ApiFault.EMPTY_200: "the response is not JSON (0 bytes)",
    ApiFault.WRONG_JSON_TYPE: "the document is not a JSON object",
    ApiFault.JSON_ERRORS_200: "success is not true",
    ApiFault.JSON_CUT_SHORT: "the response is not JSON (14 bytes)",
    ApiFault.JSON_TOO_DEEP: "URL answered with more than 64 KiB",
    ApiFault.NO_CONTENT_204: "URL answered 204",
    ApiFault.REDIRECT_301: "URL answered 301 with a redirect to localhost, which is not followed",
    ApiFault.BAD_REQUEST_400: "URL answered 400",
    ApiFault.UNAUTHORIZED_401: "URL answered 401",
    ApiFault.FORBIDDEN_403: "URL answered 403",
    ApiFault.NOT_FOUND_404: "URL answered 404",
    ApiFault.TOO_MANY_429: "URL answered 429",
    ApiFault.ERROR_500: "URL answered 500",
    ApiFault.UNAVAILABLE_503: "URL answered 503",
    ApiFault.HUGE: "URL answered with more than 64 KiB",
    # Never unpacked, so it is not too large.
    ApiFault.GZIP_BOMB: "the response is not JSON (32639 bytes)",
    ApiFault.SLOW_DRIP: "URL did not answer within 0.25 s",
    ApiFault.HANG: "URL did not answer within 0.25 s",
    ApiFault.CUT_IN_THE_MIDDLE: "URL: the connection was cut",
    ApiFault.CUT_BEFORE_ANSWER: "URL: the connection was cut",
    ApiFault.NOT_HTTP: "URL: the server does not speak HTTP as expected",
    ApiFault.UNTRUSTED_CERTIFICATE: "URL: the certificate is not trusted",
    ApiFault.WRONG_NAME_CERTIFICATE: "URL: the certificate is for another name",
    ApiFault.COOKIE: None,
}
"""None: no fault at all."""


def test_every_fault_is_here() -> None:
    assert set(FAULTS) == set(ApiFault)


@pytest.mark.thorough
@every("fault", [fault for fault in ApiFault if FAULTS[fault]])
def test_a_fault_is_one_sentence(fault: ApiFault) -> None:
    publisher = Publisher()
    publisher.fail(fault)
    short = {"total_seconds": 0.25} if fault in (ApiFault.HANG, ApiFault.SLOW_DRIP) else {}
    assert refused(publisher, **short) == FAULTS[fault]


def test_a_document_up_to_the_limit_is_read_and_a_longer_one_is_not() -> None:
    publisher = Publisher()
    publisher.document = document() + " " * (LARGEST_DOCUMENT - len(document()))
    assert fetched(publisher).etag == "d1"
    publisher = Publisher()
    publisher.document = document() + " " * (LARGEST_DOCUMENT - len(document()) + 1)
    assert refused(publisher) == "URL answered with more than 64 KiB"


def test_what_is_packed_is_not_unpacked() -> None:
    class Packing(Publisher):
        async def _document(self, _request: web.Request) -> web.Response:
            packed = gzip.compress(document().encode())
            return web.Response(body=packed, headers={"Content-Encoding": "gzip"})

    assert refused(Packing()).startswith("the response is not JSON")


@pytest.mark.parametrize(
    ("location", "shown"),
    [
        ("https://ranges.evil.example:8443/ips?x=1", "ranges.evil.example"),
        ("//ranges.evil.example/ips", "ranges.evil.example"),
        ("https://user:s3cr3t@ranges.evil.example/", "ranges.evil.example"),
        ("http://localhost/client/v4/ips", "localhost"),
        ("/elsewhere", "localhost"),
        ("https://[::1]/", "::1"),
        ("file:///etc/passwd", "an invalid host"),
        ("https://a b/", "an invalid host"),
    ],
)
def test_a_redirect_is_named_and_not_followed(location: str, shown: str) -> None:
    publisher = Publisher()
    publisher.elsewhere = location
    publisher.fail(ApiFault.REDIRECT_301)
    message = refused(publisher)
    assert message == f"URL answered 301 with a redirect to {shown}, which is not followed"
    assert len(publisher.seen) == 1


def test_a_redirect_to_a_server_that_would_answer_is_not_followed() -> None:
    async def run() -> None:
        async with Publisher() as publisher, Publisher() as other:
            publisher.elsewhere = other.provider.url
            publisher.fail(ApiFault.REDIRECT_301)
            client = RangesClient(ca=publisher.ca_pem + other.ca_pem)
            assert await client.fetch(other.provider)
            with pytest.raises(RangesError, match="a redirect to localhost, which is not followed"):
                await client.fetch(publisher.provider)
            assert len(other.seen) == 1

    asyncio.run(run())


def test_nothing_is_asked_without_tls() -> None:
    publisher = Publisher(tls=False)
    assert refused(publisher) == "URL is no https URL"
    assert publisher.seen == []


def test_plain_http_behind_an_https_url_is_told() -> None:
    class Plain(Publisher):
        @property
        def provider(self) -> Provider:
            return replace(CLOUDFLARE, url=f"https://localhost:{self.port}{PATH}")

    message = refused(Plain(tls=False))
    assert message == "URL: the server does not speak TLS as expected"


def test_where_nobody_listens_there_is_no_connection() -> None:
    async def run() -> None:
        async with Publisher() as publisher:
            pass
        with pytest.raises(RangesError, match="no connection to https://localhost:"):
            await RangesClient(ca=publisher.ca_pem).fetch(publisher.provider)

    asyncio.run(run())


def test_a_name_that_does_not_exist_is_no_connection() -> None:
    provider = replace(CLOUDFLARE, url="https://ranges.invalid/ips")
    with pytest.raises(RangesError, match=r"no connection to https://ranges\.invalid/ips"):
        asyncio.run(RangesClient().fetch(provider))


def test_without_its_ca_a_server_is_not_trusted() -> None:
    async def run() -> None:
        async with Publisher() as publisher:
            await RangesClient().fetch(publisher.provider)

    with pytest.raises(RangesError, match="the certificate is not trusted"):
        asyncio.run(run())


def test_a_ca_in_the_environment_is_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> Ranges:
        async with Publisher() as publisher:
            (tmp_path / "ca.pem").write_text(publisher.ca_pem)
            monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
            return await RangesClient().fetch(publisher.provider)

    assert asyncio.run(run()).etag == "d1"


def test_a_handshake_that_hangs_ends_at_the_connect_time_out() -> None:
    writers: list[asyncio.StreamWriter] = []

    def accept(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)

    async def run() -> None:
        server = await asyncio.start_server(accept, "127.0.0.1", 0)
        url = f"https://localhost:{server.sockets[0].getsockname()[1]}{PATH}"
        client = RangesClient(connect_seconds=0.2, total_seconds=30)
        with pytest.raises(RangesError, match=f"no connection to {url} in time$"):
            await client.fetch(replace(CLOUDFLARE, url=url))
        server.close()
        for writer in writers:
            writer.close()

    asyncio.run(run())


def test_being_cancelled_is_no_fault() -> None:
    async def run() -> None:
        async with Publisher() as publisher:
            publisher.fail(ApiFault.HANG)
            fetching = asyncio.create_task(
                RangesClient(ca=publisher.ca_pem).fetch(publisher.provider)
            )
            assert await asyncio.wait({fetching}, timeout=0.3) == (set(), {fetching})
            assert publisher.seen
            fetching.cancel()
            with pytest.raises(asyncio.CancelledError):
                await fetching

    asyncio.run(run())


# Proxies


class Proxy:
    """A proxy that connects to wherever it is told, or answers something else."""

    def __init__(self, answer: bytes = b"", context: ssl.SSLContext | None = None) -> None:
        self._answer = answer
        self._context = context
        self.asked: list[str] = []
        self.port = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        tasks: list[asyncio.Task[None]] = []

        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            tasks.append(asyncio.create_task(self._serve(reader, writer)))

        server = await asyncio.start_server(accept, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield
        finally:
            server.close()
            await asyncio.wait_for(asyncio.gather(*tasks), 5)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.asked.append(head)
            if self._answer:
                writer.write(self._answer)
                await writer.drain()
                writer.close()
                return
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            if self._context:
                await writer.start_tls(self._context)
                await reader.readuntil(b"\r\n\r\n")
                text = document("forged")
                writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(text)}\r\n\r\n".encode())
                writer.write(text.encode())
                await writer.drain()
                writer.close()
                return
            host, _, port = head.split()[1].partition(":")
            far_reader, far_writer = await asyncio.open_connection(host, int(port))
            await asyncio.gather(_pipe(reader, far_writer), _pipe(far_reader, writer))


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
def test_a_proxy_of_the_environment_is_used(
    variable: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def run() -> None:
        proxy = Proxy()
        async with Publisher() as publisher, proxy.running():
            monkeypatch.setenv(variable, f"http://admin:{SECRET}@127.0.0.1:{proxy.port}")
            ranges = await RangesClient(ca=publisher.ca_pem).fetch(publisher.provider)
            assert ranges.etag == "d1"
            (asked,) = proxy.asked
            assert asked.startswith(f"CONNECT localhost:{publisher.port} ")
            assert "Proxy-Authorization: Basic " in asked
            # The provider learns nothing of it.
            assert "proxy-authorization" not in publisher.seen[0].headers

    with caplog.at_level(logging.DEBUG):
        asyncio.run(run())
    # The headers of httpcore would hold it, in base 64.
    assert "Proxy-Authorization" not in caplog.text
    assert SECRET not in caplog.text


def test_no_proxy_is_used_for_what_no_proxy_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "localhost")
    assert fetched(Publisher()).etag == "d1"


def test_a_proxy_that_breaks_tls_open_is_not_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority = trustme.CA()
    authority.issue_cert("localhost").configure_cert(context)

    async def run(ca: str) -> Ranges:
        proxy = Proxy(context=context)
        async with Publisher() as publisher, proxy.running():
            monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
            return await RangesClient(ca=ca or publisher.ca_pem).fetch(publisher.provider)

    with pytest.raises(RangesError) as caught:
        asyncio.run(run(""))
    assert "the certificate is not trusted (a proxy is set by HTTPS_PROXY)" in str(caught.value)
    # Unless its CA is.
    assert asyncio.run(run(authority.cert_pem.bytes().decode())).etag == "forged"


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (
            b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n",
            "the proxy refuses connections to URL",
        ),
        (
            b"HTTP/1.1 403 s3cr3t-Kq9\r\nContent-Length: 0\r\n\r\n",
            "the proxy refuses connections to URL",
        ),
        (
            b"HTTP/1.1 302 Found\r\nLocation: https://portal.example/\r\n\r\n",
            "the proxy refuses connections to URL",
        ),
        (b"SSH-2.0-OpenSSH_9.9\r\n\r\n", "URL: the server does not speak HTTP as expected"),
    ],
)
def test_a_proxy_that_refuses_is_told_without_its_password(
    answer: bytes, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> None:
        proxy = Proxy(answer)
        async with Publisher() as publisher, proxy.running():
            monkeypatch.setenv("HTTPS_PROXY", f"http://admin:{SECRET}@127.0.0.1:{proxy.port}")
            with pytest.raises(RangesError) as caught:
                await RangesClient(ca=publisher.ca_pem).fetch(publisher.provider)
            message = str(caught.value).replace(publisher.provider.url, "URL")
            expected = f"Cloudflare's published ranges: {why} (a proxy is set by HTTPS_PROXY)"
            assert message == expected
            assert publisher.seen == []

    asyncio.run(run())


@pytest.mark.parametrize(
    ("url", "why"),
    [
        (f"http://admin:{SECRET}@127.0.0.1:1", "no connection to URL"),
        (f"socks5://admin:{SECRET}@127.0.0.1:1", "URL could not be fetched: ImportError"),
        (f"ftp://admin:{SECRET}@127.0.0.1:1", "URL could not be fetched: ValueError"),
        (f"http://admin:{SECRET}@127.0.0.1:port", "URL could not be fetched: InvalidURL"),
    ],
)
def test_a_proxy_that_cannot_be_used_is_told_without_its_password(
    url: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", url)
    assert refused(Publisher()) == f"{why} (a proxy is set by ALL_PROXY)"
