"""An API server with the kinds of object that are rendered, asked over one connection."""

from __future__ import annotations

import http.client
import json
import ssl
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from dev.cluster.api import ApiServer
from fleet_telemetry.egress.dialects.common import Rendered
from fleet_telemetry.objects.kind import Kind
from fleet_telemetry.workloads.workload import FIELD_MANAGER
from tests.support.dialect_cases import KINDS

APPLY = "application/apply-patch+yaml"
JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"


class RefusedError(Exception):
    """What the API server said."""


class Server:
    """Writes strictly: an unknown field or a value that would be changed is refused."""

    def __init__(self, kubeconfig: Path) -> None:
        api = ApiServer.of(kubeconfig)
        self._token = api.token
        self._connection = http.client.HTTPSConnection(
            "127.0.0.1",
            api.port,
            timeout=30,
            context=ssl.create_default_context(cadata=api.authority),
        )

    def close(self) -> None:
        self._connection.close()

    def apply(self, manifest: Rendered, *, dry: bool = False) -> Rendered:
        """As the operator does: server-side, by force."""
        options = {"fieldManager": FIELD_MANAGER, "force": "true"}
        if dry:
            options["dryRun"] = "All"
        return self._send("PATCH", _path(manifest), manifest, APPLY, options)

    def patch(self, manifest: Rendered, change: Any, *, manager: str, content: str) -> Rendered:
        return self._send("PATCH", _path(manifest), change, content, {"fieldManager": manager})

    def get(self, manifest: Rendered) -> Rendered:
        return self._send("GET", _path(manifest), None, "", {})

    def delete(self, manifest: Rendered) -> None:
        self._send("DELETE", _path(manifest), None, "", {})

    def serves(self, kind: Kind) -> bool:
        try:
            self._send("GET", f"/apis/{kind.api_version}/{kind.plural}", None, "", {})
        except RefusedError:
            return False
        return True

    def _send(
        self, method: str, path: str, body: Any, content: str, options: dict[str, str]
    ) -> Rendered:
        strict = {"fieldValidation": "Strict"} if body is not None else {}
        given = (
            method,
            f"{path}?{urlencode({**options, **strict})}",
            None if body is None else json.dumps(body),
            {"Authorization": f"Bearer {self._token}", "Content-Type": content},
        )
        try:
            self._connection.request(*given)
        except (OSError, http.client.HTTPException):
            # The API server closes what has been idle for 90 seconds.
            self._connection.close()
            self._connection.request(*given)
        response = self._connection.getresponse()
        text = response.read().decode()
        warnings = response.headers.get_all("Warning", [])
        if response.status >= HTTPStatus.BAD_REQUEST or warnings:
            raise RefusedError(f"{method} {path}: {response.status} {warnings} {text}")
        answer: Rendered = json.loads(text)
        return answer


def _path(manifest: Rendered) -> str:
    (kind,) = (one for one in KINDS if one.kind == manifest["kind"])
    metadata = manifest["metadata"]
    place = f"namespaces/{metadata['namespace']}/" if kind.namespaced else ""
    return f"/apis/{kind.api_version}/{place}{kind.plural}/{metadata['name']}"
