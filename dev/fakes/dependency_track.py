"""A fake of the API server of Dependency-Track.

As recorded from a real 4.13.6 (``tests/unit/vendors/recorded``), errors included. Version 5 is as
read in DependencyTrack/dependency-track 5.0.4, not recorded: it has no ``systemUuid`` and refuses
changes of the last submission.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from aiohttp import web

from dev.fakes.server import FakeProduct

_FIRST_WITH_TELEMETRY = (4, 13)
_FIRST_OF_NEXT = (5, 0)
_TELEMETRY = (
    ("last.submission.data", "STRING", "Data of the last telemetry submission"),
    (
        "last.submission.epoch.seconds",
        "INTEGER",
        "Timestamp of the last telemetry submission in epoch seconds",
    ),
    ("submission.enabled", "BOOLEAN", "Whether submission of telemetry data is enabled"),
)
_OTHERS: tuple[dict[str, str], ...] = (
    {
        "groupName": "email",
        "propertyName": "smtp.password",
        "propertyValue": "HiddenDecryptedPropertyPlaceholder",
        "propertyType": "ENCRYPTEDSTRING",
        "description": "The optional password for authentication with the SMTP server",
    },
    {
        "groupName": "general",
        "propertyName": "base.url",
        "propertyType": "URL",
        "description": "URL used to construct links back to Dependency-Track from external systems",
    },
)
_JETTY = """\
<html>
<head>
<meta http-equiv="Content-Type" content="text/html;charset=ISO-8859-1"/>
<title>Error {status} {phrase}</title>
</head>
<body><h2>HTTP ERROR {status} {phrase}</h2>
<table>
<tr><th>URI:</th><td>{path}</td></tr>
<tr><th>STATUS:</th><td>{status}</td></tr>
<tr><th>MESSAGE:</th><td>{phrase}</td></tr>
<tr><th>SERVLET:</th><td>DependencyTrack</td></tr>
</table>
<hr/><a href="https://jetty.org/">Powered by Jetty:// 12.0.19</a><hr/>

</body>
</html>
"""


class FakeDependencyTrack(FakeProduct):
    """Keeps the telemetry properties. ``values`` maps their names to values; a name that is not
    there has no row, and None is a row without a value."""

    def __init__(
        self,
        *,
        version: str = "4.13.6",
        enabled: str | None = "true",
        api_key: str = "odt_Hq7_may_configure",
        weak_api_key: str = "odt_Zk2_may_not_configure",
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.version = version
        self.api_key = api_key
        self.weak_api_key = weak_api_key
        """Of a team without SYSTEM_CONFIGURATION."""
        self.values: dict[str, str | None] = {}
        if _numbers(version) >= _FIRST_WITH_TELEMETRY:
            self.values = {name: None for name, _, _ in _TELEMETRY}
            self.values["submission.enabled"] = enabled

    def submit(self, epoch_seconds: int) -> None:
        """What the server notes when it has sent its telemetry."""
        sent = {
            "system_id": "00000000-0000-4000-8000-000000000001",
            "dt_version": self.version,
            "db_type": "H2",
            "db_version": "2.4.240 (2025-09-22)",
        }
        self.values["last.submission.data"] = json.dumps(sent, separators=(",", ":"))
        self.values["last.submission.epoch.seconds"] = str(epoch_seconds)

    def routes(self) -> Iterable[web.RouteDef]:
        """Version, health and the config properties."""
        return (
            web.get("/api/version", self._about),
            web.get("/health", self._health),
            web.get("/api/v1/configProperty", self._list),
            web.post("/api/v1/configProperty", self._set),
        )

    async def _about(self, _request: web.Request) -> web.Response:
        about = {
            "version": self.version,
            "timestamp": "2025-11-16T18:30:00Z",
            "uuid": "00000000-0000-4000-8000-000000000002",
            "application": "Dependency-Track",
            "systemUuid": "00000000-0000-4000-8000-000000000001",
            "framework": {
                "name": "Alpine",
                "version": "3.4.0",
                "timestamp": "2025-11-16T18:02:53Z",
                "uuid": "00000000-0000-4000-8000-000000000003",
            },
            "database": {"productVersion": "2.4.240 (2025-09-22)", "productName": "H2"},
        }
        if self._is_next:
            del about["systemUuid"]
        return _json(about)

    async def _health(self, _request: web.Request) -> web.Response:
        pools = {"nontx_connection_pool": "UP", "tx_connection_pool": "UP"}
        check = {"name": "database", "status": "UP", "data": pools}
        return _json({"status": "UP", "checks": [check]})

    async def _list(self, request: web.Request) -> web.Response:
        if refused := self._refusal(request):
            return refused
        telemetry = [self._row(name) for name, _, _ in _TELEMETRY if name in self.values]
        return _json([*_OTHERS, *telemetry])

    async def _set(self, request: web.Request) -> web.Response:
        if refused := self._refusal(request):
            return refused
        try:
            body = await request.json()
        except ValueError:
            body = None
        if not isinstance(body, dict):
            return _problem("HV000116: The object to be validated must not be null.")
        name, value = body.get("propertyName"), body.get("propertyValue")
        if value == "":
            return _json([_violation("propertyValue", value)], HTTPStatus.BAD_REQUEST)
        if body.get("groupName") != "telemetry" or name not in self.values:
            return _answer(
                HTTPStatus.NOT_FOUND, "application/json", "The config property could not be found."
            )
        if name != "submission.enabled":
            if self._is_next:
                return _problem(f"The property {name} is read-only")
            self.values[name] = value
        else:
            self.values[name] = "true" if str(value).lower() in ("true", "1") else "false"
        return _json(self._row(name))

    @property
    def _is_next(self) -> bool:
        return _numbers(self.version) >= _FIRST_OF_NEXT

    def _row(self, name: str) -> dict[str, str]:
        kind, description = next((k, d) for known, k, d in _TELEMETRY if known == name)
        value = self.values[name]
        return {
            "groupName": "telemetry",
            "propertyName": name,
            # Nulls are left out.
            **({} if value is None else {"propertyValue": value}),
            "propertyType": kind,
            "description": description,
        }

    def _refusal(self, request: web.Request) -> web.Response | None:
        bearer = request.headers.get("Authorization", "").removeprefix("Bearer ")
        match request.headers.get("X-Api-Key", bearer):
            case self.api_key:
                return None
            case self.weak_api_key:
                status = HTTPStatus.FORBIDDEN
            case _:
                status = HTTPStatus.UNAUTHORIZED
        page = _JETTY.format(status=status.value, phrase=status.phrase, path=request.path)
        return _answer(status, "text/html;charset=iso-8859-1", page)


def _numbers(version: str) -> tuple[int, int]:
    major, minor = version.split(".")[:2]
    return int(major), int(minor)


def _answer(status: HTTPStatus, content_type: str, text: str) -> web.Response:
    return web.Response(status=status, body=text.encode(), headers={"Content-Type": content_type})


def _json(content: Any, status: HTTPStatus = HTTPStatus.OK) -> web.Response:
    return _answer(status, "application/json", json.dumps(content, separators=(",", ":")))


def _problem(detail: str) -> web.Response:
    problem = {"status": 400, "title": "Illegal argument provided", "detail": detail}
    text = json.dumps(problem, separators=(",", ":"))
    return _answer(HTTPStatus.BAD_REQUEST, "application/problem+json", text)


def _violation(path: str, value: object) -> dict[str, object]:
    message = f"The {path} must not contain control characters"
    return {"message": message, "messageTemplate": message, "path": path, "invalidValue": value}
