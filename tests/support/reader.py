"""Reads, new objects and namespaces without kubectl. A test that waits asks twenty times a second,
and each start of kubectl takes a tenth of a second of a core."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from dev.cluster.api import ApiServer, ApiServerError

Manifest = dict[str, Any]
_SECONDS = 75
"""The API server ends a request itself after a minute. kubectl would wait for ever."""
_RETRIES = 10


@dataclass(frozen=True)
class _Resource:
    """Where objects of a kind are served."""

    root: str
    plural: str
    namespaced: bool


@dataclass
class Reader:
    """The API server, for its administrator. It knows kinds by the names that kubectl takes, and of
    several versions of a kind the preferred one."""

    kubeconfig: Path
    _resources: Mapping[str, _Resource] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._api = ApiServer.of(self.kubeconfig)

    def get(self, kind: str, name: str, namespace: str = "") -> Manifest:
        """One object, with its managed fields.

        Raises ApiServerError, or OSError if nobody answers.
        """
        found: Manifest = self._ask("GET", f"{self._path(kind, namespace)}/{name}")
        return found

    def find(self, kind: str, name: str, namespace: str = "") -> Manifest | None:
        """One object, or None. Raises as ``get`` does."""
        try:
            return self.get(kind, name, namespace)
        except ApiServerError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise
            return None

    def items(self, kind: str, namespace: str = "", selector: str = "") -> list[Manifest]:
        """The objects of a kind in a namespace or in all, selected by their labels. Raises as
        ``get`` does."""
        query = f"?{urlencode({'labelSelector': selector})}" if selector else ""
        found = self._ask("GET", f"{self._path(kind, namespace)}{query}")
        # In a list the API server does not repeat them.
        same = {"apiVersion": found["apiVersion"], "kind": found["kind"].removesuffix("List")}
        return [{**same, **item} for item in found["items"]]

    def create(self, manifest: Manifest, *, dry_run: bool = False) -> Manifest:
        """Create an object as `kubectl create` does, and return it. Raises ApiServerError."""
        group, _, _ = manifest["apiVersion"].rpartition("/")
        kind = ".".join(filter(None, (manifest["kind"], group)))
        query = {"fieldManager": "kubectl-create", "fieldValidation": "Strict"}
        query |= {"dryRun": "All"} if dry_run else {}
        path = f"{self._path(kind, manifest['metadata'].get('namespace', ''))}?{urlencode(query)}"
        made: Manifest = self._ask("POST", path, manifest)
        return made

    def create_namespace(self, name: str) -> None:
        """Raises ApiServerError."""
        manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        self._ask("POST", "/api/v1/namespaces", manifest)

    def delete_namespace(self, name: str) -> None:
        """It ends in the background. Raises ApiServerError."""
        self._ask("DELETE", f"/api/v1/namespaces/{name}")

    def _ask(self, method: str, path: str, body: object = None) -> Any:
        """Again where kubectl asks again: the API server is not ready for it yet, or it went away
        while it was read from."""
        for _ in range(_RETRIES):
            try:
                return json.loads(self._api.text(method, path, body, seconds=_SECONDS))
            except ApiServerError as error:
                if error.status != HTTPStatus.TOO_MANY_REQUESTS:
                    raise
            except ConnectionRefusedError:
                raise
            except ConnectionError:
                if method != "GET":
                    raise
            time.sleep(1)
        return json.loads(self._api.text(method, path, body, seconds=_SECONDS))

    def _path(self, kind: str, namespace: str) -> str:
        name = kind.lower()
        if name not in self._resources:
            self._resources = {
                known: resource
                # As kubectl does: the first group takes precedence.
                for root in reversed(list(self._roots()))
                for known, resource in self._served(root)
            }
        resource = self._resources[name]
        # kubectl has a default namespace, and no test means it.
        where = f"/namespaces/{namespace}" if namespace and resource.namespaced else ""
        return f"{resource.root}{where}/{resource.plural}"

    def _roots(self) -> Iterator[str]:
        yield "/api/v1"
        for group in self._ask("GET", "/apis")["groups"]:
            yield f"/apis/{group['preferredVersion']['groupVersion']}"

    def _served(self, root: str) -> Iterator[tuple[str, _Resource]]:
        for one in self._ask("GET", root)["resources"]:
            if "/" not in one["name"]:
                resource = _Resource(root, one["name"], one["namespaced"])
                names = (one["name"], one["singularName"], one["kind"], *one.get("shortNames", ()))
                group = root.split("/")[2]
                for name in names:
                    yield name.lower(), resource
                    yield f"{name.lower()}.{group}", resource
