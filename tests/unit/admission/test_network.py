"""The admission server on its socket: anybody may connect and send anything."""

from __future__ import annotations

import asyncio
import gzip
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from fleet_telemetry.admission.certificates.material import KeyPair, new_authority, new_leaf
from fleet_telemetry.admission.certificates.serving import ServingCertificate
from fleet_telemetry.admission.request_body import (
    LARGEST,
    MOST_VALUES,
    BodyReader,
    NotAReviewError,
    UnreadableError,
    read_request,
)
from fleet_telemetry.admission.server import AdmissionServer
from fleet_telemetry.admission.trace import AdmissionTrace
from fleet_telemetry.reporting.events import Notice
from fleet_telemetry.reporting.metrics import AdmissionMetrics
from fleet_telemetry.workloads.workload import WorkloadRef
from tests.support.admission_requests import cache_with, creation, policy_manifest
from tests.support.builders import NOW, SONARQUBE, container, manifest, pod_manifest
from tests.support.client_certificates import new_client
from tests.support.loops import run_and_close

HOST = "fleet-telemetry-webhook.fleet-telemetry.svc"
TODAY = datetime.now(UTC)
AUTHORITY = new_authority(TODAY)
LEAF = new_leaf(AUTHORITY, HOST, TODAY)
UID = "705ab4f5-6393-11e8-b7cc-42010a800002"
REVIEW = {
    "kind": "AdmissionReview",
    "apiVersion": "admission.k8s.io/v1",
    "request": creation(manifest(container(SONARQUBE))),
}
GOOD = json.dumps(REVIEW).encode()
DEEP = 100_000
HEAD = f'{{"kind":"AdmissionReview","request":{{"uid":"{UID}","object":'.encode()
UNREADABLE: dict[str, bytes] = {
    "deep arrays": HEAD + b"[" * DEEP,
    "deep arrays that end": HEAD + b"[" * DEEP + b"]" * DEEP + b"}}",
    "deep objects": HEAD + b'{"a":' * DEEP + b"1" + b"}" * DEEP + b"}}",
    "many arrays": HEAD + b"[" + b"[]," * MOST_VALUES + b"[]]}}",
    "many objects": HEAD + b"[" + b"{}," * MOST_VALUES + b"{}]}}",
}


NAMED = (
    f'{{"kind":"AdmissionReview","request":{{"uid":"{UID}","kind":{{"group":"apps","version":"v1",'
    '"kind":"Deployment"},"resource":{"group":"apps"},"requestKind":{"kind":"Other"},'
)


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (NAMED + '"name":"sonar","namespace":"appsec","operation":', "Deployment appsec/sonar"),
        (NAMED + '"namespace":"appsec","operation":', "Deployment appsec"),
        (NAMED + '"operation":"CREATE","object":{"name":"other"},', "Deployment"),
        (NAMED + '"name":"sonar","object":', "the object"),
        (NAMED + f'"name":"{"x" * 5000}","operation":', "the object"),
        (NAMED + '"name":"a\\u001bb","operation":', "Deployment"),
        ("", "the object"),
        ('"operation":', "the object"),
    ],
)
def test_a_request_that_cannot_be_read_has_a_name_all_the_same(head: str, name: str) -> None:
    """kubectl shows equal warnings of several objects once."""
    assert UnreadableError(head.encode(), "it is large").name == name


class Client:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(
        self, body: bytes = b"", *, method: str = "POST", path: str = "/mutate", **headers: str
    ) -> tuple[int, bytes]:
        """Status and body of the answer."""
        told = {"host": HOST, "content_type": "application/json", **headers}
        if "transfer_encoding" not in told:
            told.setdefault("content_length", str(len(body)))
        lines = [f"{name.replace('_', '-')}: {value}\r\n" for name, value in told.items()]
        self.writer.write(f"{method} {path} HTTP/1.1\r\n{''.join(lines)}\r\n".encode() + body)
        return await self.answer()

    async def answer(self) -> tuple[int, bytes]:
        head = await self.reader.readuntil(b"\r\n\r\n")
        lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-len")]
        length = int(lengths[0].partition(b":")[2]) if lengths else 0
        return int(head.split()[1]), await self.reader.readexactly(length)

    async def is_closed(self) -> bool:
        return await self.reader.read(1) == b""

    async def close(self) -> None:
        self.writer.close()


