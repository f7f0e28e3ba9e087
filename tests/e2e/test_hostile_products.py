"""A product that repeats its credential: it is recorded nowhere."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
from aiohttp import web

from dev.fakes.emqx import FakeEmqx
from dev.fakes.hosted import FakesThread
from tests.e2e.test_runtime import runtime, secret, service
from tests.support.world import EMQX, Space, container, workload

pytestmark = pytest.mark.cluster

# Half of it, too, is nothing that another test's part of the log has.
KEY, SECRET = "k7f0_q7zvkxwpmrtbn", "9bQxT_of_the_q7zvkxwpmrtbn"


class Echo(FakeEmqx):
    """It puts its credential wherever an answer has a place, in several encodings."""

    async def _data(self, _: web.Request) -> web.Response:
        pair = f"{KEY}:{SECRET}"
        spelt = [
            KEY, SECRET, SECRET.upper(), SECRET[:13], SECRET[13:], SECRET[::-1],
            SECRET.encode().hex(), base64.b64encode(pair.encode()).decode().rstrip("="),
            base64.urlsafe_b64encode(f"x{SECRET}".encode()).decode().rstrip("="),
        ]  # fmt: skip
        names: dict[str, Any] = dict.fromkeys(spelt, 1)
        return web.json_response(
            {**names, "num_clients": 3, "nested": names}, headers=self._headers
        )

    async def _nodes(self, _: web.Request) -> web.Response:
        nodes = [{"node": "emqx@127.0.0.1", "version": f"5.{SECRET}", "edition": SECRET}]
        return web.json_response(nodes, headers=self._headers)

    @property
    def _headers(self) -> dict[str, str]:
        return {"X-Echo": SECRET, "Server": SECRET, "Set-Cookie": f"a={SECRET}"}

    def routes(self) -> Iterator[web.RouteDef]:
        for route in super().routes():
            if route.path == "/api/v5/telemetry/data":
                yield web.get(route.path, self._data)
            elif route.path == "/api/v5/nodes":
                yield web.get(route.path, self._nodes)
            else:
                yield route


@pytest.fixture
def host() -> Iterator[FakesThread]:
    with FakesThread() as host:
        yield host


def _everything(space: Space) -> str:
    """All that the operator wrote or serves."""
    kinds = "workloadtelemetries,telemetrypolicies,events.events.k8s.io,configmaps"
    operator = space.world.operator
    return "".join(
        [
            space.kubectl("get", kinds, "--output=json").stdout,
            *(operator.metrics(role) for role in ("webhook", "controller")),
            *(operator.log(role).read_text() for role in ("webhook", "controller")),
        ]
    ).casefold()


def _start(
    space: Space, host: FakesThread, name: str, kind: type[FakeEmqx], **options: Any
) -> FakeEmqx:
    """A product that runs as one pod, and the policy that has it checked."""
    space.apply(service(name, 18083, clusterIP="None"))
    space.apply(secret(name, apiKey=KEY, apiSecret=SECRET))
    space.apply(workload("StatefulSet", name, container(EMQX)))
    space.wait_for_pods(f"app={name}", 1)
    pod = space.get("pod", f"{name}-0")
    product = kind(
        address=pod["status"]["podIP"], port=18083, tls=False, api_key=KEY, api_secret=SECRET,
        **options,
    )  # fmt: skip
    host.start(product)
    space.policy(runtime=runtime("emqx", name))
    return product


def test_a_product_that_repeats_its_credential_does_not_get_it_recorded(
    runtime_space: Space, host: FakesThread
) -> None:
    space = runtime_space
    _start(space, host, "emqx", Echo, enabled=True)
    status = space.telemetry("StatefulSet", "emqx", reported="Enabled")
    assert "num_clients" in json.dumps(status["usage"]["inventory"])
    for form in (
        KEY, SECRET, SECRET[:13], SECRET[13:], SECRET[::-1], SECRET.encode().hex(),
        base64.b64encode(f"{KEY}:{SECRET}".encode()).decode()[4:-4],
    ):  # fmt: skip
        assert form.casefold() not in _everything(space)
