"""A fake of the API server of a large cluster: it only lists Deployments, the ReplicaSets and
pods that belong to them, and one namespace, page by page."""

from __future__ import annotations

import copy
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import yaml

from dev.bench.manifests import NO_PRODUCT, PRODUCTS, Manifest, deployment, namespace

_NAMESPACE = "bench"
_WITH_PRODUCT = 5
"""Every fifth workload runs a product."""
_GROUPS = {"kind": "APIGroupList", "groups": [{"name": "apps", "versions": [{"version": "v1"}]}]}


@contextmanager
def audited_server(directory: Path, workloads: int) -> Iterator[Path]:
    """The kubeconfig of such a cluster, which lasts as long as the context."""
    pages = {kind: _texts(kind) for kind in ("deployments", "replicasets", "pods")}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            url = urlsplit(self.path)
            kind = url.path.rpartition("/")[2]
            if kind in pages:
                query = {key: values[0] for key, values in parse_qs(url.query).items()}
                body = _page(pages[kind], workloads, query)
            elif kind == "apis":
                body = json.dumps(_GROUPS).encode()
            else:
                items = [namespace(_NAMESPACE)] if kind == "namespaces" else []
                body = json.dumps({"metadata": {}, "items": items}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing of it is of use."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield _kubeconfig(directory / "audited.yaml", server.server_port)
    finally:
        server.shutdown()
        server.server_close()


def _kubeconfig(path: Path, port: int) -> Path:
    named = {"name": "bench"}
    document = {
        "clusters": [named | {"cluster": {"server": f"http://127.0.0.1:{port}"}}],
        "users": [named | {"user": {}}],
        "contexts": [named | {"context": {"cluster": "bench", "user": "bench"}}],
        "current-context": "bench",
    }
    path.write_text(yaml.safe_dump(document))
    return path


def _page(texts: tuple[str, ...], workloads: int, query: dict[str, str]) -> bytes:
    start = int(query.get("continue", "0"))
    end = min(workloads, start + int(query.get("limit", workloads)))
    items = ",".join(
        texts[number % len(texts)].replace("NAME", f"app-{number}") for number in range(start, end)
    )
    token = str(end) if end < workloads else ""
    metadata = json.dumps({"continue": token, "remainingItemCount": workloads - end})
    return f'{{"metadata":{metadata},"items":[{items}]}}'.encode()


def _texts(kind: str) -> tuple[str, ...]:
    """The objects, in turn; NAME stands for the name of the workload."""
    images = [
        image if turn == 0 else NO_PRODUCT for image in PRODUCTS for turn in range(_WITH_PRODUCT)
    ]
    return tuple(json.dumps(_object(kind, image)) for image in images)


def _object(kind: str, image: str) -> Manifest:
    whole = deployment(image, name="NAME", namespace=_NAMESPACE, uid="d-NAME")
    if kind == "deployments":
        return whole
    if kind == "replicasets":
        metadata = {
            "name": "NAME-1",
            "namespace": _NAMESPACE,
            "uid": "r-NAME",
            "ownerReferences": [_owner("Deployment", "NAME", "d-NAME")],
        }
        part = copy.deepcopy(whole)
        return {**part, "kind": "ReplicaSet", "metadata": metadata}
    pod = copy.deepcopy(whole["spec"]["template"])
    metadata = {
        **pod.get("metadata", {}),
        "name": "NAME-1-a",
        "namespace": _NAMESPACE,
        "uid": "p-NAME",
        "ownerReferences": [_owner("ReplicaSet", "NAME-1", "r-NAME")],
    }
    return {"metadata": metadata, "spec": pod["spec"], "status": {"phase": "Running"}}


def _owner(kind: str, name: str, uid: str) -> Manifest:
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "name": name,
        "uid": uid,
        "controller": True,
    }