class Webhook:
    """A server that runs, and its metrics."""

    def __init__(self, server: AdmissionServer, registry: CollectorRegistry) -> None:
        self.server = server
        self.registry = registry
        self.port = server.port
        self.clients: list[Client] = []

    async def connect(self, pair: KeyPair | None = None, directory: Path | None = None) -> Client:
        context = ssl.create_default_context(cadata=AUTHORITY.certificate)
        if pair is not None and directory is not None:
            chain, key = directory / "c", directory / "k"
            chain.write_text(pair.certificate)
            key.write_text(pair.key)
            context.load_cert_chain(chain, key)
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", self.port, ssl=context, server_hostname=HOST
        )
        self.clients.append(Client(reader, writer))
        return self.clients[-1]

    def count(self, name: str, **labels: str) -> float:
        found = self.registry.get_sample_value(f"fleet_telemetry_admission_{name}_total", labels)
        assert found is not None
        return found


async def no_event(ref: WorkloadRef, uid: str, notice: Notice) -> None:
    raise AssertionError(f"an Event on {ref} ({uid}): {notice}")


@asynccontextmanager
async def serving(client_ca: Path | None = None, **options: Any) -> AsyncIterator[Webhook]:
    registry = CollectorRegistry()
    certificate = ServingCertificate(HOST, lambda: TODAY, lambda _: None, client_ca)
    certificate.load(LEAF)
    cache = cache_with(policy_manifest())
    server = AdmissionServer(
        cache,
        AdmissionMetrics(registry),
        lambda: NOW,
        certificate.context,
        AdmissionTrace(cache.fleet, no_event, lambda: 0.0),
        **options,
    )
    await server.start("127.0.0.1", 0)
    webhook = Webhook(server, registry)
    try:
        yield webhook
    finally:
        for client in webhook.clients:
            await client.close()
        await server.stop()


def run(test: Callable[[Webhook], Awaitable[None]], **options: Any) -> None:
    async def whole() -> None:
        async with asyncio.timeout(60), serving(**options) as webhook:
            await test(webhook)

    run_and_close(whole())


