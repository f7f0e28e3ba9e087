"""A server on loopback instead of a vendor's: accepts and stores every request."""

from __future__ import annotations

import gzip
import json
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self, cast

_IDLE_SECONDS = 30.0


@dataclass(frozen=True)
class Sent:
    """One request as it came. Of the body only the names of its fields: values are identities."""

    method: str
    path: str
    fields: tuple[str, ...] = ()
    """Dotted, sorted; ``[]`` stands for the members of a list."""
    readable: bool = True
    """False where the body is something, and not JSON."""

    def __str__(self) -> str:
        return f"{self.method} {self.path} {{{', '.join(self.fields)}}}"


class Sink:
    """Takes every request with 200, and refuses to be a proxy but keeps what it was asked for.

    So a product whose proxy it is shows here whatever else it wants from outside.
    """

    def __init__(self) -> None:
        self._sent: list[Sent] = []
        self._came = threading.Condition()
        self._server = _Server(self._take)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def port(self) -> int:
        """On 127.0.0.1."""
        return self._server.server_address[1]

    @property
    def url(self) -> str:
        """Without a path."""
        return f"http://127.0.0.1:{self.port}"

    def take_all(self) -> tuple[Sent, ...]:
        """What came since the last time."""
        with self._came:
            taken = tuple(self._sent)
            self._sent.clear()
        return taken

    def wait(self, enough: Callable[[tuple[Sent, ...]], bool], within: float) -> bool:
        """Wait until what came is enough; whether it was in time."""
        with self._came:
            return self._came.wait_for(lambda: enough(tuple(self._sent)), within)

    def _take(self, sent: Sent) -> None:
        with self._came:
            self._sent.append(sent)
            self._came.notify_all()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    server_address: tuple[str, int]

    def __init__(self, take: Callable[[Sent], None]) -> None:
        self.take = take
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away in the middle is its own affair."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = _IDLE_SECONDS

    def _answer(self) -> None:
        fields, readable = read_fields(self._body())
        cast("_Server", self.server).take(Sent(self.command, self.path, fields, readable))
        is_proxied = not self.path.startswith("/")
        self.send_response(HTTPStatus.BAD_GATEWAY if is_proxied else HTTPStatus.OK)
        self.send_header("Content-Length", "0")
        if is_proxied:
            self.send_header("Connection", "close")
        self.end_headers()

    def __getattr__(self, name: str) -> Callable[[], None]:
        """The base class looks for ``do_POST`` and the like: every method is taken alike."""
        if name.startswith("do_"):
            return self._answer
        raise AttributeError(name)

    def _body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            body = b"".join(self._chunks())
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if "gzip" in self.headers.get("Content-Encoding", "").lower():
            try:
                return gzip.decompress(body)
            except (OSError, EOFError, zlib.error):
                return body
        return body

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass  # trailers

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Requests are stored, not logged."""


def read_fields(body: bytes) -> tuple[tuple[str, ...], bool]:
    """The names of a JSON body's fields, and whether the body could be read."""
    if not body.strip():
        return (), True
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return (), False
    return tuple(sorted(set(_names(content, "")))), True


def _names(content: Any, prefix: str) -> Iterable[str]:
    match content:
        case dict() if content:
            for name, value in content.items():
                yield from _names(value, f"{prefix}.{name}" if prefix else str(name))
        case list() if content:
            for value in content:
                yield from _names(value, f"{prefix}[]")
        case _ if prefix:
            yield prefix
