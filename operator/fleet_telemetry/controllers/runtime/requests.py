"""Requests to all instances of one workload."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from fleet_telemetry.api.policy import Submission
from fleet_telemetry.evidence.combining import InstanceAnswer
from fleet_telemetry.vendors.breaker import Breaker
from fleet_telemetry.vendors.http import VendorApi, VendorClient, VendorError
from fleet_telemetry.vendors.protocol import Adapter, Credentials
from fleet_telemetry.vendors.service import Endpoint

_log = logging.getLogger(__name__)

_REQUESTS_PER_HOST = 2
"""At the same time."""


def host_gates() -> defaultdict[str, asyncio.Semaphore]:
    """The limits of concurrent requests to each host, over all workloads."""
    return defaultdict(lambda: asyncio.Semaphore(_REQUESTS_PER_HOST))


@dataclass(frozen=True)
class InstanceClient:
    """Reads and writes the setting of all instances of one workload."""

    vendors: VendorClient
    breaker: Breaker
    hosts: Mapping[str, asyncio.Semaphore]
    adapter: Adapter
    credentials: Credentials
    confirm: Callable[[], None] = lambda: None
    """Called right before each request, which may have waited for others. Raises
    CredentialWithheldError if the credential may no longer be sent."""

    async def read(self, endpoints: tuple[Endpoint, ...]) -> list[InstanceAnswer]:
        """Read the setting of each instance. Raises CredentialWithheldError."""
        return await asyncio.gather(*(self._read(endpoint) for endpoint in endpoints))

    async def write(
        self, endpoints: tuple[Endpoint, ...], desired: Submission
    ) -> VendorError | None:
        """Write the setting of each instance; return the last error, if any.

        Raises CredentialWithheldError.
        """
        failure = None
        for endpoint in endpoints:
            self.confirm()
            try:
                await self.adapter.write(self._api(endpoint), self.credentials, desired)
            except VendorError as error:
                _log.warning("%s: cannot write the setting: %s", endpoint, error)
                failure = error
        return failure

    async def _read(self, endpoint: Endpoint) -> InstanceAnswer:
        host = f"{endpoint.address}:{endpoint.port}"
        try:
            async with self.hosts[host]:
                self.confirm()
                self.breaker.check(host)
                reading = await self.adapter.read(self._api(endpoint), self.credentials)
        except VendorError as error:
            self.breaker.failed(host, error)
            wait = error.retry_after or 0.0
            return InstanceAnswer(endpoint.instance, None, error.reason, str(error), wait)
        self.breaker.succeeded(host)
        return InstanceAnswer(endpoint.instance, reading)

    def _api(self, endpoint: Endpoint) -> VendorApi:
        return self.vendors.api(endpoint, self.credentials.get("ca.crt", ""))
