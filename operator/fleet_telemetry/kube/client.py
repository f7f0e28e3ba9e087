"""The Kubernetes client: raw manifests in and out, typed errors.

Manifests are never read into models, which drop unknown fields: foreign objects pass through here.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

import aiohttp
import msgspec

from fleet_telemetry.kube.server_access import open_transport
from fleet_telemetry.kube.transport import Transport
from fleet_telemetry.objects.kind import Kind
from fleet_telemetry.objects.manifest import Manifest, dig, items_at, number_at, text_at
from fleet_telemetry.workloads.workload import FIELD_MANAGER

PAGE = 20
"""Objects in one page of a list. Manifests are large, and a page of each kind is in memory at the
same time: in a cluster of 1,000 workloads, a page size of 200 raised the peak by 40 MB, and one of
50 by 6 MB."""
_TIMEOUT_SECONDS = 15
_LONGEST_NUMBER = 10

NOT_A_LIST = "NotAList"
"""The reason of an ApiError: something answers that is no API server."""

ContentType = Literal[
    "application/json", "application/json-patch+json", "application/apply-patch+yaml"
]

OnCall = Callable[[str, str, int], None]
"""Gets the method, the plural and the HTTP status of each call; status 0 without a response."""


class ApiError(Exception):
    """A call failed. ``status`` is the HTTP status; 0 if there was no response."""

    def __init__(
        self,
        status: int,
        reason: str,
        message: str,
        causes: frozenset[str] = frozenset(),
        retry_after: float = 0.0,
    ) -> None:
        self.status = status
        self.reason = reason
        self.retry_after = retry_after
        """Seconds that the API server asks to wait; 0 if it does not say."""
        self._causes = causes
        super().__init__(message)

    @property
    def is_not_found(self) -> bool:
        """The object does not exist."""
        return self.status == 404  # noqa: PLR2004  # the number is the meaning

    @property
    def is_forbidden(self) -> bool:
        """RBAC does not allow the call."""
        return self.status == 403  # noqa: PLR2004  # the number is the meaning

    @property
    def is_conflict(self) -> bool:
        """The object changed since it was read."""
        # A failed `test` operation of a JSON patch is 422 with this reason.
        return self.status == 409 or self.reason == "Invalid"  # noqa: PLR2004

    @property
    def is_refusal(self) -> bool:
        """RBAC, an admission policy or another webhook does not allow the call."""
        # Webhooks that deny may choose any of these.
        return self.status in (400, 403, 422) and not self.is_conflict

    @property
    def is_rejection(self) -> bool:
        """The API server does not accept the request as such, whoever makes it."""
        return self.status in (400, 405, 415, 422)

    @property
    def is_ending_namespace(self) -> bool:
        """The namespace is being deleted, so nothing can be created in it."""
        return "NamespaceTerminating" in self._causes


class UndoneWriteError(ApiError):
    """The API server accepted a write, and stored something else: admission changed it."""

    def __init__(self, what: str) -> None:
        super().__init__(
            200,
            "Undone",
            f"{what} was written, and an admission webhook or policy of others changed it",
        )


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list."""

    items: list[dict[str, Any]]
    token: str
    """For the next page; empty if this is the last."""
    left: int
    """How many objects are behind it, as far as the API server says it."""


def find_kubeconfig(given: str | None) -> str | None:
    """The kubeconfig for a command: the given one; in a pod None, for its service account;
    otherwise ``~/.kube/config``."""
    if given or "KUBERNETES_SERVICE_HOST" in os.environ:
        return given or None
    return str(Path.home() / ".kube" / "config")


