"""Finds the name servers of the cluster's DNS, and decides which peers may report."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from ipaddress import ip_address
from typing import NoReturn

from fleet_telemetry.controllers.observed.endpoints import read_pods, read_slice, selector_of
from fleet_telemetry.controllers.observed.options import ObserverOptions
from fleet_telemetry.egress.addresses import unmapped
from fleet_telemetry.egress.dns.name_servers import NameServer
from fleet_telemetry.egress.model import Address
from fleet_telemetry.kube import kinds
from fleet_telemetry.kube.client import ApiError, KubernetesClient
from fleet_telemetry.objects.labels import as_selector

_log = logging.getLogger(__name__)

SECONDS = 10.0
"""Between two reads."""
_SHORTEST_SECONDS = 1.0
"""Between two reads, however many peers connect that are not known."""
_MOST = 256
_SERVER_ERROR = 500
_KEPT_SECONDS = 60.0
"""How long what was read last counts while the API server does not answer."""


class DiscoveryError(Exception):
    """It is not known where the cluster's name servers are; the message says what to do."""

    def __init__(self, message: str, *, passing: bool = False) -> None:
        """``passing``: the API server does not answer, which says nothing about name servers."""
        super().__init__(message)
        self.passing = passing


class NameServers:
    """The name servers of the DNS Service, as they were last read."""

    def __init__(
        self,
        client: KubernetesClient,
        options: ObserverOptions,
        on_read: Callable[[frozenset[NameServer], str], None],
        clock: Callable[[], float],
    ) -> None:
        """``on_read`` is called after each read with the name servers, and with why they are not
        known: one of the two is empty. ``clock`` gives seconds that never go back."""
        self._client = client
        self._options = options
        self._on_read = on_read
        self._clock = clock
        self._kept_until = clock()
        self._stranger = asyncio.Event()
        self._addresses: frozenset[Address] = frozenset()
        self._problem = ""

    async def run(self) -> NoReturn:
        """Read them again and again, and at once when a peer connects that is not known."""
        while True:
            await self.refresh()
            await asyncio.sleep(_SHORTEST_SECONDS)
            try:
                async with asyncio.timeout(SECONDS - _SHORTEST_SECONDS):
                    await self._stranger.wait()
            except TimeoutError:
                pass
            self._stranger.clear()

    def admits(self, address: str) -> bool:
        """Whether a peer with this address may report. One that may not has the name servers read
        at once: a new one may connect before it is known, and it will try again."""
        try:
            peer = unmapped(ip_address(address.partition("%")[0]))
        except ValueError:
            return False
        if peer in self._addresses:
            return True
        if any(peer.version == one.version and peer in one for one in self._options.sources):
            return True
        self._stranger.set()
        # It may be a new name server, so those that are known may not be all.
        self._kept_until = self._clock()
        return False

    async def refresh(self) -> None:
        """Read them. A failure is passed to ``on_read``."""
        try:
            found, problem = await self._find(), ""
            self._kept_until = self._clock() + _KEPT_SECONDS
        except DiscoveryError as error:
            if error.passing and self._clock() < self._kept_until:
                return
            found, problem = frozenset(), str(error)
        self._addresses = frozenset(one.address for one in found)
        if problem and problem != self._problem:
            _log.warning("the cluster's name servers are not known: %s", problem)
        elif self._problem and not problem:
            _log.info("the cluster's name servers are known again")
        self._problem = problem
        self._on_read(found, problem)

    async def _find(self) -> frozenset[NameServer]:
        """Raises DiscoveryError."""
        found = await self._of_slices() or await self._of_pods()
        if len(found) > _MOST:
            raise DiscoveryError(f"{self._where} has {len(found)} endpoints, more than {_MOST}")
        return found

    @property
    def _where(self) -> str:
        return f"the Service {self._options.dns_namespace}/{self._options.dns_service}"

    async def _of_slices(self) -> frozenset[NameServer]:
        options = self._options
        selector = f"kubernetes.io/service-name={options.dns_service}"
        slices = self._client.list(kinds.ENDPOINT_SLICE, options.dns_namespace, selector=selector)
        try:
            return frozenset([one async for found in slices for one in read_slice(found)])
        except ApiError as error:
            raise self._unread("EndpointSlices", error) from None

    async def _of_pods(self) -> frozenset[NameServer]:
        """Those that the Service selects, for a cluster whose EndpointSlices are not written.
        Raises DiscoveryError if there are none either."""
        options, namespace = self._options, self._options.dns_namespace
        none = f"{self._where} has no endpoints"
        try:
            service = await self._client.get(kinds.SERVICE, options.dns_service, namespace)
            labels = selector_of(service)
            if not labels:
                raise DiscoveryError(none)
            selector = as_selector(labels)
            pods = [pod async for pod in self._client.list(kinds.POD, namespace, selector=selector)]
        except ApiError as error:
            if error.is_not_found:
                raise DiscoveryError(
                    f"there is no Service {namespace}/{options.dns_service}; name the one of the "
                    "cluster's DNS (value observed.dnsService)"
                ) from None
            if error.is_forbidden:
                # There are no EndpointSlices, and those would be there if there were endpoints.
                raise DiscoveryError(none) from None
            raise self._unread("pods", error) from None
        found = frozenset(read_pods(service, pods))
        if not found:
            raise DiscoveryError(none)
        return found

    def _unread(self, what: str, error: ApiError) -> DiscoveryError:
        if error.is_forbidden:
            namespace = self._options.dns_namespace
            return DiscoveryError(
                f"the operator may not list {what} in the namespace {namespace}: {error}"
            )
        passing = error.status in (0, 429) or error.status >= _SERVER_ERROR
        return DiscoveryError(
            f"the {what} of {self._where} cannot be read: {error}", passing=passing
        )
