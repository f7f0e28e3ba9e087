"""The HTTP client is bounded, verifies what it talks to, is not led elsewhere and tells nothing."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from dev.fakes import ApiFault, FakeProduct
from fleet_telemetry.api.reasons import Reason
from fleet_telemetry.vendors.bounded_network import AT_ONCE
from fleet_telemetry.vendors.http import (
    LARGEST_ANSWER,
    LARGEST_HEAD,
    LONGEST_CA,
    LONGEST_PATIENCE_SECONDS,
    Answer,
    VendorApi,
    VendorClient,
    VendorError,
)
from fleet_telemetry.vendors.service import Endpoint
from tests.support.every import every
from tests.support.vendor_cases import HOST, asking, endpoint_of

SECRET = "s3cr3t-Kq9"
AUTH = {"X-Api-Key": SECRET}


class Echo(FakeProduct):
    """Answers with what it was asked, at every path."""

    def routes(self) -> Iterable[web.RouteDef]:
        return (web.route("*", "/{path:.*}", self._echo),)

    async def _echo(self, request: web.Request) -> web.Response:
        return web.json_response({"path": request.path_qs, "body": (await request.read()).decode()})


def _echo(**options: object) -> Echo:
    return Echo(**{"names": [HOST], **options})


def _run(
    action: Callable[[VendorApi], Awaitable[object]], fake: FakeProduct, **options: float
) -> Any:
    async def run() -> object:
        async with asking(fake, **options) as api:
            return await action(api)

    return asyncio.run(run())


def _error(
    action: Callable[[VendorApi], Awaitable[object]], fake: FakeProduct, **options: float
) -> VendorError:
    with pytest.raises(VendorError) as caught:
        _run(action, fake, **options)
    return caught.value


async def _get(api: VendorApi) -> Answer:
    return await api.request("GET", "/x", headers=AUTH)


Talk = Callable[[asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def _raw(talk: Talk, *, scheme: str = "http", **options: float) -> AsyncIterator[VendorApi]:
    """A plain TCP server that says what it likes once something has come."""
    tasks: list[asyncio.Task[None]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            await reader.read(1)
            await talk(writer)
        writer.close()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.append(asyncio.create_task(serve(reader, writer)))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    client = VendorClient(**{"total_seconds": 0.5, **options})
    port = server.sockets[0].getsockname()[1]
    try:
        yield client.api(Endpoint(scheme, "127.0.0.1", port, HOST))
    finally:
        await client.close()
        server.close()
        # Who drips notices that nobody listens any more.
        await asyncio.wait_for(asyncio.gather(*tasks), 5)


def _raw_error(talk: Talk, **options: Any) -> VendorError:
    async def run() -> None:
        async with _raw(talk, **options) as api:
            await _get(api)

    with pytest.raises(VendorError) as caught:
        asyncio.run(run())
    return caught.value


# What is sent


def test_a_request_carries_its_headers_and_json() -> None:
    fake = _echo()

    async def post(api: VendorApi) -> Answer:
        return await api.request("POST", "/a/b?c=d", headers=AUTH, content={"e": [1]})

    answer = _run(post, fake)
    assert answer.json(dict) == {"path": "/a/b?c=d", "body": '{"e":[1]}'}
    (seen,) = fake.seen
    assert seen.headers["host"] == f"{HOST}:{fake.port}"
    assert seen.headers["x-api-key"] == SECRET
    assert seen.headers["content-type"] == "application/json"
    assert seen.headers["accept-encoding"] == "identity"
    assert seen.headers["connection"] == "close"
    assert seen.headers["user-agent"].startswith("fleet-telemetry/")


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("base_path", "path"),
    [
        ("", "/x"),
        ("/", "/x"),
        ("/sonar", "/sonar/x"),
        ("sonar/", "/sonar/x"),
        ("/a/b", "/a/b/x"),
        ("//evil.example", "/evil.example/x"),
        ("@evil.example", "/@evil.example/x"),
        (".evil.example:80/", "/.evil.example:80/x"),
    ],
)
def test_a_base_path_stays_a_path(base_path: str, path: str) -> None:
    fake = _echo(tls=False)

    async def run() -> Answer:
        client = VendorClient()
        async with fake:
            try:
                return await _get(client.api(endpoint_of(fake, base_path=base_path)))
            finally:
                await client.close()

    assert asyncio.run(run()).json(dict)["path"] == path


@pytest.mark.parametrize("address", ["localhost", "evil.example", "", "127.0.0.1@evil", "127.1"])
def test_a_name_is_no_address(address: str) -> None:
    with pytest.raises(VendorError) as caught:
        VendorClient().api(Endpoint("http", address, 80, HOST))
    assert caught.value.reason is Reason.ENDPOINT_NOT_FOUND


@pytest.mark.parametrize(
    ("scheme", "host", "port", "sent"),
    [
        ("https", "a.b.svc", 443, "a.b.svc"),
        ("http", "a.b.svc", 80, "a.b.svc"),
        ("http", "a.b.svc", 443, "a.b.svc:443"),
        ("https", "fd00::1", 443, "[fd00::1]"),
        ("http", "10.0.0.1", 8080, "10.0.0.1:8080"),
        ("http", "fd00::1", 8080, "[fd00::1]:8080"),
    ],
)
def test_the_host_header(scheme: str, host: str, port: int, sent: str) -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, stream=httpx.ByteStream(b"{}"))

    async def run() -> None:
        async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
            await VendorApi(client, Endpoint(scheme, "fd00::9", port, host)).request("GET", "/x")

    asyncio.run(run())
    assert seen[0].headers["host"] == sent
    assert str(seen[0].url.host) == "fd00::9"
    assert seen[0].extensions["sni_hostname"] == host


def test_proxies_of_the_environment_do_not_matter(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (netrc := tmp_path / "netrc").write_text(f"machine 127.0.0.1 login me password {SECRET}\n")
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    fake = _echo()
    assert _run(_get, fake).status == 200
    assert "authorization" not in fake.seen[0].headers


def test_no_cookie_is_kept() -> None:
    fake = _echo()
    fake.fail(ApiFault.COOKIE)

    async def thrice(api: VendorApi) -> list[int]:
        return [(await _get(api)).status for _ in range(3)]

    assert _run(thrice, fake) == [200, 200, 200]
    assert all("cookie" not in seen.headers for seen in fake.seen)


# Whom it talks to


def test_a_connection_is_not_used_for_another_host_name() -> None:
    """Two Services may have had one address, one after the other: the second one's name has to be
    in the certificate as well."""
    fake = _echo()

    async def run() -> None:
        client = VendorClient()
        async with fake:
            mine = client.api(endpoint_of(fake), fake.ca_pem)
            other = client.api(endpoint_of(fake, host="other.apps.svc"), fake.ca_pem)
            assert (await _get(mine)).status == 200
            with pytest.raises(VendorError) as caught:
                await _get(other)
            assert caught.value.reason is Reason.TLS_NOT_TRUSTED
            await client.close()

    asyncio.run(run())
    assert len(fake.seen) == 1


def test_without_a_ca_the_systems_are_trusted_and_no_others() -> None:
    fake = _echo()

    async def run() -> None:
        client = VendorClient()
        async with fake:
            try:
                await _get(client.api(endpoint_of(fake)))
            finally:
                await client.close()

    with pytest.raises(VendorError, match=r"put its CA into ca\.crt") as caught:
        asyncio.run(run())
    assert caught.value.reason is Reason.TLS_NOT_TRUSTED
    assert fake.seen == []


def test_a_certificate_for_the_address_is_right_where_the_host_is_an_address() -> None:
    fake = _echo()

    async def run() -> int:
        client = VendorClient()
        async with fake:
            api = client.api(endpoint_of(fake, host="127.0.0.1"), fake.ca_pem)
            try:
                return (await _get(api)).status
            finally:
                await client.close()

    assert asyncio.run(run()) == 200


def test_an_intermediate_ca_in_the_secret_is_trusted() -> None:
    fake = _echo()
    root = trustme.CA()
    fake._ca = root.create_child_ca()
    assert fake.ca_pem != root.cert_pem.bytes().decode()
    assert _run(_get, fake).status == 200


def test_an_expired_certificate_is_called_so(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = _echo()
    issue = trustme.CA.issue_cert
    past = datetime.now(UTC) - timedelta(days=1)
    monkeypatch.setattr(
        trustme.CA, "issue_cert", lambda ca, *names: issue(ca, *names, not_after=past)
    )
    error = _error(_get, fake)
    assert error.reason is Reason.TLS_NOT_TRUSTED
    assert "has expired" in str(error)


@pytest.mark.parametrize("ca", ["nonsense", "-----BEGIN CERTIFICATE-----\nAAAA\n", "ключ", "\n"])
def test_a_ca_that_is_none(ca: str) -> None:
    with pytest.raises(VendorError, match="holds no certificate") as caught:
        VendorClient().api(Endpoint("https", "127.0.0.1", 443, HOST), ca)
    assert caught.value.reason is Reason.SECRET_INCOMPLETE


def test_many_cas_do_not_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    context = ssl.create_default_context()
    monkeypatch.setattr(ssl, "create_default_context", lambda **_: context)
    client = VendorClient()
    for number in range(500):
        client.api(Endpoint("https", "127.0.0.1", 443, HOST), str(number))
    assert len(client._clients) == 64
    assert "499" in client._clients


def test_large_cas_do_not_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    context = ssl.create_default_context()
    monkeypatch.setattr(ssl, "create_default_context", lambda **_: context)
    client = VendorClient()
    for number in range(50):
        client.api(Endpoint("https", "127.0.0.1", 443, HOST), str(number % 10) * LONGEST_CA)
        assert 0 < sum(map(len, client._clients)) <= 4 * LONGEST_CA


def test_a_ca_without_end_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssl, "create_default_context", lambda **_: pytest.fail("it was read"))
    with pytest.raises(VendorError, match="longer than 256 KiB") as caught:
        VendorClient().api(Endpoint("https", "127.0.0.1", 443, HOST), "x" * (LONGEST_CA + 1))
    assert caught.value.reason is Reason.SECRET_INCOMPLETE


def test_plain_http_where_https_is_expected_is_called_so() -> None:
    fake = _echo(tls=False)

    async def run() -> None:
        client = VendorClient()
        async with fake:
            try:
                await _get(client.api(endpoint_of(fake, scheme="https")))
            finally:
                await client.close()

    with pytest.raises(VendorError, match="does not speak TLS") as caught:
        asyncio.run(run())
    assert caught.value.reason is Reason.UNEXPECTED_ANSWER
    assert fake.seen == []


def test_https_where_plain_http_is_expected_is_no_product() -> None:
    fake = _echo()

    async def run() -> None:
        client = VendorClient(total_seconds=2)
        async with fake:
            try:
                await _get(client.api(endpoint_of(fake, scheme="http")))
            finally:
                await client.close()

    with pytest.raises(VendorError) as caught:
        asyncio.run(run())
    assert caught.value.reason in (Reason.UNEXPECTED_ANSWER, Reason.UNREACHABLE)
    assert fake.seen == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(status: int) -> None:
    class Leading(FakeProduct):
        def routes(self) -> Iterable[web.RouteDef]:
            return (web.route("*", "/{path:.*}", self._lead),)

        async def _lead(self, request: web.Request) -> web.Response:
            del request
            return web.Response(status=status, headers={"Location": f"/y?{SECRET}"})

    fake = Leading(names=[HOST])
    error = _error(_get, fake)
    assert error.reason is Reason.UNEXPECTED_ANSWER
    assert "redirect" in str(error)
    assert SECRET not in str(error)
    assert len(fake.seen) == 1


# Bounds


def test_nobody_listens() -> None:
    fake = _echo()

    async def run() -> None:
        client = VendorClient()
        async with fake:
            api = client.api(endpoint_of(fake), fake.ca_pem)
        await _get(api)

    with pytest.raises(VendorError, match="no connection") as caught:
        asyncio.run(run())
    assert caught.value.reason is Reason.UNREACHABLE


def test_a_handshake_that_hangs_ends_at_the_connect_time_out() -> None:
    async def hang(_writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.6)

    error = _raw_error(hang, scheme="https", connect_seconds=0.2, total_seconds=30)
    assert error.reason is Reason.UNREACHABLE
    assert "no connection in time" in str(error)


def test_headers_that_drip_end_at_the_total_time_out() -> None:
    async def drip(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nX: ")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.02)

    error = _raw_error(drip)
    assert error.reason is Reason.UNREACHABLE
    assert "did not answer within 0.5 s" in str(error)


def test_endless_interim_answers_end_at_the_total_time_out() -> None:
    async def interim(writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(b"HTTP/1.1 103 Early Hints\r\n\r\n")
            await writer.drain()
            await asyncio.sleep(0.01)

    assert _raw_error(interim).reason is Reason.UNREACHABLE


_PIECES: dict[str, tuple[bytes, bytes]] = {
    "interim answers": (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
    "one header": (b"HTTP/1.1 200 OK\r\nX: ", b"x"),
    "headers": (b"HTTP/1.1 200 OK\r\n", b"A: b\r\n"),
    "headers of interim answers": (
        b"",
        b"HTTP/1.1 103 Early Hints\r\n" + b"A: b\r\n" * 9000 + b"\r\n",
    ),
    "pieces of one byte": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n"),
    "names of pieces": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"1;" + b"x" * 90 + b"\r\na\r\n",
    ),
}


@pytest.mark.thorough
@every(("head", "piece"), _PIECES.values(), ids=list(_PIECES))
def test_a_flood_of_pieces_ends_and_lets_other_tasks_run(head: bytes, piece: bytes) -> None:
    turns = 0

    async def flood(writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        while True:
            writer.write(piece * (65536 // len(piece) + 1))
            await writer.drain()

    async def count() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    async def run() -> None:
        async with _raw(flood, total_seconds=60) as api:
            counting = asyncio.create_task(count())
            try:
                await _get(api)
            finally:
                counting.cancel()

    with pytest.raises(VendorError, match="too many") as caught:
        asyncio.run(run())
    assert caught.value.reason is Reason.UNEXPECTED_ANSWER
    assert turns >= (2 * LARGEST_ANSWER if b"chunked" in head else LARGEST_HEAD) / AT_ONCE


@pytest.mark.thorough
@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n",
        b"HTTP/1.1 two hundred\r\n\r\n",
        b"\x15\x03\x01\x00\x02\x02\x46",
    ],
)
def test_what_is_not_http_is_no_product(said: bytes) -> None:
    async def say(writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        await writer.drain()
        await asyncio.sleep(0.5)

    error = _raw_error(say)
    assert error.reason is Reason.UNEXPECTED_ANSWER
    assert "does not speak HTTP" in str(error)


def test_a_reset_connection_was_cut() -> None:
    async def reset(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
        await writer.drain()
        writer.transport.abort()

    error = _raw_error(reset)
    assert error.reason is Reason.UNREACHABLE
    assert "the connection was cut" in str(error)


@pytest.mark.parametrize(("size", "fits"), [(999, True), (1000, True), (1001, False)])
def test_the_largest_answer(size: int, *, fits: bool) -> None:
    class Sized(FakeProduct):
        def routes(self) -> Iterable[web.RouteDef]:
            return (web.get("/x", self._x),)

        async def _x(self, request: web.Request) -> web.Response:
            del request
            return web.Response(body=b"x" * size)

    fake = Sized(names=[HOST])
    if fits:
        assert len(_run(_get, fake, largest_answer=1000).body) == size
    else:
        assert "more than" in str(_error(_get, fake, largest_answer=1000))


def test_cancelling_is_not_an_answer() -> None:
    fake = _echo()
    fake.fail(ApiFault.HANG)

    async def run() -> None:
        async with asking(fake) as api:
            task = asyncio.create_task(_get(api))
            await asyncio.sleep(0.1)
            task.cancel()
            await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(run())


# What it tells


@pytest.mark.parametrize("value", [f"{SECRET}\n", f"{SECRET}\r\nX: y", f"{SECRET}ключ", "\0"])
def test_a_header_that_cannot_be_sent_is_not_quoted(
    value: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    fake = _echo()
    error = _error(lambda api: api.request("GET", "/x", headers={"X-Api-Key": value}), fake)
    assert error.reason is Reason.UNREACHABLE
    assert SECRET not in f"{error} {error!r} {caplog.text}"
    assert fake.seen == []


def test_an_answer_that_writes_our_credential_into_its_headers_is_not_quoted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class ClusterCache(FakeProduct):
        def routes(self) -> Iterable[web.RouteDef]:
            return (web.get("/x", self._x),)

        async def _x(self, request: web.Request) -> web.Response:
            secret = request.headers["X-Api-Key"]
            headers = {
                "Content-Type": f"text/{secret}",
                "Retry-After": secret,
                "Set-Cookie": f"a={secret}",
                "X": secret,
            }
            status = int(request.query["status"])
            return web.Response(status=status, body=secret.encode(), headers=headers)

    caplog.set_level(logging.DEBUG)
    for status in (200, 400, 401, 429, 500):
        path = f"/x?status={status}"

        async def ask(api: VendorApi, path: str = path) -> None:
            answer = await api.request("GET", path, headers=AUTH)
            assert SECRET in answer.content_type
            assert SECRET not in repr(answer)
            answer.check().json(dict)

        error = _error(ask, ClusterCache(names=[HOST]))
        assert SECRET not in f"{error} {error!r}"
    assert SECRET not in caplog.text


def test_requests_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    _run(_get, _echo())
    assert [record.name for record in caplog.records if record.name.startswith("http")] == []


# What an answer means


def _answer(
    status: int = 200,
    body: bytes = b"{}",
    content_type: str = "application/json",
    retry_after: tuple[str, ...] = (),
) -> Answer:
    return Answer(status, content_type, body, retry_after, "GET it")


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (300, Reason.UNEXPECTED_ANSWER),
        (304, Reason.UNEXPECTED_ANSWER),
        (400, Reason.UNEXPECTED_ANSWER),
        (401, Reason.CREDENTIALS_REJECTED),
        (403, Reason.PERMISSION_MISSING),
        (404, Reason.API_NOT_FOUND),
        (405, Reason.UNEXPECTED_ANSWER),
        (429, Reason.RATE_LIMITED),
        (500, Reason.VENDOR_ERROR),
        (501, Reason.VENDOR_ERROR),
        (502, Reason.UNREACHABLE),
        (503, Reason.UNREACHABLE),
        (504, Reason.UNREACHABLE),
        (599, Reason.VENDOR_ERROR),
    ],
)
def test_a_status_has_its_reason(status: int, reason: Reason) -> None:
    with pytest.raises(VendorError, match=f"GET it answered {status}") as caught:
        _answer(status).check()
    assert caught.value.reason is reason


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_below_300_is_well(status: int) -> None:
    assert _answer(status).check().status == status


NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)


@every(
    ("retry_after", "seconds"),
    [
        ("", None),
        ("0", 0),
        ("7", 7),
        ("soon", None),
        ("-1", None),
        ("1.5", None),
        ("٣", None),
        ("9" * 400, LONGEST_PATIENCE_SECONDS),
        (format_datetime(NOW + timedelta(seconds=90)), 90),
        (format_datetime(NOW - timedelta(seconds=90)), 0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", LONGEST_PATIENCE_SECONDS),
        ("Mon, 01 Jan 0001 00:00:00 +2359", 0),
        # Without a time zone.
        ("Sat, 21 Nov 2026 12:00:09 -0000", None),
        (" 7 ", 7),
        ("7, 9", None),
        ("+7", None),
        ("0x10", None),
        ("1e9", None),
        ("inf", None),
        ("nan", None),
        ("7" * 100_000, LONGEST_PATIENCE_SECONDS),
    ],
)
@every("status", [429, 503])
def test_how_long_to_wait(status: int, retry_after: str, seconds: float | None) -> None:
    with pytest.raises(VendorError) as caught:
        _answer(status, retry_after=(retry_after,)).check(now=NOW)
    assert caught.value.retry_after == seconds
    # Not the number: it could be made of anything, and a date would be another number each time.
    asks = " and asks to wait" if seconds is not None else ""
    assert str(caught.value) == f"GET it answered {status}{asks}"


def test_the_longest_of_several_counts() -> None:
    with pytest.raises(VendorError) as caught:
        _answer(429, retry_after=("9", "soon", "60", "1")).check(now=NOW)
    assert caught.value.retry_after == 60


@given(st.lists(st.text() | st.integers().map(str) | st.datetimes().map(format_datetime)))
def test_no_retry_after_is_an_error_or_longer_than_the_limit(texts: list[str]) -> None:
    with pytest.raises(VendorError) as caught:
        _answer(429, retry_after=tuple(texts)).check(now=NOW)
    assert 0 <= (caught.value.retry_after or 0) <= LONGEST_PATIENCE_SECONDS


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", dict),
        (b"{", dict),
        (b"[]", dict),
        (b"{}", list),
        (b"null", dict),
        (b"true", list),
        (b"\xff\xfe\x00", dict),
        (b"9" * 5000, dict),
        (b"[" * 100_000, list),
        (b'{"a":' * 100_000, dict),
    ],
)
def test_what_is_not_the_json_expected(body: bytes, kind: type) -> None:
    with pytest.raises(VendorError) as caught:
        _answer(body=body).json(kind)
    assert caught.value.reason is Reason.UNEXPECTED_ANSWER


@pytest.mark.parametrize(
    ("content_type", "shown"),
    [
        ("text/html; charset=utf-8", "HTML of 2 bytes"),
        ("TEXT/HTML", "HTML of 2 bytes"),
        ("application/json", "JSON of 2 bytes"),
        (f"text/{SECRET}", "something of 2 bytes"),
        ("", "something of 2 bytes"),
    ],
)
def test_a_content_type_is_shown_in_known_words(content_type: str, shown: str) -> None:
    with pytest.raises(VendorError, match=f"answered 200 with {shown} where a JSON array"):
        _answer(content_type=content_type).json(list)
