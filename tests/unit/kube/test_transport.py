"""Requests as they arrive at the API server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable

import pytest
from aiohttp import web

from fleet_telemetry.kube import kinds
from fleet_telemetry.kube.client import NOT_A_LIST, ApiError, KubernetesClient
from fleet_telemetry.kube.transport import Transport

SELECTOR = "a in (b,c),d!=é e+f&g=%2B"


class Recorder:
    """Answers each request with the same body, and remembers them."""

    def __init__(self, answer: bytes = b'{"items": []}', status: int = 200) -> None:
        self.requests: list[web.BaseRequest] = []
        self.bodies: list[bytes] = []
        self._answer = answer
        self._status = status

    async def _handle(self, request: web.BaseRequest) -> web.Response:
        self.requests.append(request)
        self.bodies.append(await request.read())
        return web.Response(body=self._answer, status=self._status, content_type="application/json")

    def run(self, use: Callable[[KubernetesClient], Awaitable[object]]) -> object:
        async def main() -> object:
            runner = web.ServerRunner(web.Server(self._handle))
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            client = KubernetesClient(Transport.to(f"http://127.0.0.1:{runner.addresses[0][1]}/"))
            try:
                return await use(client)
            finally:
                await client.close()
                await runner.cleanup()

        return asyncio.run(main())


def test_a_query_arrives_as_it_was_given() -> None:
    server = Recorder()
    server.run(lambda client: client.page(kinds.SECRET, "shop", "tok/+==", selector=SELECTOR))
    (request,) = server.requests
    assert dict(request.query) == {"limit": "20", "continue": "tok/+==", "labelSelector": SELECTOR}


def test_a_body_arrives_as_json_of_its_kind() -> None:
    server = Recorder()
    manifest = {"metadata": {"name": "it", "namespace": "shop"}, "data": {"ü": [1, None, "\n"]}}

    async def write(client: KubernetesClient) -> None:
        await client.create(kinds.SECRET, manifest, "shop")
        await client.apply(kinds.SECRET, manifest)
        await client.patch(kinds.SECRET, "it", [{"op": "test", "path": "/a", "value": {}}], "shop")
        await client.delete(kinds.SECRET, "it", "shop", uid="u")
        await client.delete(kinds.SECRET, "it", "shop")

    server.run(write)
    assert [one.headers.get("Content-Type") for one in server.requests] == [
        "application/json",
        "application/apply-patch+yaml",
        "application/json-patch+json",
        "application/json",
        "application/json",
    ]
    assert json.loads(server.bodies[0]) == manifest
    assert server.bodies[4] == b""


@pytest.mark.thorough
@pytest.mark.parametrize(
    "answer",
    [b"", b"<html>", b"[1]", b'"x"', b'{"a": 1} {}', b"\xff\xfe", b"[" * 10_000, b'{"items": 3}'],
)
def test_an_answer_that_is_no_object_is_no_list(answer: bytes) -> None:
    server = Recorder(answer)
    with pytest.raises(ApiError) as caught:
        server.run(lambda client: client.page(kinds.SECRET))
    assert caught.value.reason == NOT_A_LIST


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b'{"reason": "Expired", "message": "too old"}', "Expired"),
        (b"<html>", "Gone"),
        (b'{"reason": 3}', "3"),
        (b"[" * 10_000, "Gone"),
    ],
)
def test_a_failure_has_the_reason_of_its_answer_or_of_its_status(
    answer: bytes, reason: str
) -> None:
    server = Recorder(answer, status=410)
    with pytest.raises(ApiError) as caught:
        server.run(lambda client: client.get(kinds.SECRET, "it", "shop"))
    assert (caught.value.status, caught.value.reason) == (410, reason)