class KubernetesClient:
    """Reads and writes manifests. Calls ``on_call`` after each call."""

    def __init__(
        self,
        transport: Transport,
        on_call: OnCall | None = None,
        *,
        timeout: aiohttp.ClientTimeout | None = None,
    ) -> None:
        """``timeout`` is for one call."""
        self._transport = transport
        self._timeout = timeout or aiohttp.ClientTimeout(total=_TIMEOUT_SECONDS)
        self._on_call = on_call or _ignore

    @classmethod
    async def connect(
        cls,
        kubeconfig: str | None,
        on_call: OnCall | None = None,
    ) -> Self:
        """Connect with a kubeconfig, or with the service account of the pod if None. Raises
        KubeconfigError."""
        return cls(await open_transport(kubeconfig), on_call)

    async def close(self) -> None:
        """Close the connections."""
        await self._transport.close()

    async def get(self, kind: Kind, name: str, namespace: str = "") -> dict[str, Any]:
        """One object. Raises ApiError."""
        return await self._request("GET", kind, kind.path(namespace, name))

    async def find(self, kind: Kind, name: str, namespace: str = "") -> dict[str, Any] | None:
        """One object, or None if it does not exist. Raises ApiError."""
        try:
            return await self.get(kind, name, namespace)
        except ApiError as error:
            if error.is_not_found:
                return None
            raise

    async def list(
        self, kind: Kind, namespace: str = "", *, selector: str = "", fields: str = ""
    ) -> AsyncIterator[dict[str, Any]]:
        """All objects of a kind, in all namespaces or in one, page by page. ``selector`` is a label
        selector, ``fields`` a field selector. Raises ApiError.

        The API server omits apiVersion and kind of list items; they are added.
        """
        token = ""
        while True:
            page = await self.page(kind, namespace, token, selector=selector, fields=fields)
            for item in page.items:
                yield item
            token = page.token
            if not token:
                return

    async def read(self, kind: Kind, query: Mapping[str, str]) -> bytes:
        """A part of a list, as bytes. Raises ApiError."""
        path = kind.path()
        return await _read("GET", path, await self._call("GET", kind, path, query))

    @asynccontextmanager
    async def stream(
        self, kind: Kind, query: Mapping[str, str]
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """The chunks of a watch. It has no time limit but for connecting: whoever reads it has one.
        Raises ApiError, also while it is read."""
        path = kind.path()
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=_TIMEOUT_SECONDS)
        response = await self._call("GET", kind, path, query, timeout=timeout)
        try:
            yield response.content.iter_any()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _unreachable("GET", path, error) from error
        finally:
            response.close()

    async def page(
        self,
        kind: Kind,
        namespace: str = "",
        token: str = "",
        *,
        size: int = PAGE,
        selector: str = "",
        fields: str = "",
    ) -> Page:
        """One page of a list, the first one without a token. Raises ApiError."""
        query = {
            "limit": str(size),
            "continue": token,
            "labelSelector": selector,
            "fieldSelector": fields,
        }
        path = kind.path(namespace)
        found = await self._request("GET", kind, path, query)
        items = found.get("items", found)
        if items is not None and not isinstance(items, list):
            # A proxy or a login page has answered. An empty list would be a lie.
            raise ApiError(0, NOT_A_LIST, f"GET {path}: the answer is not a list of objects")
        named = {"apiVersion": kind.api_version, "kind": kind.kind}
        return Page(
            [{**named, **item} for item in items or ()],
            text_at(found, "metadata", "continue"),
            number_at(found, "metadata", "remainingItemCount"),
        )

    async def served_plurals(self, group: str, version: str) -> set[str]:
        """The plurals that a group version serves; empty if it is not served. Raises ApiError."""
        group_kind = Kind(group, version, "", "APIResourceList")
        try:
            found = await self._request("GET", group_kind, group_kind.path())
        except ApiError as error:
            if error.is_not_found:
                return set()
            raise
        return {resource["name"] for resource in found.get("resources") or ()}

    async def served_groups(self) -> dict[str, frozenset[str]]:
        """The versions of each named API group that the cluster serves. Raises ApiError."""
        found = await self._request("GET", Kind("", "", "", "APIGroupList"), "/apis")
        return {
            text_at(group, "name"): frozenset(
                text_at(version, "version") for version in items_at(group, "versions")
            )
            for group in items_at(found, "groups")
        }

    async def create(self, kind: Kind, manifest: Manifest, namespace: str = "") -> dict[str, Any]:
        """Create an object. Raises ApiError; a conflict if it exists already."""
        query = {"fieldManager": FIELD_MANAGER}
        return await self._request("POST", kind, kind.path(namespace), query, manifest)

    async def replace(
        self, kind: Kind, name: str, manifest: Manifest, namespace: str = ""
    ) -> dict[str, Any]:
        """Replace an object of our own. Raises ApiError; a conflict if it changed meanwhile."""
        query = {"fieldManager": FIELD_MANAGER}
        return await self._request("PUT", kind, kind.path(namespace, name), query, manifest)

    async def delete(self, kind: Kind, name: str, namespace: str = "", *, uid: str = "") -> None:
        """Delete an object if it exists; with a ``uid``, only the object with that UID. Raises
        ApiError; a conflict if the object has another UID."""
        body = {"preconditions": {"uid": uid}} if uid else None
        try:
            await self._request("DELETE", kind, kind.path(namespace, name), body=body)
        except ApiError as error:
            if not error.is_not_found:
                raise

    async def delete_this(self, kind: Kind, manifest: Manifest) -> None:
        """Delete the object of a manifest, by UID. Raises as ``delete`` does."""
        metadata = manifest["metadata"]
        namespace, uid = metadata.get("namespace", ""), metadata.get("uid", "")
        await self.delete(kind, metadata["name"], namespace, uid=uid)

    async def apply(
        self,
        kind: Kind,
        manifest: Manifest,
        *,
        subresource: str = "",
        force: bool = True,
        field_manager: str = FIELD_MANAGER,
    ) -> dict[str, Any]:
        """Server-side apply of an object of our own, or of one field of a custom resource. Raises
        ApiError; without ``force`` a conflict if another field manager owns what differs."""
        metadata = manifest["metadata"]
        path = kind.path(metadata.get("namespace", ""), metadata["name"], subresource)
        query = {"fieldManager": field_manager, "force": "true" if force else "false"}
        return await self._request(
            "PATCH", kind, path, query, manifest, content_type="application/apply-patch+yaml"
        )

    async def patch(
        self,
        kind: Kind,
        name: str,
        operations: Sequence[Mapping[str, Any]],
        namespace: str = "",
        *,
        field_manager: str = FIELD_MANAGER,
    ) -> dict[str, Any]:
        """JSON patch: the only way to write a foreign object. Raises ApiError."""
        query = {"fieldManager": field_manager}
        path = kind.path(namespace, name)
        return await self._request(
            "PATCH",
            kind,
            path,
            query,
            list(operations),
            content_type="application/json-patch+json",
        )

    async def _request(
        self,
        method: str,
        kind: Kind,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        *,
        content_type: ContentType = "application/json",
    ) -> dict[str, Any]:
        response = await self._call(method, kind, path, query, body, content_type=content_type)
        return _parse(await _read(method, path, response))

    async def _call(
        self,
        method: str,
        kind: Kind,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        *,
        content_type: ContentType = "application/json",
        timeout: aiohttp.ClientTimeout | None = None,  # noqa: ASYNC109  # aiohttp's own, for a call
    ) -> aiohttp.ClientResponse:
        """The response of a success; its body has not been read. Raises ApiError."""
        try:
            response = await self._transport.request(
                method,
                path,
                {key: value for key, value in (query or {}).items() if value},
                body,
                content_type,
                timeout=timeout or self._timeout,
            )
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            self._on_call(method, kind.plural, 0)
            raise _unreachable(method, path, error) from error
        self._on_call(method, kind.plural, response.status)
        if response.status >= 400:  # noqa: PLR2004  # HTTP's lowest error status
            raise _failure(method, path, response, await _read(method, path, response))
        return response


async def _read(method: str, path: str, response: aiohttp.ClientResponse) -> bytes:
    try:
        return await response.read()
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise _unreachable(method, path, error) from error


def _unreachable(method: str, path: str, error: Exception) -> ApiError:
    text = f"{method} {path}: no response from the API server ({error!r})"
    return ApiError(0, "Unreachable", text)


def _failure(method: str, path: str, response: aiohttp.ClientResponse, data: bytes) -> ApiError:
    result = _parse(data)
    return ApiError(
        response.status,
        str(result.get("reason") or response.reason or response.status),
        f"{method} {path}: {result.get('message') or response.reason or response.status}",
        frozenset(str(dig(cause, "reason")) for cause in dig(result, "details", "causes") or ()),
        _retry_after(response),
    )


def _retry_after(response: aiohttp.ClientResponse) -> float:
    """The header, in its form of seconds: an API server sends no date."""
    text = response.headers.get("Retry-After", "")
    return float(text) if text.isascii() and text.isdecimal() and len(text) < _LONGEST_NUMBER else 0


def _parse(data: bytes) -> dict[str, Any]:
    try:
        result = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return result if isinstance(result, dict) else {}


def _ignore(method: str, plural: str, status: int) -> None:
    del method, plural, status
