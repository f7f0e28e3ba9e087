"""Finds the public addresses of the API server and of the nodes, which no telemetry host has.

Whoever answers for a telemetry host could name them, and a network policy that denies would then
cut pods off from the cluster itself.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from ipaddress import ip_address

from fleet_telemetry.egress.addresses import OwnNetwork
from fleet_telemetry.egress.model import Address
from fleet_telemetry.kube import kinds
from fleet_telemetry.kube.client import ApiError, KubernetesClient
from fleet_telemetry.objects.kind import Kind
from fleet_telemetry.objects.manifest import Manifest, items_at, list_at, text_at

_log = logging.getLogger(__name__)

_NODE = Kind("", "v1", "nodes", "Node", namespaced=False)
_API_SERVER = "kubernetes"
"""The Service of the API server, in the namespace ``default``."""
_NAMESPACE = "default"
_OF_API_SERVER = f"kubernetes.io/service-name={_API_SERVER}"
_SECONDS = 600.0
_RETRY_SECONDS = 60.0

OwnAddresses = Mapping[tuple[int, int], str]
Owned = tuple[Address, str]


class OwnAddressFinder:
    """Lists the addresses now and then. What cannot be read keeps what it was."""

    def __init__(self, client: KubernetesClient, clock: Callable[[], float]) -> None:
        """``clock`` gives seconds that never go back."""
        self._client = client
        self._clock = clock
        self._due = 0.0
        self._found: dict[str, tuple[Owned, ...]] = {}

    def reset(self) -> None:
        """Read them again at the next call."""
        self._due = 0.0

    async def find(self) -> OwnAddresses | None:
        """The addresses with their owners; None while what was read last is new enough."""
        if self._clock() < self._due:
            return None
        complete = True
        for what, owned in (
            ("the Service of the API server", self._of_service),
            ("the EndpointSlices of the API server", self._of_endpoints),
            ("the nodes", self._of_nodes),
        ):
            try:
                self._found[what] = tuple([one async for one in owned()])
            except ApiError as error:
                complete = complete and error.is_forbidden
                _log.warning("%s cannot be read, so their addresses may be denied: %s", what, error)
        self._due = self._clock() + (_SECONDS if complete else _RETRY_SECONDS)
        return OwnNetwork.named(one for found in self._found.values() for one in found)

    async def _of_service(self) -> AsyncIterator[Owned]:
        found = await self._client.find(kinds.SERVICE, _API_SERVER, _NAMESPACE)
        if found is not None:
            for address in api_server_addresses_of_service(found):
                yield address, "the API server"

    async def _of_endpoints(self) -> AsyncIterator[Owned]:
        async for found in self._client.list(
            kinds.ENDPOINT_SLICE, _NAMESPACE, selector=_OF_API_SERVER
        ):
            for address in addresses_of_endpoints(found):
                yield address, "the API server"

    async def _of_nodes(self) -> AsyncIterator[Owned]:
        async for found in self._client.list(_NODE):
            for address in addresses_of_node(found):
                yield address, f"node {text_at(found, 'metadata', 'name')}"


def api_server_addresses_of_service(service: Manifest) -> Iterator[Address]:
    """The addresses of a Service, inside and outside of the cluster."""
    for key in ("clusterIPs", "externalIPs"):
        yield from _read(list_at(service, "spec", key))
    yield from _read(
        text_at(one, "ip") for one in items_at(service, "status", "loadBalancer", "ingress")
    )


def addresses_of_endpoints(endpoint_slice: Manifest) -> Iterator[Address]:
    """The addresses of an EndpointSlice, ready or not."""
    for endpoint in items_at(endpoint_slice, "endpoints"):
        yield from _read(list_at(endpoint, "addresses"))


def addresses_of_node(node: Manifest) -> Iterator[Address]:
    """All addresses of a node. Names are left out."""
    yield from _read(text_at(one, "address") for one in items_at(node, "status", "addresses"))


def _read(texts: object) -> Iterator[Address]:
    for text in texts if isinstance(texts, Iterator | list | tuple) else ():
        try:
            yield ip_address(str(text))
        except ValueError:
            continue
