"""A stand-in for the API server that serves given objects, page by page, with faults on request.

It runs in a thread, so that a command with an event loop of its own can ask it.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import yaml

from fleet_telemetry.kube import kinds
from fleet_telemetry.objects.kind import Kind

Manifest = Mapping[str, Any]
SERVED = {
    "apps": ["v1"],
    "batch": ["v1"],
    "coordination.k8s.io": ["v1"],
    "events.k8s.io": ["v1"],
}
_KINDS = (
    *kinds.WATCHED_BY_CONTROLLER,
    kinds.CONFIG_MAP,
    kinds.VOLUME_CLAIM,
    kinds.VOLUME,
    kinds.LEASE,
    kinds.EVENT,
)


@dataclass(frozen=True)
class Asked:
    """A request for a list or an object."""

    kind: Kind
    namespace: str
    name: str
    query: Mapping[str, str]


CUT = 0
"""Close the connection without an answer."""


@dataclass
class ApiStub:
    """Serves on loopback from ``with`` on."""

    objects: list[Manifest] = field(default_factory=list)
    groups: Mapping[str, list[str]] = field(default_factory=lambda: dict(SERVED))
    kinds: tuple[Kind, ...] = ()
    """Served besides those that the operator knows."""
    answer: Callable[[Asked], int | bytes | None] = lambda _: None
    """A status in place of the answer, or a body; None for the answer itself."""
    asked: list[Asked] = field(default_factory=list)

    def __enter__(self) -> Self:
        stub = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                stub._serve(self)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        """Its URL."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def kubeconfig(self, path: Path, *contexts: str, namespace: str = "default") -> Path:
        """Write a kubeconfig whose contexts all lead here; the first is the current one."""
        names = contexts or ("stub",)
        where = {"cluster": "it", "user": "it", "namespace": namespace}
        document = {
            "clusters": [{"name": "it", "cluster": {"server": self.url}}],
            "users": [{"name": "it", "user": {"token": "s3cr3t"}}],
            "contexts": [{"name": name, "context": where} for name in names],
            "current-context": names[0],
        }
        path.write_text(yaml.safe_dump(document))
        return path

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        url = urlsplit(handler.path)
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        if url.path == "/apis":
            asked = Asked(Kind("", "", "", "APIGroupList"), "", "", query)
        else:
            asked = _read(url.path, query, (*_KINDS, *self.kinds))
        self.asked.append(asked)
        given = self.answer(asked)
        if given == CUT and isinstance(given, int):
            handler.close_connection = True
            return
        if isinstance(given, int):
            _write(handler, given, {"kind": "Status", "reason": "Made", "message": "made up"})
        elif given is not None:
            handler.send_response(200)
            handler.send_header("Content-Length", str(len(given)))
            handler.end_headers()
            handler.wfile.write(given)
        else:
            self._answer(handler, asked)

    def _answer(self, handler: BaseHTTPRequestHandler, asked: Asked) -> None:
        if asked.kind.kind == "APIGroupList":
            groups = [
                {"name": name, "versions": [{"version": one} for one in versions]}
                for name, versions in self.groups.items()
            ]
            _write(handler, 200, {"groups": groups})
            return
        if asked.kind.kind == "APIResourceList":
            served = [one for one in self.kinds if one.group == asked.kind.group]
            _write(handler, 200, {"resources": [{"name": one.plural} for one in served]})
            return
        if asked.kind.group and asked.kind.version not in self.groups.get(asked.kind.group, []):
            _write(handler, 404, {"kind": "Status", "reason": "NotFound"})
            return
        found = [one for one in self.objects if _is_asked(one, asked)]
        if asked.name:
            one = next((o for o in found if o["metadata"]["name"] == asked.name), None)
            _write(handler, 200 if one else 404, one or {"kind": "Status", "reason": "NotFound"})
            return
        begin, size = int(asked.query.get("continue", 0)), int(asked.query["limit"])
        end = begin + size
        left = max(len(found) - end, 0)
        metadata = {"continue": str(end), "remainingItemCount": left} if left else {}
        _write(handler, 200, {"metadata": metadata, "items": found[begin:end]})


def _read(path: str, query: Mapping[str, str], known: Iterable[Kind]) -> Asked:
    parts = path.strip("/").split("/")
    if parts[0] == "apis" and len(parts) == 3:  # apis/<group>/<version>
        return Asked(Kind(parts[1], parts[2], "", "APIResourceList"), "", "", query)
    for kind in known:
        prefix = kind.path().strip("/").split("/")[:-1]
        if parts[: len(prefix)] != prefix:
            continue
        rest = parts[len(prefix) :]
        namespace = ""
        if rest[0] == "namespaces" and len(rest) > 2:  # namespaces/<name>/<kind>
            namespace, rest = rest[1], rest[2:]
        if rest[0] == kind.plural:
            return Asked(kind, namespace, rest[1] if len(rest) > 1 else "", query)
    raise AssertionError(f"nobody should ask for {path}")


def _is_asked(one: Manifest, asked: Asked) -> bool:
    return (one["apiVersion"], one["kind"]) == (asked.kind.api_version, asked.kind.kind) and (
        not asked.namespace or one["metadata"].get("namespace") == asked.namespace
    )


def _write(handler: BaseHTTPRequestHandler, status: int, body: object) -> None:
    data = json.dumps(body).encode()
    handler.send_response(status)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(len(data)))
    handler.end_headers()
    handler.wfile.write(data)


def namespace(name: str, **labels: str) -> Manifest:
    """A Namespace."""
    metadata = {"name": name, "labels": labels}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}


def asked_kinds(asked: Iterable[Asked]) -> set[str]:
    """The plurals of what was asked for."""
    return {one.kind.plural for one in asked}
