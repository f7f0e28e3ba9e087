"""One round of questions to the instances of one workload."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from fleet_telemetry.api.policy import Submission
from fleet_telemetry.evidence.combining import Told
from fleet_telemetry.vendors.breaker import Breaker
from fleet_telemetry.vendors.http import VendorApi, VendorClient, VendorError
from fleet_telemetry.vendors.protocol import Adapter, Credentials
from fleet_telemetry.vendors.service import Endpoint

_log = logging.getLogger(__name__)

_AT_ONCE_PER_HOST = 2


def host_gates() -> defaultdict[str, asyncio.Semaphore]:
    """How many questions a host gets at once, over all workloads."""
    return defaultdict(lambda: asyncio.Semaphore(_AT_ONCE_PER_HOST))


@dataclass(frozen=True)
class Asking:
    """How the instances of one workload are asked."""

    vendors: VendorClient
    breaker: Breaker
    hosts: Mapping[str, asyncio.Semaphore]
    adapter: Adapter
    credentials: Credentials

    async def all(self, endpoints: tuple[Endpoint, ...]) -> list[Told]:
        """What each says."""
        return await asyncio.gather(*(self._one(endpoint) for endpoint in endpoints))

    async def set(self, endpoints: tuple[Endpoint, ...], wish: Submission) -> VendorError | None:
        """Set each; the last refusal, if any."""
        refusal = None
        for endpoint in endpoints:
            try:
                await self.adapter.write(self._api(endpoint), self.credentials, wish)
            except VendorError as error:
                _log.warning("%s: not set: %s", endpoint, error)
                refusal = error
        return refusal

    async def _one(self, endpoint: Endpoint) -> Told:
        host = f"{endpoint.address}:{endpoint.port}"
        try:
            async with self.hosts[host]:
                self.breaker.check(host)
                reading = await self.adapter.read(self._api(endpoint), self.credentials)
        except VendorError as error:
            self.breaker.failed(host, error)
            wait = error.retry_after or 0.0
            return Told(endpoint.instance, None, error.reason, str(error), wait)
        self.breaker.succeeded(host)
        return Told(endpoint.instance, reading)

    def _api(self, endpoint: Endpoint) -> VendorApi:
        return self.vendors.api(endpoint, self.credentials.get("ca.crt", ""))
