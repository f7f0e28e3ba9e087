"""Leader election among the controller's replicas, by a Lease.

kopf's peering is not a leader election: replicas of equal priority pause each other. The rules here
are those of client-go: a Lease is free if its holder has not renewed it for its duration *as
measured by the observer's own clock*, so clock skew does not matter.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from fleet_telemetry.kube.client import ApiError, KubernetesClient
from fleet_telemetry.kube.kinds import LEASE
from fleet_telemetry.objects.manifest import Manifest, dig

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LeaseTimes:
    """Seconds. Another replica takes over within ``duration + retry`` of the last renewal."""

    duration: float = 10.0
    renew_deadline: float = 7.0
    retry: float = 2.0


class LeaderElector:
    """Runs a task while this replica holds the Lease, and stops it when the Lease is lost."""

    def __init__(
        self,
        client: KubernetesClient,
        *,
        namespace: str,
        name: str,
        identity: str,
        times: LeaseTimes | None = None,
    ) -> None:
        self._client = client
        self._namespace = namespace
        self._name = name
        self._identity = identity
        self._times = times or LeaseTimes()
        self._observed: tuple[object, ...] = ()
        self._observed_at = 0.0

    async def run(self, run_as_leader: Callable[[], Awaitable[None]]) -> None:
        """Acquire the Lease again and again. Releases it when cancelled."""
        clock = asyncio.get_running_loop().time
        while True:
            requested = clock()
            while not await self._try():
                await asyncio.sleep(self._times.retry)
                requested = clock()
            _log.info("this replica is the leader")
            leading = asyncio.ensure_future(run_as_leader())
            try:
                await self._hold(leading, requested)
            finally:
                leading.cancel()
                with suppress(asyncio.CancelledError):
                    await leading
                await asyncio.shield(self._release())
            _log.warning("the Lease is lost: this replica is no longer the leader")

    async def _hold(self, leading: asyncio.Future[None], requested: float) -> None:
        """Renew until that fails for too long, or the leader's task fails.

        Other replicas may count from the moment in which the API server writes. That is not before
        the time at which the write was ``requested``, and may be long before the response. No
        attempt lasts beyond the deadline.
        """
        clock = asyncio.get_running_loop().time
        until = requested + self._times.renew_deadline
        while clock() < until:
            pause = min(self._times.retry, until - clock())
            done, _ = await asyncio.wait({leading}, timeout=pause)
            if done:
                leading.result()
                return
            requested = clock()
            with suppress(TimeoutError):
                async with asyncio.timeout_at(until):
                    if await self._try():
                        until = requested + self._times.renew_deadline

    async def _try(self) -> bool:
        """Create, acquire or renew the Lease; whether this replica holds it now."""
        try:
            lease = await self._client.find(LEASE, self._name, self._namespace)
            if lease is None:
                await self._client.create(LEASE, self._manifest(None), self._namespace)
            elif self._may_acquire(lease):
                manifest = self._manifest(lease)
                await self._client.replace(LEASE, self._name, manifest, self._namespace)
            else:
                return False
        except ApiError as error:
            if not error.is_conflict:
                _log.warning("cannot acquire or renew the Lease: %s", error)
            return False
        return True

    def _may_acquire(self, lease: Manifest) -> bool:
        holder = dig(lease, "spec", "holderIdentity")
        if holder in (self._identity, "", None):
            return True
        observed = (holder, dig(lease, "spec", "renewTime"))
        now = asyncio.get_running_loop().time()
        if observed != self._observed:
            self._observed, self._observed_at = observed, now
        duration = dig(lease, "spec", "leaseDurationSeconds") or self._times.duration
        return now - self._observed_at > duration

    def _manifest(self, before: Manifest | None) -> dict[str, Any]:
        now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        spec = dict(dig(before, "spec") or {})
        if spec.get("holderIdentity") != self._identity:
            spec["acquireTime"] = now
            spec["leaseTransitions"] = (spec.get("leaseTransitions") or 0) + (before is not None)
        spec |= {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": max(1, round(self._times.duration)),
            "renewTime": now,
        }
        metadata = dig(before, "metadata") or {"name": self._name, "namespace": self._namespace}
        return {
            "apiVersion": LEASE.api_version,
            "kind": LEASE.kind,
            "metadata": metadata,
            "spec": spec,
        }

    async def _release(self) -> None:
        """Let another replica take over at once, unless one has already.

        The resource version in the manifest makes the write conflict in that case.
        """
        with suppress(ApiError):
            lease = await self._client.find(LEASE, self._name, self._namespace)
            if lease is not None and dig(lease, "spec", "holderIdentity") == self._identity:
                lease["spec"]["holderIdentity"] = ""
                await self._client.replace(LEASE, self._name, lease, self._namespace)
