"""The few calls to the API server that the cluster makes itself, as its administrator."""

from __future__ import annotations

import base64
import http.client
import json
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
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


class _Kept:
    """A connection that is closed when nobody uses it any more."""

    def __init__(self, connection: http.client.HTTPSConnection) -> None:
        self.connection = connection

    def __del__(self) -> None:
        self.connection.close()


_Ask = Callable[[http.client.HTTPSConnection], tuple[int, str]]


@dataclass(frozen=True)
class ApiServer:
    """An API server on 127.0.0.1, and what it takes to talk to it."""

    port: int | None
    authority: str
    """The certificates (PEM) to trust."""
    token: str
    _kept: threading.local = field(default_factory=threading.local, repr=False, compare=False)

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
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        content = None if body is None else json.dumps(body)

        def ask(connection: http.client.HTTPSConnection) -> tuple[int, str]:
            connection.request(method, path, content, headers)
            response = connection.getresponse()
            return response.status, response.read().decode()

        try:
            status, text = self._read(ask, seconds) if method == "GET" else self._once(ask, seconds)
        except http.client.HTTPException as error:
            raise ConnectionError(f"{method} {path}: {error!r}") from error
        if status >= HTTPStatus.BAD_REQUEST:
            raise ApiServerError(f"{method} {path} failed: {_reason(text)}", status)
        return text

    def _read(self, ask: _Ask, seconds: float) -> tuple[int, str]:
        """On the thread's connection of the last time: a TLS handshake takes each side longer than
        a read, and tests that wait read many times a second."""
        kept: _Kept | None = getattr(self._kept, "one", None)
        self._kept.one = None
        if kept is not None:
            with suppress(http.client.HTTPException, ConnectionError):
                # The API server may have gone and come back since.
                return self._and_keep(kept, ask, seconds)
        return self._and_keep(_Kept(self._connection(seconds)), ask, seconds)

    def _and_keep(self, kept: _Kept, ask: _Ask, seconds: float) -> tuple[int, str]:
        kept.connection.timeout = seconds
        if kept.connection.sock is not None:
            kept.connection.sock.settimeout(seconds)
        answer = ask(kept.connection)
        self._kept.one = kept
        return answer

    def _once(self, ask: _Ask, seconds: float) -> tuple[int, str]:
        """What is written is sent once, so on a connection that nobody can have closed yet."""
        connection = self._connection(seconds)
        try:
            return ask(connection)
        finally:
            connection.close()

    def _connection(self, seconds: float) -> http.client.HTTPSConnection:
        tls = ssl.create_default_context(cadata=self.authority)
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=seconds, context=tls)

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
