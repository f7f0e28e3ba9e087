"""What an API server holds, and how to bring a used one back to what a new one held.

A new cluster takes seconds of several programs. One that is brought back takes a few requests, and
the API server itself says whether it succeeded: every object is compared with what was there at
first. It needs a cluster in which nothing else writes: no controllers, and no users.
"""

from __future__ import annotations

import base64
import http.client
import json
import ssl
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import yaml

from dev.cluster.errors import DevclusterError

Manifest = dict[str, Any]

_DISCOVERY = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
_METADATA = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
_REQUEST_SECONDS = 30.0
_SECONDS = 60.0
_PAUSE_SECONDS = 0.1
_CRDS = "customresourcedefinitions.apiextensions.k8s.io"
_NAMESPACES = "namespaces"
_FIRST = (
    "mutatingwebhookconfigurations.admissionregistration.k8s.io",
    "validatingwebhookconfigurations.admissionregistration.k8s.io",
    "mutatingadmissionpolicybindings.admissionregistration.k8s.io",
    "validatingadmissionpolicybindings.admissionregistration.k8s.io",
    "mutatingadmissionpolicies.admissionregistration.k8s.io",
    "validatingadmissionpolicies.admissionregistration.k8s.io",
    _CRDS,
)
"""These decide about what happens to others, so they go before the others."""
_ONE_BY_ONE = frozenset({_CRDS, _NAMESPACES, "services"})
"""Namespaces and services cannot be deleted together. CRDs can, but then the API server leaves
their custom resources in etcd, where nobody sees them until the same CRD is there again.
"""
_SAME_AS_EVENTS = "events.events.k8s.io"
_WRITTEN_BY_ITSELF = frozenset(
    {
        "leases.coordination.k8s.io",
        "flowschemas.flowcontrol.apiserver.k8s.io",
        "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io",
    }
)
"""The API server goes on writing to those that it made."""


class NotBroughtBackError(DevclusterError):
    """The cluster is not what it was at first; another one is needed."""


@dataclass(frozen=True)
class Resource:
    """A resource that can be listed and deleted."""

    name: str
    """With its group, as kubectl takes it."""
    root: str
    plural: str
    namespaced: bool

    def path(self, namespace: str) -> str:
        """Of the objects in a namespace; of all objects if that is empty."""
        where = f"/namespaces/{namespace}" if namespace and self.namespaced else ""
        return f"{self.root}{where}/{self.plural}"


Key = tuple[str, str, str]
"""The resource, the namespace and the name of an object."""


@dataclass
class ServerContents:
    """What an API server held at first: its resources, and every object of them as it was."""

    resources: frozenset[str]
    objects: Mapping[Key, Manifest]
    versions: dict[Key, str]
    """The resourceVersion at which each object is known to be as it was."""


class AdminConnection:
    """The API server, for its administrator. Use as a context manager.

    Raises OSError if nobody answers, and NotBroughtBackError for an answer of another kind.
    """

    def __init__(self, kubeconfig: Path) -> None:
        content = yaml.safe_load(kubeconfig.read_text())
        cluster, user = content["clusters"][0]["cluster"], content["users"][0]["user"]
        authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
        self._token = user["token"]
        self._http = http.client.HTTPSConnection(
            "127.0.0.1",
            urlsplit(cluster["server"]).port,
            timeout=_REQUEST_SECONDS,
            context=ssl.create_default_context(cadata=authority),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._http.close()

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        accept: str = "application/json",
        content: str = "application/json",
    ) -> tuple[int, Any]:
        """The status of the answer, and the answer."""
        headers = {"Authorization": f"Bearer {self._token}", "Accept": accept}
        data = None
        if body is not None:
            headers["Content-Type"] = content
            data = json.dumps(body)
        self._http.request(method, path, data, headers)
        answer = self._http.getresponse()
        text = answer.read()
        try:
            return answer.status, json.loads(text)
        except ValueError:
            return answer.status, {"message": text.decode(errors="replace")}

    def get(self, path: str, *, accept: str = "application/json") -> Any:
        """What is there, which has to be there."""
        status, found = self.ask("GET", path, accept=accept)
        if status != HTTPStatus.OK:
            raise NotBroughtBackError(f"GET {path}: {status} {found.get('message', '')}")
        return found


def read_contents(connection: AdminConnection) -> ServerContents:
    """Everything that is there now."""
    resources = _resources(connection)
    objects = dict(_objects(connection, resources, _whole))
    versions = {
        key: one["metadata"]["resourceVersion"]
        for key, one in objects.items()
        if key[0] not in _WRITTEN_BY_ITSELF
    }
    return ServerContents(frozenset(resources), objects, versions)


def bring_back(connection: AdminConnection, first: ServerContents) -> None:
    """Remove what was added since, and undo what was changed.

    Raises NotBroughtBackError if that does not lead to what was there at first.
    """
    deadline = time.monotonic() + _SECONDS
    while True:
        resources = _resources(connection)
        found = dict(_objects(connection, resources, _metadata))
        lost = first.objects.keys() - found.keys()
        if lost:
            raise NotBroughtBackError(f"{min(lost)} is gone, which was there at first")
        added = {key: one for key, one in found.items() if key not in first.objects}
        changed = [key for key in first.objects if _is_changed(key, first, found[key])]
        others = frozenset(resources) ^ first.resources
        if not added and not changed and not others:
            return
        if time.monotonic() > deadline:
            what = sorted(map(str, [*added, *changed, *others]))
            raise NotBroughtBackError(f"{', '.join(what[:5])}: not as at first")
        _remove(connection, resources, added, first)
        for key in changed:
            _undo(connection, resources[key[0]], key, first)
        time.sleep(_PAUSE_SECONDS)


