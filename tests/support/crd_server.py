"""A client of the API server with a few lasting connections: a kubectl per case is too slow."""

from __future__ import annotations

import http.client
import json
import re
import ssl
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from dev.cluster.api import ApiServer
from fleet_telemetry.api.resources import API_VERSION
from tests.support.crd_cases import Case, Kind, Manifest

_EXISTING = "existing"
_CONNECTIONS = 4
_TRY = {"dryRun": "All", "fieldValidation": "Strict"}
# Said beside every other mistake, of the object as a whole.
_CONSEQUENCE = "some validation rules were not checked because the object was invalid"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the API server made of an object."""

    code: int
    body: Any

    @property
    def accepted(self) -> bool:
        return self.code < HTTPStatus.BAD_REQUEST

    @property
    def complaints(self) -> list[tuple[str, str]]:
        """The fields that are wrong, each with what is said of it."""
        if self.accepted:
            return []
        unknown = re.findall(r'unknown field "([^"]+)"', self.body["message"])
        causes = self.body.get("details", {}).get("causes", ())
        return [(name, "unknown field") for name in unknown] + [
            (cause["field"], cause["message"])
            for cause in causes
            if _CONSEQUENCE not in cause["message"]
        ]


class Server:
    """An API server with our CRDs, as its administrator sees it."""

    def __init__(self, kubeconfig: Path) -> None:
        api = ApiServer.of(kubeconfig)
        self._token = api.token
        self._port = api.port
        self._tls = ssl.create_default_context(cadata=api.authority)
        self._of_thread = threading.local()
        self._connections: list[http.client.HTTPSConnection] = []
        self._threads = ThreadPoolExecutor(_CONNECTIONS)
        self._created: dict[str, Manifest] = {}

    def close(self) -> None:
        """End the threads and close their connections."""
        self._threads.shutdown()
        for connection in self._connections:
            connection.close()

    def try_cases(self, cases: Sequence[Case]) -> list[Answer]:
        """The answers to the cases, in their order. They are sent at the same time."""
        for kind in {case.kind.resource.kind: case.kind for case in cases}.values():
            self._stand(kind)
        return list(self._threads.map(self.try_case, cases))

    def try_case(self, case: Case) -> Answer:
        """What would become of the case; nothing is stored."""
        if case.root == "status":
            return self.try_status(case.kind, case.manifest.get("status"))
        return self.create(case.kind, "a", case.manifest, **_TRY)

    def try_status(self, kind: Kind, status: Any) -> Answer:
        """What would become of the status of an object that has none yet."""
        manifest = {**self._stand(kind), "status": status}
        return self.replace_status(kind, _EXISTING, manifest, **_TRY)

    def _stand(self, kind: Kind) -> Manifest:
        """The stored object of the kind that has no status. It is created the first time."""
        name = kind.resource.kind
        if name not in self._created:
            self._created[name] = self.create(kind, _EXISTING, kind.bare).body
        return self._created[name]

    def create(self, kind: Kind, name: str, content: Manifest, **options: str) -> Answer:
        return self._send("POST", _path(kind), kind.manifest(name, content), options)

    def replace_status(self, kind: Kind, name: str, manifest: Manifest, **options: str) -> Answer:
        return self._send("PUT", f"{_path(kind, name)}/status", manifest, options)

    def apply(self, kind: Kind, name: str, content: Manifest, manager: str, part: str) -> Answer:
        """Server-side apply, of the status or of the rest."""
        path = _path(kind, name) + ("/status" if part == "status" else "")
        options = {"fieldManager": manager, "fieldValidation": "Strict"}
        patch = "application/apply-patch+yaml"
        return self._send("PATCH", path, kind.manifest(name, content), options, patch)

    def _send(
        self,
        method: str,
        path: str,
        body: Manifest,
        options: dict[str, str],
        content_type: str = "application/json",
    ) -> Answer:
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": content_type}
        address = f"{path}?{urlencode(options)}"
        connection = self._connection()
        try:
            connection.request(method, address, json.dumps(body), headers)
        except (OSError, http.client.HTTPException):
            # The API server closes what has been idle for 90 seconds.
            connection.close()
            connection.request(method, address, json.dumps(body), headers)
        response = connection.getresponse()
        text = response.read().decode()
        # While it knows nothing of the group at all, the API server answers in plain text.
        is_json = response.headers.get_content_type() == "application/json"
        return Answer(code=response.status, body=json.loads(text) if is_json else {"message": text})

    def _connection(self) -> http.client.HTTPSConnection:
        """The connection of this thread."""
        if not hasattr(self._of_thread, "connection"):
            connection = http.client.HTTPSConnection(
                "127.0.0.1", self._port, timeout=30, context=self._tls
            )
            self._of_thread.connection = connection
            self._connections.append(connection)
        found: http.client.HTTPSConnection = self._of_thread.connection
        return found


def _path(kind: Kind, name: str = "") -> str:
    namespace = "namespaces/default/" if kind.resource.namespaced else ""
    return f"/apis/{API_VERSION}/{namespace}{kind.resource.plural}/{name}".rstrip("/")
