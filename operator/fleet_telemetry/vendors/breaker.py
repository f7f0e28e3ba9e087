"""A circuit breaker for each host of one workload's product."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from fleet_telemetry.api.reasons import Reason
from fleet_telemetry.backoff import backoff_seconds
from fleet_telemetry.vendors.http import VendorError

_FAILURES = 3
_FIRST_SECONDS = 30.0
_LONGEST_SECONDS = 600.0
_OF_THE_HOST = (Reason.UNREACHABLE, Reason.VENDOR_ERROR, Reason.RATE_LIMITED)


@dataclass
class _HostFailures:
    failures: int = 0
    closed_until: float = 0.0


class Breaker:
    """Blocks requests to a host after failures in a row, with exponential backoff.

    It belongs to one check: its failures say nothing about the checks of others, and it goes with
    the check.
    """

    def __init__(self, clock: Callable[[], float] | None = None) -> None:
        self._clock = clock or (lambda: asyncio.get_running_loop().time())
        self._hosts: dict[str, _HostFailures] = {}

    def __len__(self) -> int:
        """The hosts with failures."""
        return len(self._hosts)

    def check(self, host: str) -> None:
        """Raise VendorError if requests to the host are blocked now."""
        found = self._hosts.get(host)
        left = found.closed_until - self._clock() if found else 0.0
        if left > 0:
            text = f"{host} failed {_FAILURES} times or more in a row; requests are paused"
            raise VendorError(Reason.UNREACHABLE, text, retry_after=left)

    def failed(self, host: str, error: VendorError) -> None:
        """Count a failure of the host; a failure of one credential does not count."""
        if error.reason not in _OF_THE_HOST:
            return
        found = self._hosts.setdefault(host, _HostFailures())
        if found.closed_until > self._clock():
            return
        found.failures += 1
        if found.failures >= _FAILURES:
            after = found.failures - _FAILURES + 1
            seconds = backoff_seconds(after, _FIRST_SECONDS, _LONGEST_SECONDS)
            # The product decides for how long, but not without a limit: nobody may end its checks.
            asked = min(error.retry_after or 0.0, _LONGEST_SECONDS)
            found.closed_until = self._clock() + max(seconds, asked)

    def keep(self, hosts: AbstractSet[str]) -> None:
        """Forget all other hosts."""
        for host in self._hosts.keys() - hosts:
            del self._hosts[host]

    def succeeded(self, host: str) -> None:
        """Forget the failures."""
        self._hosts.pop(host, None)