def response_of(body: bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(body)["response"]
    return found


@pytest.mark.parametrize("body", UNREADABLE.values(), ids=UNREADABLE)
def test_a_request_that_cannot_be_read_is_admitted_and_the_connection_stays(body: bytes) -> None:
    async def test(webhook: Webhook) -> None:
        client = await webhook.connect()
        status, answer = await client.send(body)
        response = response_of(answer)
        assert (status, response["uid"], response["allowed"]) == (200, UID, True)
        assert "cannot be read" in response["warnings"][0]
        assert webhook.count("requests", path="mutate", kind="other", result="unreadable") == 1
        status, answer = await client.send(GOOD)
        assert response_of(answer)["patchType"] == "JSONPatch"

    run(test)


@pytest.mark.parametrize("body", UNREADABLE.values(), ids=UNREADABLE)
def test_an_own_object_that_cannot_be_read_is_refused(body: bytes) -> None:
    async def test(webhook: Webhook) -> None:
        status, answer = await (await webhook.connect()).send(body, path="/validate")
        response = response_of(answer)
        assert (status, response["uid"], response["allowed"]) == (200, UID, False)
        assert "cannot be read" in response["status"]["message"]

    run(test)


@pytest.mark.parametrize(
    ("sent", "status", "reason"),
    [
        ({"body": GOOD, "content_type": "text/plain"}, 415, "media-type"),
        ({"body": GOOD, "content_type": "multipart/form-data; boundary=x"}, 415, "media-type"),
        ({"body": GOOD, "content_type": "application/jsonp"}, 415, "media-type"),
        ({"body": b"{}", "content_type": "Application/JSON ; charset=utf-8"}, 400, "not-a-review"),
        ({"body": gzip.compress(GOOD), "content_encoding": "gzip"}, 415, "media-type"),
        ({"body": GOOD, "content_encoding": "deflate"}, 415, "media-type"),
        ({"content_length": str(LARGEST + 1)}, 413, "too-large"),
        ({"content_length": "9" * 18}, 413, "too-large"),
        ({"body": b"{}"}, 400, "not-a-review"),
        ({"body": b"\xff\xfe"}, 400, "not-a-review"),
        ({"body": GOOD.replace(b"sonarqube", b"sonarqub\xe9")}, 400, "not-a-review"),
        ({"body": b""}, 400, "not-a-review"),
        ({"method": "GET"}, 405, ""),
        ({"method": "PUT", "body": GOOD}, 405, ""),
        ({"path": "/", "body": GOOD}, 404, ""),
        ({"path": "/mutate/../metrics", "body": GOOD}, 404, ""),
        ({"path": f"/{'a' * 9000}", "body": GOOD}, 400, ""),
    ],
)
def test_what_is_no_request_is_refused(sent: Any, status: int, reason: str) -> None:
    async def test(webhook: Webhook) -> None:
        found, _ = await (await webhook.connect()).send(**sent)
        assert found == status
        if reason:
            assert webhook.count("refused_requests", reason=reason) == 1
        # The next one is answered.
        assert (await (await webhook.connect()).send(GOOD))[0] == 200

    run(test)


def test_a_body_of_unknown_length_has_the_same_limit() -> None:
    async def test(webhook: Webhook) -> None:
        client = await webhook.connect()
        half = f"{LARGEST // 2:x}\r\n".encode() + b" " * (LARGEST // 2) + b"\r\n"
        head = b"POST /mutate HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
        client.writer.write(head + b"transfer-encoding: chunked\r\n\r\n" + half + half)
        client.writer.write(b"1\r\n \r\n")
        assert (await client.answer())[0] == 413

    run(test)


def test_a_body_that_does_not_arrive_is_not_waited_for() -> None:
    async def test(webhook: Webhook) -> None:
        client = await webhook.connect()
        status, _ = await client.send(b'{"request', content_length="1000")
        assert status == 408
        assert await client.is_closed()
        assert webhook.count("refused_requests", reason="slow") == 1

    run(test, bodies=BodyReader(seconds=0.05))


def test_bodies_share_a_limit_and_give_it_back() -> None:
    async def test(webhook: Webhook) -> None:
        slow = await webhook.connect()
        slow.writer.write(
            b"POST /mutate HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
            b"content-length: 60000\r\n\r\n" + b" " * 59_000
        )
        for _ in range(100):
            if (await (await webhook.connect()).send(b" " * 2_000))[0] == 503:
                break
        assert webhook.count("refused_requests", reason="busy") == 1
        slow.writer.write(b" " * 1_000)
        assert (await slow.answer())[0] == 400
        assert (await (await webhook.connect()).send(GOOD))[0] == 200

    run(test, bodies=BodyReader(in_flight=60_000, seconds=30))


def test_silent_connections_make_room() -> None:
    async def test(webhook: Webhook) -> None:
        used = await webhook.connect()
        assert (await used.send(GOOD))[0] == 200
        silent = [await webhook.connect() for _ in range(3)]
        silent[1].writer.write(b"POST /mutate HTTP/1.1\r\nhost: ")
        for _ in range(10):
            another = await webhook.connect()
            assert (await another.send(GOOD))[0] == 200
            assert (await used.send(GOOD))[0] == 200
        for client in silent:
            assert await client.is_closed()
        assert len(webhook.server._connections._server.connections) <= 5  # type: ignore[union-attr]

    run(test, most_connections=4)


def test_a_request_in_progress_is_answered_before_the_server_stops() -> None:
    owner = manifest(container(SONARQUBE), kind="StatefulSet")
    review = {"request": creation(pod_manifest(owner))}

    async def test(webhook: Webhook) -> None:
        client = await webhook.connect()
        answer = asyncio.ensure_future(client.send(json.dumps(review).encode()))
        # The pod waits for its workload.
        while not webhook.server._waiting_bytes:  # noqa: ASYNC110  # no event
            await asyncio.sleep(0.001)
        stopping = asyncio.ensure_future(webhook.server.stop())
        await asyncio.sleep(0.01)
        with pytest.raises(ConnectionError):
            await webhook.connect()
        assert not answer.done()
        status, body = await answer
        assert (status, response_of(body)["allowed"]) == (200, True)
        await stopping

    run(test)


def test_no_request_adds_a_series() -> None:
    """Four kinds of 15 MB each stayed in memory for ever."""

    async def test(webhook: Webhook) -> None:
        before = len(generate_latest(webhook.registry).splitlines())
        for path in ("/mutate", "/validate"):
            for number in range(20):
                kind = {"kind": f"Kind{number}" + "x" * 10_000}
                body = json.dumps({"request": {"uid": "1", "kind": kind, "operation": f"{number}"}})
                await (await webhook.connect()).send(body.encode(), path=path)
        assert len(generate_latest(webhook.registry).splitlines()) == before
        assert webhook.count("requests", path="mutate", kind="other", result="unchanged") == 20

    run(test)


def test_every_series_exists_from_the_start() -> None:
    registry = CollectorRegistry()
    AdmissionMetrics(registry)
    text = generate_latest(registry).decode()
    for line in (
        'requests_total{kind="Deployment",path="mutate",result="error"} 0.0',
        'requests_total{kind="Pod",path="mutate",result="patched"} 0.0',
        'requests_total{kind="TelemetryPolicy",path="validate",result="refused"} 0.0',
        'refused_requests_total{reason="too-large"} 0.0',
    ):
        assert f"fleet_telemetry_admission_{line}" in text


def test_large_requests_are_answered_one_after_another() -> None:
    async def test(webhook: Webhook) -> None:
        large = {**REVIEW, "padding": "x" * 1_000_000}
        clients = [await webhook.connect() for _ in range(8)]
        body = json.dumps(large).encode()
        answers = await asyncio.gather(*(client.send(body) for client in clients))
        assert {status for status, _ in answers} == {200}

    run(test)


@pytest.fixture
def client_ca(tmp_path: Path) -> Path:
    path = tmp_path / "clients.crt"
    path.write_text(CLIENTS.certificate)
    return path


CLIENTS = new_authority(TODAY)
OTHERS = new_authority(TODAY)


def test_without_a_certificate_of_the_clients_ca_nobody_is_answered(
    client_ca: Path, tmp_path: Path
) -> None:
    async def test(webhook: Webhook) -> None:
        for pair in (None, new_client(OTHERS, "kube-apiserver", TODAY)):
            with pytest.raises((ssl.SSLError, ConnectionError, asyncio.IncompleteReadError)):
                await (await webhook.connect(pair, tmp_path)).send(GOOD)
        known = new_client(CLIENTS, "kube-apiserver", TODAY)
        assert (await (await webhook.connect(known, tmp_path)).send(GOOD))[0] == 200

    run(test, client_ca=client_ca)


def test_a_client_has_one_of_the_names(client_ca: Path, tmp_path: Path) -> None:
    async def test(webhook: Webhook) -> None:
        for name, status in (("kube-apiserver", 200), ("somebody", 403)):
            pair = new_client(CLIENTS, name, TODAY)
            assert (await (await webhook.connect(pair, tmp_path)).send(GOOD))[0] == status
        assert webhook.count("refused_requests", reason="client") == 1

    run(test, client_ca=client_ca, client_names=["kube-apiserver", "other"])


def test_a_ca_that_is_none_is_an_error(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    for text in ("", "nothing"):
        empty.write_text(text)
        with pytest.raises(OSError, match=r"."):
            ServingCertificate(HOST, lambda: TODAY, lambda _: None, empty)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"request":[]}', b"\xff", b'{"request":1}'])
def test_a_body_that_is_no_review(body: bytes) -> None:
    with pytest.raises(NotAReviewError):
        read_request(body)


def test_the_uid_is_found_only_where_the_api_server_writes_it() -> None:
    with pytest.raises(UnreadableError) as caught:
        read_request(b'{"request":{"object":' + b"[" * DEEP)
    assert caught.value.uid == ""
