"""A fake of one node of EMQX 5 or 6.

Read in emqx/emqx, not run: v5.8.9 and 6.2.2, ``apps/emqx_telemetry/src/emqx_telemetry_api.erl`` and
``emqx_telemetry.erl``; ``apps/emqx_management/src/emqx_mgmt_api_nodes.erl``;
``apps/emqx_dashboard/src/emqx_dashboard.erl`` and ``emqx_dashboard_not_found.erl``.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from http import HTTPStatus
from typing import Any

from aiohttp import web

from dev.fakes.server import FakeProduct

_FIRST_WITH_ONE_EDITION = (5, 9)
_FIRST_LEAVING_IT_OUT = (5, 1)


class Edition(StrEnum):
    """As the product spells it."""

    OPEN_SOURCE = "Opensource"
    ENTERPRISE = "Enterprise"


@dataclass
class Cluster:
    """Nodes that know each other: what is set at one is set at all."""

    nodes: list[FakeEmqx] = field(default_factory=list)


class FakeEmqx(FakeProduct):
    """One node. ``enabled`` is the value that counts on it; a test may make it differ from the rest
    of its cluster, as a pod does that was started with another variable."""

    def __init__(
        self,
        *,
        version: str = "5.8.9",
        edition: Edition = Edition.OPEN_SOURCE,
        enabled: bool = True,
        node: str = "emqx@emqx-0.emqx-headless.iot.svc.cluster.local",
        cluster: Cluster | None = None,
        api_key: str = "a3f0_administrator",
        api_secret: str = "9bQxT_of_the_administrator",
        viewer_key: str = "c7d1_viewer",
        viewer_secret: str = "4kWzR_of_the_viewer",
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.version = version
        self.edition = edition
        self.enabled = enabled
        self.node = node
        self.status = "running"
        self.keys = {api_key: api_secret, viewer_key: viewer_secret}
        self.viewer_key = viewer_key
        self.scopes: set[str] | None = None
        """Of every key; None: no limits, as before 5.10.4 and 6.0.3."""
        self.refuses_changes = False
        """The cluster does not take a change of configuration."""
        self.cluster = cluster or Cluster()
        self.cluster.nodes.append(self)

    @property
    def has_telemetry(self) -> bool:
        """Whether this build has the application at all."""
        major, minor = self.version.split(".")[:2]
        number = int(major), int(minor)
        is_left_out = _FIRST_LEAVING_IT_OUT <= number < _FIRST_WITH_ONE_EDITION
        return self.edition is Edition.OPEN_SOURCE or not is_left_out

    def routes(self) -> Iterable[web.RouteDef]:
        """Telemetry and nodes; for every other path there is a page."""
        return (
            web.get("/api/v5/telemetry/status", self._get_status),
            web.put("/api/v5/telemetry/status", self._put_status),
            web.get("/api/v5/telemetry/data", self._get_data),
            web.get("/api/v5/nodes", self._get_nodes),
            web.route("*", "/{path:.*}", self._not_found),
        )

    async def _get_status(self, request: web.Request) -> web.Response:
        if refused := self._refusal(request, "monitoring"):
            return refused
        return _json({"enable": self.enabled})

    async def _put_status(self, request: web.Request) -> web.Response:
        if refused := self._refusal(request, "monitoring"):
            return refused
        try:
            body = await request.json()
        except ValueError:
            return _error(HTTPStatus.BAD_REQUEST, "BAD_REQUEST", "Invalid json message received")
        # What is left out is true.
        enable = body.get("enable", True) if isinstance(body, dict) else None
        if not isinstance(enable, bool):
            return _error(HTTPStatus.BAD_REQUEST, "BAD_REQUEST", "enable: not a boolean")
        if enable is self.enabled:
            word = "enabled" if enable else "disabled"
            message = f"Telemetry status is already {word}"
            return _error(HTTPStatus.BAD_REQUEST, "BAD_REQUEST", message)
        if self.refuses_changes:
            return _error(HTTPStatus.BAD_REQUEST, "BAD_REQUEST", "timeout")
        for node in self.cluster.nodes:
            node.enabled = enable
        return _json({"enable": self.enabled})

    async def _get_data(self, request: web.Request) -> web.Response:
        if refused := self._refusal(request, "monitoring"):
            return refused
        if not self.enabled:
            return _error(HTTPStatus.NOT_FOUND, "NOT_FOUND", "Telemetry is not enabled")
        return _json(self.data())

    def data(self) -> dict[str, Any]:
        """What this node would send."""
        return {
            "emqx_version": self.version,
            "license": {"edition": "opensource"},
            "os_name": "Debian GNU/Linux",
            "os_version": "12",
            "otp_version": "27",
            "up_time": 86400,
            "uuid": "7CA6F4A6-5E0E-11EF-9C2B-0242AC110002",
            "cluster_uuid": "7CA6F4A6-5E0E-11EF-9C2B-0242AC110003",
            "nodes_uuid": [],
            "active_plugins": [],
            "num_clients": 12,
            "messages_received": 4711,
            "messages_sent": 4712,
            "vm_specs": {"num_cpus": 4, "total_memory": 8589934592},
            "mqtt_runtime_insights": {
                "messages_sent_rate": 0.5,
                "messages_received_rate": 0.5,
                "num_topics": 3,
            },
            "gateway": {},
        }

    async def _get_nodes(self, request: web.Request) -> web.Response:
        if refused := self._refusal(request, "cluster_operations"):
            return refused
        return _json([node.info() for node in self.cluster.nodes])

    def info(self) -> dict[str, Any]:
        """What the cluster knows of this node."""
        if self.status != "running":
            return {"node": self.node, "node_status": self.status}
        return {
            "node": self.node,
            "connections": 12,
            "live_connections": 12,
            "node_status": self.status,
            "otp_release": "27.3/15.2",
            "uptime": 86400000,
            "version": self.version,
            "edition": str(self.edition),
            "role": "core",
            "log_path": "/opt/emqx/log",
            "sys_path": "/opt/emqx",
        }

    async def _not_found(self, request: web.Request) -> web.Response:
        return _no_such_path(request)

    def _refusal(self, request: web.Request, scope: str) -> web.Response | None:
        # A path that is not there is looked for before the credentials are.
        if request.path.startswith("/api/v5/telemetry/") and not self.has_telemetry:
            return _no_such_path(request)
        authorization = request.headers.get("Authorization", "")
        if not authorization.startswith("Basic "):
            return _unauthorized("AUTHORIZATION_HEADER_ERROR", "Missing authorization header.")
        key, _, secret = base64.b64decode(authorization[6:]).decode().partition(":")
        if self.keys.get(key) != secret:
            return _unauthorized("BAD_API_KEY_OR_SECRET", "Check api_key/api_secret")
        if key == self.viewer_key and request.method != "GET":
            text = "You don't have permission to access this resource"
            return _error(HTTPStatus.FORBIDDEN, "UNAUTHORIZED_ROLE", text)
        if self.scopes is not None and scope not in self.scopes:
            text = "This API Key doesn't have permission to access this resource"
            return _error(HTTPStatus.FORBIDDEN, "UNAUTHORIZED_ROLE", text)
        return None


def _json(content: Any, status: HTTPStatus = HTTPStatus.OK) -> web.Response:
    return web.Response(
        status=status, body=json.dumps(content).encode(), content_type="application/json"
    )


def _error(status: HTTPStatus, code: str, message: str) -> web.Response:
    return _json({"code": code, "message": message}, status)


def _unauthorized(code: str, message: str) -> web.Response:
    answer = _error(HTTPStatus.UNAUTHORIZED, code, message)
    answer.headers["WWW-Authenticate"] = 'Basic Realm="emqx-dashboard"'
    return answer


def _no_such_path(request: web.Request) -> web.Response:
    if request.headers.get("Accept", "").startswith("application/json"):
        return _error(HTTPStatus.NOT_FOUND, "NOT_FOUND", "Request Path Not Found")
    page = "<html><head><title>404 - NOT FOUND</title></head><body></body></html>"
    return web.Response(status=HTTPStatus.NOT_FOUND, text=page, content_type="text/html")
