"""A fake of the web server of SonarQube.

As recorded from a real Community Build 25.6 (``tests/unit/vendors/recorded``), errors included.
Versions before 10.0 take a token as the user name of basic authentication only.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from aiohttp import web

from dev.fakes.server import FakeProduct

_ENABLE = "sonar.telemetry.enable"
_SERVER_ID = "00000000-AaAAAAAAAAAAAAAAAAAA"
_FIRST_WITH_BEARER = 10


class FakeSonarQube(FakeProduct):
    """Keeps what the server was started with in ``settings``; nothing here can change them, as
    nothing in the real one can."""

    def __init__(
        self,
        *,
        version: str = "25.6.0.109173",
        enabled: str | None = "true",
        token: str = "squ_9f_of_an_administrator",
        weak_token: str = "squ_4c_of_a_plain_user",
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.version = version
        self.token = token
        self.weak_token = weak_token
        self.status = "UP"
        """Or STARTING, DOWN, RESTARTING, DB_MIGRATION_NEEDED, DB_MIGRATION_RUNNING."""
        self.settings = {
            "sonar.telemetry.compression": "true",
            "sonar.telemetry.frequencyInSeconds": "30",
            "sonar.telemetry.metrics.url": "http://127.0.0.1:9999/sonarqube/metrics",
            "sonar.telemetry.url": "http://127.0.0.1:9999/sonarqube",
        }
        if enabled is not None:
            self.settings[_ENABLE] = enabled

    def routes(self) -> Iterable[web.RouteDef]:
        """What says how the server is, and what its settings are."""
        return (
            web.get("/api/system/status", self._status),
            web.get("/api/server/version", self._version),
            web.get("/api/system/info", self._info),
            web.get("/api/system/health", self._health),
            web.get("/api/settings/values", self._refuse_setting),
            web.post("/api/settings/set", self._refuse_setting),
        )

    async def _status(self, _request: web.Request) -> web.Response:
        return _json({"id": _SERVER_ID, "version": self.version, "status": self.status})

    async def _version(self, _request: web.Request) -> web.Response:
        body = self.version.encode()
        return web.Response(body=body, headers={"Content-Type": "text/plain"})

    async def _info(self, request: web.Request) -> web.Response:
        if refused := self._refusal(request):
            return refused
        about = {
            "Server ID": _SERVER_ID,
            "Version": self.version,
            "Edition": "Community",
            "Official Distribution": True,
        }
        settings = dict(sorted({**self.settings, "sonar.jdbc.password": "********"}.items()))
        return _json({"System": about, "Settings": settings, "Health": "GREEN"})

    async def _health(self, request: web.Request) -> web.Response:
        return self._refusal(request) or _json({"health": "GREEN", "causes": []})

    async def _refuse_setting(self, request: web.Request) -> web.Response:
        if refused := self._refusal(request):
            return refused
        key = str(request.query.get("keys") or (await request.post()).get("key"))
        message = f"Setting '{key}' can only be used in sonar.properties"
        return _json({"errors": [{"msg": message}]}, HTTPStatus.BAD_REQUEST)

    def _refusal(self, request: web.Request) -> web.Response | None:
        match self._token_of(request):
            case self.token:
                return None
            case self.weak_token:
                errors = {"errors": [{"msg": "Insufficient privileges"}]}
                return _json(errors, HTTPStatus.FORBIDDEN)
            case _:
                return web.Response(status=HTTPStatus.UNAUTHORIZED)

    def _token_of(self, request: web.Request) -> str:
        scheme, _, text = request.headers.get("Authorization", "").partition(" ")
        if scheme == "Basic":
            try:
                return base64.b64decode(text).decode().removesuffix(":")
            except (binascii.Error, UnicodeDecodeError):
                return ""
        takes_bearer = int(self.version.partition(".")[0]) >= _FIRST_WITH_BEARER
        return text if scheme == "Bearer" and takes_bearer else ""


def _json(content: Any, status: HTTPStatus = HTTPStatus.OK) -> web.Response:
    text = json.dumps(content, separators=(",", ":"))
    headers = {"Content-Type": "application/json"}
    return web.Response(status=status, body=text.encode(), headers=headers)
