"""The leader's own lookups, which prove that it sees what name servers are asked.

Canaries go to each name server directly, one for each connection that it may have. One with a
search domain shows whether the plug-in ``autopath`` answers names that nobody taps. Each telemetry
host in use is asked for, too, so that a tap without it is noticed.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterable
from ipaddress import ip_address
from typing import Protocol

from fleet_telemetry.api.telemetry_host import AddressFamily
from fleet_telemetry.egress.dns.client import DnsResponse, NoAnswerError, send_query
from fleet_telemetry.egress.dns.name_servers import NameServer
from fleet_telemetry.observed.canary import CANARY_ADDRESS, CANARY_ZONE, LAST_DIGITS

_TRIES = 3
"""A packet may be lost, and a canary that does not come back counts as a broken chain."""
_TRY_SECONDS = 2.0
_AT_ONCE = 32
"""Name servers."""
_HOSTS_AT_ONCE = 8
"""Of one name server."""
_AHEAD_SECONDS = 0.05
"""So much earlier hosts are asked for, so that they are reported before the canary is."""
_ADDRESS = ip_address(CANARY_ADDRESS)


class CanaryLog(Protocol):
    """Who waits for canaries to come back."""

    def canary_sent(self, name_server: str, token: str, *, search: bool = False) -> None:
        """A canary is about to be sent."""

    def path_canary_sent(self, token: str) -> None:
        """A canary is about to be sent as pods ask."""

    def set_autopath(self, name_server: str, *, in_use: bool) -> None:
        """Whether names with a search domain are answered as if they existed."""


class Canaries:
    """Sends canaries to name servers."""

    def __init__(
        self,
        log: CanaryLog,
        search_domain: str,
        *,
        token: Callable[[], str] = lambda: secrets.token_hex(8),
        try_seconds: float = _TRY_SECONDS,
    ) -> None:
        """``token`` gives random letters and digits that nobody can guess."""
        self._log = log
        self._search_domain = search_domain
        self._token = token
        self._try_seconds = try_seconds
        self._free = asyncio.Semaphore(_AT_ONCE)

    async def send(self, name_servers: Iterable[NameServer], hosts: Iterable[str] = ()) -> None:
        """Send canaries to all of them, and ask each for ``hosts``. A failure is no error: what
        does not come back speaks for itself."""
        asked = sorted(hosts)
        async with asyncio.TaskGroup() as group:
            for name_server in name_servers:
                group.create_task(self._send_to(name_server, asked))

    async def send_as_pods(self, name_server: NameServer) -> None:
        """Send one to the name server that pods ask, which may be a cache on the node."""
        token = self._token()
        self._log.path_canary_sent(token)
        await self._ask(name_server, f"{token}.{CANARY_ZONE}")

    async def _send_to(self, name_server: NameServer, hosts: list[str]) -> None:
        async with self._free, asyncio.TaskGroup() as group:
            if hosts:
                group.create_task(self._probe(name_server, hosts))
                await asyncio.sleep(_AHEAD_SECONDS)
            where = str(name_server.address)
            bare = None
            for digit in LAST_DIGITS:
                token = f"{self._token()}{digit}"
                self._log.canary_sent(where, token)
                bare = await self._ask(name_server, f"{token}.{CANARY_ZONE}")
            token = self._token()
            self._log.canary_sent(where, token, search=True)
            name = f"{token}.{CANARY_ZONE}.{self._search_domain}"
            searched = await self._ask(name_server, name)
            if bare is not None and searched is not None:
                # Where the canary itself has no address, it is not known what autopath would do.
                in_use = _has_address(searched) or not _has_address(bare)
                self._log.set_autopath(where, in_use=in_use)

    async def _probe(self, name_server: NameServer, hosts: list[str]) -> None:
        free = asyncio.Semaphore(_HOSTS_AT_ONCE)

        async def ask(host: str) -> None:
            async with free:
                await self._ask(name_server, host, tries=1)

        await asyncio.gather(*map(ask, hosts))

    async def _ask(
        self, name_server: NameServer, name: str, *, tries: int = _TRIES
    ) -> DnsResponse | None:
        """The response; None if there is none."""
        for _ in range(tries):
            try:
                return await send_query(
                    name_server, name, AddressFamily.IPV4, seconds=self._try_seconds
                )
            except NoAnswerError:
                await asyncio.sleep(0)
        return None


def _has_address(response: DnsResponse) -> bool:
    return any(_ADDRESS in records.values for records in response.addresses.values())
