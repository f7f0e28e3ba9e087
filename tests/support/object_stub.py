"""A stand-in for the API server that keeps objects of any kind as they are given.

It defaults and validates nothing, and watches nothing. What depends on that is tested on a real
one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from dev.fakes import FakeProduct
from fleet_telemetry.kube.client import KubernetesClient
from fleet_telemetry.kube.transport import Transport

_KINDS = {"endpointslices": "EndpointSlice", "services": "Service", "pods": "Pod"}


@dataclass(frozen=True)
class Write:
    """A request that is no read."""

    method: str
    plural: str
    name: str
    subresource: str = ""


class ObjectStub(FakeProduct):
    """Serves get, list with label selectors, create, replace, apply and delete."""

    def __init__(self, *objects: dict[str, Any]) -> None:
        super().__init__(tls=False)
        self.objects: dict[tuple[str, str, str], dict[str, Any]] = {}
        """By plural, namespace and name."""
        self.add(*objects)
        self.answer: dict[tuple[str, str], int] = {}
        """A status instead of the answer, by method and plural."""
        self.writes: list[Write] = []

    def add(self, *objects: dict[str, Any]) -> None:
        """Keep objects of the kinds that the tests give."""
        for one in objects:
            (plural,) = (plural for plural, kind in _KINDS.items() if kind == one["kind"])
            metadata = one["metadata"]
            self.objects[plural, metadata["namespace"], metadata["name"]] = one

    def client(self) -> KubernetesClient:
        """A client, to be closed."""
        host = f"http://{self.address}:{self.port}"
        return KubernetesClient(Transport.to(host))

    def routes(self) -> Iterable[web.RouteDef]:
        return (web.route("*", "/{path:.*}", self._handle),)

    async def _handle(self, request: web.Request) -> web.Response:
        parts = request.path.strip("/").split("/")
        parts = parts[2:] if parts[0] == "api" else parts[3:]
        namespace = ""
        if parts[:1] == ["namespaces"] and len(parts) > 2:
            namespace, parts = parts[1], parts[2:]
        plural, name, subresource = (*parts, "", "", "")[:3]
        status = self.answer.get((request.method, plural))
        if status is not None:
            return web.json_response({"reason": "Made", "message": "made up"}, status=status)
        if request.method == "GET" and not name:
            return self._list(request, plural, namespace)
        if request.method != "GET":
            body = json.loads(await request.read() or "{}")
            name = name or body["metadata"]["name"]
            self.writes.append(Write(request.method, plural, name, subresource))
            key = plural, namespace, name
            if request.method == "DELETE":
                self.objects.pop(key, None)
                return web.json_response({})
            before = self.objects.get(key, {"metadata": {"uid": f"uid-of-{name}"}})
            metadata = before["metadata"] | body["metadata"]
            self.objects[key] = {**before, **body, "metadata": metadata}
        found = self.objects.get((plural, namespace, name))
        missing = {"reason": "NotFound", "message": "not found"}
        return web.json_response(found or missing, status=200 if found else 404)

    def _list(self, request: web.Request, plural: str, namespace: str) -> web.Response:
        if not plural:
            return web.json_response({"groups": []})
        terms = request.query.get("labelSelector", "").split(",")
        selector = dict(term.split("=", 1) for term in terms if "=" in term)
        items = [
            one
            for (kind, place, _), one in self.objects.items()
            if (kind, place) == (plural, namespace or place)
            and selector.items() <= one["metadata"].get("labels", {}).items()
        ]
        return web.json_response({"items": items})
