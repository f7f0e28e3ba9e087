"""One writer among several replicas, by a Lease of our own.

kopf's peering is no election: replicas of equal priority pause each other. The rules here are
those of client-go: a Lease is free when it has not been renewed for its duration *as observed on
one's own clock*, so that skewed clocks do not matter.
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
    """Seconds. A standby takes over within ``duration + retry`` of the leader's last renewal."""

    duration: float = 10.0
    renew_deadline: float = 7.0
    retry: float = 2.0


class LeaderElector:
    """Runs ``lead`` while this replica holds the Lease, and stops it when the Lease is lost."""

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
        self._seen: tuple[object, ...] = ()
        self._seen_at = 0.0

    async def run(self, lead: Callable[[], Awaitable[None]]) -> None:
        """Stand for election again and again. Gives the Lease back when cancelled."""
        clock = asyncio.get_running_loop().time
        while True:
            asked = clock()
            while not await self._try():
                await asyncio.sleep(self._times.retry)
                asked = clock()
            _log.info("leading: this replica writes")
            leading = asyncio.ensure_future(lead())
            try:
                await self._hold(leading, asked)
            finally:
                leading.cancel()
                with suppress(asyncio.CancelledError):
                    await leading
                await asyncio.shield(self._release())
            _log.warning("the lease is lost: this replica stands by")

    async def _hold(self, leading: asyncio.Future[None], asked: float) -> None:
        """Renew until that fails for too long, or the leader's work ends with an error.

        Others may count from the moment in which the API server writes: that is no sooner than when
        it is ``asked``, and may be long before it answers. No attempt lasts beyond the deadline.
        """
        clock = asyncio.get_running_loop().time
        until = asked + self._times.renew_deadline
        while clock() < until:
            pause = min(self._times.retry, until - clock())
            done, _ = await asyncio.wait({leading}, timeout=pause)
            if done:
                leading.result()
                return
            asked = clock()
            with suppress(TimeoutError):
                async with asyncio.timeout_at(until):
                    if await self._try():
                        until = asked + self._times.renew_deadline

    async def _try(self) -> bool:
        """Create, take or renew the Lease; whether it is ours now."""
        try:
            lease = await self._client.find(LEASE, self._name, self._namespace)
            if lease is None:
                await self._client.create(LEASE, self._manifest(None), self._namespace)
            elif self._may_take(lease):
                manifest = self._manifest(lease)
                await self._client.replace(LEASE, self._name, manifest, self._namespace)
            else:
                return False
        except ApiError as error:
            if not error.is_conflict:
                _log.warning("cannot renew the lease: %s", error)
            return False
        return True

    def _may_take(self, lease: Manifest) -> bool:
        holder = dig(lease, "spec", "holderIdentity")
        if holder in (self._identity, "", None):
            return True
        seen = (holder, dig(lease, "spec", "renewTime"))
        now = asyncio.get_running_loop().time()
        if seen != self._seen:
            self._seen, self._seen_at = seen, now
        duration = dig(lease, "spec", "leaseDurationSeconds") or self._times.duration
        return now - self._seen_at > duration

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
        """Let the next replica take over at once. The resource version guards against a thief."""
        with suppress(ApiError):
            lease = await self._client.find(LEASE, self._name, self._namespace)
            if lease is not None and dig(lease, "spec", "holderIdentity") == self._identity:
                lease["spec"]["holderIdentity"] = ""
                await self._client.replace(LEASE, self._name, lease, self._namespace)
