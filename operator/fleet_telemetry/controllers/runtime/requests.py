"""Requests to all instances of one workload."""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Callable
from dataclasses import dataclass

from fleet_telemetry.api.policy import Submission
from fleet_telemetry.api.reasons import Reason
from fleet_telemetry.controllers.runtime.host_gate import HostGate
from fleet_telemetry.evidence.combining import InstanceAnswer
from fleet_telemetry.vendors.breaker import Breaker
from fleet_telemetry.vendors.http import VendorApi, VendorClient, VendorError
from fleet_telemetry.vendors.protocol import Adapter, Credentials, InstanceReport
from fleet_telemetry.vendors.redaction import Redaction
from fleet_telemetry.vendors.service import Endpoint

_log = logging.getLogger(__name__)

ROUND_SECONDS = 30.0
"""For the requests to all instances together. A check reads, and may write and read again."""
_INSTANCES_AT_ONCE = 8
_MOST_ALTERNATIVES = 3
"""Instances that are tried for one answer."""


@dataclass(frozen=True)
class InstanceClient:
    """Reads and writes the setting of all instances of one workload."""

    vendors: VendorClient
    breaker: Breaker
    gate: HostGate
    adapter: Adapter
    credentials: Credentials
    round_seconds: float = ROUND_SECONDS
    confirm: Callable[[Endpoint], None] = lambda _: None
    """Called right before each request, which may have waited for others. Raises
    CredentialWithheldError if the credential may no longer be sent there."""

    async def read(self, endpoints: tuple[Endpoint, ...]) -> list[InstanceAnswer]:
        """Read the setting of each instance. Instances that are not read in time have the fault
        Unreachable; the answers of the others count. If the instances share one setting, there is
        one answer: that of the first that can be reached. Raises CredentialWithheldError."""
        self.breaker.keep({_host(endpoint) for endpoint in endpoints})
        deadline = asyncio.get_running_loop().time() + self.round_seconds
        places = asyncio.Semaphore(_INSTANCES_AT_ONCE)
        if not self.adapter.per_pod:
            answers: list[InstanceAnswer] = []
            for endpoint in endpoints[:_MOST_ALTERNATIVES]:
                answers = [await self._read_until(deadline, places, endpoint)]
                if answers[0].fault is not Reason.UNREACHABLE:
                    break
            return answers
        reading = (self._read_until(deadline, places, endpoint) for endpoint in endpoints)
        return await asyncio.gather(*reading)

    async def write(
        self, endpoints: tuple[Endpoint, ...], desired: Submission
    ) -> VendorError | None:
        """Write the setting of each instance, or of one if they share it; return the last error, if
        any.

        Raises CredentialWithheldError.
        """
        failure = None
        deadline = asyncio.get_running_loop().time() + self.round_seconds
        per_pod = self.adapter.per_pod
        for endpoint in endpoints if per_pod else endpoints[:_MOST_ALTERNATIVES]:
            self.confirm(endpoint)
            try:
                async with asyncio.timeout_at(deadline):
                    await self.adapter.write(self._api(endpoint), self.credentials, desired)
            except TimeoutError:
                failure = VendorError(Reason.UNREACHABLE, self._not_in_time(endpoint, "written"))
                break
            except VendorError as error:
                _log.warning("%s: cannot write the setting: %s", endpoint, error)
                failure = error
                if not per_pod and error.reason is not Reason.UNREACHABLE:
                    break
            else:
                if not per_pod:
                    return None
        return failure

    async def _read_until(
        self, deadline: float, places: asyncio.Semaphore, endpoint: Endpoint
    ) -> InstanceAnswer:
        try:
            async with asyncio.timeout_at(deadline), places:
                return await self._read(endpoint)
        except TimeoutError:
            text = self._not_in_time(endpoint, "read")
            self.breaker.failed(_host(endpoint), VendorError(Reason.UNREACHABLE, text))
            return InstanceAnswer(endpoint.instance, None, Reason.UNREACHABLE, text)

    async def _read(self, endpoint: Endpoint) -> InstanceAnswer:
        host = _host(endpoint)
        try:
            async with self.gate.use(host):
                self.confirm(endpoint)
                self.breaker.check(host)
                reading = await self._ask(endpoint)
        except VendorError as error:
            self.breaker.failed(host, error)
            wait = error.retry_after or 0.0
            return InstanceAnswer(endpoint.instance, None, error.reason, str(error), wait)
        self.breaker.succeeded(host)
        return InstanceAnswer(endpoint.instance, reading)

    async def _ask(self, endpoint: Endpoint) -> InstanceReport:
        """What the adapter reads. Raises VendorError, also if the adapter has a bug: no answer may
        keep the check from having a result."""
        try:
            report = await self.adapter.read(self._api(endpoint), self.credentials)
            return Redaction(self.credentials).clean(report)
        except VendorError:
            raise
        except Exception as error:  # noqa: BLE001  # whatever it is, it ends this answer only
            _log.error("%s: the answer cannot be read: %s", endpoint, without_text(error))
            text = f"{endpoint} answered something that the operator cannot read"
            raise VendorError(Reason.UNEXPECTED_ANSWER, text) from None

    def _not_in_time(self, endpoint: Endpoint, what: str) -> str:
        return f"{endpoint} was not {what} within {self.round_seconds:g} s"

    def _api(self, endpoint: Endpoint) -> VendorApi:
        return self.vendors.api(endpoint, self.credentials.get("ca.crt", ""))


def _host(endpoint: Endpoint) -> str:
    return f"{endpoint.address}:{endpoint.port}"


def without_text(error: Exception) -> str:
    """An error for the log: its type and where it was raised. Its own text may quote a credential
    or a response, and is left out."""
    where = "".join(traceback.format_tb(error.__traceback__))
    return f"{type(error).__name__}\n{where}"
