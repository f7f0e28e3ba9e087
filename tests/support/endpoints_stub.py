"""A stand-in for the API server with EndpointSlices, Services and pods, which are kept as given.

It defaults and validates nothing. What depends on that is tested on a real one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from aiohttp import web
from kubernetes.aio import client as api

from dev.fakes import FakeProduct
from fleet_telemetry.kube.client import KubernetesClient

_SLICES = "/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices"
_KINDS = {"endpointslices": "EndpointSlice", "services": "Service", "pods": "Pod"}


class EndpointsStub(FakeProduct):
    """Serves get and list with label selectors, and server-side apply of EndpointSlices."""

    def __init__(self, *objects: dict[str, Any]) -> None:
        super().__init__(tls=False)
        self.objects = list(objects)
        self.answer: dict[tuple[str, str], int] = {}
        """A status instead of the answer, by method and plural."""
        self.writes: list[tuple[str, str]] = []
        """Method and name."""

    def client(self) -> KubernetesClient:
        """A client, to be closed."""
        host = f"http://{self.address}:{self.port}"
        return KubernetesClient(api.ApiClient(api.Configuration(host=host)))

    def routes(self) -> Iterable[web.RouteDef]:
        core = "/api/v1/namespaces/{namespace}"
        for plural, base in (
            ("endpointslices", _SLICES),
            ("services", f"{core}/services"),
            ("pods", f"{core}/pods"),
        ):
            yield web.get(base, self._handler(plural))
            yield web.get(base + "/{name}", self._handler(plural))
            yield web.patch(base + "/{name}", self._handler(plural))
            yield web.delete(base + "/{name}", self._handler(plural))

    def find(self, kind: str, name: str) -> dict[str, Any] | None:
        """An object by its name."""
        found = (
            one for one in self.objects if (one["kind"], one["metadata"]["name"]) == (kind, name)
        )
        return next(found, None)

    def _handler(self, plural: str) -> Any:
        async def handle(request: web.Request) -> web.Response:
            status = self.answer.get((request.method, plural))
            if status is not None:
                return web.json_response({"reason": "Made", "message": "made up"}, status=status)
            return await self._serve(request, _KINDS[plural])

        return handle

    async def _serve(self, request: web.Request, kind: str) -> web.Response:
        name = request.match_info.get("name", "")
        if request.method != "GET":
            self.writes.append((request.method, name))
            self.objects = [
                one
                for one in self.objects
                if (one["kind"], one["metadata"]["name"]) != (kind, name)
            ]
        if request.method == "PATCH":
            self.objects.append(json.loads(await request.read()))
        if name:
            found = self.find(kind, name)
            missing = {"reason": "NotFound", "message": "not found"}
            if request.method == "DELETE":
                return web.json_response({})
            return web.json_response(found or missing, status=200 if found else 404)
        selector = dict(
            term.split("=") for term in request.query.get("labelSelector", "").split(",") if term
        )
        items = [
            one
            for one in self.objects
            if one["kind"] == kind
            and one["metadata"]["namespace"] == request.match_info["namespace"]
            and selector.items() <= one["metadata"].get("labels", {}).items()
        ]
        return web.json_response({"items": items})
