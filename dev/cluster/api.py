"""The few calls to the API server that the cluster makes itself, as its administrator."""

from __future__ import annotations

import base64
import http.client
import json
import ssl
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import yaml

from dev.cluster.errors import DevclusterError


class ApiServerError(DevclusterError):
    """The API server answered with an error: that status of HTTP."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class ApiServer:
    """An API server on 127.0.0.1, and what it takes to talk to it."""

    port: int | None
    authority: str
    """The certificates (PEM) to trust."""
    token: str

    @classmethod
    def of(cls, kubeconfig: Path) -> Self:
        """Read a kubeconfig that we wrote; raises OSError where there is none."""
        content = yaml.safe_load(kubeconfig.read_text())
        cluster, user = content["clusters"][0]["cluster"], content["users"][0]["user"]
        authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
        return cls(urlsplit(cluster["server"]).port, authority, user["token"])

    def text(self, method: str, path: str, body: object = None, seconds: float = 10) -> str:
        """Return the answer's body.

        Raises ApiServerError, or OSError where nobody answers in time.
        """
        tls = ssl.create_default_context(cadata=self.authority)
        connection = http.client.HTTPSConnection(
            "127.0.0.1", self.port, timeout=seconds, context=tls
        )
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        content = None if body is None else json.dumps(body)
        try:
            connection.request(method, path, content, headers)
            response = connection.getresponse()
            text = response.read().decode()
        except http.client.HTTPException as error:
            raise ConnectionError(f"{method} {path}: {error!r}") from error
        finally:
            connection.close()
        if response.status >= HTTPStatus.BAD_REQUEST:
            raise ApiServerError(f"{method} {path} failed: {_reason(text)}", response.status)
        return text

    def json(self, method: str, path: str, body: object = None) -> Any:
        """Return the answer as an object. Raises as `text` does."""
        return json.loads(self.text(method, path, body))

    def is_ready(self, seconds: float = 10) -> bool:
        """Ask whether the API server is ready; not to answer in time means that it is not."""
        try:
            self.text("GET", "/readyz", seconds=seconds)
        except (OSError, ApiServerError):
            return False
        return True


def _reason(text: str) -> str:
    """Return the message of a Kubernetes Status object; where it is none, the text itself."""
    try:
        return str(json.loads(text)["message"])
    except (ValueError, TypeError, KeyError):
        return text.strip()
