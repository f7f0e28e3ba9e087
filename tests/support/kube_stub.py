"""A stand-in for the API server, as far as a check of a product needs one: Secrets, Services and
Events."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from typing import Any

from aiohttp import web

from dev.fakes import FakeProduct


class KubeStub(FakeProduct):
    """Serves one Secret's data under every name, a list of Services, and takes Events."""

    def __init__(
        self, data: Mapping[str, str], services: Iterable[Mapping[str, Any]] = (), **options: Any
    ) -> None:
        super().__init__(tls=False, **options)
        self.events: list[dict[str, Any]] = []
        self._data = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
        self._services = list(services)

    def routes(self) -> Iterable[web.RouteDef]:
        return (
            web.get("/api/v1/namespaces/{namespace}/secrets/{name}", self._secret),
            web.get("/api/v1/namespaces/{namespace}/services", self._list),
            web.post("/apis/events.k8s.io/v1/namespaces/{namespace}/events", self._event),
        )

    async def _secret(self, request: web.Request) -> web.Response:
        labels = {"fleettelemetry.io/credential": "true"}
        metadata = {**request.match_info, "labels": labels}
        return web.json_response({"kind": "Secret", "metadata": metadata, "data": self._data})

    async def _list(self, _: web.Request) -> web.Response:
        return web.json_response({"kind": "ServiceList", "items": self._services})

    async def _event(self, request: web.Request) -> web.Response:
        event = await request.json()
        self.events.append(event)
        return web.json_response(event, status=201)