def _resources(connection: AdminConnection) -> dict[str, Resource]:
    groups = [
        group
        for root in ("/api", "/apis")
        for group in connection.get(root, accept=_DISCOVERY)["items"]
    ]
    return {resource.name: resource for group in groups for resource in _resources_of(group)}


def _resources_of(group: Manifest) -> Iterator[Resource]:
    """Those of the preferred version, which stands first."""
    name = group["metadata"].get("name", "")
    for version in group["versions"][:1]:
        root = f"/apis/{name}/{version['version']}" if name else f"/api/{version['version']}"
        for one in version["resources"]:
            if {"list", "delete"} <= set(one["verbs"]):
                full = f"{one['resource']}.{name}".rstrip(".")
                namespaced = one["scope"] == "Namespaced"
                yield Resource(full, root, one["resource"], namespaced)


def _whole(connection: AdminConnection, path: str) -> list[Manifest]:
    # An empty list of some kinds is null.
    return connection.get(path)["items"] or []


def _metadata(connection: AdminConnection, path: str) -> list[Manifest]:
    status, found = connection.ask("GET", path, accept=_METADATA)
    # A custom resource may go between its discovery and now.
    return found["items"] or [] if status == HTTPStatus.OK else []


def _objects(
    connection: AdminConnection, resources: Mapping[str, Resource], listing: Any
) -> Iterator[tuple[Key, Manifest]]:
    for resource in resources.values():
        if resource.name == _SAME_AS_EVENTS:
            continue
        for one in listing(connection, resource.path("")):
            metadata = one["metadata"]
            yield (resource.name, metadata.get("namespace", ""), metadata["name"]), one


def _is_changed(key: Key, first: ServerContents, found: Manifest) -> bool:
    if found["metadata"]["uid"] != first.objects[key]["metadata"]["uid"]:
        raise NotBroughtBackError(f"{key} was there at first, and is another one now")
    is_ours = key[0] not in _WRITTEN_BY_ITSELF
    return is_ours and found["metadata"]["resourceVersion"] != first.versions[key]


def _undo(connection: AdminConnection, resource: Resource, key: Key, first: ServerContents) -> None:
    path = f"{resource.path(key[1])}/{key[2]}"
    wanted = first.objects[key]
    now = connection.get(path)
    if _content(now) != _content(wanted):
        version = now["metadata"]["resourceVersion"]
        body = {**wanted, "metadata": {**wanted["metadata"], "resourceVersion": version}}
        status, now = connection.ask("PUT", path, body)
        if status != HTTPStatus.OK or _content(now) != _content(wanted):
            return
    first.versions[key] = now["metadata"]["resourceVersion"]


def _content(one: Manifest) -> Manifest:
    """Without what the API server keeps of an object's history."""
    history = ("resourceVersion", "generation", "managedFields")
    metadata = {name: value for name, value in one["metadata"].items() if name not in history}
    left_out = ("metadata", "status", "kind", "apiVersion")
    return {"metadata": metadata} | {k: v for k, v in one.items() if k not in left_out}


def _remove(
    connection: AdminConnection,
    resources: Mapping[str, Resource],
    added: Mapping[Key, Manifest],
    first: ServerContents,
) -> None:
    """Ask for the end of each. What has to wait for something else is asked again."""
    kept = {key[:2] for key in first.objects}
    occupied = {namespace for _, namespace, _ in added}
    groups: dict[tuple[str, str], list[Key]] = defaultdict(list)
    for key in added:
        groups[key[:2]].append(key)
    rank = {name: number for number, name in enumerate(_FIRST)}
    rank[_NAMESPACES] = len(rank) + 1
    for (name, namespace), keys in sorted(
        groups.items(), key=lambda group: rank.get(group[0][0], len(_FIRST))
    ):
        resource = resources[name]
        for key in keys:
            if added[key]["metadata"].get("finalizers") and name != _CRDS:
                # Nobody runs who would do what it waits for.
                patch = {"metadata": {"finalizers": None}}
                connection.ask("PATCH", f"{resource.path(namespace)}/{key[2]}", patch,
                               content="application/merge-patch+json")  # fmt: skip
        # As few requests as there can be.
        together = (name, namespace) not in kept and name not in _ONE_BY_ONE
        paths = [""] if together else [f"/{key[2]}" for key in keys]
        options = {"gracePeriodSeconds": 0, "propagationPolicy": "Background"}
        for path in paths:
            connection.ask("DELETE", f"{resource.path(namespace)}{path}", options)
            # Nobody could change what is in a namespace that is gone.
            if name == _NAMESPACES and path.strip("/") not in occupied:
                _finalize(connection, f"{resource.path('')}{path}")


def _finalize(connection: AdminConnection, path: str) -> None:
    status, found = connection.ask("GET", path)
    if status == HTTPStatus.OK:
        found["spec"]["finalizers"] = []
        connection.ask("PUT", f"{path}/finalize", found)
